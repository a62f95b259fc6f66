"""What a process of the service sets up; `tests/cli/test_serve.py` runs real ones."""

import asyncio
import gc
import logging
import pickle
from pathlib import Path

import pytest

from recommender.errors import ConfigError
from recommender.service.limits import LimitedProtocol
from recommender.service.middleware import access_log
from recommender.service.process import ServedShops
from recommender.settings.service import ServiceSettings

NOWHERE = {"acme": "redis://127.0.0.1:1"}


def test_limits_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("request_s", "write_s", "most"):
        monkeypatch.setattr(LimitedProtocol, name, getattr(LimitedProtocol, name))
    service = ServiceSettings(request_s=3, write_s=4, connections=5, access_log=True)
    shops = pickle.loads(pickle.dumps(ServedShops(NOWHERE, [], service)))

    async def made() -> None:
        shops()

    frozen = gc.get_freeze_count()
    asyncio.run(made())
    assert gc.get_freeze_count() > frozen
    gc.unfreeze()
    protocol = LimitedProtocol
    assert (protocol.request_s, protocol.write_s, protocol.most) == (3, 4, 5)
    assert access_log.isEnabledFor(logging.INFO)
    access_log.setLevel(logging.NOTSET)


def test_keys_are_read_by_each_process(tmp_path: Path) -> None:
    service = ServiceSettings(api_keys=str(tmp_path / "keys"))
    with pytest.raises(ConfigError, match="cannot be read"):
        ServedShops(NOWHERE, [], service)()
