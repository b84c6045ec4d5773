"""Access to one organisation: tokens of a client that proves its key, or a fixed API token."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lantern.connectors.calls import Request, RetryPolicy
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HaltedError, HttpClient
from lantern.connectors.okta.manifest import CONSENT_REVOKED, MANIFEST, NONCE, NOT_GRANTED, OAUTH_STATUSES
from lantern.connectors.okta.proof import Prover, assertion
from lantern.connectors.okta.secret import OrgSecret, SigningKey, signing_key
from lantern.connectors.registry import Io
from lantern.connectors.resolution import CallError
from lantern.domain.errors import InvalidInputError

_EARLY_S: Final = 60.0  # a token is fetched anew so long before it expires
_ATTEMPTS: Final = 4
_BASE_S: Final = 0.5
_TOKEN_PATH: Final = "/oauth2/v1/token"  # noqa: S105 - an address
_REVOKE_PATH: Final = "/oauth2/v1/revoke"
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
REQUIRED: Final = frozenset(need.scope for need in MANIFEST.scopes if need.required)
WANTED: Final = frozenset(need.scope for need in MANIFEST.scopes)


@dataclass(frozen=True, slots=True)
class _Access:
    scheme: str
    token: str = field(repr=False)
    until: float = 0.0

    @property
    def header(self) -> str:
        return f"{self.scheme} {self.token}"


class ApiToken:
    """An API token (`SSWS`). It does not expire while it is used, and cannot be renewed."""

    def __init__(self, secret: OrgSecret) -> None:
        self._header = f"SSWS {secret.token}"

    def header(self, halt: Halt) -> str:  # noqa: ARG002 - nothing to wait for
        """The `Authorization` header."""
        return self._header

    def rejected(self, header: str) -> None:
        """There is no other."""


class ClientTokens:
    """Tokens of an API Services app by `private_key_jwt`, in memory only, one at a time; safe for threads.

    A DPoP proof is always sent: apps made since 2023 demand it, others answer with plain tokens. `scopes` are
    those to ask for: Okta refuses a request that names one which is not granted.
    """

    def __init__(self, secret: OrgSecret, base: str, io: Io, *, scopes: frozenset[str] = frozenset()) -> None:
        self._client_id = secret.client_id
        self._key = secret.key
        self._base = base
        self._clock = io.clock
        self._random = io.random
        self._prover = Prover(io.clock)
        self._http = HttpClient(
            io.session,
            OAUTH_STATUSES,
            clock=io.clock,
            random=io.random,
            limiters={},
            auth=_ProofOnly(self._prover),
            retry=RetryPolicy(attempts=1, refused_attempts=1),
        )
        self._lock = threading.Lock()
        self._access: _Access | None = None
        self._scopes = scopes & WANTED
        self._given_up = False

    def headers(self, request: Request, halt: Halt) -> Mapping[str, str]:
        """Token and proof for one request."""
        with self._lock:
            if self._access is None or self._clock.monotonic() >= self._access.until:
                self._access = self._fetch_current(halt)
            access = self._access
        if access.scheme != "DPoP":
            return {"Authorization": access.header}
        proof = self._prover.proof(request.method, request.url, token=access.token)
        return {"Authorization": access.header, "DPoP": proof}

    def heard(self, request: Request, headers: Mapping[str, str]) -> None:  # noqa: ARG002 - one organisation
        """Keep a nonce."""
        self._prover.heard(headers, purpose="api")

    def rejected(self, header: str) -> None:
        """Okta did not accept this header."""
        with self._lock:
            if self._access and self._access.header == header:
                self._access = None

    def granted(self, halt: Halt) -> frozenset[str]:
        """The scopes that are granted to the client now; asked anew.

        Raises:
            CallError: one that Lantern cannot work without is not.
        """
        with self._lock:
            return self._find_scopes(halt)

    def give_up(self, halt: Halt) -> None:
        """Revoke the token we hold and take no other. The client itself is the administrator's to delete."""
        with self._lock:
            access, self._access, self._given_up = self._access, None, True
        if access is not None:
            form = {"token": access.token, "token_type_hint": "access_token"}
            self._call(_REVOKE_PATH, form, halt)

    def _fetch_current(self, halt: Halt) -> _Access:
        if not self._scopes:
            self._find_scopes(halt)
        try:
            return self._fetch(self._scopes, halt)
        except CallError as error:
            if error.resolution is not NOT_GRANTED:
                raise
        # An administrator took a scope away: do what is still allowed.
        self._find_scopes(halt)
        return self._fetch(self._scopes, halt)

    def _find_scopes(self, halt: Halt) -> frozenset[str]:
        """Find what is granted: all at once, else one by one, since Okta does not say which one is not."""
        self._scopes = frozenset()
        if self._try(WANTED, halt):
            self._scopes = WANTED
            return self._scopes
        self._access = self._fetch(REQUIRED, halt)
        found = {scope for scope in sorted(WANTED - REQUIRED) if self._try(frozenset({scope}), halt)}
        self._scopes = REQUIRED | found
        self._access = None
        return self._scopes

    def _try(self, scopes: frozenset[str], halt: Halt) -> bool:
        try:
            self._access = self._fetch(scopes, halt)
        except CallError as error:
            if error.resolution is NOT_GRANTED:
                return False
            raise
        return True

    def _fetch(self, scopes: frozenset[str], halt: Halt) -> _Access:
        form = {"grant_type": "client_credentials", "scope": " ".join(sorted(scopes))}
        body = self._call(_TOKEN_PATH, form, halt)
        kind, token = (
            (body.get("token_type"), body.get("access_token")) if isinstance(body, dict) else ("", "")
        )
        if not isinstance(token, str) or not token or kind not in ("DPoP", "Bearer"):
            raise CallError(GARBLED, detail="token endpoint: no access token")
        seconds = body.get("expires_in")
        life = float(seconds) if isinstance(seconds, int | float) else float(MANIFEST.access_token_lifetime_s)
        return _Access(kind, token, self._clock.monotonic() + life - _EARLY_S)

    def _call(self, path: str, form: Mapping[str, str], halt: Halt) -> Any:
        """Call an OAuth endpoint as the client; every attempt with a new assertion: one is good once."""
        if self._given_up and path == _TOKEN_PATH:
            raise CallError(CONSENT_REVOKED, detail="the connection was given up")
        url, key = self._base + path, self._signing_key()
        attempt, nonces = 0, 0
        while True:
            statement = assertion(self._client_id, key, url, self._clock)
            full = {**form, "client_assertion_type": _ASSERTION_TYPE, "client_assertion": statement}
            if path != _TOKEN_PATH:
                full["client_id"] = self._client_id
            try:
                return self._http.call(Request("POST", url, form=full), halt).body
            except CallError as error:
                if NONCE in error.codes and nonces < 2:
                    nonces += 1
                    continue
                attempt += 1
                if not error.resolution.retry or attempt >= _ATTEMPTS:
                    raise
                wait = max(self._random() * _BASE_S * 2.0**attempt, error.retry_after_s or 0.0)
                if not halt.sleep(wait):
                    raise HaltedError from error

    def _signing_key(self) -> SigningKey:
        try:
            return signing_key(self._key)
        except InvalidInputError:
            raise CallError(CONSENT_REVOKED, detail="the stored key is unreadable") from None


@dataclass(frozen=True, slots=True)
class _ProofOnly:
    """Headers of calls to the OAuth endpoints: a proof, and no token yet."""

    prover: Prover

    def headers(self, request: Request, halt: Halt) -> Mapping[str, str]:  # noqa: ARG002 - nothing to wait for
        return {"DPoP": self.prover.proof(request.method, request.url)}

    def heard(self, request: Request, headers: Mapping[str, str]) -> None:  # noqa: ARG002 - one endpoint
        self.prover.heard(headers, purpose="token")

    def rejected(self, header: str) -> None:
        """There is none to be rejected."""


Tokens = ApiToken | ClientTokens
