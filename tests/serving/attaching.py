"""A separate process: attaches to STATE, counts up, prints the server's process id, and waits."""

import sys
from pathlib import Path

from recommender.publishing.embedded import Embedded
from recommender.serving.connection import open_store


def main(state: str) -> None:
    with Embedded(Path(state)).attach() as url:
        store = open_store(url)
        store.incr("commands")
        sys.stdout.write(f"{store.info('server')['process_id']}\n")
        sys.stdout.flush()
        sys.stdin.readline()
        store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
