"""Application: a rule book put in force over what is live, without a reindex."""

from recommender.artifacts import ArtifactStore
from recommender.errors import DataError
from recommender.generation import Generation
from recommender.merchandising.book import RuleBook
from recommender.overlays import lay, live_record
from recommender.progress import Progress, silent
from recommender.rewriting import snapshot
from recommender.rule_review.check import unknown_names
from recommender.rule_review.scene import Scene
from recommender.serving.publisher import Publisher


def apply(
    store: ArtifactStore, publisher: Publisher, book: RuleBook, progress: Progress = silent
) -> Generation:
    """Lay the lists that a book changes over what is live; refreshed items stay.

    `book` holds the rules of the day. Returns the overlay or, where no list differs from those of
    the full generation, that one. Raises: DataError where nothing is live; ArtifactError;
    StoreUnavailable.
    """
    seen, layers = publisher.layers()
    record = live_record(store, layers).with_rules(snapshot(book))
    return lay(store, publisher, record, seen=seen, progress=progress)


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
