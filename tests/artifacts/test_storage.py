"""A folder of this machine as storage: files whole or not at all."""

import hashlib
from pathlib import Path

import pytest

from recommender.artifacts.storage import MANIFEST, Fill, LocalStorage
from recommender.errors import ArtifactError


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "artifacts")


def fill_with(content: bytes) -> Fill:
    def fill(folder: Path) -> bytes:
        (folder / "matrix.npy").write_bytes(content)
        return b"manifest of " + content

    return fill


def test_a_small_file_is_created_once_and_replaced_at_will(storage: LocalStorage) -> None:
    assert storage.read("runs/1.json", 9) is None
    assert storage.create("runs/1.json", b"one")
    assert not storage.create("runs/1.json", b"two")
    assert storage.read("runs/1.json", 9) == b"one"
    storage.replace("runs/1.json", b"three")
    assert storage.read("runs/1.json", 9) == b"three"
    assert storage.names("runs") == ["1.json"]


def test_a_complete_folder_stays_as_it_is(storage: LocalStorage) -> None:
    storage.write("text/k", fill_with(b"one"))
    storage.write("text/k", fill_with(b"two"))
    assert storage.read(f"text/k/{MANIFEST}", 99) == b"manifest of one"
    assert sorted(storage.names("text/k")) == sorted([MANIFEST, "matrix.npy"])


@pytest.mark.fault(15)
def test_a_folder_that_could_not_be_filled_leaves_nothing(storage: LocalStorage) -> None:
    def failing(folder: Path) -> bytes:
        (folder / "half.npy").write_bytes(b"x")
        raise OSError(28, "No space left on device")

    with pytest.raises(ArtifactError, match="No space left"):
        storage.write("text/k", failing)
    assert storage.read(f"text/k/{MANIFEST}", 99) is None
    assert storage.names("text") == []


def test_a_file_is_given_when_its_size_and_checksum_hold(storage: LocalStorage) -> None:
    storage.write("text/k", fill_with(b"one"))
    sha256 = hashlib.sha256(b"one").hexdigest()
    assert storage.file("text/k/matrix.npy", 3, sha256).read_bytes() == b"one"
    for size, digest in ((4, sha256), (3, "0" * 64)):
        with pytest.raises(ArtifactError, match=r"matrix\.npy"):
            storage.file("text/k/matrix.npy", size, digest)


def test_what_is_removed_is_counted_in_bytes(storage: LocalStorage) -> None:
    storage.write("text/k", fill_with(b"one"))
    assert storage.remove("text/k") == len(b"one" + b"manifest of one")
    assert storage.names("text") == []


def test_links_and_files_beyond_the_limit_are_not_read(storage: LocalStorage) -> None:
    storage.replace("runs/1.json", b"four")
    assert storage.read("runs/1.json", 4) == b"four"
    with pytest.raises(ArtifactError, match="is a link or too large"):
        storage.read("runs/1.json", 3)
    (storage.root / "runs" / "2.json").symlink_to(storage.root / "runs" / "1.json")
    with pytest.raises(ArtifactError, match="is a link or too large"):
        storage.read("runs/2.json", 99)


@pytest.mark.fault(13)
def test_a_disk_that_takes_a_part_of_an_array_is_told_in_our_words(tmp_path: Path) -> None:
    def fill(_: Path) -> bytes:
        raise OSError("8192 requested and 0 written")  # as numpy does, without a number

    with pytest.raises(ArtifactError) as refused:
        LocalStorage(tmp_path).write("a", fill)
    assert "the disk took only a part of it; make room and run again" in str(refused.value)
    assert "requested" not in str(refused.value)


@pytest.mark.fault(62)
def test_a_removal_that_was_cut_off_does_not_stop_the_next_write(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "left.npy").write_bytes(b"x")
    LocalStorage(tmp_path).write("a", lambda _: b"{}")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["manifest.json"]
