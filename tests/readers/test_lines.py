"""The lines of text files, and what they count."""

from pathlib import Path

import pytest

from recommender.readers import lines
from recommender.readers.files import InputFile
from recommender.readers.lines import is_unicode, open_lines


@pytest.mark.parametrize("chunk", [1, 5, 2**20])
def test_lines_are_whole_and_numbered(
    tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_CHUNK", chunk)
    path = tmp_path / "a.csv"
    path.write_bytes("é\nlong line\n\nend".encode())
    file = InputFile("catalogue", 0, "a.csv", path, "csv")
    with open_lines(file, "utf-8", newline="") as text:
        assert list(text) == ["é\n", "long line\n", "\n", "end"]
        assert (text.number, text.characters, text.position()) == (4, 16, 17)
        assert text.undecodable == 0


@pytest.mark.parametrize("chunk", [1, 6, 2**20])
def test_lines_seen_ahead_may_be_skipped_or_read(
    tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_CHUNK", chunk)
    path = tmp_path / "a.csv"
    path.write_bytes("é\r\ntwo\nthree\nfour\nfive".encode())
    file = InputFile("catalogue", 0, "a.csv", path, "csv")
    with open_lines(file, "utf-8", newline="") as text:
        reader = iter(text)
        assert text.ahead().startswith("é\r\n")
        assert next(reader) == "é\r\n"
        assert text.ahead().startswith("two\n")
        text.skip(1, len("two\n"))
        assert (text.number, text.characters) == (2, 7)
        assert text.ahead().startswith("three\n")
        assert next(reader) == "three\n"
        text.skip(-1, -len("three\n"))
        assert list(reader) == ["three\n", "four\n", "five"]
        assert (text.number, text.characters, text.ahead()) == (5, 22, "")


def test_what_does_not_decode_is_a_lone_surrogate() -> None:
    assert is_unicode("é")
    assert not is_unicode(b"\xff".decode(errors="surrogateescape"))
