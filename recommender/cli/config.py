"""`recommender config`."""

import argparse
import sys

import tomli_w

from recommender.cli.session import settings_of


def run(options: argparse.Namespace) -> int:
    """Print the settings in force."""
    sys.stdout.write(tomli_w.dumps(settings_of(options).plain()))
    return 0
