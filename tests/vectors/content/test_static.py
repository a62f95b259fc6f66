"""Static vectors: word2vec files and model2vec folders, whole or refused; hashed n-grams."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.core.telemetry import part_of, silent
from recommender.errors import ConfigError
from recommender.vectors.content import static
from recommender.vectors.content.static import HashingEncoder, StaticEncoder
from recommender.vectors.content.word_files import WordVectors, write

WORDS = ("red", "mug", "ähre", "été2")
MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3) + 1


def test_a_text_is_the_sum_of_its_words(tmp_path: Path) -> None:
    write(tmp_path / "w.bin", WordVectors((*WORDS, "Red", "red"), np.vstack([MATRIX, -MATRIX[:2]])))
    encoder = StaticEncoder(str(tmp_path / "w.bin"))
    made = encoder.encode(["A RED, red mug!", "unknown words", "", "ÄHRE"], silent)
    summed = 2 * MATRIX[0] + MATRIX[1]
    assert made[0] == pytest.approx(summed / np.linalg.norm(summed))
    assert not made[1:3].any()
    assert made[3] == pytest.approx(MATRIX[2] / np.linalg.norm(MATRIX[2]))
    assert encoder.cost() == ["w.bin", "0.0 MiB of memory, no download"]


@pytest.mark.fault(48)
def test_another_file_is_another_space(tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    write(path, WordVectors(WORDS, MATRIX))
    encoder = StaticEncoder(str(path))
    first, made = encoder.fingerprint(), encoder.encode(["red"], silent)
    write(path, WordVectors(WORDS, MATRIX[::-1]))
    assert encoder.fingerprint() != first
    assert (encoder.encode(["red"], silent) != made).any()


@pytest.mark.parametrize("path", ["nowhere.bin", "nowhere", "."])
def test_what_is_no_model_is_told(path: str) -> None:
    with pytest.raises(ConfigError, match="neither a file of word vectors"):
        StaticEncoder(path).fingerprint()


def model2vec_folder(folder: Path, **tensors: np.ndarray[Any, Any]) -> Path:
    """A folder as model2vec writes it, of words."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace

    folder.mkdir(exist_ok=True)
    vocabulary = {"[UNK]": 0, "red": 1, "mug": 2, "lamp": 3}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"normalize": True, "max_length": 3}))
    return folder


def test_a_folder_of_model2vec(tmp_path: Path) -> None:
    folder = model2vec_folder(tmp_path / "m", embeddings=MATRIX.astype(np.float16))
    made = StaticEncoder(str(folder)).encode(["Red mug sofa", "sofa", "mug mug mug red"], silent)
    summed = MATRIX[1] + MATRIX[2]
    assert made[0] == pytest.approx(summed / np.linalg.norm(summed))
    assert not made[1].any()
    assert made[2] == pytest.approx(MATRIX[2] / np.linalg.norm(MATRIX[2]))


def test_weights_and_mapping_of_tokens(tmp_path: Path) -> None:
    folder = model2vec_folder(
        tmp_path / "m",
        embeddings=MATRIX[:2],
        mapping=np.array([0, 1, 0, 1]),
        weights=np.array([1, 2, 0.5, 1], dtype=np.float32),
    )
    made = StaticEncoder(str(folder)).encode(["red mug"], silent)
    summed = 2 * MATRIX[1] + 0.5 * MATRIX[0]
    assert made[0] == pytest.approx(summed / np.linalg.norm(summed))


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({"embeddings": MATRIX[:2]}, "2 vectors for 4 tokens"),
        ({"embeddings": MATRIX * np.float32("inf")}, "not finite"),
        ({"vectors": MATRIX}, "no embeddings"),
        ({"embeddings": MATRIX, "mapping": np.array([0, 1, 2, 9])}, "to no vector"),
        ({"embeddings": MATRIX, "weights": np.ones(3)}, "3 weights"),
    ],
)
def test_broken_folders_are_told(
    tmp_path: Path, tensors: dict[str, np.ndarray[Any, Any]], told: str
) -> None:
    folder = model2vec_folder(tmp_path / "m", **tensors)
    with pytest.raises(ConfigError, match=told):
        StaticEncoder(str(folder)).encode(["red"], silent)


