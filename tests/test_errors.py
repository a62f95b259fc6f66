"""Errors: each has an exit code of its own, and each extra explains what is missing."""

import re
import tomllib
from collections.abc import Iterator

import pytest

from recommender import errors
from recommender.cli.main import EPILOG
from recommender.errors import EXTRAS, RecommenderError
from tests.support.repository import REPOSITORY

MODULES = {
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "faiss-cpu": "faiss",
    "pyyaml": "yaml",
    "tomli-w": "tomli_w",
}
"""Modules whose distribution has another name."""


def ours(kind: type[RecommenderError]) -> bool:
    return kind.__module__ == errors.__name__


def kinds(base: type[RecommenderError]) -> Iterator[type[RecommenderError]]:
    for kind in base.__subclasses__():
        if ours(kind):
            yield kind
            yield from kinds(kind)


def test_each_kind_has_an_exit_code_that_the_help_names() -> None:
    codes = {kind: kind.exit_code for kind in RecommenderError.__subclasses__() if ours(kind)}
    assert len(set(codes.values())) == len(codes)
    assert {kind.exit_code for kind in kinds(RecommenderError)} == set(codes.values())
    shown = {int(code) for code in re.findall(r"\b\d\b", EPILOG)}
    assert shown == {0, RecommenderError.exit_code, 2, *codes.values()}


def required() -> Iterator[tuple[str, str]]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    for extra, requirements in project["optional-dependencies"].items():
        if extra in {"dev", "all", "offline"}:
            continue
        for requirement in requirements:
            distribution = re.split(r"[\[<>=]", requirement)[0]
            if distribution != "tzdata":  # data, which no module imports
                yield extra, distribution


@pytest.mark.parametrize(("extra", "distribution"), sorted(required()))
def test_a_missing_module_is_explained_by_its_extra(extra: str, distribution: str) -> None:
    """The command line looks a module that cannot be imported up in `EXTRAS`."""
    module = MODULES.get(distribution, distribution.replace("-", "_"))
    assert any(module in modules for modules in EXTRAS.values())
