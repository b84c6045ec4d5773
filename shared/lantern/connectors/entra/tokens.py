"""App-only access tokens of one tenant: the client credentials grant, by certificate or by secret.

Rules from RFC 6749 section 4.4, RFC 7523 section 3, and "Microsoft identity platform application
authentication certificate credentials".
"""

import base64
import json
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lantern.connectors.calls import Request, RetryPolicy
from lantern.connectors.consent import ClientRegistration
from lantern.connectors.entra.manifest import CONSENT_REVOKED, GRAPH, GRAPH_APP_ID, LOGIN_STATUSES, UNPROVEN
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.protocol import Clock
from lantern.connectors.registry import Io
from lantern.connectors.resolution import CallError

GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_EARLY_S: Final = 300.0  # a token is fetched anew so long before it expires
_ASSERTION_S: Final = 600
_AADSTS: Final = re.compile(r"AADSTS\d{4,8}")


def login_http(io: Io, retry: RetryPolicy | None = None) -> HttpClient:
    """A client for the sign-in endpoints, which are under none of Graph's quotas."""
    return HttpClient(
        io.session,
        LOGIN_STATUSES,
        clock=io.clock,
        random=io.random,
        limiters={},
        codes=login_codes,
        retry=retry,
    )


def login_codes(body: Any) -> frozenset[str]:
    """The word of an OAuth error, and Microsoft's numbers for it (`AADSTS700016`)."""
    if not isinstance(body, Mapping):
        return frozenset()
    word, numbers = body.get("error"), body.get("error_codes")
    found = {word} if isinstance(word, str) and word.replace("_", "").isalnum() else set()
    if isinstance(numbers, list):
        found |= {f"AADSTS{number}" for number in numbers if isinstance(number, int)}
    said = body.get("error_description")
    found |= set(_AADSTS.findall(said)) if isinstance(said, str) else set()
    return frozenset(found)


def credential(registration: ClientRegistration, address: str, clock: Clock) -> dict[str, str]:
    """What proves at the token endpoint that we are our app: an assertion by certificate, else the secret."""
    key, thumbprint = (registration.extra.get(name) for name in ("private_key", "certificate_thumbprint"))
    if not key or not thumbprint:
        return {"client_secret": registration.client_secret}
    # PyJWT brings cryptography: only those with a certificate pay for it.
    import jwt

    raw = bytes.fromhex(thumbprint.replace(":", ""))
    name, algorithm = ("x5t#S256", "PS256") if len(raw) == 32 else ("x5t", "RS256")
    now = int(clock.now().timestamp())
    assertion = jwt.encode(
        {
            "aud": address,
            "iss": registration.client_id,
            "sub": registration.client_id,
            "jti": secrets.token_urlsafe(24),
            "nbf": now - 60,
            "exp": now + _ASSERTION_S,
        },
        key,
        algorithm,
        headers={name: base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")},
    )
    return {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    }


@dataclass(frozen=True, slots=True)
class Access:
    """An access token: what it says of itself, and until when (monotonic seconds) it is used."""

    header: str
    roles: frozenset[str]
    until: float
    lifetime_s: float


def fetch(
    http: HttpClient, login: str, registration: ClientRegistration, tenant: str, *, clock: Clock, halt: Halt
) -> Access:
    """A token for one tenant, which must say that it is for that tenant, for us and for Graph.

    Raises:
        CallError: there is none; kind `config` where our app is not, or no more, in that tenant.
    """
    if not GUID.fullmatch(tenant):
        raise CallError(UNPROVEN, detail="not a tenant id")
    address = f"{login.rstrip('/')}/{tenant}/oauth2/v2.0/token"
    form = {
        "grant_type": "client_credentials",
        "client_id": registration.client_id,
        "scope": f"{GRAPH}/.default",
        **credential(registration, address, clock),
    }
    body = http.call(Request("POST", address, form=form, authorised=False), halt).body
    token = body.get("access_token") if isinstance(body, Mapping) else None
    if not isinstance(token, str):
        raise CallError(GARBLED, detail="token endpoint: no access token")
    claims = _claims(token)
    wrong = (
        "tenant" if str(claims.get("tid")).lower() != tenant.lower() else None,
        "app" if (claims.get("appid") or claims.get("azp")) != registration.client_id else None,
        "audience" if claims.get("aud") not in (GRAPH, GRAPH_APP_ID) else None,
    )
    if any(wrong):
        raise CallError(UNPROVEN, detail=f"access token: other {next(filter(None, wrong))}")
    roles = claims.get("roles", [])
    seconds = body.get("expires_in")
    lifetime = float(seconds) if isinstance(seconds, int | float) else 3600.0
    return Access(
        f"Bearer {token}",
        frozenset(role for role in roles if isinstance(role, str))
        if isinstance(roles, list)
        else frozenset(),
        clock.monotonic() + max(lifetime - _EARLY_S, lifetime / 2),
        lifetime,
    )


def _claims(token: str) -> Mapping[str, Any]:
    """What a token says. It came straight from its issuer over TLS, so its signature is not checked again."""
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError):
        claims = None
    if not isinstance(claims, dict):
        raise CallError(GARBLED, detail="token endpoint: no readable access token")
    return claims


class AppTokens:
    """The tokens of one connection, in memory only, one at a time; safe for threads."""

    def __init__(
        self, http: HttpClient, login: str, registration: ClientRegistration, tenant: str, clock: Clock
    ) -> None:
        self._http = http
        self._login = login
        self._registration = registration
        self._tenant = tenant
        self._clock = clock
        self._lock = threading.Lock()
        self._access: Access | None = None
        self._ended = False

    def header(self, halt: Halt) -> str:
        """The `Authorization` header, with a token that is good for minutes at least."""
        with self._lock:
            if self._ended:
                raise CallError(CONSENT_REVOKED, detail="disconnected")
            if self._access is None or self._clock.monotonic() >= self._access.until:
                self._access = self._fetch(halt)
            return self._access.header

    def rejected(self, header: str) -> None:
        """Microsoft did not accept this header."""
        with self._lock:
            if self._access and self._access.header == header:
                self._access = None

    def roles(self, halt: Halt) -> frozenset[str]:
        """The permissions our app holds now; asked anew."""
        with self._lock:
            if self._ended:
                raise CallError(CONSENT_REVOKED, detail="disconnected")
            self._access = self._fetch(halt)
            return self._access.roles

    def end(self) -> None:
        """Use no token any more."""
        with self._lock:
            self._access, self._ended = None, True

    def _fetch(self, halt: Halt) -> Access:
        return fetch(self._http, self._login, self._registration, self._tenant, clock=self._clock, halt=halt)
