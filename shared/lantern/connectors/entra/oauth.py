"""Consent to Lantern in a tenant of Microsoft Entra ID, in two legs.

What admin consent sends back (`tenant`, `admin_consent`) is a parameter in an address that anybody can write:
it proves nothing. So a person signs in first (OpenID Connect, authorization code with PKCE and nonce), which
proves a tenant and an account. Then that tenant's administrator consents, the answer must name the proven
tenant, a token for it must say so itself, and the directory must say that the person administers it.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from lantern.connectors.calls import Request
from lantern.connectors.consent import (
    ClientRegistration,
    ConsentFlow,
    ConsentRefusedError,
    ConsentStart,
    Detour,
    Identity,
    TokenGrant,
)
from lantern.connectors.entra import directory
from lantern.connectors.entra.api import GraphApi, codes
from lantern.connectors.entra.licence import granted_with_licence
from lantern.connectors.entra.manifest import (
    APPS,
    CONSENT_REVOKED,
    DIRECTORY,
    GRAPH,
    MANIFEST,
    STATUSES,
    UNPROVEN,
)
from lantern.connectors.entra.tokens import GUID, Access, credential, fetch, login_http
from lantern.connectors.entra.withdrawal import withdraw
from lantern.connectors.halt import Halt, within
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.oidc import KeySet, verified_claims
from lantern.connectors.registry import Io
from lantern.connectors.resolution import CallError

_PATIENCE_S: Final = 20.0  # a browser is waiting, and API Gateway gives up after 29 seconds
_SETTLE_S: Final = (1.0, 2.0, 4.0)  # a consent takes seconds until the token endpoint knows it
_SIGN_IN: Final = "openid profile email"
_CONSUMERS: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all private Microsoft accounts ("ID token claims reference", `tid`)."""


