"""What a storefront installs: the wheel and redis-py, nothing else."""

import shutil
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from recommender.cli.main import run
from recommender.publishing.embedded import Embedded
from tests.support.shop_files import orders, write_shop

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    for name in ("recommender", "workers", "data_fixtures", "config"):
        shutil.copytree(
            REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    command = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", "out", "."]
    subprocess.run([sys.executable, "-m", *command], cwd=source, check=True)
    return next((source / "out").glob("*.whl"))


@pytest.fixture(scope="module")
def storefront(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel and redis-py alone."""
    folder = tmp_path_factory.mktemp("storefront")
    venv.create(folder, with_pip=False, symlinks=True)
    site_packages = next(folder.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site_packages)
    for file in distribution("redis").files or []:
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = site_packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(file.locate()), target)
    return folder / "bin" / "python"


def ask(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-I", *arguments], capture_output=True, text=True, check=False, cwd=python.parent
    )


def test_wheel_holds_recommender_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
        names = archive.namelist()
    assert tops == {"recommender", "recommender-0.2.0.dist-info"}
    assert "recommender/py.typed" in names
    assert "recommender/serving/lookup.py" in names
    requires = distribution("recommender").requires or []
    assert [line for line in requires if "extra ==" not in line] == ["redis>=8.0"]


def test_lookup_reads_a_list_with_redis_alone(storefront: Path, tmp_path: Path) -> None:
    config = write_shop(tmp_path, orders(*[("a", "b", "c")] * 3))
    assert run(["reindex", "--config", str(config)]) == 0
    with Embedded(tmp_path / ".recommender").attach() as url:
        code = (
            "import sys\n"
            "from recommender.serving.lookup import RelatedItems\n"
            f"answer = RelatedItems({url!r}, 'acme', deadline_s=2).get('a')\n"
            "print(answer.status, sorted(answer.ids))\n"
            "heavy = {'numpy', 'pandas', 'torch', 'faiss', 'scipy', 'pydantic', 'rich'}\n"
            "assert not heavy & set(sys.modules)\n"
        )
        shown = ask(storefront, "-c", code)
    assert shown.stdout.strip() == "ok ['b', 'c']", shown.stderr


def test_command_names_the_extra_to_install(storefront: Path, tmp_path: Path) -> None:
    config = write_shop(tmp_path, orders(("a", "b")))
    helped = ask(storefront, "-m", "recommender.cli", "--help")
    assert helped.returncode == 0
    assert "reindex" in helped.stdout
    assert ask(storefront, "-m", "recommender.cli", "--version").stdout.strip() == "0.2.0"
    for command in ("reindex", "status", "doctor"):
        lacking = ask(storefront, "-m", "recommender.cli", command, "--config", str(config))
        assert lacking.returncode == 3
        assert "pip install 'recommender[build]'" in lacking.stderr
        assert lacking.stderr.count("\n") == 1
