"""Damaged input: edits of valid files as a strategy of hypothesis, and random bytes."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from hypothesis import strategies as st

MOST_EDITS = 6
MOST_BYTES = 2**16
"""What an input may grow to by edits that repeat parts of it."""
LAST = 2**16 - 1
NUMBER = re.compile(rb"-?\d+(\.\d+)?")
MARKS = (
    *(b"\0", b"\n", b"\r", b'"', b"'", b"\\", b",", b"\t", b"{", b"}", b"[", b"]", b"<", b">"),
    *(b"&", b"*", b"!", b"%", b":", b"|", b"=", b"~", b"..", b"/", b"null", b"true", b"{}", b"[]"),
    *(b"\xff", b"\xfe\xff", b"\xc3", b"\xed\xa0\x80", b"\\ud800", b"\xe2\x80\xa8", b"\xef\xbb\xbf"),
)
NUMBERS = (
    *(b"0", b"-1", b"1e999", b"-1e999", b"nan", b"NaN", b"1e-999", b"0.1", b"2147483648"),
    *(b"99999999", b"18446744073709551616", b"9" * 400, b"9" * 5000, b"-9223372036854775809"),
)
BINARY = (b"\x7f", b"\xff\xff\xff\x7f", b"\xff" * 8, b"\0" * 8, b"\0\0\0\x80", b"\x80" * 9 + b"\1")
NESTS = ((b"[", b"]"), (b'{"a":', b"}"), (b"<a>", b"</a>"), (b"(", b")"), (b"- ", b""))
DEPTHS = (3, 100, 1_000, 10_000)

Edit = int
"""One number, which is drawn in a third of the time of four: its parts are the place and the length
of an edit as shares of `LAST`, then its kind and its variant."""


def damaged(valid: Sequence[bytes], words: Sequence[bytes] = ()) -> st.SearchStrategy[bytes]:
    """Edited valid inputs, with `words` of their format put in, and random bytes."""
    edited = st.builds(
        _edited,
        st.sampled_from(list(valid)),
        st.sampled_from(list(valid)),
        st.lists(st.integers(0, 2**48 - 1), min_size=1, max_size=MOST_EDITS),
        st.just(tuple(words) or MARKS),
    )
    return edited | edited | edited | st.binary(max_size=200)


def _edited(content: bytes, other: bytes, edits: Sequence[Edit], words: Sequence[bytes]) -> bytes:
    for edit in edits:
        place, length, variant = edit & LAST, edit >> 16 & LAST, edit >> 40
        name = NAMES[(edit >> 32) % len(NAMES)]
        start = len(content) * place // LAST
        # Squared, so that short pieces are as likely as long ones.
        stop = start + max((len(content) - start) * length**2 // LAST**2, 1)
        if name == "splice":
            content = content[:start] + other[len(other) * length // LAST :]
        elif name == "word":
            content = content[:start] + words[variant % len(words)] + content[start:]
        else:
            content = EDITS[name](content, start, stop, variant)
        content = content[:MOST_BYTES]
    return content


def _flipped(content: bytes, start: int, _stop: int, variant: int) -> bytes:
    if start >= len(content):
        return content
    return content[:start] + bytes([content[start] ^ 1 << variant % 8]) + content[start + 1 :]


def _repeated(content: bytes, start: int, stop: int, variant: int) -> bytes:
    return content[:start] + content[start:stop] * (2, 3, 100, 5000)[variant % 4] + content[stop:]


def _numbered(content: bytes, start: int, _stop: int, variant: int) -> bytes:
    """Put another number in place of the next one."""
    found = NUMBER.search(content, start)
    if found is None:
        return content
    return content[: found.start()] + NUMBERS[variant % len(NUMBERS)] + content[found.end() :]


def _nested(content: bytes, start: int, stop: int, variant: int) -> bytes:
    opened, closed = NESTS[variant % len(NESTS)]
    depth = DEPTHS[variant // len(NESTS) % len(DEPTHS)]
    return content[:start] + opened * depth + content[start:stop] + closed * depth + content[stop:]


EDITS: Mapping[str, Callable[[bytes, int, int, int], bytes]] = MappingProxyType(
    {
        "flip": _flipped,
        "cut off": lambda content, start, _stop, _variant: content[:start],
        "take out": lambda content, start, stop, _variant: content[:start] + content[stop:],
        "repeat": _repeated,
        "mark": lambda content, start, _stop, variant: (
            content[:start] + MARKS[variant % len(MARKS)] + content[start:]
        ),
        "number": _numbered,
        "binary": lambda content, start, _stop, variant: (
            content[:start] + (one := BINARY[variant % len(BINARY)]) + content[start + len(one) :]
        ),
        "nest": _nested,
    }
)
NAMES = (*EDITS, "splice", "word")
