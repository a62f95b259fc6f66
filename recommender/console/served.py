"""The console beside the API of `recommender serve`, made anew in each of its processes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI

from recommender.console.access import Access, Proxy, Seal
from recommender.console.app import create_console
from recommender.console.live_shop import LiveShop
from recommender.errors import ConfigError
from recommender.service.keys import KeyRing, read_keys
from recommender.settings.model import Settings
from recommender.settings.service import ServiceSettings


@dataclass(frozen=True, slots=True)
class ServedConsole:
    """Makes the console of some shops, by settings and URL of the store.

    All processes have one `seal`, so that each knows the sessions of the others.
    Raises: ConfigError if there is no way to sign in.
    """

    shops: Mapping[str, tuple[Settings, str]]
    service: ServiceSettings
    seal: Seal = field(default_factory=Seal)

    def __post_init__(self) -> None:
        if not (self.service.api_keys or self.service.console_user_header):
            raise ConfigError(
                "serve --console: nobody could sign in; give --api-keys FILE, or name the header "
                "of your proxy in service.console_user_header"
            )

    def __call__(self) -> FastAPI:
        """The console. Raises: ConfigError."""
        service = self.service
        keys = read_keys(Path(service.api_keys))[0] if service.api_keys else []
        header = service.console_user_header
        proxy = Proxy(header, service.console_roles, service.console_proxies) if header else None
        access = Access(
            seal=self.seal,
            keys=KeyRing(keys),
            proxy=proxy,
            wrong_per_minute=service.wrong_keys_per_minute,
        )
        live = {name: LiveShop(settings, url) for name, (settings, url) in self.shops.items()}
        return create_console(live, access)
