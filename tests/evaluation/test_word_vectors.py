"""Vectors of a shop's own words, from its titles to a build."""

from pathlib import Path

import numpy as np
import pytest

from recommender.cli.main import run
from recommender.core.telemetry import silent
from recommender.errors import ConfigError, DataError
from recommender.evaluation.word_vectors import WordTraining
from recommender.settings.loading import load
from recommender.vectors.content.static import StaticEncoder
from recommender.vectors.content.word_files import read, write
from tests.support.builds import make
from tests.support.shop_files import write_small_shop

COLOURS, CUPS, LAMPS = ("red", "blue", "green"), ("mug", "cup", "teacup"), ("lamp", "lantern")
TEXTS = [
    f"{colour} {thing} {use}"
    for colour in COLOURS
    for things, use in ((CUPS, "drink tea"), (LAMPS, "light room"))
    for thing in things
]


def test_words_that_occur_with_the_same_words_are_near() -> None:
    vectors = WordTraining(dimensions=5).fit(TEXTS)
    row = {word: place for place, word in enumerate(vectors.words)}
    units = vectors.matrix / np.linalg.norm(vectors.matrix, axis=1, keepdims=True)
    near = units[row["mug"]] @ units[row["teacup"]]
    assert near > 0.9
    assert near > units[row["mug"]] @ units[row["lantern"]] + 0.5
    lengths = np.linalg.norm(vectors.matrix, axis=1)
    assert lengths[row["teacup"]] > lengths[row["tea"]]


def test_learning_again_gives_the_same_file(tmp_path: Path) -> None:
    for name, texts in (("a.bin", TEXTS), ("b.bin", TEXTS[::-1] * 2)):
        write(tmp_path / name, WordTraining(dimensions=4).fit(texts))
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()


def test_rare_words_may_be_left_out() -> None:
    assert "unique" in WordTraining().fit([*TEXTS, "unique mug"]).words
    assert "unique" not in WordTraining(min_texts=2).fit([*TEXTS, "unique mug"]).words


@pytest.mark.parametrize("texts", [[], [""], ["mug", "mug"], ["!", "?"]])
def test_too_little_to_learn_from(texts: list[str]) -> None:
    with pytest.raises(DataError, match="too few to learn from"):
        WordTraining().fit(texts)


@pytest.mark.parametrize("fields", [{"dimensions": 1}, {"min_texts": 0}])
def test_parameters_out_of_range(fields: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="words"):
        WordTraining(**fields)


def test_from_a_shop_to_its_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_small_shop(tmp_path)
    where = ["--config", str(config), "--out", str(tmp_path / "words.bin")]
    assert run(["train-words", *where, "--dimensions", "32"]) == 0
    output = capsys.readouterr().out
    assert f'text = {{ use = "static", path = "{tmp_path / "words.bin"}" }}' in output
    assert read(tmp_path / "words.bin").matrix.shape[1] == 32
    text = 'recipe.content.text={ use = "static", path = "words.bin" }'
    settings = load(config, [text])
    assert settings.recipe.content["text"].parameters["path"] == str(tmp_path / "words.bin")
    _, lists = make(settings.job())
    (related,) = lists()
    assert (related.sizes > 0).mean() > 0.9
    made = StaticEncoder(str(tmp_path / "words.bin")).encode(["a"], silent)
    assert made.shape == (1, 32)


def test_a_file_that_is_there_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_small_shop(tmp_path)
    for name, reason in (("words.bin", "exists, and"), ("words.txt", "ends in .bin")):
        (tmp_path / name).write_text("kept")
        where = ["--config", str(config), "--out", str(tmp_path / name)]
        assert run(["train-words", *where]) == 3
        assert reason in capsys.readouterr().err
        assert (tmp_path / name).read_text() == "kept"
