"""Who may use the console: sessions in signed cookies, roles, and the tokens of forms."""

import base64
import hmac
import json
import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256

from recommender.service.keys import ROLES, KeyRing, Role
from recommender.service.rates import RateLimit, network_of

SESSION_S = 12 * 3600
TOKEN_BYTES = 24
OWNER = "owner"
"""The name of who opened the console on this machine."""
GIVEN_WRONG_PER_MINUTE = 10.0


@dataclass(frozen=True, slots=True)
class Session:
    """A visit of the console: its random id, who signed in ("" before that), and their roles.

    `until` is when it ends, in epoch seconds.
    """

    id: str
    name: str = ""
    roles: tuple[Role, ...] = ()
    until: int = 0

    @classmethod
    def begun(cls, name: str = "", roles: Collection[Role] = ()) -> "Session":
        """A new session of somebody, or of a visitor who has yet to sign in."""
        ordered = tuple(role for role in ROLES if role in roles)
        return cls(secrets.token_urlsafe(TOKEN_BYTES), name, ordered, int(time.time()) + SESSION_S)

    def may(self, role: Role) -> bool:
        """Whether the session has a role."""
        return role in self.roles


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that signs people in: it names them in a header, and they get `roles`.

    The header counts only in requests from the `addresses` of the proxy.
    """

    header: str
    roles: Sequence[Role]
    addresses: Sequence[str]

    def user(self, headers: Mapping[str, str], peer: str) -> str:
        """The name of the user whom the proxy signed in, "" if there is none."""
        return headers.get(self.header, "")[:100] if peer in self.addresses else ""


@dataclass(frozen=True, slots=True)
class Seal:
    """Signs what leaves the server and comes back, with a random secret."""

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def sealed(self, session: Session) -> str:
        """The value of the cookie of a session."""
        content = base64.urlsafe_b64encode(json.dumps(asdict(session)).encode()).decode()
        return f"{content}.{self._signature('session', content)}"

    def opened(self, cookie: str) -> Session | None:
        """The session of a cookie, None if it is forged, malformed or over."""
        content, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(
            signature.encode(), self._signature("session", content).encode()
        ):
            return None
        plain = json.loads(base64.urlsafe_b64decode(content))
        session = Session(**{**plain, "roles": tuple(plain["roles"])})
        return session if session.until > time.time() else None

    def form_token(self, session: Session) -> str:
        """The token that every form of a session carries."""
        return self._signature("form", session.id)

    def is_form_token(self, session: Session, given: str) -> bool:
        """Whether a form came from a page of this session."""
        return hmac.compare_digest(given.encode(), self.form_token(session).encode())

    def _signature(self, purpose: str, content: str) -> str:
        return hmac.new(self.secret, f"{purpose}:{content}".encode(), sha256).hexdigest()


class Access:
    """How people sign in: by an API key, by the one-time `link_token`, or by a proxy.

    Wrong keys and tokens of an address are limited to ten a minute.
    """

    def __init__(
        self,
        *,
        seal: Seal | None = None,
        keys: KeyRing | None = None,
        link_token: str = "",
        proxy: Proxy | None = None,
        wrong_per_minute: float = GIVEN_WRONG_PER_MINUTE,
    ) -> None:
        self.seal = seal or Seal()
        self.keys, self.proxy = keys, proxy
        self._link_token = link_token
        self._wrong = RateLimit(wrong_per_minute / 60, wrong_per_minute)

    @property
    def by_key(self) -> bool:
        """Whether API keys are accepted."""
        return bool(self.keys)

    def wait_s(self, address: str) -> float:
        """The seconds until an address may try again, 0 if it may now."""
        return self._wrong.wait_s(network_of(address))

    def enter(self, token: str, address: str) -> Session | None:
        """The session of who follows the link that the terminal shows; it works once."""
        if self._link_token and hmac.compare_digest(token.encode(), self._link_token.encode()):
            self._link_token = ""
            return Session.begun(OWNER, ROLES)
        self._wrong.count(network_of(address))
        return None

    def sign_in(self, key: str, address: str) -> Session | None:
        """The session of an API key."""
        found = self.keys.find(key.encode()) if self.keys else None
        if found is None:
            self._wrong.count(network_of(address))
            return None
        return Session.begun(found.name, found.roles)

    def session(self, cookie: str, headers: Mapping[str, str], peer: str) -> Session:
        """The session of a request; that of nobody if it has none that is valid.

        `peer` is the address that the connection comes from, which may be a proxy's.
        """
        found = self.seal.opened(cookie) if cookie else None
        if self.proxy is not None and (user := self.proxy.user(headers, peer)):
            same = found is not None and found.name == user
            return found if found and same else Session.begun(user, self.proxy.roles)
        return found or Session.begun()


def new_link_token() -> str:
    """A token for the link that the terminal shows."""
    return secrets.token_urlsafe(TOKEN_BYTES)
