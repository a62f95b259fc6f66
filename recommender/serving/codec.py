"""The values in Redis, schema 1; docs/redis-contract.md describes them for other languages.

A related list is four lines of text: its own id; the ids of its entries, best first, joined by
tabs; a letter of evidence for each; two characters of score for each. Ids hold no control
characters, so nothing needs escaping, and `sed -n 2p` reads a list.
"""

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import repeat
from types import MappingProxyType
from typing import Any, NamedTuple

from recommender.core.generation import Generation
from recommender.core.related import EVIDENCE, Evidence, RelatedItem

SCHEMA = 1
JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

BEST_SELLERS = ""
"""The reserved id of a placement's list of the shop's best sellers."""
LETTERS = "tbBpr"
"""The letters of `EVIDENCE`, in its order."""
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
LEVELS = len(DIGITS) ** 2
PAIRS: tuple[str, ...] = tuple(high + low for high in DIGITS for low in DIGITS)
"""A score is one of `LEVELS`: the pair at place p means (p + 1) / LEVELS."""

EVIDENCE_OF: Mapping[str, Evidence] = MappingProxyType(dict(zip(LETTERS, EVIDENCE, strict=True)))
SCORE_OF: Mapping[str, float] = MappingProxyType(
    {pair: (place + 1) / LEVELS for place, pair in enumerate(PAIRS)}
)
_LETTERS, _DIGITS = LETTERS.encode(), DIGITS.encode()
_EVIDENCES = {ord(letter): evidence for letter, evidence in EVIDENCE_OF.items()}
_SCORES = {int.from_bytes(pair.encode(), sys.byteorder): SCORE_OF[pair] for pair in PAIRS}
"""By the two characters of a score read as one number, as a memory view reads them."""


@dataclass(frozen=True, slots=True)
class View:
    """Which generations are read, newest first: at most an overlay and a full one.

    `placements` are those that the full generation has.
    """

    layers: tuple[int, ...]
    placements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pointer:
    """The live view, and the fence under which it became live.

    Requests whose key falls into `canary_share` (0 to 1) read `canary` instead, if there is one.
    """

    fence: int
    live: View
    canary: View | None = None
    canary_share: float = 0.0

    @property
    def generation(self) -> int:
        """The full generation that is live."""
        return self.live.layers[-1]

    def covered(self, overlay: int) -> "Pointer":
        """The pointer with an overlay over the live generation; its fence is the overlay's."""
        return replace(
            self, fence=overlay, live=replace(self.live, layers=(overlay, self.generation))
        )


class StoredList(NamedTuple):
    """A list as it is stored: columns, from which entries are made when they are first read.

    All columns are well-formed; the list has as many entries as letters. `joined` holds the ids
    separated by tabs, and may hold more ids than entries, so that cutting a list costs next to
    nothing. 10,000 cached lists take a fifth of the memory that one string per id would.
    """

    joined: str
    letters: bytes
    codes: bytes

    @property
    def ids(self) -> list[str]:
        """The ids of the entries, best first."""
        n = len(self.letters)
        return self.joined.split("\t", n)[:n] if n else []

    def items(self) -> tuple[RelatedItem, ...]:
        """Make the entries."""
        scores = map(_SCORES.__getitem__, memoryview(self.codes).cast("H"))
        evidence = map(_EVIDENCES.__getitem__, self.letters)
        return tuple(map(tuple.__new__, repeat(RelatedItem), zip(self.ids, scores, evidence)))  # noqa: B905

    def at(self, places: Sequence[int]) -> list[RelatedItem]:
        """Make the entries at some places."""
        ids, letters, scores = self.ids, self.letters, memoryview(self.codes).cast("H")
        return [
            RelatedItem(ids[place], _SCORES[scores[place]], _EVIDENCES[letters[place]])
            for place in places
        ]

    def leading(self, n: int) -> "StoredList":
        """The first n entries."""
        return StoredList(self.joined, self.letters[:n], self.codes[: 2 * n])

    def shown(
        self, n: int, hidden: AbstractSet[str], excluded: AbstractSet[str], lowest: float
    ) -> "StoredList":
        """The first n entries that are not hidden or excluded and score at least `lowest`."""
        leading = self.leading(n)
        if lowest <= 1 / LEVELS:
            if not (hidden or excluded):
                return leading
            ids = leading.ids
            if hidden.isdisjoint(ids) and (not excluded or excluded.isdisjoint(ids)):
                return leading
        dropped = {item for item in self.ids if item in hidden or item in excluded}
        return self.first(n, dropped, lowest)

    def first(self, n: int, dropped: Collection[str] = (), lowest: float = 0.0) -> "StoredList":
        """The first n entries that are not `dropped` and score at least `lowest`."""
        ids, scores = self.ids, memoryview(self.codes).cast("H")
        places: list[int] = []
        for place, item in enumerate(ids):
            if len(places) >= n or _SCORES[scores[place]] < lowest:
                break
            if item not in dropped:
                places.append(place)
        return StoredList(
            "\t".join([ids[place] for place in places]),
            bytes([self.letters[place] for place in places]),
            b"".join([self.codes[2 * place : 2 * place + 2] for place in places]),
        )


