"""How often search finds the product that was meant, and how long a query takes.

    python -m benchmarks.search_quality --config shop.toml

Queries are made of titles: of a title with at least four words, two are left out at random; in a
second run, two letters of one remaining word change places. Right is the item, or another with the
same title, in the first ten; items of equal score stand by their row. Beside hybrid search stand
its halves: words alone and meaning alone.
"""

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from benchmarks.machine import machine
from recommender import registry
from recommender.cli.session import settings_of
from recommender.cli.terminal import console, progress, right, table
from recommender.core.catalogue import clean
from recommender.insights.search import Searcher, searcher
from recommender.pipeline import content_embeddings, read_shop_columns

QUERIES, SHOWN, LEAST_WORDS, DROPPED = 500, 10, 4, 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """A query, and the title of the items that it means."""

    query: str
    title: str


def main() -> None:
    """Print shares and times of all ways to search."""
    options = _parser().parse_args()
    job = settings_of(options).job(progress)
    read, catalogue, _ = read_shop_columns(job)
    name, choice = registry.text_choice(job.recipe)
    made = searcher(0, catalogue, content_embeddings(job, read)[name], choice)
    made = replace(made, encode=cache(made.encode))
    rng = np.random.default_rng(options.seed)
    asked = queries(catalogue.title, rng)
    kinds = {"two words dropped": asked, "and two letters swapped": [typo(q, rng) for q in asked]}
    rows = [
        (name, kind, f"{share(find, wanted, SHOWN):.1%}", f"{share(find, wanted, 1):.1%}")
        for kind, wanted in kinds.items()
        for name, find in ways(made).items()
    ]
    shown = console()
    shown.print(f"{len(asked)} queries of {len(catalogue):,} items, seed {options.seed}")
    shown.print(table(["search", "queries", *right("first ten", "first")], rows))
    fresh = searcher(0, catalogue, content_embeddings(job, read)[name], choice)
    median, late, busy = times_ms(fresh, asked)
    about = machine()
    shown.print(f"{about['processor']}, {about['cores']} cores, one query at a time")
    shown.print(f"a query, model included: p50 {median:.1f} ms, p95 {late:.1f} ms")
    shown.print(f"of which the processor worked p50 {busy:.1f} ms")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def queries(titles: Iterable[str], rng: np.random.Generator) -> list[Wanted]:
    """At most 500 distinct titles of at least four words, two of them left out."""
    eligible = [t for t in dict.fromkeys(map(clean, titles)) if len(t.split()) >= LEAST_WORDS]
    drawn = rng.choice(len(eligible), min(QUERIES, len(eligible)), replace=False)
    found = []
    for place in drawn.tolist():
        words = eligible[place].split()
        kept = np.sort(rng.choice(len(words), len(words) - DROPPED, replace=False))
        found.append(Wanted(" ".join(words[at] for at in kept.tolist()), eligible[place]))
    return found


def typo(wanted: Wanted, rng: np.random.Generator) -> Wanted:
    """The longest word with two neighbouring letters swapped."""
    words = wanted.query.split()
    place = max(range(len(words)), key=lambda at: len(words[at]))
    word = words[place]
    at = int(rng.integers(0, max(1, len(word) - 1)))
    words[place] = word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :]
    return Wanted(" ".join(words), wanted.title)


Find = Callable[[str, int], list[str]]


def ways(made: Searcher) -> dict[str, Find]:
    """Hybrid search and its halves, each from a query to the titles that it finds."""

    def hybrid(query: str, n: int) -> list[str]:
        return [clean(hit.title) for hit in made.find(query, n)]

    def words(query: str, n: int) -> list[str]:
        return _best(made, made.word_index.score(query) if made.word_index else np.zeros(0), n)

    def meaning(query: str, n: int) -> list[str]:
        return _best(made, made.matrix @ made.encode(query), n)

    return {"hybrid": hybrid, "words alone": words, "meaning alone": meaning}


def _best(made: Searcher, score: np.ndarray, n: int) -> list[str]:
    order = np.argsort(-score, kind="stable")[:n]
    return [clean(made.catalogue.title[row]) for row in order.tolist()]


def share(find: Find, wanted: Iterable[Wanted], n: int) -> float:
    """How often the title that was meant is among the first n."""
    return float(np.mean([one.title in find(one.query, n) for one in wanted]))


def times_ms(made: Searcher, asked: Iterable[Wanted]) -> tuple[float, float, float]:
    """Median and 95th percentile of a query after the first, and the median of processor time."""
    made.find("warm up", SHOWN)
    taken = []
    for one in asked:
        began = time.perf_counter(), time.process_time()
        made.find(one.query, SHOWN)
        taken.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    wall, busy = 1000 * np.array(taken).T
    return float(np.median(wall)), float(np.quantile(wall, 0.95)), float(np.median(busy))


if __name__ == "__main__":
    main()
