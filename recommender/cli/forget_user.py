"""`recommender forget-user`."""

import argparse
import sys

from recommender.cli.listed import listed
from recommender.cli.session import settings_of
from recommender.errors import ConfigError


def run(options: argparse.Namespace) -> int:
    """Leave all events of some users out of every later run, and say what else holds them."""
    settings = settings_of(options)
    users = {*options.users, *(value for _, value in listed(options.file))}
    ids = {value.strip() for value in users} - {""}
    if not ids:
        raise ConfigError("no user: name some, or a --file with one id per line")
    added = settings.forgotten().add(sorted(ids))
    sys.stdout.write(
        f"{added:,} users of shop {settings.shop} forgotten, {len(ids) - added:,} were already. "
        "No run that begins from now on reads their events, and the next recommender reindex "
        "publishes lists without them.\nArtifacts of earlier runs hold what was read of them, "
        "under a keyed hash, until no generation and none of the last artifacts.keep_runs = "
        f"{settings.artifacts.keep_runs} runs needs them: recommender gc removes them then.\n"
    )
    return 0
