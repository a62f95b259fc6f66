"""API keys: what a file of them may hold, and how one is found."""

from pathlib import Path

import pytest

from recommender.errors import ConfigError
from recommender.service import keys
from recommender.service.keys import PLAIN_ROLES, KeyRing, new_key, read_keys


def written(folder: Path, *lines: str) -> Path:
    path = folder / "keys"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_key_is_known_by_its_digest_alone(tmp_path: Path) -> None:
    key, kept = new_key("web", ["events", "read"])
    line = kept.line()
    assert line.startswith("web read,events sha256:")
    assert key not in line
    (read,), plain = read_keys(written(tmp_path, "# of the shop", "", line))
    assert (read, plain) == (kept, 0)
    ring = KeyRing([read])
    assert ring.find(key.encode()) == kept
    for wrong in (b"", key[:-1].encode(), key.encode() + b" ", read.digest, line.encode()):
        assert ring.find(wrong) is None


def test_keys_are_random() -> None:
    made = [new_key("web", ["read"]) for _ in range(100)]
    assert len({key for key, _ in made}) == len({kept.digest for _, kept in made}) == 100
    assert min(len(key) for key, _ in made) >= 43


def test_every_digest_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [new_key(f"key-{number}", ["read"]) for number in range(5)]
    compared = []

    def counted(first: bytes, second: bytes) -> bool:
        compared.append(second)
        return first == second

    monkeypatch.setattr(keys, "compare_digest", counted)
    ring = KeyRing(kept for _, kept in made)
    assert ring.find(made[0][0].encode()) == made[0][1]
    assert compared == [kept.digest for _, kept in made]


def test_plain_keys_are_counted_and_may_do_what_they_could(tmp_path: Path) -> None:
    _, kept = new_key("key-1", ["merchandise"])
    path = written(tmp_path, "plain-two plain-one", kept.line(), "plain-two")
    found, plain = read_keys(path)
    assert plain == 2
    assert [(key.name, key.roles) for key in found] == [
        ("key-1", frozenset({"merchandise"})),
        ("key-2", PLAIN_ROLES),
        ("key-3", PLAIN_ROLES),
    ]
    assert KeyRing(found).find(b"plain-two") == found[2]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "contains no key; run recommender keys add"),
        (["# a comment"], "contains no key"),
        (["web sha256:" + "0" * 64], "line 1: write NAME ROLE,ROLE sha256:DIGEST"),
        (["", "web read sha256:S3CR3T"], "line 2: write NAME"),
        (["web read sha256:" + "0" * 64 + " S3CR3T"], "line 1: write NAME"),
        (["Web read sha256:" + "0" * 64], "name of a key 'Web': use 1 to 40"),
        (["web rule sha256:" + "0" * 64], "roles 'rule': give some of read, events, merch"),
        (["web read sha256:" + "0" * 64] * 2, "2 are named 'web'"),
        (["S3CR3T-ü"], "characters that no header can carry"),
        (["S3CR3T\0"], "characters that no header can carry"),
    ],
)
def test_a_malformed_file_is_refused_without_its_keys(
    tmp_path: Path, lines: list[str], said: str
) -> None:
    with pytest.raises(ConfigError, match="API keys") as refused:
        read_keys(written(tmp_path, *lines))
    assert said in str(refused.value)
    assert "S3CR3T" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"keys: cannot be read"):
        read_keys(tmp_path / "keys")


@pytest.mark.parametrize("roles", [[], [""], ["read", "write"]])
def test_unknown_roles_are_refused(roles: list[str]) -> None:
    with pytest.raises(ConfigError, match="give some of read, events, merchandise, operate"):
        new_key("web", roles)
