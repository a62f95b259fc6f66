"""Signed JSON: what is damaged and what may be another's are told apart."""

import json

import pytest

from recommender.artifacts.signing import REPAIR, Signing
from recommender.errors import DamagedArtifact, WrongSignature

PATH = "acme/lists/k/manifest.json"


@pytest.mark.parametrize("key", [b"", b"0123456789abcdef"])
def test_what_was_signed_is_read(key: bytes) -> None:
    signing = Signing(key)
    assert signing.verified(PATH, signing.signed(PATH, {"ä": [1]}, indent=1)) == {"ä": [1]}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_damaged(content: bytes) -> None:
    with pytest.raises(DamagedArtifact, match=REPAIR):
        Signing().verified(PATH, content)


@pytest.mark.fault("S10")
def test_what_was_changed_moved_or_signed_with_another_key_is_told_with_both_ways_out() -> None:
    signing = Signing(b"0123456789abcdef")
    content = signing.signed(PATH, {"n": 1})
    changed = json.dumps(json.loads(content) | {"n": 2}).encode()
    for other, path, read in (
        (signing, PATH, changed),
        (signing, "acme/lists/l/manifest.json", content),
        (Signing(b"fedcba9876543210"), PATH, content),
        (Signing(), PATH, content),
    ):
        with pytest.raises(WrongSignature, match=rf"signing_key.*, or {REPAIR}"):
            other.verified(path, read)
