"""`recommender serve` in a process of its own: HOST PORT KEYS-FILE-OR-DASH [CONFIG [OPTION]...]."""

import sys

from recommender.cli.main import run


def main(host: str, port: str, api_keys: str, config: str = "", *more: str) -> int:
    options = ["--host", host, "--port", port, *more]
    options += [] if api_keys == "-" else ["--api-keys", api_keys]
    options += ["--config", config] if config else []
    return run(["serve", *options])


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
