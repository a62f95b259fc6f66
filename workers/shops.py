"""The shops that workers serve: one settings file each, read once when a worker starts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from recommender.errors import ConfigError
from recommender.serving.connection import redacted
from recommender.serving.keys import check_shop
from recommender.settings.loading import find_files, load
from recommender.settings.model import Settings
from recommender.settings.tables import EMBEDDED

SCHEMES = ("redis", "rediss", "amqp", "amqps")


@dataclass(frozen=True, slots=True)
class Shops:
    """The absolute path of each shop's settings file, by name, and the one broker of them all."""

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
        told = ", ".join(f"{shop}: {redacted(url)}" for shop, url in brokers.items())
        raise ConfigError(f"broker.url differs ({told}); name one broker for all shops")
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
