"""Google's OAuth 2.0 and OpenID Connect: consent, tokens, and who gave them.

Rules from RFC 6749 (OAuth), RFC 7636 (PKCE), OpenID Connect Core section 3.1.3.7 (id token validation).
"""

import base64
import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from lantern.connectors.calls import Request
from lantern.connectors.consent import ClientRegistration, ConsentFlow, ConsentStart, Identity, TokenGrant
from lantern.connectors.google import directory
from lantern.connectors.google.api import GoogleApi
from lantern.connectors.google.manifest import (
    CODE_SPENT,
    CONSENT_REVOKED,
    EMAIL,
    MANIFEST,
    OAUTH_STATUSES,
    STATUSES,
    UNPROVEN,
)
from lantern.connectors.halt import Halt, within
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.oidc import KeySet, verified_claims
from lantern.connectors.protocol import Clock
from lantern.connectors.registry import Io
from lantern.connectors.resolution import CallError

_PATIENCE_S: Final = 20.0  # a browser is waiting, and API Gateway gives up after 29 seconds
_EARLY_S: Final = 60.0  # a token is fetched anew so long before it expires
_ALIASES: Final = {"email": EMAIL}


def endpoints(io: Io) -> Mapping[str, str]:
    """The manifest's addresses with the configured ones in their place."""
    return {**MANIFEST.endpoints, **io.endpoints}


def oauth_http(io: Io) -> HttpClient:
    """A client for the OAuth endpoints, which are not under the Admin SDK's quota."""
    return HttpClient(io.session, OAUTH_STATUSES, clock=io.clock, random=io.random, limiters={})


def scopes_of(answer: Mapping[str, Any]) -> frozenset[str]:
    """The scopes a token answer names, in their long form."""
    text = answer.get("scope")
    return frozenset(_ALIASES.get(s, s) for s in text.split()) if isinstance(text, str) else frozenset()


@dataclass(frozen=True, slots=True)
class _Access:
    header: str
    until: float


class AccessTokens:
    """Access tokens from a refresh token, in memory only, one at a time; safe for threads.

    Should Google hand out another refresh token, it is used from then on and told to `rotated`.
    """

    def __init__(
        self,
        http: HttpClient,
        address: str,
        registration: ClientRegistration,
        refresh_token: str,
        *,
        clock: Clock,
        rotated: Callable[[str], None] | None = None,
    ) -> None:
        self._http = http
        self._address = address
        self._registration = registration
        self._refresh_token = refresh_token
        self._clock = clock
        self._rotated = rotated
        self._lock = threading.Lock()
        self._access: _Access | None = None
        self._granted: frozenset[str] = frozenset()

    def header(self, halt: Halt) -> str:
        """The `Authorization` header, with a token that is good for a minute at least."""
        with self._lock:
            if self._access is None or self._clock.monotonic() >= self._access.until:
                self._access = self._refresh(halt)
            return self._access.header

    def rejected(self, header: str) -> None:
        """Google did not accept this header."""
        with self._lock:
            if self._access and self._access.header == header:
                self._access = None

    def granted(self, halt: Halt) -> frozenset[str]:
        """The scopes the consent holds now; asked anew."""
        with self._lock:
            self._access = self._refresh(halt)
            return self._granted

    @property
    def refresh_token(self) -> str:
        """The refresh token in force."""
        return self._refresh_token

    def _refresh(self, halt: Halt) -> _Access:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._refresh_token,
            "client_id": self._registration.client_id,
            "client_secret": self._registration.client_secret,
        }
        answer = _token_answer(self._http, self._address, form, halt)
        self._granted = scopes_of(answer)
        another = answer.get("refresh_token")
        if isinstance(another, str) and another and another != self._refresh_token:
            self._refresh_token = another
            if self._rotated:
                self._rotated(another)
        until = self._clock.monotonic() + _lifetime(answer) - _EARLY_S
        return _Access(f"Bearer {answer['access_token']}", until)


def _token_answer(http: HttpClient, address: str, form: Mapping[str, str], halt: Halt) -> dict[str, Any]:
    body = http.call(Request("POST", address, form=form, authorised=False), halt).body
    if not isinstance(body, dict) or not isinstance(body.get("access_token"), str):
        raise CallError(GARBLED, detail="token endpoint: no access token")
    return body


def _lifetime(answer: Mapping[str, Any]) -> float:
    seconds = answer.get("expires_in")
    return float(seconds) if isinstance(seconds, int | float) else float(MANIFEST.access_token_lifetime_s)


def revoke(http: HttpClient, address: str, token: str, halt: Halt) -> None:
    """Give a token back, and the whole consent with it; one that is revoked already is done."""
    try:
        http.call(Request("POST", address, form={"token": token}, authorised=False), halt)
    except CallError as error:
        if "invalid_token" not in error.codes:
            raise


@dataclass(frozen=True, slots=True)
class _Bearer:
    """An access token fresh from consent, for the few calls that tell who consented."""

    text: str

    def header(self, halt: Halt) -> str:  # noqa: ARG002 - nothing to wait for
        return self.text

    def rejected(self, header: str) -> None:
        """There is no other."""


