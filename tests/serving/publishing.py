"""A publisher in a process of its own, to be killed: URL SHOP BUILD COUNT LEASE_S."""

import sys

from recommender.publishing.publisher import Publisher
from recommender.serving.connection import open_store
from tests.serving import builds


def main(url: str, shop: str, build: str, count: str, lease_s: str) -> None:
    publisher = Publisher(open_store(url), shop, lease_s=float(lease_s), batch=10, grace_s=0.0)
    publisher.publish(
        builds.item_ids(int(count)),
        [builds.related_lists(int(count), build=int(build))],
        lists_key=f"lists-{build}",
        recipe_digest="digest",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
