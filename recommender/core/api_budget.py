"""The text API of an installation: its address and key, its budget, and the vectors paid for.

An encoder that calls a provider gets this next to its parameters. A recipe names neither address
nor key, so no run record can send a key elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from recommender.core.arrays import FloatMatrix, FloatVector
from recommender.errors import ConfigError, ProviderFailed

DEFAULT_URL = "https://api.openai.com/v1"
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Budget:
    """How many calls a run may make and how much money it may spend.

    `price` is that of a million tokens, in the currency of `money`.
    """

    calls: int = 10_000
    money: float = 10.0
    price: float = 0.02

    def check(self, calls: int, tokens: int) -> None:
        """Check that these totals are within the budget. Raises: ProviderFailed."""
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


class PaidTexts(Protocol):
    """The ledger of an encoder that is paid: vectors it has paid for, and what it has spent."""

    def found(self, texts: Sequence[str]) -> dict[str, FloatVector]:
        """Those of the texts that have a vector (d,)."""

    def reserve(self, tokens: int) -> None:
        """Count one call of so many tokens, before it is made. Raises: ProviderFailed."""

    def keep(self, texts: Sequence[str], vectors: FloatMatrix, more: int) -> None:
        """Store vectors (n, d), which are durable when this returns.

        Counts the tokens that the call cost above (or, negative, below) those reserved for it.
        """


@dataclass(slots=True)
class PaidInMemory:
    """The ledger of one process, which ends with it."""

    budget: Budget
    calls: int = 0
    tokens: int = 0
    vectors: dict[str, FloatVector] = field(default_factory=dict)

    def found(self, texts: Sequence[str]) -> dict[str, FloatVector]:
        """Those of the texts that have a vector (d,)."""
        return {text: self.vectors[text] for text in texts if text in self.vectors}

    def reserve(self, tokens: int) -> None:
        """Count one call of so many tokens. Raises: ProviderFailed."""
        self.budget.check(self.calls + 1, self.tokens + tokens)
        self.calls += 1
        self.tokens += tokens

    def keep(self, texts: Sequence[str], vectors: FloatMatrix, more: int) -> None:
        """Store vectors (n, d), and count the tokens above or below those reserved."""
        self.vectors.update(zip(texts, vectors, strict=True))
        self.tokens += more


@dataclass(frozen=True, slots=True)
class TextApi:
    """An OpenAI-compatible text API and how it is called.

    At most `concurrency` requests run at once, each within `timeout_s`. A batch is sent at most
    `attempts` times; the first pause is `wait_s`, and each further one twice as long. Link-local
    addresses, where clouds keep their credentials, are refused unless `link_local`. Without a
    ledger in `paid`, vectors are kept in memory.
    """

    url: str = DEFAULT_URL
    key: str = field(default="", repr=False)
    budget: Budget = Budget()
    concurrency: int = 4
    timeout_s: float = 60.0
    attempts: int = 6
    wait_s: float = 0.5
    link_local: bool = False
    paid: PaidTexts | None = None

    def __post_init__(self) -> None:
        check_url(self.url)


def check_url(url: str) -> None:
    """Check that a URL may be a text API's. Raises: ConfigError, which shows no secret of it."""
    try:
        parts = urlsplit(url)
        alone = not (parts.query or parts.fragment or "@" in parts.netloc) and parts.port != 0
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and alone
    except ValueError:
        fits = False
    if not fits:
        raise ConfigError(
            "text_api.url is not http://HOST/... or https://HOST/... with the path alone: give no "
            "user, password, query or fragment, and the key as text_api.key"
        )
