"""What is fuzzed: one table of targets, each with valid inputs and the errors it may raise."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from unittest import mock

from recommender.core import redaction
from recommender.errors import ConfigError, DataError, StoreUnavailable
from recommender.merchandising.application import RuleApplication
from recommender.merchandising.rule_file import read_rules
from recommender.serving import codec
from recommender.serving.protocol import ReplyReader, read_topology
from recommender.serving.state import Refused
from recommender.settings.loading import load
from tests.fuzz import files, models
from tests.merchandising.rule_sets import goods
from tests.support.repository import CONFIG
from tests.support.shops import interactions

ITEM = "SKU 1:é"
NODE = ("127.0.0.1", 6379)


@dataclass(frozen=True, slots=True)
class Target:
    """A reader of hostile bytes: `read` gets a folder of its own and the bytes.

    It returns or raises one of `allowed`. `examples` are those of `make test`; `words` are put into
    valid inputs.
    """

    read: Callable[[Path, bytes], None]
    valid: Callable[[], Sequence[bytes]]
    allowed: tuple[type[Exception], ...]
    examples: int = 100
    words: Sequence[bytes] = ()


def _list(_folder: Path, content: bytes) -> None:
    stored = codec.decode_list(content, ITEM)
    assert len(stored.items()) == len(stored.ids) == len(stored.letters)
    assert len(stored.leading(2).items()) <= 2
    stored.shown(3, {"SKU-2"}, {"1e5"}, 0.1).items()


def _pointer(_folder: Path, content: bytes) -> None:
    pointer = codec.decode_pointer(content)
    assert codec.decode_pointer(codec.encode_pointer(pointer)) == pointer
    assert all(type(number) is int for number in (pointer.fence, pointer.generation))


def _generation(_folder: Path, content: bytes) -> None:
    pairs = [line.partition(b"=") for line in content.split(b"\n")]
    codec.decode_generation(3, {name: value for name, _, value in pairs})


def _replies(_folder: Path, content: bytes) -> None:
    """Feed a reply in pieces, whose size its length chooses, as an array and as replies of a node.

    Values that were not read are counted: so many must fit into memory.
    """
    size = len(content) % 97 + 1
    readers = (ReplyReader(), ReplyReader(count=3), ReplyReader(count=3, node=NODE))
    for reader in readers:
        with suppress(Refused, StoreUnavailable):
            for start in range(0, len(content), size):
                if reader.feed(content[start : start + size]):
                    break
        reader.so_far()


def _topology(_folder: Path, content: bytes) -> None:
    reader = ReplyReader(count=8, node=NODE)
    if reader.feed(content):
        values = [value if isinstance(value, bytes) else None for value in reader.values]
        first, last = (int(value or b"0") for value in values[:2])
        read_topology([[first, last, values[2:4], values[4:]]], NODE)


def _settings(folder: Path, content: bytes) -> None:
    path = folder / "recommender.toml"
    path.write_bytes(content)
    with mock.patch.object(redaction, "_concealed", set()):
        load(path)


def _rules(folder: Path, content: bytes) -> None:
    path = folder / "rules.yaml"
    path.write_bytes(content)
    rules, faults = read_rules(path)
    for fault in faults:
        assert fault.line >= 1
        assert "\n" not in str(fault)
    matched = RuleApplication.of(rules, goods(12), interactions([], 12)).matched
    assert len(matched) == len(rules.rules)


@cache
def _valid_settings() -> Sequence[bytes]:
    examples = sorted((CONFIG / "examples").glob("*.toml"))
    return [path.read_bytes() for path in (*examples, CONFIG / "default.toml")]


USUAL: tuple[type[Exception], ...] = (ConfigError, DataError)

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "list": Target(
            _list,
            lambda: [codec.encode_list(ITEM, ("SKU-2", "a:b", "1e5"), (1.0, 0.5, 0.01), (0, 1, 4))],
            (ValueError,),
        ),
        "pointer": Target(
            _pointer,
            lambda: [
                codec.encode_pointer(
                    codec.Pointer(7, codec.View((7, 5), ("related",)), codec.View((8,), ()), 0.5)
                ),
                codec.encode_pointer(codec.Pointer(1, codec.View((1,), ("related", "next")))),
            ],
            (ValueError,),
        ),
        "generation": Target(
            _generation,
            lambda: [
                b"state=complete\ncreated_at=1767312000\nrecipe_digest=ab12\nlists_key=cd34\n"
                b"n_items=3\nn_lists=3\nn_entries=6\nplacements=related,next\nbase=0"
            ],
            (ValueError,),
        ),
        "replies": Target(
            _replies,
            lambda: [
                b"*3\r\n$3\r\nabc\r\n$-1\r\n$0\r\n\r\n",
                b"*2\r\n$2000000\r\n" + b"x" * 3000,
                b"+OK\r\n-MOVED 3999 127.0.0.1:6381\r\n$2\r\nab\r\n",
                b"-ERR unknown command\r\n",
            ],
            (),
        ),
        "topology": Target(
            _topology,
            lambda: [
                b"".join(b"$%d\r\n%b\r\n" % (len(one), one) for one in words)
                for words in ([b"0", b"16383", b"host", b"6379", b"", b"", b"", b""],)
            ],
            (ValueError, StoreUnavailable),
        ),
        "settings": Target(
            _settings,
            _valid_settings,
            (ConfigError,),
            examples=40,
            words=(
                *(b"recipe", b"[recipe]\n", b"[[recipe.placements]]\n", b'use = "hashing"\n'),
                *(
                    b"[catalogue]\n",
                    b"[[interactions]]\n",
                    b"path = 5\n",
                    b"[service]\n",
                    b"[[",
                    b"=",
                ),
                *(b'path = "~nobody/x"\n', b'url = "redis://a:b@"\n', b'"\\u0000"', b"1979-05-27"),
                *(b'recipe = "\\u0000.toml"\n', b"{ }", b"text = 1\n", b"placements = 3\n", b"[.]"),
            ),
        ),
        "rules": Target(
            _rules,
            lambda: [(CONFIG / "examples" / "rules.yaml").read_bytes()],
            (DataError,),
            words=(
                *(
                    b"&a ",
                    b"*a",
                    b"!!python/name:os.system ",
                    b"!!int ",
                    b"? ",
                    b"- ",
                    b": ",
                    b"|\n",
                ),
                *(
                    b"rules:\n",
                    b"pair: [a, b]\n",
                    b"time_zone: ../../etc\n",
                    b"%YAML 9.9\n",
                    b"---\n",
                ),
                *(b"\xe2\x80\xa8", b"\\U00110000", b'"\\ud800"', b"name: one\n", b"<<: {}\n", b"~"),
            ),
        ),
        **{
            name: Target(read, valid, USUAL, examples=40, words=words)
            for name, (read, valid, words) in files.KINDS.items()
        },
        **{name: Target(read, valid, USUAL) for name, (read, valid) in models.STATIC.items()},
        **{
            name: Target(read, valid, USUAL, examples=5)
            for name, (read, valid) in models.BERT.items()
        },
    }
)