def test_a_broken_tokenizer_is_told(tmp_path: Path) -> None:
    folder = model2vec_folder(tmp_path / "m", embeddings=MATRIX)
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ConfigError, match="no readable tokenizer"):
        StaticEncoder(str(folder)).encode(["red"], silent)
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match="cannot be read"):
        StaticEncoder(str(folder)).encode(["blue"], silent)


SPELLINGS = ["garden rake", "garden rakes", "wall clock", "", "clock for the wall"] * 3


def test_spelling_is_near_and_meaning_is_not() -> None:
    texts = ["garden rake", "garden rakes", "soil tool"]
    rake, rakes, tool = HashingEncoder().encode(texts, silent)
    assert rake @ rakes > 0.8
    assert abs(rake @ tool) < 0.3


def test_blocks_change_nothing_and_advance_the_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = HashingEncoder(64).encode(SPELLINGS, silent)
    monkeypatch.setattr(static, "BLOCK", 4)
    done: list[int] = []
    assert (HashingEncoder(64).encode(SPELLINGS, part_of(done.append)) == whole).all()
    assert done == [4, 4, 4, 3]


def test_the_fingerprint_names_what_changes_the_vectors() -> None:
    assert HashingEncoder(64).fingerprint() != HashingEncoder(128).fingerprint()
    assert HashingEncoder(64).encode(["a rake"], silent).shape == (1, 64)
    assert np.linalg.norm(HashingEncoder(64).encode(["a rake"], silent)) == pytest.approx(1)


@pytest.mark.parametrize("dimensions", [7, 65_537])
def test_dimensions_have_bounds(dimensions: int) -> None:
    with pytest.raises(ConfigError, match=rf"hashing: dimensions = {dimensions} is not in 8\.\."):
        HashingEncoder(dimensions)


@pytest.mark.fault("S10")
@pytest.mark.parametrize(
    "tensors",
    [
        {"mapping": np.zeros((4, 2), dtype=np.int64)},
        {"mapping": np.array(1)},
        {"mapping": np.array([np.nan, 0, 1, 2])},
        {"weights": np.array(1.0)},
        {"embeddings": np.full((4, 3), 1e300)},
    ],
    ids=["mapping of two", "no mapping", "fractions", "one weight", "large"],
)
def test_forged_tensors_are_refused(
    tmp_path: Path, tensors: dict[str, np.ndarray[Any, Any]]
) -> None:
    folder = model2vec_folder(tmp_path / "m", **{"embeddings": MATRIX} | tensors)
    with pytest.raises(ConfigError, match="static: "):
        StaticEncoder(str(folder)).encode(["red"], silent)


@pytest.mark.fault("S10")
@pytest.mark.parametrize("longest", ["NaN", "-1", "[1]", "1e999", '"many"', "9" * 30])
def test_a_forged_length_is_refused(tmp_path: Path, longest: str) -> None:
    folder = model2vec_folder(tmp_path / "m", embeddings=MATRIX)
    (folder / "config.json").write_text(f'{{"max_length": {longest}}}')
    with pytest.raises(ConfigError, match="no readable tokenizer"):
        StaticEncoder(str(folder)).encode(["red"], silent)


@pytest.mark.fault("S10")
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"lamp":3', '"lamp":900000000', "4 vectors for 4 tokens"),
        ('"[UNK]":0', '"[???]":0', "its tokenizer fails"),
    ],
    ids=["a token beyond all vectors", "no unknown token"],
)
def test_a_forged_vocabulary_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    folder = model2vec_folder(tmp_path / "m", embeddings=MATRIX)
    path = folder / "tokenizer.json"
    plain = json.dumps(json.loads(path.read_text()), separators=(",", ":"))
    assert old in plain
    path.write_text(plain.replace(old, new))
    encoder = StaticEncoder(str(folder))
    with pytest.raises(ConfigError, match=told):
        encoder.encode(["red", "sofa"], silent)


def test_words_are_not_counted_by_a_broken_tokenizer(tmp_path: Path) -> None:
    folder = model2vec_folder(tmp_path / "m", embeddings=MATRIX)
    (folder / "tokenizer.json").write_text("[]")
    with pytest.raises(ConfigError, match="cannot be read"):
        StaticEncoder(str(folder)).tokens(["red"])
