"""`recommender serve` in a process of its own: HOST PORT API-KEYS-FILE-OR-DASH [SETTINGS FILE]."""

import argparse
import sys

from recommender.cli import serve
from recommender.errors import RecommenderError


def main(host: str, port: str, api_keys: str, config: str = "") -> int:
    options = argparse.Namespace(
        host=host,
        port=int(port),
        api_keys=None if api_keys == "-" else api_keys,
        config=config or None,
        assignments=[],
        search=False,
    )
    try:
        return serve.serve(options)
    except RecommenderError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
