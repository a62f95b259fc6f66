"""Recipe: every name and parameter that decides a build."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from recommender.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Choice:
    """One implementation by its name in the registry, with its parameters (plain JSON values)."""

    use: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", dict(self.parameters))

    def __hash__(self) -> int:
        return hash(json.dumps(self.plain(), sort_keys=True))

    def plain(self) -> dict[str, Any]:
        """The choice as it is written in a recipe file."""
        return {"use": self.use, **self.parameters}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Choice":
        """Undo `plain`."""
        return cls(plain["use"], {name: plain[name] for name in plain if name != "use"})


@dataclass(frozen=True, slots=True)
class Placement:
    """A named slot on a page: its vectors, its ranker, its filters and its size.

    `shown` is what a page asks for as a rule, `depth` how many are published, so that items can
    be hidden on read; entries under `min_score` are not published. Its models, candidates and
    ranker learn from the `kinds` of interaction that it names, from all where it names none. No
    item is in more than a `hub_share` of its lists; 0 sets no bound. With `one_per_title`, no two
    items of a list have the same title, nor that of the item whose list it is.
    """

    name: str
    fusion: Choice
    candidates: tuple[Choice, ...] = (Choice("nearest"),)
    ranker: Choice = Choice("identity")
    filters: tuple[Choice, ...] = ()
    shown: int = 12
    depth: int = 36
    min_score: float = 0.0
    kinds: tuple[str, ...] = ()
    hub_share: float = 0.0
    one_per_title: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", tuple(sorted(set(self.kinds))))
        _require_name(self.name, "placement name")
        if not 1 <= self.shown <= self.depth <= 1000:
            raise ConfigError(
                f"placement {self.name}: shown = {self.shown}, depth = {self.depth}; "
                "1 <= shown <= depth <= 1000 is needed"
            )
        for name in ("min_score", "hub_share"):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise ConfigError(f"placement {self.name}: {name} = {share} is not in 0..1")
        if not self.candidates:
            raise ConfigError(f"placement {self.name}: candidates is empty; name at least one")

    def plain(self) -> dict[str, Any]:
        """The placement as it is written in a recipe file, without values that are not set."""
        given: dict[str, Any] = {"kinds": list(self.kinds)} if self.kinds else {}
        if self.hub_share:
            given["hub_share"] = self.hub_share
        if not self.one_per_title:
            given["one_per_title"] = False
        return given | {
            "name": self.name,
            "fusion": self.fusion.plain(),
            "candidates": [choice.plain() for choice in self.candidates],
            "ranker": self.ranker.plain(),
            "filters": [choice.plain() for choice in self.filters],
            "shown": self.shown,
            "depth": self.depth,
            "min_score": self.min_score,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Placement":
        """Undo `plain`."""
        choices = {name: Choice.from_plain(plain[name]) for name in ("fusion", "ranker")}
        several = {
            name: tuple(map(Choice.from_plain, plain[name])) for name in ("candidates", "filters")
        }
        return cls(**{**plain, **choices, **several, "kinds": tuple(plain.get("kinds", ()))})


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the word of few users goes, so that nobody can buy a place in others' lists.

    A user's events with an item count in their newest `user_baskets` baskets or sessions (0: in
    all); two items count as bought or seen together where `users_min` distinct users had both in
    one. Who has no user counts as one.
    """

    user_baskets: int = 0
    users_min: int = 1

    def __post_init__(self) -> None:
        if self.user_baskets < 0:
            raise ConfigError(f"recipe.trust: user_baskets = {self.user_baskets} is below 0")
        if self.users_min < 1:
            raise ConfigError(f"recipe.trust: users_min = {self.users_min} is below 1")

    def plain(self) -> dict[str, Any]:
        """The values that differ from the defaults, as they are written in a recipe file."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value != getattr(TRUST, name)}


TRUST = Trust()
LearnDays = float | Literal["auto"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How item vectors and related lists are made.

    `content` names the origins of vectors that rest on the items themselves, `interactions` the
    interaction models. A name identifies the embeddings of its origin. Rankers learn from the last
    `learn_days` of the shop; `auto` takes as many as hold enough events.
    """

    content: Mapping[str, Choice]
    interactions: Mapping[str, Choice]
    index: Choice
    placements: tuple[Placement, ...]
    trust: Trust = TRUST
    learn_days: LearnDays = "auto"

    def __post_init__(self) -> None:
        if self.learn_days != "auto" and not self.learn_days > 0:
            raise ConfigError(
                f"recipe.learn_days = {self.learn_days!r} is neither 'auto' nor a number above 0"
            )
        object.__setattr__(self, "interactions", dict(self.interactions))
        object.__setattr__(self, "content", dict(self.content))
        if not self.content:
            raise ConfigError("recipe.content is empty: name at least one content origin")
        for name in self.content:
            _require_name(name, "recipe.content")
            if name in self.interactions:
                raise ConfigError(f"recipe.interactions.{name}: a content origin has that name")
        if not self.placements:
            raise ConfigError("recipe.placements is empty: name at least one placement")
        names = [placement.name for placement in self.placements]
        if len(set(names)) != len(names):
            raise ConfigError(f"recipe.placements: a name stands twice in {', '.join(names)}")

    def only(self, names: Sequence[str]) -> "Recipe":
        """The recipe with some of its placements, in the order of `names`.

        Raises: ConfigError where it has no such placement.
        """
        placements = {one.name: one for one in self.placements}
        for name in names:
            if name not in placements:
                raise ConfigError(f"placement {name!r}: the recipe has {', '.join(placements)}")
        return replace(self, placements=tuple(placements[name] for name in names))

    def plain(self) -> dict[str, Any]:
        """The recipe as it is written in a file."""
        given: dict[str, Any] = {"trust": self.trust.plain()} if self.trust.plain() else {}
        if self.learn_days != "auto":
            given["learn_days"] = self.learn_days
        return given | {
            "content": {name: c.plain() for name, c in self.content.items()},
            "interactions": {name: c.plain() for name, c in self.interactions.items()},
            "index": self.index.plain(),
            "placements": [placement.plain() for placement in self.placements],
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the recipe, hexadecimal; equal recipes have equal digests."""
        text = json.dumps(self.plain(), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _require_name(name: str, where: str) -> None:
    if not name or not all(c.isascii() and (c.isalnum() or c in "_-") for c in name):
        raise ConfigError(f"{where} {name!r}: use letters, digits, - and _")
