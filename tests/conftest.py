"""What every test starts from."""

import signal

import pytest
from hypothesis import settings

# How long an example takes says nothing of the code on a machine that others use.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

pytest_plugins = ["tests.support.fault_report", "tests.support.stores"]


def pytest_configure(config: pytest.Config) -> None:
    """A shell starts jobs in its background deaf to interrupts, and so would be their children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
