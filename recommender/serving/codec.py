"""What the values in Redis look like, schema 0: one JSON text per related list."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from recommender import item_id
from recommender.generation import Generation
from recommender.related import EVIDENCE, Evidence, RelatedItem

SCHEMA = 0
JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
EVIDENCE_OF: Mapping[str, Evidence] = MappingProxyType({name: name for name in EVIDENCE})


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which generation is live, and the fence under which it became so."""

    fence: int
    generation: int


def encode_pointer(pointer: Pointer) -> bytes:
    """Write a pointer as JSON: schema, fence and layers (schema 0 has one)."""
    return _dump({"schema": SCHEMA, "fence": pointer.fence, "layers": [pointer.generation]})


def decode_pointer(raw: object) -> Pointer:
    """Undo `encode_pointer`. Raises: ValueError for another schema or malformed bytes."""
    value = _load(raw)
    match value:
        case {"schema": 0, "fence": int(fence), "layers": [int(generation)]} if (
            fence > 0 and generation > 0
        ):
            return Pointer(fence, generation)
        case {"schema": schema} if schema != SCHEMA:
            raise ValueError(f"pointer: schema {schema!r:.20} is not supported")
    raise ValueError(f"pointer: malformed {value!r:.80}")


def encode_list(
    item: str, ids: Sequence[str], scores: Sequence[float], evidence: Sequence[int]
) -> bytes:
    """Write the related list of `item` from columns: ids, scores in (0, 1], evidence codes.

    Scores keep four significant digits, so that a score above 0 stays above 0.
    """
    entries = [
        [other, float(f"{score:.4g}"), EVIDENCE[code]]
        for other, score, code in zip(ids, scores, evidence, strict=True)
    ]
    return _dump({"id": item, "items": entries})


def decode_list(raw: object, item: str) -> tuple[RelatedItem, ...]:
    """Undo `encode_list` for the list that was asked for.

    Raises: ValueError where the bytes are malformed or hold the list of another item, which is
    how an answer that was meant for another question is noticed.
    """
    match _load(raw):
        case {"id": str(owner), "items": list(entries)}:
            if owner != item:
                raise ValueError(f"related list: asked for {item!r}, got {owner!r:.140}")
            return tuple(_entry(entry) for entry in entries)
    raise ValueError("related list: not a JSON object with id and items")


def encode_generation(generation: Generation) -> dict[str, str | int]:
    """Write a generation as the fields of its hash, less its id, which the key has."""
    return {
        "state": generation.state,
        "created_at": generation.created_at,
        "recipe_digest": generation.recipe_digest,
        "lists_key": generation.lists_key,
        "n_items": generation.n_items,
        "n_lists": generation.n_lists,
        "n_entries": generation.n_entries,
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
        )
    except KeyError as error:
        raise ValueError(f"generation {number}: no field {error}") from error


def _entry(entry: object) -> RelatedItem:
    match entry:
        case [str(other), float() | int() as score, str(evidence)] if (
            0 < score <= 1 and evidence in EVIDENCE_OF and item_id.fault(other) is None
        ):
            return RelatedItem(other, float(score), EVIDENCE_OF[evidence])
    raise ValueError(f"related list: malformed entry {entry!r:.80}")


def _dump(value: object) -> bytes:
    return JSON.encode(value).encode()


def _load(raw: object) -> object:
    if not isinstance(raw, bytes):
        raise ValueError(f"not bytes but {type(raw).__name__}")  # noqa: TRY004
    try:
        return json.loads(raw.decode())
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
