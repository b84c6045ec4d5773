"""Connecting an Okta organisation: what was entered is tried out, and shown to be what it claims.

Which organisation it is, is said by a host that Okta owns: never by the address that was entered, if that is
a custom domain. Whoever enters a client's key or an API token proves with it that they administer the
organisation, since only administrators can make them; that it may read people and apps is tried.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from lantern.connectors.calls import Request, RetryPolicy
from lantern.connectors.consent import ClientRegistration, ConsentFlow, ConsentStart, Identity, TokenGrant
from lantern.connectors.halt import Halt, within
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.okta import address, people, secret
from lantern.connectors.okta.api import OktaApi, budget, codes, segment
from lantern.connectors.okta.manifest import (
    AGENTS,
    AGENTS_MANAGE,
    API_TOKENS,
    APP_GRANTS,
    APPS,
    APPS_MANAGE,
    HOOKS,
    INTEGRATIONS,
    LOGS,
    MANIFEST,
    OAUTH_STATUSES,
    ORG,
    ROLES,
    STATUSES,
    TOKEN_HOLDER_STATUSES,
    UNKNOWN_ORGANISATION,
    USERS,
    USERS_MANAGE,
)
from lantern.connectors.okta.secret import OrgSecret
from lantern.connectors.okta.tokens import WANTED, ApiToken, ClientTokens, Tokens
from lantern.connectors.registry import Io
from lantern.connectors.resolution import CallError
from lantern.domain.errors import InvalidInputError

_PATIENCE_S: Final = 20.0  # a browser is waiting, and API Gateway gives up after 29 seconds
_WELL_KNOWN: Final = "/.well-known/okta-organization"
_CLIENT_FIELD: Final = "client_id"
# One cheap call per permission, to see that there is a role behind it too.
_PROBES: Final[Mapping[str, str]] = {
    ORG: "/api/v1/org",
    USERS: "/api/v1/users?limit=1",
    APPS: "/api/v1/apps?limit=1",
    LOGS: "/api/v1/logs?limit=1",
    API_TOKENS: "/api/v1/api-tokens",
    ROLES: "/api/v1/iam/assignees/users?limit=1",
    HOOKS: "/api/v1/eventHooks",
    INTEGRATIONS: "/integrations/api/v1/api-services",
    AGENTS: "/workload-principals/api/v1/ai-agents?limit=1",
}
# What comes with what, for API tokens, which have no scopes: they may do what their owner may.
_BY_ROLE: Final[Mapping[str, frozenset[str]]] = {
    "SUPER_ADMIN": WANTED,
    "ORG_ADMIN": frozenset({USERS_MANAGE, HOOKS, APP_GRANTS}),
    "APP_ADMIN": frozenset({APPS_MANAGE, APP_GRANTS}),
}


def base_of(found: OrgSecret, io: Io) -> str:
    """Where an organisation is called: its own address, unless a local environment has another."""
    return io.endpoints.get("organisation") or f"https://{found.address}"


def access(found: OrgSecret, io: Io, scopes: frozenset[str] = frozenset()) -> Tokens:
    """What opens an organisation."""
    return ApiToken(found) if found.token else ClientTokens(found, base_of(found, io), io, scopes=scopes)


def api(found: OrgSecret, io: Io, tokens: Tokens, tenant: str) -> OktaApi:
    """The API of an organisation, at its pace."""
    http = HttpClient(
        io.session,
        TOKEN_HOLDER_STATUSES if found.token else STATUSES,
        clock=io.clock,
        random=io.random,
        limiters={q.name: io.limiters.get("okta", tenant, q) for q in MANIFEST.quotas},
        auth=tokens,
        codes=codes,
        budget=budget(io.clock.now),
        # Two minutes may pass waiting for the next one.
        retry=RetryPolicy(budget_s=150.0),
    )
    return OktaApi(http, base_of(found, io))


def held(calls: OktaApi, tokens: Tokens, halt: Halt) -> frozenset[str]:
    """The permissions we have now: granted to the client, and covered by a role.

    Raises:
        CallError: Okta does not accept our access, or does not answer.
    """
    granted = tokens.granted(halt) if isinstance(tokens, ClientTokens) else _of_owner(calls, halt)
    return frozenset(scope for scope in granted if _allowed(calls, scope, halt))


def _allowed(calls: OktaApi, scope: str, halt: Halt) -> bool:
    path = _PROBES.get(scope)
    if path is None:
        return True
    try:
        calls.probe(path, halt)
    except CallError as error:
        # 404: a product that this organisation has not.
        if error.reason == "not_found" or (
            error.reason == "forbidden" and not error.resolution.connection_wide
        ):
            return False
        raise
    return True


def _of_owner(calls: OktaApi, halt: Halt) -> frozenset[str]:
    """What an API token's owner may do, by the roles Okta lists; what can be tried, where it lists none."""
    rights = frozenset(_PROBES) - {HOOKS}  # reading hooks is not yet making them
    try:
        owner = str(calls.one("/api/v1/users/me", halt).get("id"))
        roles = list(calls.rows(f"/api/v1/users/{segment(owner)}/roles", halt))
    except CallError as error:
        if error.resolution.connection_wide or error.reason not in ("forbidden", "not_found"):
            raise
        return rights
    for role in roles:
        if role.get("status", "ACTIVE") == "ACTIVE":
            rights |= _BY_ROLE.get(str(role.get("type")), frozenset())
    return rights - {AGENTS_MANAGE} if AGENTS not in rights else rights


