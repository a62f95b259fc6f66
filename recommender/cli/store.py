"""`recommender store start | stop | url`."""

import argparse
import sys

from recommender.cli.session import embedded, settings_of
from recommender.errors import ConfigError, StoreUnavailable
from recommender.settings.model import EMBEDDED


def run(options: argparse.Namespace) -> int:
    """Start, stop or name the embedded store."""
    settings = settings_of(options)
    if settings.store.url != EMBEDDED:
        raise ConfigError("store.url names a server of yours; only the embedded store is kept here")
    store = embedded(settings)
    if options.action == "start":
        sys.stdout.write(f"{store.start()}\n")
    elif options.action == "stop":
        sys.stdout.write("stopped\n" if store.stop() else "was not running\n")
    else:
        url = store.url()
        if url is None:
            raise StoreUnavailable("the embedded store is not running; recommender store start")
        sys.stdout.write(f"{url}\n")
    return 0
