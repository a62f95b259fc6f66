"""Word vectors in files: both formats, whole or refused."""

import re
from pathlib import Path

import numpy as np
import pytest

from recommender.errors import ConfigError
from recommender.vectors.content.word_files import WordVectors, read, words_of, write

WORDS = ("red", "mug", "ähre", "été2")
MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3) + 1


def text_file(path: Path, heading: str = "") -> Path:
    lines = [f"{w} {' '.join(map(str, row))}" for w, row in zip(WORDS, MATRIX, strict=True)]
    path.write_text("\n".join([*([heading] if heading else []), *lines]) + "\n")
    return path


def test_both_formats_hold_the_same(tmp_path: Path) -> None:
    write(tmp_path / "w.bin", WordVectors(WORDS, MATRIX))
    (tmp_path / "gensim.bin").write_bytes(
        b"4 3\n"
        + b"".join(
            w.encode() + b" " + row.tobytes() + b"\n" for w, row in zip(WORDS, MATRIX, strict=True)
        )
    )
    paths = [
        tmp_path / "w.bin",
        tmp_path / "gensim.bin",
        text_file(tmp_path / "glove.txt"),
        text_file(tmp_path / "word2vec.vec", "4 3"),
    ]
    for path in paths:
        found = read(path)
        assert found.words == WORDS
        assert (found.matrix == MATRIX).all()


def test_words_are_runs_of_letters_and_digits_in_lower_case() -> None:
    assert words_of("Ähre_2 T-light") == ["ähre", "2", "t", "light"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("w.bin", b"", "first line"),
        ("w.bin", b"2 3\nred ", "do not fit"),
        ("w.bin", b"1 1\nred \0\0", "amid word 1"),
        ("w.bin", b"1 1\n" + b"x" * 2000, "without end"),
        ("w.bin", b"1 1\nred " + np.float32("nan").tobytes(), "not finite"),
        ("w.bin", b"1 999999\nred ", "first line"),
        ("w.txt", b"", "no words"),
        ("w.txt", b"red 1 2\nmug 1\n", "word 2 has 1 numbers"),
        ("w.txt", b"red 1 x\n", "could not convert"),
        ("w.txt", b"red 1 1e999\n", "not finite"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=f"{re.escape(name)}.*{reason}"):
        read(tmp_path / name)
