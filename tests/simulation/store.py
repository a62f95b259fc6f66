"""A server of one process: the commands that publishers and lookups use, in virtual time.

Scripts are run as they are, by Lua 5.1. `test_store.py` compares its replies with a real server's.
"""

import fnmatch
import json
from collections.abc import Callable, Sequence
from typing import Any

from lupa import lua51
from redis.exceptions import ResponseError

Arguments = Sequence[bytes]
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
_lua = lua51.LuaRuntime(encoding=None, unpack_returned_tuples=True)
_compiled: dict[bytes, Any] = {}
_NULL = object()
_running: "list[SimulatedServer]" = []
"""The servers whose scripts run; the last one answers what a script calls."""


class SimulatedServer:
    """Data and commands. `now` gives the time in seconds; `changed` is called with written keys."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.data: dict[bytes, Any] = {}
        self.ends: dict[bytes, float] = {}
        self._now = now
        self.changed: Callable[[bytes, Any], None] = lambda _key, _before: None

    def snapshot(self) -> tuple[dict[bytes, Any], dict[bytes, float]]:
        """What a replica has that follows at this moment."""
        return dict(self.data), dict(self.ends)  # values are replaced, never changed

    def execute(self, *command: bytes) -> Any:  # noqa: ANN401
        """The reply to a command. Raises: ResponseError."""
        for key in [key for key, end in self.ends.items() if end <= self._now()]:
            self._remove(key)
        method = getattr(self, f"_{command[0].decode().lower()}", None)
        if method is None:
            raise ResponseError(f"unknown command {command[0]!r}")
        return method(*command[1:])

    def _of(self, key: bytes, kind: type) -> Any:  # noqa: ANN401
        found = self.data.get(key)
        if found is None:
            return kind()
        if not isinstance(found, kind):
            raise ResponseError(WRONG_TYPE)
        return found

    def _put(self, key: bytes, value: object) -> None:
        before = self.data.get(key)
        if value or isinstance(value, bytes):
            self.data[key] = value
        else:
            self.data.pop(key, None)
        self.changed(key, before)

    def _remove(self, key: bytes) -> bool:
        self.ends.pop(key, None)
        before = self.data.pop(key, None)
        if before is not None:
            self.changed(key, before)
        return before is not None

    # Strings

    def _get(self, key: bytes) -> bytes | None:
        return self._of(key, bytes) if key in self.data else None

    def _set(self, key: bytes, value: bytes, *options: bytes) -> bytes | None:
        named = [option.upper() for option in options]
        if b"NX" in named and key in self.data:
            return None
        self.ends.pop(key, None)
        self._put(key, value)
        for unit, seconds in ((b"PX", 0.001), (b"EX", 1.0)):
            if unit in named:
                self.ends[key] = self._now() + int(options[named.index(unit) + 1]) * seconds
        return b"OK"

    def _mget(self, *keys: bytes) -> list[bytes | None]:
        found = (self.data.get(key) for key in keys)
        return [value if isinstance(value, bytes) else None for value in found]

    def _mset(self, *pairs: bytes) -> bytes:
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            self._set(key, value)
        return b"OK"

    def _incr(self, key: bytes) -> int:
        try:
            number = int(self._get(key) or b"0") + 1
        except ValueError as error:
            raise ResponseError("value is not an integer or out of range") from error
        self._put(key, b"%d" % number)
        return number

    # Keys

    def _exists(self, *keys: bytes) -> int:
        return sum(key in self.data for key in keys)

    def _unlink(self, *keys: bytes) -> int:
        return sum([self._remove(key) for key in keys])

    def _pexpire(self, key: bytes, milliseconds: bytes) -> int:
        if key not in self.data:
            return 0
        self.ends[key] = self._now() + int(milliseconds) / 1000
        return 1

    def _pttl(self, key: bytes) -> int:
        if key not in self.data:
            return -2
        return round((self.ends[key] - self._now()) * 1000) if key in self.ends else -1

    def _scan(self, _cursor: bytes, *options: bytes) -> list[Any]:
        pattern = options[options.index(b"MATCH") + 1] if b"MATCH" in options else b"*"
        text = pattern.replace(b"[", b"[[]")
        return [b"0", [key for key in sorted(self.data) if fnmatch.fnmatchcase(key, text)]]

    # Hashes, sets and sorted sets

    def _hset(self, key: bytes, *pairs: bytes) -> int:
        fields = dict(self._of(key, dict))
        new = dict(zip(pairs[::2], pairs[1::2], strict=True))
        added = len(new.keys() - fields.keys())
        self._put(key, fields | new)
        return added

    def _hget(self, key: bytes, name: bytes) -> bytes | None:
        value: bytes | None = self._of(key, dict).get(name)
        return value

    def _hgetall(self, key: bytes) -> list[bytes]:
        return [part for pair in self._of(key, dict).items() for part in pair]

    def _sadd(self, key: bytes, *members: bytes) -> int:
        known = self._of(key, set)
        self._put(key, known | set(members))
        return len(set(members) - known)

    def _sscan(self, key: bytes, _cursor: bytes, *_options: bytes) -> list[Any]:
        return [b"0", sorted(self._of(key, set))]

    def _zadd(self, key: bytes, *pairs: bytes) -> int:
        scores = dict(self._of(key, ZSet))
        new = {member: float(score) for score, member in zip(pairs[::2], pairs[1::2], strict=True)}
        self._put(key, ZSet(scores | new))
        return len(new.keys() - scores.keys())

    def _zrem(self, key: bytes, *members: bytes) -> int:
        scores = ZSet(self._of(key, ZSet))
        removed = sum(scores.pop(member, None) is not None for member in set(members))
        self._put(key, scores)
        return removed

    def _zscore(self, key: bytes, member: bytes) -> bytes | None:
        score = self._of(key, ZSet).get(member)
        return None if score is None else b"%.17g" % score

    def _zrange(self, key: bytes, start: bytes, stop: bytes) -> list[bytes]:
        ordered: list[bytes] = self._of(key, ZSet).ordered()
        end = int(stop)
        return ordered[int(start) : None if end == -1 else end + 1]

    def _zrevrange(self, key: bytes, start: bytes, stop: bytes) -> list[bytes]:
        assert (start, stop) == (b"0", b"-1")
        ordered: list[bytes] = self._of(key, ZSet).ordered()
        return ordered[::-1]

    def _zrangebyscore(self, key: bytes, low: bytes, high: bytes) -> list[bytes]:
        assert high == b"+inf"
        scores = self._of(key, ZSet)
        bound = float(low.lstrip(b"("))
        return [
            member
            for member in scores.ordered()
            if scores[member] > bound or (scores[member] == bound and low[:1] != b"(")
        ]

    def _zscan(self, key: bytes, _cursor: bytes, *options: bytes) -> list[Any]:
        pattern = options[options.index(b"MATCH") + 1] if b"MATCH" in options else b"*"
        scores = self._of(key, ZSet)
        found = [member for member in scores if fnmatch.fnmatchcase(member, pattern)]
        return [b"0", [part for member in found for part in (member, b"%.17g" % scores[member])]]

    # The server

    def _ping(self, *words: bytes) -> bytes:
        return words[0] if words else b"PONG"

    def _time(self) -> list[bytes]:
        now = self._now()
        return [b"%d" % int(now), b"%06d" % int(now % 1 * 1e6)]

    def _info(self, _section: bytes) -> bytes:
        return b"redis_version:7.4.0\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\nused_memory:1"

    def _eval(self, script: bytes, n_keys: bytes, *given: bytes) -> Any:  # noqa: ANN401
        run = _compiled.get(script)
        if run is None:
            body = script.partition(b"\n")[2] if script.startswith(b"#!") else script
            run = _compiled[script] = _lua.eval(
                b"function(KEYS, ARGV) local redis, cjson = {call = call}, {decode = decode} "
                + body
                + b"\nend"
            )
        keys = int(n_keys)
        _running.append(self)
        try:
            return _from_lua(run(_lua.table(*given[:keys]), _lua.table(*given[keys:])))
        finally:
            _running.pop()


class ZSet(dict[bytes, float]):
    """Members with scores."""

    def ordered(self) -> list[bytes]:
        """The members by score, then by name."""
        return sorted(self, key=lambda member: (self[member], member))


def _argument(value: bytes | float) -> bytes:
    if isinstance(value, bytes):
        return value
    return b"%d" % int(value) if value == int(value) else b"%.17g" % value


def _to_lua(reply: Any) -> Any:  # noqa: ANN401
    if reply is None:
        return False
    if reply == b"OK":
        return _lua.table_from({b"ok": reply})
    return _lua.table(*map(_to_lua, reply)) if isinstance(reply, list) else reply


def _from_lua(value: Any) -> Any:  # noqa: ANN401
    if value is None or value is False:
        return None
    if lua51.lua_type(value) == "table":
        return [_from_lua(value[place]) for place in range(1, len(value) + 1)]
    return value if isinstance(value, bytes) else int(value)


def _decoded(text: bytes) -> Any:  # noqa: ANN401
    return _table(json.loads(text))


def _table(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return _lua.table_from({name.encode(): _table(each) for name, each in value.items()})
    if isinstance(value, list):
        return _lua.table(*map(_table, value))
    if value is None:
        return _NULL
    return value.encode() if isinstance(value, str) else value


def _called(*command: Any) -> Any:  # noqa: ANN401
    return _to_lua(_running[-1].execute(*map(_argument, command)))


# Lua finds functions by their addresses. Those of a bound method, made anew for each script, were
# now and then those of another function before.
_lua.globals()[b"call"], _lua.globals()[b"decode"] = _called, _decoded
