import re
import tomllib

from packaging.requirements import Requirement

from tests.support.repository import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
LOCK = (REPOSITORY / "config/deploy/requirements.lock").read_text()
LOCKED = dict(re.findall(r"^([a-z0-9._-]+)==(\S+) \\$", LOCK, re.MULTILINE))
IMAGE = re.findall(r"^IMAGE := (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)[
    0
].split()


def asked() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"]
    named = [*PROJECT["dependencies"], *(one for extra in IMAGE for one in extras[extra])]
    return [Requirement(one) for one in named]


def test_the_lock_of_the_image_holds_what_its_extras_ask_for() -> None:
    for requirement in asked():
        if requirement.name != "torch":
            assert requirement.specifier.contains(LOCKED[requirement.name], prereleases=True)


def test_every_locked_package_has_hashes_and_torch_is_left_to_its_own_index() -> None:
    entries = re.split(r"^(?=[a-z0-9._-]+==)", LOCK, flags=re.MULTILINE)
    assert len(LOCKED) == len([entry for entry in entries if entry]) > 60
    assert all("--hash=sha256:" in entry for entry in entries if entry)
    assert "torch" not in LOCKED


def test_the_image_is_installed_from_the_lock() -> None:
    dockerfile = (REPOSITORY / "config/deploy/Dockerfile").read_text()
    assert "--require-hashes --requirement requirements.lock" in dockerfile
    assert "USER recommender" in dockerfile
