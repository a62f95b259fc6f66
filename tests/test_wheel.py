"""The wheel: what a storefront installs with redis alone, and what works without a checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from recommender.cli.main import run
from recommender.publishing.embedded import Embedded
from tests.support.repository import CONFIG, REPOSITORY
from tests.support.shop_files import orders, write_shop

FILES = ("pyproject.toml", "README.md", "LICENSE", ".gitignore")
FOLDERS = ("recommender", "workers", "data_fixtures", "config")
DEMO_ITEM = "1098066"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built of the sdist of a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in FILES:
        shutil.copy(REPOSITORY / name, source)
    for name in FOLDERS:
        shutil.copytree(
            REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    command = ["build", "--no-isolation", "--outdir", str(folder / "out"), str(source)]
    subprocess.run([sys.executable, "-m", *command], check=True, stdout=subprocess.DEVNULL)
    return next((folder / "out").glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment with the wheel and all libraries of this environment."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    paths = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (site_packages / "libraries.pth").write_text("\n".join(paths) + "\n")
    return folder / "bin"


def command(
    installed: Path, folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of the installed wheel in a folder, away from the checkout."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [installed / "python", "-P", "-m", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=kept | environment,
    )


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


def test_wheel_contains_the_packages_and_what_ships_with_them(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read("recommender-0.2.0.dist-info/METADATA").decode()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"recommender", "workers", "recommender-0.2.0.dist-info"}
    assert "recommender/py.typed" in names
    assert "recommender/pages/templates/layout.html" in names
    assert "recommender/pages/static/uplot.LICENSE.txt" in names
    assert "recommender/serving/lookup.py" in names
    shipped = {name for name in names if name.startswith("recommender/shipped/config/")}
    files = {path for path in CONFIG.rglob("*") if path.is_file()}
    assert shipped == {f"recommender/shipped/{path.relative_to(REPOSITORY)}" for path in files}
    requires = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: ")]
    assert [line for line in requires if "extra ==" not in line] == ["Requires-Dist: redis>=8.0"]


def test_demo_needs_no_checkout(installed: Path, tmp_path: Path) -> None:
    hashed = ["--set", "recipe.text=hashing"]
    shown = command(installed, tmp_path, "recommender.cli", "demo", *hashed)
    assert shown.returncode == 0, shown.stderr
    assert "Generation 1 of demo is live" in shown.stdout
    assert [path.name for path in tmp_path.iterdir()] == [".recommender"]
    where = ["--config", ".recommender/demo.toml"]
    assert f"More: recommender related {DEMO_ITEM} {' '.join(where)}\n" in shown.stdout
    again = command(installed, tmp_path, "recommender.cli", "related", DEMO_ITEM, *where)
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith(f"related: {DEMO_ITEM}")


def test_recipes_have_names(installed: Path, tmp_path: Path) -> None:
    baskets = orders(*[("a", "b", "c")] * 3)
    settings = 'shop = "acme"\nrecipe = "quick"\n[interactions]\npath = "orders.csv"\n'
    write_shop(tmp_path, baskets, settings=settings)
    hashed = ["recommender.cli", "reindex", "--set", "recipe.text=hashing"]
    built = command(installed, tmp_path, *hashed)
    assert built.returncode == 0, built.stderr
    assert "Generation 1 of acme is live: 3 related lists" in built.stdout
    unknown = command(installed, tmp_path, *hashed, "--set", "recipe=quik")
    assert unknown.returncode == 3
    assert (
        "name one of default, placements, quick, with-images, or give the path of" in unknown.stderr
    )


def test_default_settings_are_printed(installed: Path, tmp_path: Path) -> None:
    printed = command(installed, tmp_path, "recommender.cli", "config", "--defaults")
    assert printed.stdout == (CONFIG / "default.toml").read_text()


def test_celery_finds_the_fleet(installed: Path, tmp_path: Path) -> None:
    config = tmp_path / "shop.toml"
    config.write_text(
        'shop = "acme"\nstore.url = "redis://127.0.0.1:1/0"\nbroker.url = "redis://127.0.0.1:1/1"\n'
    )
    found = command(
        installed, tmp_path, "celery", "-A", "workers", "report", RECOMMENDER_CONFIG=str(config)
    )
    assert found.returncode == 0, found.stderr
    assert "include: ['workers.tasks']" in found.stdout


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
