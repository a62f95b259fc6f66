"""What every test starts from."""

import signal

import pytest

pytest_plugins = ["tests.support.stores"]


def pytest_configure(config: pytest.Config) -> None:
    """A shell starts jobs in its background deaf to interrupts, and so would be their children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