class GoogleConsent:
    """The consent flow of Google Workspace. Keep one per process: it remembers the signing keys."""

    def __init__(self, registration: ClientRegistration, io: Io) -> None:
        self._registration = registration
        self._io = io
        self._at = endpoints(io)
        self._http = oauth_http(io)
        self._keys = KeySet(self._http, self._at["jwks"], io.clock)

    def authorize_url(self, start: ConsentStart) -> str:
        """Where to send the browser; asks for a refresh token and shows the consent page every time."""
        proof = hashlib.sha256(start.code_verifier.encode("ascii")).digest()
        query = {
            "client_id": self._registration.client_id,
            "redirect_uri": start.redirect_uri,
            "response_type": "code",
            "scope": " ".join(need.scope for need in MANIFEST.scopes),
            "state": start.state,
            "nonce": start.nonce,
            "access_type": "offline",
            "prompt": "consent",
            "code_challenge": base64.urlsafe_b64encode(proof).rstrip(b"=").decode("ascii"),
            "code_challenge_method": "S256",
        }
        return f"{self._at['authorize']}?{urlencode(query)}"

    def accepts_issuer(self, issuer: str | None) -> bool:
        """Whether `iss` of the callback names Google; absent is accepted (Google may leave it out)."""
        return issuer is None or issuer == self._at["issuer"]

    def missing_scopes(self, granted: frozenset[str]) -> frozenset[str]:
        """Requested scopes that were not granted: people may untick them."""
        return frozenset(need.scope for need in MANIFEST.scopes) - granted

    @property
    def answers(self) -> tuple[str, ...]:
        """The authorization code (RFC 6749 section 4.1.2)."""
        return ("code",)

    def exchange(self, start: ConsentStart, answer: Mapping[str, str]) -> TokenGrant:
        """Trade the code for tokens.

        Raises:
            CallError: kind `config` where the code is spent, expired or not ours.
        """
        form = {
            "grant_type": "authorization_code",
            "code": answer["code"],
            "redirect_uri": start.redirect_uri,
            "code_verifier": start.code_verifier,
            "client_id": self._registration.client_id,
            "client_secret": self._registration.client_secret,
        }
        try:
            tokens = _token_answer(self._http, self._at["token"], form, self._halt())
        except CallError as error:
            if error.resolution is CONSENT_REVOKED:
                raise CallError(CODE_SPENT, status=error.status, codes=error.codes) from None
            raise
        refresh, identity = tokens.get("refresh_token"), tokens.get("id_token")
        if not isinstance(refresh, str) or not isinstance(identity, str):
            raise CallError(GARBLED, detail="token endpoint: no refresh or id token")
        return TokenGrant(
            secret=refresh,
            access_token=tokens["access_token"],
            id_token=identity,
            granted_scopes=scopes_of(tokens),
            expires_at=self._io.clock.now() + timedelta(seconds=_lifetime(tokens)),
        )

    def identify(self, start: ConsentStart, grant: TokenGrant) -> Identity:
        """Verify the id token, then ask Google which organisation it is and whether an admin consented.

        Raises:
            CallError: kind `config` where the id token does not hold, or a needed scope was unticked.
        """
        claims = self._claims(start, grant.id_token)
        native_id, email = claims["sub"], str(claims.get("email", "")).lower()
        if not claims.get("hd"):  # only Workspace accounts have a hosted domain
            return Identity(None, None, email, native_id, admin=None, consumer=True)
        api = self._api(grant)
        try:
            organisation = directory.organisation(api, self._halt())
            admin = directory.administers(api, native_id, self._halt())
        except CallError as error:
            if error.status != 403 or error.resolution.connection_wide:
                raise
            return Identity(None, str(claims["hd"]), email, native_id, admin=False, consumer=False)
        return Identity(organisation.id, organisation.name, email, native_id, admin=admin, consumer=False)

    def revoke(self, token: str) -> None:
        """Give a token back, and the consent with it."""
        revoke(self._http, self._at["revoke"], token, self._halt())

    def _api(self, grant: TokenGrant) -> GoogleApi:
        io = self._io
        http = HttpClient(
            io.session,
            STATUSES,
            clock=io.clock,
            random=io.random,
            # Two calls of a new organisation: there is no tenant yet whose limiter they could share.
            limiters={q.name: io.limiters.get("google", "", q) for q in MANIFEST.quotas},
            auth=_Bearer(f"Bearer {grant.access_token}"),
        )
        return GoogleApi(http, self._at["admin"])

    def _claims(self, start: ConsentStart, text: str) -> Mapping[str, Any]:
        issuer = self._at["issuer"]
        claims = verified_claims(
            text,
            self._keys,
            audience=self._registration.client_id,
            nonce=start.nonce,
            now=self._io.clock.now(),
            # Google documents both forms of its issuer.
            issued_by=lambda said: said["iss"] in (issuer, issuer.removeprefix("https://")),
            unproven=UNPROVEN,
        )
        if claims.get("email_verified") is not True:
            raise CallError(UNPROVEN, detail="id token: e-mail")
        return claims

    def _halt(self) -> Halt:
        return within(self._io.clock, _PATIENCE_S)


def flow(registration: ClientRegistration, io: Io) -> ConsentFlow:
    """Google's consent flow."""
    return GoogleConsent(registration, io)