class OktaConsent:
    """The connecting of an Okta organisation by form."""

    def __init__(self, io: Io) -> None:
        self._io = io
        self._open = HttpClient(io.session, OAUTH_STATUSES, clock=io.clock, random=io.random, limiters={})

    @property
    def answers(self) -> tuple[str, ...]:
        """Nothing comes back from anywhere: the form is all."""
        return ()

    def authorize_url(self, start: ConsentStart) -> str:  # noqa: ARG002 - always refused
        """Okta lets clients of this kind in without a page; nobody is sent away.

        Raises:
            InvalidInputError: always.
        """
        raise InvalidInputError(address.FIELD, "use the form")

    def accepts_issuer(self, issuer: str | None) -> bool:
        """Nobody but the form answers."""
        return issuer is None

    def exchange(self, start: ConsentStart, answer: Mapping[str, str]) -> TokenGrant:  # noqa: ARG002 - the form is all
        """Try what was entered.

        Raises:
            InvalidInputError: a field is no good, by itself or to Okta.
            CallError: Okta does not accept it, or does not answer.
        """
        found = self._entered(answer)
        halt = self._halt()
        tokens = access(found, self._io)
        calls = api(found, self._io, tokens, "")
        granted = held(calls, tokens, halt)
        expires = self._io.clock.now() + timedelta(seconds=MANIFEST.access_token_lifetime_s)
        # The secret itself opens the connection; no token of this attempt is kept.
        return TokenGrant(found.dump(), "", "", granted, expires)

    def identify(self, start: ConsentStart, grant: TokenGrant) -> Identity:  # noqa: ARG002 - the form is all
        """Ask the organisation who it is, and see that people and apps may be read.

        Raises:
            CallError: it does not say, or says another than the one at this address.
        """
        found = secret.load(grant.secret)
        halt = self._halt()
        calls = api(found, self._io, access(found, self._io, grant.granted_scopes), "")
        organisation = people.organisation(calls, halt)
        if organisation.id != self._public_id(base_of(found, self._io), halt)[0]:
            raise CallError(GARBLED, detail="the organisation has two ids")
        admin = {USERS, APPS} <= grant.granted_scopes
        if not found.token:
            return Identity(
                organisation.id, organisation.name, "", found.client_id, admin=admin, consumer=False
            )
        owner = calls.one("/api/v1/users/me", halt)
        profile = owner.get("profile")
        email = profile.get("email") if isinstance(profile, dict) else None
        return Identity(
            organisation.id,
            organisation.name,
            str(email or "").lower(),
            str(owner.get("id") or ""),
            admin=admin,
            consumer=False,
        )

    def missing_scopes(self, granted: frozenset[str]) -> frozenset[str]:
        """Permissions Lantern asks for that are not there."""
        return WANTED - granted

    def revoke(self, token: str) -> None:
        """Give access back: an API token is deleted; of a client there are only its tokens to give back."""
        give_back(secret.load(token), self._io, None, self._halt())

    def _entered(self, answer: Mapping[str, str]) -> OrgSecret:
        name = address.host(answer.get(address.FIELD, ""))
        client, key = answer.get(_CLIENT_FIELD, "").strip(), answer.get(secret.KEY_FIELD, "").strip()
        token = answer.get("api_token", "").strip()
        for field in MANIFEST.form[1:]:
            _check(
                field.name,
                field.pattern,
                {"client_id": client, "private_key": key, "api_token": token}[field.name],
            )
        if token and (client or key):
            raise InvalidInputError(
                "api_token", "enter either an API token, or a client ID with its private key"
            )
        if not token and not client:
            raise InvalidInputError(
                _CLIENT_FIELD, "enter the client ID of your API Services app, or an API token"
            )
        if client:
            secret.signing_key(key)
        return OrgSecret(self._canonical(name), client, key if client else "", token)

    def _canonical(self, name: str) -> str:
        """The organisation's address under a domain of Okta's own, which alone is believed and called.

        Raises:
            InvalidInputError: nothing there names an organisation at Okta.
        """
        if address.is_okta(name):
            return name
        base = self._io.endpoints.get("organisation") or f"https://{name}"
        try:
            identifier, home = self._public_id(base, self._halt())
        except CallError as error:
            if error.resolution.kind == "transient" and error.status is not None:
                raise
            raise InvalidInputError(
                address.FIELD, "enter acme.okta.com instead: no Okta organisation answers at this domain"
            ) from None
        if not address.is_okta(home):
            raise InvalidInputError(address.FIELD, "this domain does not belong to an Okta organisation")
        theirs = self._io.endpoints.get("organisation") or f"https://{home}"
        if self._public_id(theirs, self._halt())[0] != identifier:
            raise InvalidInputError(address.FIELD, "this domain names an organisation that is not its own")
        return home

    def _public_id(self, base: str, halt: Halt) -> tuple[str, str]:
        """What a host says of its organisation to anybody: its id, and its address at Okta."""
        request = Request("GET", base.rstrip("/") + _WELL_KNOWN, authorised=False)
        try:
            body = self._open.call(request, halt).body
        except CallError as error:
            if error.status == 404:
                raise CallError(UNKNOWN_ORGANISATION, status=404, detail="no such organisation") from None
            raise
        identifier = body.get("id") if isinstance(body, dict) else None
        if not isinstance(identifier, str) or not identifier:
            raise CallError(GARBLED, detail="an organisation without id")
        return identifier, _home(body)

    def _halt(self) -> Halt:
        return within(self._io.clock, _PATIENCE_S)


def give_back(found: OrgSecret, io: Io, tokens: Tokens | None, halt: Halt) -> None:
    """End our own access as far as that is in our hands; ended already is done.

    Raises:
        CallError: Okta does not answer.
    """
    mine = tokens or access(found, io)
    if isinstance(mine, ClientTokens):
        mine.give_up(halt)
        return
    try:
        api(found, io, mine, "").removed("/api/v1/api-tokens/current", halt)
    except CallError as error:
        if error.status != 401:
            raise


def _home(body: Mapping[str, Any]) -> str:
    links = body.get("_links")
    link = links.get("organization") if isinstance(links, dict) else None
    href = link.get("href") if isinstance(link, dict) else None
    try:
        return address.host(href) if isinstance(href, str) else ""
    except InvalidInputError:
        return ""


def _check(name: str, pattern: str, value: str) -> None:

    if value and re.fullmatch(pattern, value) is None:
        raise InvalidInputError(name, "this is not what it looks like in Okta; copy it again")


def flow(registration: ClientRegistration, io: Io) -> ConsentFlow:  # noqa: ARG001 - each customer brings a client
    """Okta's flow."""
    return OktaConsent(io)
