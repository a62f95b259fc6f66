"""The Celery app, where `celery -A workers worker` finds it, and the shops that it serves.

`$RECOMMENDER_CONFIG` names one settings file per shop, `:`-separated; they are read once, when the
settings of the app are first needed. A message is acknowledged when its task ends; where the broker
delivers it twice, the second worker finds the lease of the first.
"""

import logging
import ssl
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import billiard.pool
from celery import Celery
from celery.signals import (
    after_setup_logger,
    after_setup_task_logger,
    celeryd_init,
    worker_shutting_down,
)
from kombu.entity import Queue

from recommender.build.steps import Work
from recommender.core.redaction import RedactingFormatter
from recommender.errors import ConfigError
from recommender.publishing.publisher import Publisher
from recommender.serving.connection import open_store
from recommender.serving.keys import check_shop
from recommender.serving.urls import redacted
from recommender.settings.loading import find_files, load
from recommender.settings.model import Settings
from recommender.settings.tables import EMBEDDED
from workers.processes import GRACE_S, request_shutdown

SCHEMES = ("redis", "rediss", "amqp", "amqps")

JSON_ONLY: dict[str, object] = {
    "task_serializer": "json",
    "result_serializer": "json",
    "event_serializer": "json",
    "accept_content": ["json"],
    "result_accept_content": ["json"],
}
TIMEOUT_S = 15.0
CONNECT_TIMEOUT_S = 5.0
REDELIVERY_S = 3600
"""When Redis delivers a message that nobody acknowledged to another worker. Nothing waits for it,
and the second worker finds the lease of the first."""
QUEUES: dict[Work, str] = {"cpu": "recommender", "encode": "recommender-encode"}
RECONCILE_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Shops:
    """The absolute path of each shop's settings file, and the broker that all shops share."""

    files: Mapping[str, Path]
    broker_url: str

    def file(self, shop: object) -> Path:
        """The settings file of a shop that a message names.

        Raises: ConfigError for anything but the name of one of the shops.
        """
        if not isinstance(shop, str):
            raise ConfigError(f"shop {shop!r:.60}: not a name")
        check_shop(shop)
        if shop not in self.files:
            raise ConfigError(f"shop {shop!r} is not one of {', '.join(sorted(self.files))}")
        return self.files[shop]


@contextmanager
def open_shop(shop: object) -> Iterator[tuple[Settings, Publisher]]:
    """Settings and publisher of a shop that a message names.

    Raises: ConfigError; StoreUnavailable.
    """
    settings = load(configured().file(shop))
    with open_store(settings.store.url) as store:
        yield settings, Publisher(store, settings.shop, lease_s=settings.store.lease_s)


@cache
def configured() -> Shops:
    """The shops that `$RECOMMENDER_CONFIG` names. Raises: ConfigError."""
    return read_shops(find_files())


def read_shops(paths: Iterable[Path]) -> Shops:
    """Read one settings file per shop.

    Raises: ConfigError where two name one shop or different brokers, or where one names no
    server as its broker or store.
    """
    files: dict[str, Path] = {}
    brokers: dict[str, str] = {}
    for path in paths:
        settings = load(path)
        _check(settings, path)
        if settings.shop in files:
            raise ConfigError(f"shop {settings.shop}: set in {files[settings.shop]} and in {path}")
        files[settings.shop] = path.resolve()
        brokers[settings.shop] = settings.broker.url
    if len(set(brokers.values())) != 1:
        named = ", ".join(f"{shop}: {redacted(url)}" for shop, url in brokers.items())
        raise ConfigError(f"broker.url differs ({named}); name one broker for all shops")
    return Shops(files, next(iter(brokers.values())))


def _check(settings: Settings, path: Path) -> None:
    if settings.store.url == EMBEDDED:
        raise ConfigError(f'{path}: store.url = "{EMBEDDED}" is for one machine; name a server')
    scheme, separator, _ = settings.broker.url.partition("://")
    if not separator or scheme not in SCHEMES:
        allowed = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ConfigError(
            f"{path}: broker.url = {redacted(settings.broker.url)!r}: name a server, as {allowed}"
        )


def configuration(shops: Shops) -> dict[str, Any]:
    """Celery's settings for the workers of these shops."""
    common = JSON_ONLY | {
        "broker_url": shops.broker_url,
        "broker_connection_retry_on_startup": True,
        "task_default_queue": QUEUES["cpu"],
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_queues": [_queue(name) for name in QUEUES.values()],
        "beat_schedule": {
            f"reconcile {shop}": {
                "task": "workers.reconcile",
                "schedule": RECONCILE_EVERY_S,
                "args": (shop,),
            }
            for shop in shops.files
        },
        "worker_consumer": "workers.tasks:ScreenedConsumer",
        "worker_enable_remote_control": False,
        "worker_hijack_root_logger": False,
        "worker_prefetch_multiplier": 1,
    }
    return common | _transport(shops.broker_url.partition("://")[0])


def require_json_only(app: Celery) -> None:
    """Raises: ConfigError for a setting by which anything but JSON is sent or accepted."""
    for name, required in JSON_ONLY.items():
        if app.conf[name] != required:
            raise ConfigError(f"{name} = {app.conf[name]!r}: workers take {required!r} alone")


def _queue(name: str) -> Queue:
    return Queue(name, routing_key=name)  # type: ignore[no-untyped-call]


def _transport(scheme: str) -> dict[str, Any]:
    """The settings of a broker's connection. Without them a certificate would not be checked."""
    if scheme.startswith("amqp"):
        tls = {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None}
        return {
            "broker_transport_options": {"confirm_publish": True},
            "broker_use_ssl": tls if scheme == "amqps" else None,
        }
    return {
        "broker_transport": "workers.tasks:Transport",
        "broker_transport_options": {
            "global_keyprefix": "recommender:",
            "health_check_interval": 30,
            "socket_connect_timeout": CONNECT_TIMEOUT_S,
            "socket_keepalive": True,
            "socket_timeout": TIMEOUT_S,
            "visibility_timeout": REDELIVERY_S,
        },
        "broker_use_ssl": {"ssl_cert_reqs": ssl.CERT_REQUIRED} if scheme == "rediss" else None,
    }


def _configuration() -> dict[str, Any]:
    try:
        return configuration(configured())
    except ConfigError as error:
        _exit(error)


def _check_start(*, instance: Any, **_: object) -> None:  # noqa: ANN401
    try:
        require_json_only(instance.app)
    except ConfigError as error:
        _exit(error)


def _redact(logger: logging.Logger, **_: object) -> None:
    for handler in logger.handlers:
        handler.setFormatter(RedactingFormatter(handler.formatter))


def _on_shutdown(**_: object) -> None:
    request_shutdown()


def _exit(error: ConfigError) -> NoReturn:
    """End the command in one line: Celery would log the error of a signal handler and go on."""
    sys.stderr.write(f"workers: {error}\n")
    raise SystemExit(error.exit_code)


# A pool child that ends waits up to 30 seconds until the worker has counted its last result, which
# a worker that shuts down no longer does. Results are not used here.
billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = round(
    GRACE_S / billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_INTERVAL
)

app = Celery("workers", include=["workers.tasks"])
app.add_defaults(_configuration)
celeryd_init.connect(_check_start)
after_setup_logger.connect(_redact)
after_setup_task_logger.connect(_redact)
worker_shutting_down.connect(_on_shutdown)
