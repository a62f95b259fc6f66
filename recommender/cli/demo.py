"""`recommender demo`."""

import argparse
import sys
from pathlib import Path

import recommender
from recommender.cli.reindex import reindex
from recommender.cli.related import show
from recommender.cli.session import store_url
from recommender.errors import ConfigError
from recommender.settings.loading import load

DEMO = Path("config/examples/demo.toml")
EXAMPLES = ("1098066", "7152455", "866140", "985427")
SHOWN = 6


def run(options: argparse.Namespace) -> int:
    """Build the lists of the grocery sample and show those of a few items."""
    path = _settings_file(options.config)
    settings = load(path, options.assignments)
    with store_url(settings):
        reindex(settings, force=False)
        for item in EXAMPLES:
            sys.stdout.write("\n")
            show(settings, item, SHOWN)
    place = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    sys.stdout.write(f"\nMore: recommender related {EXAMPLES[0]} --config {place}\n")
    return 0


def _settings_file(given: str | None) -> Path:
    if given:
        return Path(given)
    checkout = Path(recommender.__file__).resolve().parents[1]
    for base in (Path.cwd(), checkout):
        if (base / DEMO).is_file():
            return base / DEMO
    raise ConfigError(f"demo: {DEMO} is not here; run it from a checkout of the project")
