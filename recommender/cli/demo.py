"""`recommender demo`."""

import argparse
import sys
from pathlib import Path

import recommender
from recommender.cli.reindex import reindex
from recommender.cli.related import show
from recommender.cli.session import store_url
from recommender.errors import ConfigError
from recommender.pipeline import Outcome, best_sellers, read_catalogue
from recommender.settings import Settings
from recommender.settings_file import load

DEMO = Path("config/examples/demo.toml")
EXAMPLES = 4
SHOWN = 6


def run(options: argparse.Namespace) -> int:
    """Build the lists of the grocery sample and show those of a few best sellers."""
    path = _settings_file(options.config)
    settings = load(path, options.assignments)
    with store_url(settings):
        outcome = reindex(settings, force=False)
        examples = _examples(settings, outcome)
        for item in examples:
            sys.stdout.write("\n")
            show(settings, item, SHOWN)
    place = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    sys.stdout.write(f"\nMore: recommender related {examples[-1]} --config {place}\n")
    return 0


def _examples(settings: Settings, outcome: Outcome) -> list[str]:
    """The best seller of each of the first few categories."""
    artifacts = settings.artifact_store()
    catalogue = read_catalogue(artifacts, outcome.build)
    picked: dict[str, str] = {}
    for item in best_sellers(artifacts, outcome.build):
        picked.setdefault(catalogue.category[catalogue.ids.row(item)], item)
        if len(picked) == EXAMPLES:
            break
    return list(picked.values())


def _settings_file(given: str | None) -> Path:
    if given:
        return Path(given)
    checkout = Path(recommender.__file__).resolve().parents[1]
    for base in (Path.cwd(), checkout):
        if (base / DEMO).is_file():
            return base / DEMO
    raise ConfigError(f"demo: {DEMO} is not here; run it from a checkout of the project")
