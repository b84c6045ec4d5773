"""Salesforce's consent: web server flow with PKCE, and the signed statement of who gave it.

Rules from RFC 6749, RFC 7636, and Salesforce Help ("OAuth 2.0 Web Server Flow", "Identity URLs"): `signature`
is the base64 HMAC-SHA256 of `id` + `issued_at` under the consumer secret.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from lantern.connectors.consent import ClientRegistration, ConsentFlow, ConsentStart, Identity, TokenGrant
from lantern.connectors.halt import Halt, within
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.registry import Io
from lantern.connectors.resolution import CallError
from lantern.connectors.salesforce import soql
from lantern.connectors.salesforce.access import (
    FixedToken,
    Secret,
    endpoints,
    instance,
    oauth_http,
    pack,
    revoke,
    scopes_of,
    token_answer,
    unpack,
)
from lantern.connectors.salesforce.api import SalesforceApi
from lantern.connectors.salesforce.manifest import (
    CODE_SPENT,
    CONSENT_REVOKED,
    MANIFEST,
    OAUTH_SCOPES,
    RIGHTS,
    SESSION_S,
    STATUSES,
    UNPROVEN,
)

_PATIENCE_S: Final = 20.0  # a browser is waiting, and API Gateway gives up after 29 seconds
_IDENTITY: Final = re.compile(r"/id/(00D[0-9A-Za-z]{12,15})/(005[0-9A-Za-z]{12,15})", re.ASCII)
_LEEWAY_S: Final = 300
_OLDEST_S: Final = 900


class _Statement(msgspec.Struct, frozen=True):
    """What the token endpoint says of who consented, with its signature; kept as `TokenGrant.id_token`."""

    id: str
    issued_at: str
    signature: str
    instance_url: str


def rights(api: SalesforceApi, halt: Halt) -> frozenset[str]:
    """Which of the user permissions that we need are held by whoever the access token is for."""
    rows = api.rows(soql.RIGHTS_QUERY, halt)
    if len(rows) != 1:
        raise CallError(GARBLED, detail="permissions: not one row")
    return frozenset(right for right in RIGHTS if rows[0].get(f"Permissions{right}") is True)


class SalesforceConsent:
    """The consent flow of Salesforce."""

    def __init__(self, registration: ClientRegistration, io: Io) -> None:
        self._registration = registration
        self._io = io
        self._at = endpoints(io)
        self._http = oauth_http(io)

    @property
    def answers(self) -> tuple[str, ...]:
        """The authorization code (RFC 6749 section 4.1.2)."""
        return ("code",)

    def authorize_url(self, start: ConsentStart) -> str:
        """Where to send the browser; asks for consent every time, so that it cannot be given by accident."""
        proof = hashlib.sha256(start.code_verifier.encode("ascii")).digest()
        query = {
            "client_id": self._registration.client_id,
            "redirect_uri": start.redirect_uri,
            "response_type": "code",
            "scope": " ".join(OAUTH_SCOPES),
            "state": start.state,
            "prompt": "login consent",
            "code_challenge": base64.urlsafe_b64encode(proof).rstrip(b"=").decode("ascii"),
            "code_challenge_method": "S256",
        }
        return f"{self._at['authorize']}?{urlencode(query)}"

    def accepts_issuer(self, issuer: str | None) -> bool:
        """Whether `iss` of the callback names Salesforce; it usually names nobody."""
        return issuer is None or issuer == self._at["issuer"]

    def missing_scopes(self, granted: frozenset[str]) -> frozenset[str]:
        """Scopes that were not granted, and permissions that the person lacks."""
        return frozenset(need.scope for need in MANIFEST.scopes) - granted

    def exchange(self, start: ConsentStart, answer: Mapping[str, str]) -> TokenGrant:
        """Trade the code for tokens, and ask what the person may see.

        Raises:
            CallError: kind `config` where the code is spent or the app is not installed.
        """
        form = {
            "grant_type": "authorization_code",
            "code": answer["code"],
            "redirect_uri": start.redirect_uri,
            "code_verifier": start.code_verifier,
            "client_id": self._registration.client_id,
            "client_secret": self._registration.client_secret,
        }
        halt = self._halt()
        try:
            tokens = token_answer(self._http, self._at["token"], form, halt)
        except CallError as error:
            if error.resolution is CONSENT_REVOKED:
                raise CallError(CODE_SPENT, status=error.status, codes=error.codes) from None
            raise
        statement = _statement(tokens)
        origin = instance(statement.instance_url, self._at["token"])
        # Without it there is a connection of two hours: `missing_scopes` says so.
        refresh = tokens.get("refresh_token")
        secret = pack(Secret(refresh if isinstance(refresh, str) else "", origin))
        access = FixedToken(tokens["access_token"], origin)
        scopes = scopes_of(tokens)
        if not isinstance(refresh, str):
            scopes -= {"refresh_token"}
        return TokenGrant(
            secret=secret,
            access_token=access.text,
            id_token=msgspec.json.encode(statement).decode(),
            granted_scopes=scopes | self._rights(access, halt),
            expires_at=self._io.clock.now() + timedelta(seconds=SESSION_S),
        )

    def identify(self, start: ConsentStart, grant: TokenGrant) -> Identity:  # noqa: ARG002 - the code was bound by PKCE
        """Verify the signed statement, then ask the organisation who that is and what they may do.

        Raises:
            CallError: kind `config` where the statement does not hold.
        """
        statement = msgspec.json.decode(grant.id_token, type=_Statement)
        path, organisation_id, native_id = self._proven(statement)
        access = FixedToken(grant.access_token, instance(statement.instance_url, self._at["token"]))
        api, halt = self._api(access), self._halt()
        who = api.identity(path, halt)
        if who.get("organization_id") != organisation_id or who.get("user_id") != native_id:
            raise CallError(UNPROVEN, detail="identity: somebody else")
        email = who.get("email")
        name = self._name(api, organisation_id, halt)
        held = grant.granted_scopes
        return Identity(
            organisation_id,
            name,
            email.lower() if isinstance(email, str) else "",
            native_id,
            admin=all(right in held for right in RIGHTS) and who.get("active") is not False,
            consumer=False,
        )

    def revoke(self, token: str) -> None:
        """Give the refresh token of a secret back."""
        secret = unpack(token)
        if secret.refresh_token:
            revoke(self._http, self._at["revoke"], secret.refresh_token, self._halt())

    def _proven(self, statement: _Statement) -> tuple[str, str, str]:
        """Path, organisation and user of an identity URL that Salesforce signed for us just now."""
        said = (statement.id + statement.issued_at).encode()
        digest = hmac.new(self._registration.client_secret.encode(), said, hashlib.sha256).digest()
        expected = base64.b64encode(digest)
        if not hmac.compare_digest(expected, statement.signature.encode("utf-8", "replace")):
            raise CallError(UNPROVEN, detail="identity: signature")
        parts = urlsplit(statement.id)
        found = _IDENTITY.fullmatch(parts.path)
        if found is None or f"{parts.scheme}://{parts.netloc}" not in self._origins(statement):
            raise CallError(UNPROVEN, detail="identity: address")
        issued = int(statement.issued_at) / 1000 if statement.issued_at.isdecimal() else 0.0
        age = self._io.clock.now().timestamp() - issued
        if not -_LEEWAY_S <= age <= _OLDEST_S:
            raise CallError(UNPROVEN, detail="identity: time")
        return parts.path, found[1], found[2]

    def _origins(self, statement: _Statement) -> set[str]:
        login = urlsplit(self._at["token"])
        return {f"{login.scheme}://{login.netloc}", instance(statement.instance_url, self._at["token"])}

    def _name(self, api: SalesforceApi, organisation_id: str, halt: Halt) -> str | None:
        try:
            rows = api.rows(soql.ORGANISATION, halt)
        except CallError as error:
            if error.status != 403:
                raise
            return None
        name = next((row.get("Name") for row in rows if row.get("Id") == organisation_id), None)
        return name if isinstance(name, str) else None

    def _rights(self, access: FixedToken, halt: Halt) -> frozenset[str]:
        try:
            return rights(self._api(access), halt)
        except CallError as error:
            if error.status != 403:
                raise
            return frozenset()

    def _api(self, access: FixedToken) -> SalesforceApi:
        io = self._io
        # A few calls of a new organisation: there is no tenant yet whose limiter they could share.
        limiters = {q.name: io.limiters.get("salesforce", "", q) for q in MANIFEST.quotas}
        http = HttpClient(
            io.session, STATUSES, clock=io.clock, random=io.random, limiters=limiters, auth=access
        )
        return SalesforceApi(http, access, io.clock)

    def _halt(self) -> Halt:
        return within(self._io.clock, _PATIENCE_S)


def _statement(tokens: Mapping[str, Any]) -> _Statement:
    try:
        return msgspec.convert(dict(tokens), _Statement)
    except msgspec.ValidationError:
        raise CallError(GARBLED, detail="token endpoint: no identity or instance") from None


def flow(registration: ClientRegistration, io: Io) -> ConsentFlow:
    """Salesforce's consent flow."""
    return SalesforceConsent(registration, io)
