"""API keys: their names and roles, and a file that keeps them as digests.

A line of the file is `NAME ROLE,ROLE sha256:DIGEST`. Keys that `new_key` makes have 256 random
bits, which nobody can find from a digest, so a slow hash such as scrypt would add nothing.
"""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Literal, get_args

from recommender.errors import ConfigError

Role = Literal["read", "events", "merchandise", "operate"]
ROLES: tuple[Role, ...] = get_args(Role)
PLAIN_ROLES: frozenset[Role] = frozenset({"read", "operate"})
"""What keys without roles may do, as before there were roles."""
DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
NAME = re.compile(r"[a-z0-9_-]{1,40}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The digest of an API key, the name that logs and limits use, and its roles."""

    name: str
    roles: frozenset[Role]
    digest: bytes

    def line(self) -> str:
        """The line of a file of keys."""
        roles = ",".join(role for role in ROLES if role in self.roles)
        return f"{self.name} {roles} sha256:{self.digest.hex()}"


class KeyRing:
    """The API keys that a service knows. Raises: ConfigError if two have one name."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys = tuple(keys)
        names = [key.name for key in self._keys]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"API keys: {names.count(name)} are named {name!r}")

    def __bool__(self) -> bool:
        return bool(self._keys)

    def find(self, given: bytes) -> ApiKey | None:
        """The key that was given, compared with the digests of all in constant time."""
        digest = sha256(given).digest()
        same = [key for key in self._keys if compare_digest(digest, key.digest)]
        return same[0] if same else None


def new_key(name: str, roles: Iterable[str]) -> tuple[str, ApiKey]:
    """A random key, which is kept nowhere, and what is kept of it. Raises: ConfigError."""
    key = secrets.token_urlsafe(32)
    return key, ApiKey(checked_name(name), checked_roles(roles), sha256(key.encode()).digest())


def checked_name(name: str) -> str:
    """Raises: ConfigError for a malformed name of a key."""
    if not NAME.fullmatch(name):
        raise ConfigError(f"name of a key {name!r:.60}: use 1 to 40 of a-z, 0-9, _ and -")
    return name


def checked_roles(names: Iterable[str]) -> frozenset[Role]:
    """The roles of these names. Raises: ConfigError for an unknown one, and for none."""
    given = list(names)
    roles: frozenset[Role] = frozenset(role for role in ROLES if role in given)
    unknown = [name for name in given if name not in ROLES]
    if unknown or not roles:
        raise ConfigError(f"roles {','.join(given)!r:.80}: give some of {', '.join(ROLES)}")
    return roles


def read_keys(path: Path) -> tuple[list[ApiKey], int]:
    """The keys of a file, and how many of them it holds in plain text.

    Empty lines and lines that begin with # are skipped. Raises: ConfigError naming the line, and
    never a key.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"API keys {path}: cannot be read: {error}") from error
    keys: list[ApiKey] = []
    plain: set[str] = set()
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            continue
        try:
            if "sha256:" in line:
                keys.append(_hashed(line))
            else:
                plain |= {_carried(word) for word in line.split()}
        except ConfigError as error:
            raise ConfigError(f"API keys {path}: line {number}: {error}") from error
    taken = {key.name for key in keys}
    free = (name for i in range(1, len(plain) + len(keys) + 1) if (name := f"key-{i}") not in taken)
    keys += [
        ApiKey(name, PLAIN_ROLES, sha256(key.encode()).digest())
        for name, key in zip(free, sorted(plain), strict=False)
    ]
    if not keys:
        raise ConfigError(f"API keys {path}: contains no key; run recommender keys add")
    KeyRing(keys)
    return keys, len(plain)


def _hashed(line: str) -> ApiKey:
    words = line.split()
    found = DIGEST.fullmatch(words[-1])
    if len(words) != 3 or found is None:
        raise ConfigError("write NAME ROLE,ROLE sha256:DIGEST")
    roles = checked_roles(words[1].split(","))
    return ApiKey(checked_name(words[0]), roles, bytes.fromhex(found[1]))


def _carried(key: str) -> str:
    """A key that a header can carry. Raises: ConfigError."""
    if not (key.isascii() and key.isprintable()):
        raise ConfigError("a key has characters that no header can carry; use printable ASCII")
    return key
