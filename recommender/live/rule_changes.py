"""Application: a rule book put in force over what is live, without a reindex."""

from recommender.core.generation import Generation
from recommender.errors import DataError
from recommender.live.live_state import Scene
from recommender.live.overlays import base_lists, lay
from recommender.live.rule_check import unknown_names
from recommender.merchandising.application import snapshot
from recommender.merchandising.rule_set import RuleBook
from recommender.publishing.publisher import Publisher


def apply(scene: Scene, publisher: Publisher, book: RuleBook) -> Generation:
    """Lay the lists that a book changes over what is live; refreshed items stay.

    `book` holds the rules of the day. Returns the overlay or, where no list differs from those of
    the full generation, that one. Raises: ArtifactError; StoreUnavailable, also where something
    else went live since the scene was looked at.
    """
    record = scene.record.with_rules(snapshot(book))
    generation, _ = lay(
        scene.store,
        publisher,
        record,
        base=base_lists(scene.store, record),
        seen=scene.seen,
        rewrite=scene.rewriting(book).rewriter(scene.placements),
    )
    return generation


def require_known(book: RuleBook, scene: Scene, *, skip_unknown: bool) -> int:
    """How many names of a book are unknown. Raises: DataError where some are and may not be."""
    unknown = list(unknown_names(book, scene.catalogue, scene.placements))
    if unknown and not skip_unknown:
        (rule, name), more = unknown[0], len(unknown) - 1
        raise DataError(
            f"line {rule.line}: rule {rule.name!r:.60}: {name}"
            f"{f' (and {more} more)' if more else ''}; see recommender rules check, or leave out "
            "what such names mean with --skip-unknown"
        )
    return len(unknown)
