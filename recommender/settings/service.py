"""The table of a settings file for `recommender serve`: keys, certificate, processes and limits."""

from typing import Literal

from pydantic import Field

from recommender.settings.table import Table

ConsoleRole = Literal["read", "merchandise", "operate"]
"""What users of the console may do; the same roles as those of API keys."""


class ServiceSettings(Table):
    """What `recommender serve` accepts, and how much of it; limits are those of one process.

    `api_keys` is a file of API keys, `cert` and `key` are PEM files of a certificate and its
    private key. Times are in seconds; `connections` is at most 96 below the open files that the
    system allows. A key may send `requests_per_s`, and an address `wrong_keys_per_minute`; 0 for
    no limit.

    In the console, `console_user_header` names the user whom a proxy at one of `console_proxies`
    signed in, and such users have `console_roles`; without it, API keys alone sign in.
    """

    api_keys: str = ""
    cert: str = ""
    key: str = ""
    processes: int = Field(default=1, ge=1, le=256)
    connections: int = Field(default=1000, ge=1, le=1_000_000)
    requests: int = Field(default=256, ge=1, le=100_000)
    requests_per_s: float = Field(default=1000.0, ge=0, allow_inf_nan=False)
    wrong_keys_per_minute: float = Field(default=10.0, ge=0, allow_inf_nan=False)
    body_bytes: int = Field(default=1 << 20, ge=1024, le=1 << 30)
    request_s: float = Field(default=10.0, gt=0, le=3600)
    write_s: float = Field(default=10.0, gt=0, le=3600)
    idle_s: int = Field(default=5, ge=1, le=3600)
    drain_s: int = Field(default=5, ge=1, le=3600)
    access_log: bool = False
    console_user_header: str = ""
    console_roles: tuple[ConsoleRole, ...] = ("read",)
    console_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
