"""The Celery app, where `celery -A workers worker` finds it.

`$RECOMMENDER_CONFIG` names one settings file per shop, `:`-separated; they are read when the
app's settings are first needed, and never again. A job is acknowledged at its end; where its broker
hands it out twice, the second worker finds the claim of the first.
"""

import ssl
import sys
from typing import Any, NoReturn

import billiard.pool
from celery import Celery
from celery.signals import celeryd_init, worker_shutting_down
from kombu.entity import Queue

from recommender.build.steps import Work
from recommender.errors import ConfigError
from workers.leaving import GRACE_S, leave
from workers.shops import Shops, configured

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
"""After this time Redis hands a job that nobody acknowledged to another worker; nothing waits for
it, and a second copy of a job finds the claim of the first."""
QUEUES: dict[Work, str] = {"cpu": "recommender", "encode": "recommender-encode"}
RECONCILED_S = 60.0


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
                "schedule": RECONCILED_S,
                "args": (shop,),
            }
            for shop in shops.files
        },
        "worker_consumer": "workers.consumer:ScreenedConsumer",
        "worker_enable_remote_control": False,
        "worker_hijack_root_logger": False,
        "worker_prefetch_multiplier": 1,
    }
    return common | _transport(shops.broker_url.partition("://")[0])


def require_json_only(app: Celery) -> None:
    """See that nothing but JSON is sent or accepted. Raises: ConfigError naming the setting."""
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
        "broker_transport": "workers.transport:Transport",
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


def _at_first_need() -> dict[str, Any]:
    try:
        return configuration(configured())
    except ConfigError as error:
        _leave(error)


def _at_start(*, instance: Any, **_: object) -> None:  # noqa: ANN401
    try:
        require_json_only(instance.app)
    except ConfigError as error:
        _leave(error)


def _at_end(**_: object) -> None:
    leave()


def _leave(error: ConfigError) -> NoReturn:
    """End the command in one line: Celery would log the error of a signal and go on."""
    sys.stderr.write(f"workers: {error}\n")
    raise SystemExit(error.exit_code)


# A pool child that ends waits until the worker has counted its last result, and the worker may have
# stopped counting: for 30 seconds, unless told otherwise. A result is of no account here.
billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = round(
    GRACE_S / billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_INTERVAL
)

app = Celery("workers", include=["workers.tasks"])
app.add_defaults(_at_first_need)
celeryd_init.connect(_at_start)
worker_shutting_down.connect(_at_end)
