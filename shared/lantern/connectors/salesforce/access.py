"""Where an organisation is, and access tokens for it."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from lantern.connectors.calls import Request, error_codes
from lantern.connectors.consent import ClientRegistration
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.protocol import Clock
from lantern.connectors.registry import Io
from lantern.connectors.resolution import CallError
from lantern.connectors.salesforce.manifest import (
    CONSENT_REVOKED,
    FOREIGN_INSTANCE,
    MANIFEST,
    MUST_BE_INSTALLED,
    OAUTH_STATUSES,
)

_GOOD_S: Final = 600.0
"""The answer does not say how long a session lasts; organisations may choose fifteen minutes."""
_DOMAINS: Final = (".salesforce.com", ".force.com", ".salesforce.mil", ".cloudforce.com", ".sfcrmapps.cn")
_HOST: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}")


def instance(address: object, base: str) -> str:
    """The address of an organisation, as origin, if credentials may go there.

    Args:
        address: `instance_url` of a token answer.
        base: where the OAuth endpoints are; an instance at the same origin is as good as they are.

    Raises:
        CallError: it is not Salesforce's.
    """
    parts = urlsplit(address) if isinstance(address, str) else None
    try:
        port = parts.port if parts else None
    except ValueError:
        parts, port = None, None
    if parts is None or parts.username or parts.password or parts.path not in ("", "/") or parts.query:
        raise CallError(FOREIGN_INSTANCE, detail="instance address refused")
    origin = f"{parts.scheme}://{parts.netloc}"
    ours = urlsplit(base)
    if origin == f"{ours.scheme}://{ours.netloc}":
        return origin
    host = parts.hostname or ""
    if (
        parts.scheme != "https"
        or port not in (None, 443)
        or not host.endswith(_DOMAINS)
        or not _HOST.fullmatch(host)
    ):
        raise CallError(FOREIGN_INSTANCE, detail="instance address refused")
    return f"https://{host}"


@dataclass(frozen=True, slots=True)
class Secret:
    """What opens a connection: sealed as JSON, given back as it was."""

    refresh_token: str
    instance_url: str

    def __repr__(self) -> str:
        return "Secret(…)"


def pack(secret: Secret) -> str:
    """The secret as text."""
    return msgspec.json.encode(secret).decode()


def unpack(value: str) -> Secret:
    """The secret from its text.

    Raises:
        CallError: it is none; the connection must be made again.
    """
    try:
        return msgspec.json.decode(value, type=Secret)
    except msgspec.DecodeError:
        raise CallError(CONSENT_REVOKED, detail="the stored secret is unreadable") from None


def endpoints(io: Io) -> Mapping[str, str]:
    """The manifest's addresses with the configured ones in their place."""
    return {**MANIFEST.endpoints, **io.endpoints}


def oauth_http(io: Io) -> HttpClient:
    """A client for the OAuth endpoints, which are not counted as API requests."""
    return HttpClient(
        io.session, OAUTH_STATUSES, clock=io.clock, random=io.random, limiters={}, codes=oauth_codes
    )


def oauth_codes(body: Any) -> frozenset[str]:
    """The words of an OAuth error, and ours where only its description tells that the app is missing."""
    words = error_codes(body)
    said = body.get("error_description") if isinstance(body, dict) else None
    if "invalid_client" in words and isinstance(said, str) and "must be installed" in said:
        return words | {MUST_BE_INSTALLED}
    return words


def scopes_of(answer: Mapping[str, Any]) -> frozenset[str]:
    """The scopes a token answer names; `full` is all but the refresh token (Salesforce Help)."""
    text = answer.get("scope")
    found = frozenset(text.split()) if isinstance(text, str) else frozenset()
    if "offline_access" in found:
        found |= {"refresh_token"}
    return found | {"api", "id"} if "full" in found else found


def token_answer(http: HttpClient, address: str, form: Mapping[str, str], halt: Halt) -> dict[str, Any]:
    """Ask the token endpoint.

    Raises:
        CallError: it gave no access token.
    """
    body = http.call(Request("POST", address, form=form, authorised=False), halt).body
    if not isinstance(body, dict) or not isinstance(body.get("access_token"), str):
        raise CallError(GARBLED, detail="token endpoint: no access token")
    return body


def revoke(http: HttpClient, address: str, token: str, halt: Halt) -> bool:
    """Give a token back (RFC 7009, but one that is not known is a 400 here); whether it was still valid."""
    try:
        http.call(Request("POST", address, form={"token": token}, authorised=False), halt)
    except CallError as error:
        if "invalid_token" not in error.codes:
            raise
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Access:
    header: str
    until: float


class AccessTokens:
    """Access tokens from a refresh token, in memory only, one at a time; safe for threads.

    Every refresh says anew where the organisation is: a new My Domain or instance is followed.
    """

    def __init__(
        self, http: HttpClient, address: str, registration: ClientRegistration, secret: Secret, clock: Clock
    ) -> None:
        self._http = http
        self._address = address
        self._registration = registration
        self._secret = secret
        self._clock = clock
        self._lock = threading.Lock()
        self._access: _Access | None = None
        self._granted: frozenset[str] = frozenset()
        self._instance = instance(secret.instance_url, address)

    def header(self, halt: Halt) -> str:
        """The `Authorization` header."""
        with self._lock:
            return self._current(halt).header

    def rejected(self, header: str) -> None:
        """Salesforce did not accept this header."""
        with self._lock:
            if self._access and self._access.header == header:
                self._access = None

    def instance(self, halt: Halt) -> str:
        """Where the organisation is now, as origin."""
        with self._lock:
            self._current(halt)
            return self._instance

    def granted(self, halt: Halt) -> frozenset[str]:
        """The scopes the consent holds now; asked anew."""
        with self._lock:
            self._access = self._refresh(halt)
            return self._granted

    @property
    def refresh_token(self) -> str:
        """The refresh token in force."""
        return self._secret.refresh_token

    def _current(self, halt: Halt) -> _Access:
        if self._access is None or self._clock.monotonic() >= self._access.until:
            self._access = self._refresh(halt)
        return self._access

    def _refresh(self, halt: Halt) -> _Access:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._secret.refresh_token,
            "client_id": self._registration.client_id,
            "client_secret": self._registration.client_secret,
        }
        answer = token_answer(self._http, self._address, form, halt)
        self._granted = scopes_of(answer)
        if answer.get("instance_url") is not None:
            self._instance = instance(answer["instance_url"], self._address)
        return _Access(f"Bearer {answer['access_token']}", self._clock.monotonic() + _GOOD_S)


@dataclass(frozen=True, slots=True)
class FixedToken:
    """An access token fresh from consent, for the few calls that tell who consented."""

    text: str
    origin: str

    def header(self, halt: Halt) -> str:  # noqa: ARG002 - nothing to wait for
        """The `Authorization` header."""
        return f"Bearer {self.text}"

    def rejected(self, header: str) -> None:
        """There is no other."""

    def instance(self, halt: Halt) -> str:  # noqa: ARG002
        """Where the organisation is."""
        return self.origin

    def __repr__(self) -> str:
        return "FixedToken(…)"
