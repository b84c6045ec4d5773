"""How our app proves itself to GitHub: a signed statement of its own, traded for an installation's token.

Rules from GitHub's "Generating a JSON Web Token for a GitHub App" (RS256, at most ten minutes ahead, issued a
minute ago against clock drift) and "Generating an installation access token" (good for an hour).
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lantern.connectors.calls import Request
from lantern.connectors.consent import ClientRegistration
from lantern.connectors.github.manifest import MANIFEST, OUR_FAULT
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.protocol import Clock
from lantern.connectors.resolution import CallError

_DRIFT: Final = timedelta(seconds=60)
_LIFE: Final = timedelta(minutes=9)  # ten from when it says it was issued
_EARLY_S: Final = 60.0  # a token is fetched anew so long before it expires
_HASTE_S: Final = 30.0


class AppStatement:
    """The `Authorization` of calls that our app makes for itself; safe for threads."""

    def __init__(self, registration: ClientRegistration, clock: Clock) -> None:
        self._registration = registration
        self._clock = clock
        self._lock = threading.Lock()
        self._text = ""
        self._until = float("-inf")

    def header(self, halt: Halt) -> str:  # noqa: ARG002 - signing waits for nobody
        """A statement that is good for half a minute at least."""
        with self._lock:
            if self._clock.monotonic() >= self._until:
                self._text = f"Bearer {self._sign()}"
                self._until = self._clock.monotonic() + _LIFE.total_seconds() - _HASTE_S
            return self._text

    def rejected(self, header: str) -> None:
        """GitHub did not accept this statement: the next one is signed anew."""
        with self._lock:
            if header == self._text:
                self._until = float("-inf")

    def _sign(self) -> str:
        # PyJWT brings cryptography: only those who call GitHub pay for it.
        import jwt

        extra, now = self._registration.extra, self._clock.now()
        claims = {"iat": now - _DRIFT, "exp": now + _LIFE, "iss": extra.get("app_id", "")}
        try:
            return jwt.encode(claims, extra.get("private_key", ""), algorithm="RS256")
        except (jwt.PyJWTError, ValueError, TypeError):
            # Only that it failed: the text of the exception may quote the key.
            raise CallError(OUR_FAULT, detail="the private key of our GitHub App cannot be used") from None


@dataclass(frozen=True, slots=True)
class _Access:
    header: str = field(repr=False)
    until: float
    granted: frozenset[str]


class InstallationTokens:
    """Access tokens of one installation, in memory only, one at a time; safe for threads."""

    def __init__(self, http: HttpClient, base: str, installation_id: int, clock: Clock) -> None:
        self._http = http
        self._address = f"{base}/app/installations/{installation_id}/access_tokens"
        self._clock = clock
        self._lock = threading.Lock()
        self._access: _Access | None = None

    def header(self, halt: Halt) -> str:
        """The `Authorization` header, with a token that is good for a minute at least."""
        with self._lock:
            if self._access is None or self._clock.monotonic() >= self._access.until:
                self._access = self._fetch(halt)
            return self._access.header

    def rejected(self, header: str) -> None:
        """GitHub did not accept this header."""
        with self._lock:
            if self._access and self._access.header == header:
                self._access = None

    def held(self, halt: Halt) -> frozenset[str]:
        """The permissions that the token in use carries."""
        self.header(halt)
        with self._lock:
            return self._access.granted if self._access else frozenset()

    def granted(self, halt: Halt) -> frozenset[str]:
        """The permissions the installation holds now; asked anew."""
        with self._lock:
            self._access = self._fetch(halt)
            return self._access.granted

    def _fetch(self, halt: Halt) -> _Access:
        body = self._http.call(Request("POST", self._address, quotas=("app",)), halt).body
        token = body.get("token") if isinstance(body, dict) else None
        if not isinstance(token, str) or not token:
            raise CallError(GARBLED, detail="no installation token")
        until = self._clock.monotonic() + self._lifetime(body) - _EARLY_S
        return _Access(f"Bearer {token}", until, permissions(body.get("permissions")))

    def _lifetime(self, body: Mapping[str, Any]) -> float:
        """Seconds a token lives: an hour, or less where GitHub says so and our clocks agree."""
        most = float(MANIFEST.access_token_lifetime_s)
        try:
            ends = datetime.fromisoformat(str(body.get("expires_at")))
            return min(most, max(_EARLY_S, (ends.astimezone(UTC) - self._clock.now()).total_seconds()))
        except ValueError:
            return most


def permissions(value: object) -> frozenset[str]:
    """An installation's permissions as `name:level`; whoever may write may read as well."""
    if not isinstance(value, Mapping):
        return frozenset()
    held = {f"{name}:{level}" for name, level in value.items() if isinstance(level, str)}
    held |= {f"{name}:read" for name, level in value.items() if level in ("write", "admin")}
    held |= {f"{name}:write" for name, level in value.items() if level == "admin"}
    return frozenset(held)
