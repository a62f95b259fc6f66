"""Word vectors in word2vec's formats, and how a text is split into words.

Binary: `V d`, then V times a word, a space and d little-endian float32. Text: the same in decimal,
one line per word; the first line may be missing, as in GloVe's files.
"""

import re
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from os import SEEK_END
from pathlib import Path
from typing import IO

import numpy as np

from recommender.core.arrays import FloatMatrix
from recommender.errors import ConfigError

BINARY = ".bin"
SUFFIXES = frozenset({BINARY, ".vec", ".txt"})
LONGEST_WORD = 1000
LARGEST = 100_000
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class WordVectors:
    """V distinct words and their vectors (V, d); the length of a vector is its weight."""

    words: tuple[str, ...]
    matrix: FloatMatrix


def words_of(text: str) -> list[str]:
    """The runs of letters and digits of a text, in lower case."""
    return _WORD.findall(text.casefold())


def read(path: Path) -> WordVectors:
    """Read a file, binary if its name ends in .bin. Raises: ConfigError naming file and fault."""
    try:
        with path.open("rb") as file:
            words, matrix = _binary(file) if path.suffix == BINARY else _text(file)
    except OSError as error:
        raise ConfigError(f"word vectors {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"word vectors {path}: {error}") from error
    if not np.isfinite(matrix).all():
        raise ConfigError(f"word vectors {path}: a number that is not finite")
    first = {word: row for row, word in reversed(list(enumerate(words)))}
    rows = sorted(first.values())
    return WordVectors(tuple(words[row] for row in rows), matrix[rows])


def write(path: Path, vectors: WordVectors) -> None:
    """Write the binary format; the file appears whole or not at all. Raises: ConfigError."""
    staged = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with staged.open("wb") as file:
            file.write("{} {}\n".format(*vectors.matrix.shape).encode())
            for word, vector in zip(vectors.words, vectors.matrix, strict=True):
                file.write(word.encode() + b" " + vector.astype("<f4").tobytes())
        staged.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
    finally:
        staged.unlink(missing_ok=True)


def _shape(line: bytes) -> tuple[int, int]:
    count, _, dimensions = line.decode(errors="replace").strip().partition(" ")
    if not (count.isdecimal() and dimensions.isdecimal() and 1 <= int(dimensions) <= LARGEST):
        raise ValueError("its first line is not `WORDS DIMENSIONS`")
    return int(count), int(dimensions)


def _binary(file: IO[bytes]) -> tuple[list[str], FloatMatrix]:
    """The words and vectors of a file; a line break before a word belongs to the word before."""
    start = len(heading := file.readline(100))
    count, dimensions = _shape(heading)
    size = file.seek(0, SEEK_END)
    if not 1 <= count <= size // (4 * dimensions):
        raise ValueError(f"{count} words of {dimensions} dimensions do not fit into {size} bytes")
    with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        matrix = np.empty((count, dimensions), dtype=np.float32)
        words = []
        for row in range(count):
            space = content.find(b" ", start, start + LONGEST_WORD + 1)
            if space < 0:
                raise ValueError("a word without end; is it word2vec's binary format?")
            words.append(content[start:space].lstrip(b"\n").decode(errors="replace"))
            start = space + 1 + 4 * dimensions
            if start > size:
                raise ValueError(f"it ends amid word {row + 1} of {count}")
            matrix[row] = np.frombuffer(content[space + 1 : start], "<f4")
    return words, matrix


def _text(file: IO[bytes]) -> tuple[list[str], FloatMatrix]:
    words: list[str] = []
    rows: list[FloatMatrix] = []
    for number, line in enumerate(file):
        word, *numbers = line.decode(errors="replace").rstrip().split(" ")
        heading = number == 0 and len(numbers) == 1 and word.isdecimal() and numbers[0].isdecimal()
        if heading or not (word or numbers):
            continue
        vector = np.array(numbers, dtype=np.float32)
        if not len(vector) or (rows and len(vector) != len(rows[0])):
            raise ValueError(f"word {len(words) + 1} has {len(vector)} numbers")
        words.append(word)
        rows.append(vector)
    if not rows:
        raise ValueError("it holds no words")
    return words, np.stack(rows)
