from pathlib import Path

import pytest

from tests.readers.shop_folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
