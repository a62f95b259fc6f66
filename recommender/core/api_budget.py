"""The text API of an installation: where it is, who pays for it, and what was paid for already.

An encoder that asks a provider gets this beside its parameters: a recipe names neither address nor
key, so that no run record can send a key elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from recommender.core.arrays import FloatMatrix, FloatVector
from recommender.errors import ConfigError, ProviderFailed

DEFAULT_URL = "https://api.openai.com/v1"
MILLION = 1_000_000


class Drawer(Protocol):
    """Vectors that were paid for, until they lie in a shard."""

    def found(self, texts: Sequence[str]) -> dict[str, FloatVector]:
        """Those of the texts that have a vector (d,)."""

    def keep(self, texts: Sequence[str], vectors: FloatMatrix) -> None:
        """Put vectors (n, d) away for good: they are durable when this returns."""


class Purse(Protocol):
    """What a run may still spend."""

    def take(self, tokens: int) -> None:
        """Take one call of so many tokens, before it is made. Raises: ProviderFailed."""

    def correct(self, tokens: int) -> None:
        """Count what calls cost beyond what was taken for them, or below (negative)."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many calls a run may make and how much money it may spend.

    `price` is that of a million tokens, in the currency of `money`.
    """

    calls: int = 10_000
    money: float = 10.0
    price: float = 0.02

    def check(self, calls: int, tokens: int) -> None:
        """See that so much is within the budget. Raises: ProviderFailed."""
        money = tokens * self.price / MILLION
        if calls > self.calls:
            raise ProviderFailed(
                f"text_api.calls_max = {self.calls} calls are used up; "
                "what was paid for is kept, so raise it and run again"
            )
        if money > self.money:
            raise ProviderFailed(
                f"text_api.money_max = {self.money:g} would be passed (to {money:.4g}); "
                "what was paid for is kept, so raise it and run again"
            )


class OwnPurse:
    """What one process spends."""

    def __init__(self, budget: Budget) -> None:
        self.budget, self.calls, self.tokens = budget, 0, 0

    def take(self, tokens: int) -> None:
        """Take one call of so many tokens. Raises: ProviderFailed."""
        self.budget.check(self.calls + 1, self.tokens + tokens)
        self.calls += 1
        self.tokens += tokens

    def correct(self, tokens: int) -> None:
        """Count what calls cost beyond what was taken for them, or below (negative)."""
        self.tokens += tokens


class OwnDrawer:
    """Vectors in the memory of one process."""

    def __init__(self) -> None:
        self.kept: dict[str, FloatVector] = {}

    def found(self, texts: Sequence[str]) -> dict[str, FloatVector]:
        """Those of the texts that have a vector (d,)."""
        return {text: self.kept[text] for text in texts if text in self.kept}

    def keep(self, texts: Sequence[str], vectors: FloatMatrix) -> None:
        """Put vectors (n, d) away."""
        self.kept.update(zip(texts, vectors, strict=True))


@dataclass(frozen=True, slots=True)
class Till:
    """Where one call of an encoder pays: its purse, its drawer, and a folder for its answers."""

    purse: Purse
    drawer: Drawer
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class TextApi:
    """An OpenAI-compatible text API and how it is asked.

    `concurrency` requests at once, each within `timeout_s`; a batch is sent at most `attempts`
    times, waiting `wait_s` at first and twice as long each time. Link-local addresses, where clouds
    keep their credentials, are refused unless `link_local`. `till` is None where nobody keeps what
    is paid for.
    """

    url: str = DEFAULT_URL
    key: str = field(default="", repr=False)
    budget: Budget = Budget()
    concurrency: int = 4
    timeout_s: float = 60.0
    attempts: int = 6
    wait_s: float = 0.5
    link_local: bool = False
    till: Till | None = None

    def __post_init__(self) -> None:
        check_url(self.url)

    def opened(self) -> Till:
        """The till, or one of this process alone."""
        return self.till or Till(OwnPurse(self.budget), OwnDrawer())


def check_url(url: str) -> None:
    """See that a URL may be a text API's. Raises: ConfigError, telling none of its secrets."""
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0
    except ValueError:
        wrong = True
    if wrong:
        raise ConfigError("text_api.url is not http://HOST/... or https://HOST/...")
    if parts.username is not None or parts.password is not None:
        raise ConfigError("text_api.url carries a user or password; give the key as text_api.key")
    if parts.query or parts.fragment:
        raise ConfigError("text_api.url has a query or fragment; give the path alone")