class EntraConsent:
    """The consent flow of Microsoft Entra ID. Keep one per process: it remembers the signing keys."""

    def __init__(self, registration: ClientRegistration, io: Io) -> None:
        self._registration = registration
        self._io = io
        self._at = {**MANIFEST.endpoints, **io.endpoints}
        self._login = self._at["login"].rstrip("/")
        self._http = login_http(io)
        self._keys = KeySet(self._http, f"{self._login}/organizations/discovery/v2.0/keys", io.clock)

    @property
    def answers(self) -> tuple[str, ...]:
        """A code from signing in; the tenant and the decision from consenting. Each leg looks for its own."""
        return ("code?", "tenant?", "admin_consent?")

    def authorize_url(self, start: ConsentStart) -> str:
        """Where to send the browser: to sign in, or, once that is done, to consent for that tenant."""
        if "tid" in start.facts:
            query = {
                "client_id": self._registration.client_id,
                "scope": f"{GRAPH}/.default",
                "redirect_uri": start.redirect_uri,
                "state": start.state,
            }
            return f"{self._login}/{_tenant(start)}/v2.0/adminconsent?{urlencode(query)}"
        proof = hashlib.sha256(start.code_verifier.encode("ascii")).digest()
        query = {
            "client_id": self._registration.client_id,
            "redirect_uri": start.redirect_uri,
            "response_type": "code",
            "response_mode": "query",
            "scope": _SIGN_IN,
            "state": start.state,
            "nonce": start.nonce,
            "prompt": "select_account",
            "code_challenge": base64.urlsafe_b64encode(proof).rstrip(b"=").decode("ascii"),
            "code_challenge_method": "S256",
        }
        return f"{self._login}/organizations/oauth2/v2.0/authorize?{urlencode(query)}"

    def accepts_issuer(self, issuer: str | None) -> bool:
        """Whether `iss` of the callback names Microsoft; absent is accepted (Microsoft leaves it out)."""
        base = f"{self._at['issuer']}/"
        return issuer is None or (issuer.startswith(base) and issuer.endswith("/v2.0"))

    def missing_scopes(self, granted: frozenset[str]) -> frozenset[str]:
        """Permissions that were not granted, and the licence if the tenant has none."""
        return frozenset(need.scope for need in MANIFEST.scopes) - granted

    def exchange(self, start: ConsentStart, answer: Mapping[str, str]) -> TokenGrant | Detour:
        """Trade the code for the proof of who signed in; then the consent for access to that tenant.

        Raises:
            CallError: kind `config` where the code is spent, the proof does not hold, or the consent is
                another tenant's.
        """
        return self._consented(start, answer) if "tid" in start.facts else self._signed_in(start, answer)

    # -- leg 1: who is it ---------------------------------------------------------------------------

    def _signed_in(self, start: ConsentStart, answer: Mapping[str, str]) -> Detour:
        if "code" not in answer:
            raise CallError(UNPROVEN, detail="sign-in: no code")
        address = f"{self._login}/organizations/oauth2/v2.0/token"
        form = {
            "grant_type": "authorization_code",
            "code": answer["code"],
            "redirect_uri": start.redirect_uri,
            "code_verifier": start.code_verifier,
            "client_id": self._registration.client_id,
            "scope": _SIGN_IN,
            **credential(self._registration, address, self._io.clock),
        }
        body = self._http.call(Request("POST", address, form=form, authorised=False), self._halt()).body
        token = body.get("id_token") if isinstance(body, Mapping) else None
        if not isinstance(token, str):
            raise CallError(GARBLED, detail="token endpoint: no id token")
        claims = verified_claims(
            token,
            self._keys,
            audience=self._registration.client_id,
            nonce=start.nonce,
            now=self._io.clock.now(),
            issued_by=self._issued,
            unproven=UNPROVEN,
        )
        if str(claims["tid"]).lower() == _CONSUMERS:
            raise ConsentRefusedError("consumer_account")
        person = claims.get("oid")
        if not isinstance(person, str) or not GUID.fullmatch(person):
            raise CallError(UNPROVEN, detail="id token: account")
        email = claims.get("email") or claims.get("preferred_username")
        roles = claims.get("wids")
        return Detour(
            {
                "tid": str(claims["tid"]).lower(),
                "oid": person.lower(),
                "email": email.lower() if isinstance(email, str) else "",
                "roles": " ".join(one for one in roles if isinstance(one, str))
                if isinstance(roles, list)
                else "",
            }
        )

    def _issued(self, claims: Mapping[str, Any]) -> bool:
        """Whether the token is of the tenant that it names."""
        tenant = claims.get("tid")
        if not isinstance(tenant, str) or not GUID.fullmatch(tenant):
            return False
        return bool(claims["iss"] == f"{self._at['issuer']}/{tenant}/v2.0")

    # -- leg 2: may we --------------------------------------------------------------------------------

    def _consented(self, start: ConsentStart, answer: Mapping[str, str]) -> TokenGrant:
        tenant = _tenant(start)
        if answer.get("tenant", "").lower() != tenant:
            raise CallError(UNPROVEN, detail="admin consent: another tenant than the person's")
        if answer.get("admin_consent", "").lower() != "true":
            raise CallError(UNPROVEN, detail="admin consent: not given")
        halt = self._halt()
        access = self._access(tenant, halt)
        granted = (
            granted_with_licence(self._api(access), access.roles, halt) if access.roles else access.roles
        )
        now = self._io.clock.now()
        return TokenGrant(
            secret=json.dumps({"tid": tenant, "roles": sorted(access.roles)}),
            access_token=access.header.removeprefix("Bearer "),
            id_token="",  # it was verified in the first leg
            granted_scopes=granted,
            expires_at=now + timedelta(seconds=access.lifetime_s),
        )

    def _access(self, tenant: str, halt: Halt) -> Access:
        """A token for the tenant that knows of the consent; one that does not yet is asked for again."""
        access: Access | None = None
        for pause in (*_SETTLE_S, None):
            try:
                access = fetch(
                    self._http, self._login, self._registration, tenant, clock=self._io.clock, halt=halt
                )
                if DIRECTORY in access.roles or pause is None:
                    return access
            except CallError as error:
                if error.resolution is not CONSENT_REVOKED or pause is None:
                    raise
            if not halt.sleep(pause):
                break
        if access is None:
            raise CallError(CONSENT_REVOKED, detail="the token endpoint does not know the consent")
        return access

    def identify(self, start: ConsentStart, grant: TokenGrant) -> Identity:
        """Ask the directory which tenant it is, and whether the person who signed in administers it.

        Raises:
            CallError: kind `config` where a needed permission was not granted.
        """
        halt, tenant, person = self._halt(), _tenant(start), start.facts["oid"]
        api = self._api(Access(f"Bearer {grant.access_token}", grant.granted_scopes, float("inf"), 0.0))
        organisation = directory.organisation(api, tenant, halt)
        try:
            held = directory.roles_of(api, person, halt)
        except CallError as error:
            if error.reason != "not_found":
                raise
            held = frozenset()
        held |= frozenset(start.facts.get("roles", "").split())
        return Identity(
            tenant,
            organisation.name,
            start.facts.get("email", ""),
            person,
            admin=bool(held & directory.CONSENTERS),
            consumer=False,
        )

    def revoke(self, token: str) -> None:
        """Leave a tenant whose consent is not used, as far as we may; see `withdrawal.withdraw`."""
        kept = json.loads(token)
        if APPS in kept["roles"]:
            halt = self._halt()
            try:
                access = fetch(
                    self._http, self._login, self._registration, kept["tid"], clock=self._io.clock, halt=halt
                )
            except CallError as error:
                if error.resolution is CONSENT_REVOKED:
                    return
                raise
            withdraw(self._api(access), self._registration.client_id, halt)

    def _api(self, access: Access) -> GraphApi:
        io = self._io
        # A few calls of a new organisation: there is no tenant yet whose limiters they could share.
        limiters = {q.name: io.limiters.get("entra", "", q) for q in MANIFEST.quotas}
        http = HttpClient(
            io.session,
            STATUSES,
            clock=io.clock,
            random=io.random,
            limiters=limiters,
            auth=_Bearer(access.header),
            codes=codes,
        )
        return GraphApi(http, self._at["graph"], limiters)

    def _halt(self) -> Halt:
        return within(self._io.clock, _PATIENCE_S)


class _Bearer:
    """An access token fresh from consent, for the few calls that tell who consented."""

    def __init__(self, text: str) -> None:
        self._text = text

    def header(self, halt: Halt) -> str:  # noqa: ARG002 - nothing to wait for
        """The header."""
        return self._text

    def rejected(self, header: str) -> None:
        """There is no other."""


def _tenant(start: ConsentStart) -> str:
    tenant = start.facts["tid"]
    if not GUID.fullmatch(tenant):
        raise CallError(UNPROVEN, detail="not a tenant id")
    return tenant


def flow(registration: ClientRegistration, io: Io) -> ConsentFlow:
    """Microsoft's consent flow."""
    return EntraConsent(registration, io)