def encode_pointer(pointer: Pointer) -> bytes:
    """Write a pointer as JSON."""
    value: dict[str, object] = {"schema": SCHEMA, "fence": pointer.fence} | _plain(pointer.live)
    if pointer.canary is not None:
        value["canary"] = _plain(pointer.canary) | {"share": pointer.canary_share}
    return JSON.encode(value).encode()


class OtherSchema(ValueError):
    """A pointer of a schema that this code does not read."""


def decode_pointer(raw: object) -> Pointer:
    """Undo `encode_pointer`. Raises: OtherSchema; ValueError for malformed bytes."""
    value = _load(raw)
    match value:
        case {"schema": schema} if schema != SCHEMA:
            raise OtherSchema(f"pointer: schema {schema!r:.20} is not supported")
        case {"fence": int(fence)} if fence > 0:
            match value.get("canary"):
                case None:
                    return Pointer(fence, _view(value))
                case {"share": int(share) | float(share), **canary} if 0 < share <= 1:
                    return Pointer(fence, _view(value), _view(canary), float(share))
    raise ValueError(f"pointer: malformed {value!r:.80}")


def is_of_other_schema(raw: object) -> bool:
    """Whether a pointer is one for readers of another schema, rather than malformed."""
    try:
        decode_pointer(raw)
    except OtherSchema:
        return True
    except ValueError:
        return False
    return False


def encode_list(
    item: str, ids: Sequence[str], scores: Sequence[float], evidence: Sequence[int]
) -> bytes:
    """Write the related list of `item` from columns: ids, scores in (0, 1], evidence codes."""
    codes = "".join([PAIRS[min(max(round(score * LEVELS) - 1, 0), LEVELS - 1)] for score in scores])
    letters = "".join([LETTERS[code] for code in evidence])
    return "\n".join((item, "\t".join(ids), letters, codes)).encode()


def decode_list(raw: object, item: str) -> StoredList:
    """Undo `encode_list`.

    Raises: ValueError where the bytes are malformed or hold the list of another item, so that a
    reply to another request is never shown.
    """
    if not isinstance(raw, bytes):
        raise ValueError(f"not bytes but {type(raw).__name__}")  # noqa: TRY004
    lines = raw.split(b"\n")
    if lines[0] != item.encode():
        raise ValueError(f"related list: asked for {item!r}, got {lines[0]!r:.140}")
    if len(lines) != 4:
        raise ValueError(f"related list: {len(lines)} lines instead of 4")
    _, joined, letters, codes = lines
    n_ids = joined.count(b"\t") + 1 if joined else 0
    if not 2 * n_ids == 2 * len(letters) == len(codes):
        raise ValueError(f"related list: {n_ids} ids, {len(letters)} letters, {codes!r:.40}")
    if letters.translate(None, _LETTERS) or codes.translate(None, _DIGITS):
        raise ValueError(f"related list: malformed evidence {letters!r:.40} or score {codes!r:.40}")
    return StoredList(joined.decode(), letters, codes)


def encode_generation(generation: Generation) -> dict[str, str | int]:
    """Write a generation as the fields of its hash, without its id, which is in the key."""
    return {
        "state": generation.state,
        "created_at": generation.created_at,
        "recipe_digest": generation.recipe_digest,
        "lists_key": generation.lists_key,
        "n_items": generation.n_items,
        "n_lists": generation.n_lists,
        "n_entries": generation.n_entries,
        "placements": ",".join(generation.placements),
        "base": generation.base,
    }


def decode_generation(number: int, fields: Mapping[bytes, bytes]) -> Generation:
    """Undo `encode_generation`. Raises: ValueError where a field is missing or malformed."""
    texts = {name.decode(): text.decode() for name, text in fields.items()}
    try:
        return Generation(
            id=number,
            state="complete" if texts["state"] == "complete" else "staging",
            created_at=int(texts["created_at"]),
            recipe_digest=texts["recipe_digest"],
            lists_key=texts["lists_key"],
            n_items=int(texts["n_items"]),
            n_lists=int(texts["n_lists"]),
            n_entries=int(texts["n_entries"]),
            placements=tuple(filter(None, texts["placements"].split(","))),
            base=int(texts["base"]),
        )
    except KeyError as error:
        raise ValueError(f"generation {number}: no field {error}") from error


def _plain(view: View) -> dict[str, object]:
    return {"layers": list(view.layers), "placements": list(view.placements)}


def _view(value: Mapping[Any, object]) -> View:
    layers, placements = value.get("layers"), value.get("placements")
    if (
        isinstance(layers, list)
        and isinstance(placements, list)
        and 1 <= len(layers) <= 2
        and all(type(layer) is int and layer > 0 for layer in layers)
        and all(isinstance(placement, str) for placement in placements)
    ):
        return View(tuple(layers), tuple(placements))
    raise ValueError(f"pointer: malformed {value!r:.80}")


def _load(raw: object) -> dict[str, object]:
    if not isinstance(raw, bytes):
        raise ValueError(f"not bytes but {type(raw).__name__}")  # noqa: TRY004
    try:
        value = json.loads(raw.decode())
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError(f"pointer: malformed {value!r:.80}")  # noqa: TRY004
    return value
