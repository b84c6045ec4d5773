"""Slack's OAuth v2: installation on a workspace, or in a second leg on its Enterprise organisation.

Slack refuses the permissions of an Enterprise organisation to everything else, with an error page of its
own. So everybody is first sent for what every workspace can grant; who turns out to administer an
organisation is sent once more, for what only that has. Slack signs no statement of who consented: the
answer to our own request, and what its tokens show, is the proof.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from lantern.connectors.calls import Request
from lantern.connectors.consent import (
    ClientRegistration,
    ConsentFlow,
    ConsentStart,
    Detour,
    Identity,
    TokenGrant,
)
from lantern.connectors.halt import Halt, within
from lantern.connectors.http import GARBLED
from lantern.connectors.registry import Io
from lantern.connectors.resolution import CallError
from lantern.connectors.slack import normalize
from lantern.connectors.slack.api import SlackApi, Tokens, client, endpoints, limiters_of
from lantern.connectors.slack.connector import missing
from lantern.connectors.slack.manifest import (
    AUDIT,
    BOT_SCOPES,
    DEAD_WORDS,
    ENTERPRISE_SCOPES,
    NOT_ORGANISATION,
    OAUTH_STATUSES,
    UNPROVEN,
    WORKSPACE_SCOPES,
)

_PATIENCE_S: Final = 30.0
_LASTING: Final = timedelta(days=3650)  # rotation is off: tokens live until they are revoked
_ORGANISATION: Final = "enterprise"
_ROLE: Final = "role"


class SlackConsent:
    """The consent flow of Slack."""

    def __init__(self, registration: ClientRegistration, io: Io) -> None:
        self._registration = registration
        self._io = io
        self._at = endpoints(io)
        # Few calls of a new organisation: there is no tenant yet whose limiters they could share.
        self._limiters = limiters_of(io, "")
        self._http = client(io, {}, None, OAUTH_STATUSES)

    @property
    def answers(self) -> tuple[str, ...]:
        """The authorization code (RFC 6749 section 4.1.2)."""
        return ("code",)

    def authorize_url(self, start: ConsentStart) -> str:
        """Where to send the browser: for a workspace's permissions, or those of the organisation found."""
        organisation = start.facts.get(_ORGANISATION)
        wanted: tuple[str, ...] = ENTERPRISE_SCOPES if organisation else WORKSPACE_SCOPES
        if organisation and start.facts.get(_ROLE) != "owner":
            # Slack lets nobody but an org owner grant it, and would refuse everything.
            wanted = tuple(scope for scope in wanted if scope != AUDIT)
        query = {
            "client_id": self._registration.client_id,
            "redirect_uri": start.redirect_uri,
            "scope": ",".join(BOT_SCOPES),
            "user_scope": ",".join(wanted),
            "state": start.state,
        }
        if organisation:
            query["team"] = organisation
        return f"{self._at['authorize']}?{urlencode(query)}"

    def accepts_issuer(self, issuer: str | None) -> bool:
        """Slack names no issuer."""
        return issuer is None

    def missing_scopes(self, granted: frozenset[str]) -> frozenset[str]:
        """Permissions that were not granted."""
        return missing(granted)

    def exchange(self, start: ConsentStart, answer: Mapping[str, str]) -> TokenGrant | Detour:
        """Trade the code for tokens, or send an organisation's administrator on to the organisation.

        The tokens of the first leg are not given back: Slack hands out the same ones to every consent of a
        workspace, and another connection may live by them. They are kept nowhere.

        Raises:
            CallError: kind `config` where the code is spent, or the second leg was not of that organisation.
        """
        form = {
            "code": answer["code"],
            "redirect_uri": start.redirect_uri,
            "client_id": self._registration.client_id,
            "client_secret": self._registration.client_secret,
        }
        request = Request(
            "POST", f"{self._at['api'].rstrip('/')}/oauth.v2.access", form=form, authorised=False
        )
        body = self._http.call(request, self._halt()).body
        if not isinstance(body, dict) or body.get("ok") is not True:
            raise CallError(GARBLED, detail="oauth.v2.access: not ok and not refused")
        tokens, organisation, scopes = _installation(body)
        wanted = start.facts.get(_ORGANISATION)
        if wanted:
            if tokens.enterprise != wanted:
                raise CallError(NOT_ORGANISATION, detail="the second leg was of something else")
        elif organisation and (role := self._role(tokens)):
            return Detour({_ORGANISATION: organisation, _ROLE: role})
        return TokenGrant(
            secret=tokens.dump(),
            access_token=tokens.bot,
            id_token="",
            granted_scopes=scopes,
            expires_at=self._io.clock.now() + _LASTING,
        )

    def _role(self, tokens: Tokens) -> str:
        """What who installed is to the Enterprise organisation: `owner`, `admin`, or empty for nothing."""
        try:
            person = self._person(tokens, tokens.by)
        except CallError as error:
            if error.kind != "config":
                raise
            return ""  # without the permission to ask: an installation of the workspace, then
        if normalize.owns(person):
            return "owner"
        return "admin" if normalize.administers(person, enterprise=True) else ""

    def identify(self, start: ConsentStart, grant: TokenGrant) -> Identity:  # noqa: ARG002 - nothing is signed
        """Ask both tokens whose they are, and whether that person administers what Lantern was installed on.

        Raises:
            CallError: kind `config` where the tokens do not belong together, or may not ask.
        """
        tokens, halt = Tokens.load(grant.secret), self._halt()
        api = SlackApi(self._io, self._limiters, tokens)
        body = api.get("auth.test", halt)
        self._same(tokens, body)
        if tokens.user:
            theirs = api.get("auth.test", halt, whose="user")
            self._same(tokens, theirs)
            if theirs.get("user_id") != tokens.by:
                raise CallError(UNPROVEN, detail="the user's token is another person's")
        person = self._person(tokens, tokens.by)
        profile = person.get("profile")
        email = profile.get("email") if isinstance(profile, dict) else None
        return Identity(
            organisation_id=tokens.organisation,
            organisation_name=normalize.label(body.get("team")) or tokens.organisation,
            email=email.lower() if isinstance(email, str) else "",
            native_id=tokens.by,
            admin=normalize.administers(person, enterprise=bool(tokens.enterprise)),
            consumer=False,
        )

    def _same(self, tokens: Tokens, body: Mapping[str, Any]) -> None:
        found = body.get("enterprise_id") if tokens.enterprise else body.get("team_id")
        if found != tokens.organisation:
            raise CallError(UNPROVEN, detail="a token belongs to another organisation")

    def _person(self, tokens: Tokens, native_id: str) -> Mapping[str, Any]:
        api = SlackApi(self._io, self._limiters, tokens)
        person = api.get("users.info", self._halt(), {"user": native_id}).get("user")
        if not isinstance(person, dict):
            raise CallError(GARBLED, detail="users.info: no user")
        return person

    def revoke(self, token: str) -> None:
        """Give both tokens of a secret back; one that is dead already is done."""
        tokens = Tokens.load(token)
        for one in filter(None, (tokens.user, tokens.bot)):
            api = SlackApi(self._io, self._limiters, replace(tokens, bot=one, user=""))
            try:
                api.get("auth.revoke", self._halt())
            except CallError as error:
                if not error.codes & DEAD_WORDS:
                    raise

    def _halt(self) -> Halt:
        return within(self._io.clock, _PATIENCE_S)


def _installation(body: Mapping[str, Any]) -> tuple[Tokens, str, frozenset[str]]:
    """What was installed: tokens, the Enterprise organisation it belongs to, permissions of both tokens."""
    person, team, organisation = (_part(body, name) for name in ("authed_user", "team", "enterprise"))
    whole = body.get("is_enterprise_install") is True
    tokens = Tokens(
        bot=_string(body, "access_token"),
        user=_string(person, "access_token"),
        team="" if whole else _string(team, "id"),
        enterprise=_string(organisation, "id") if whole else "",
        by=_string(person, "id"),
    )
    if not tokens.bot or not tokens.by or not tokens.organisation:
        raise CallError(UNPROVEN, detail="oauth.v2.access: no token, person or organisation")
    granted = [scope for part in (body, person) for scope in _string(part, "scope").split(",")]
    return tokens, _string(organisation, "id"), frozenset(filter(None, (scope.strip() for scope in granted)))


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _string(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    return value if isinstance(value, str) else ""


def flow(registration: ClientRegistration, io: Io) -> ConsentFlow:
    """Slack's consent flow."""
    return SlackConsent(registration, io)
