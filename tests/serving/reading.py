"""A storefront in a process of its own: URL SHOP COUNT. Reads until its input ends.

Every list must be whole and of the build that its generation is; a batch must be of one.
"""

import json
import sys
import threading
import time
from collections import Counter

from recommender.core.related import RelatedList
from recommender.serving.lookup import RelatedItems
from tests.serving import builds

BUILDS = 3
"""Generation g is made from build 1 + g % BUILDS."""


def main(url: str, shop: str, count: str) -> None:
    n_items = int(count)
    lookup = RelatedItems(url, shop, deadline_s=1.0, cache_items=1)
    lookup.wait_ready()
    ended = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    counts: Counter[str] = Counter()
    seen: list[tuple[float, int]] = []
    row = 0
    while not ended.is_set():
        row = (row * 7 + 1) % n_items
        page = [(row + step) % n_items for step in range(5)]
        try:
            one = lookup.get(f"item-{row}", n=3)
            many = lookup.get_many([f"item-{each}" for each in page], n=3)
        except Exception:
            counts["exceptions"] += 1
            continue
        judge([one], [row], n_items, counts)
        judge(many, page, n_items, counts)
        if one.generation and (not seen or seen[-1][1] != one.generation):
            seen.append((time.time(), one.generation))
        time.sleep(0.001)
    sys.stdout.write(json.dumps({"counts": counts, "seen": seen}) + "\n")


def judge(answers: list[RelatedList], rows: list[int], n_items: int, counts: Counter[str]) -> None:
    counts["reads"] += len(answers)
    generations = {answer.generation for answer in answers}
    counts["mixed"] += len(generations) > 1
    for answer, row in zip(answers, rows, strict=True):
        counts[answer.status] += 1
        build = 1 + answer.generation % BUILDS
        whole = answer.items == builds.expected(row, n_items, build=build)
        counts["wrong"] += answer.status in {"ok", "topped_up", "stale"} and not whole


if __name__ == "__main__":
    main(*sys.argv[1:])
