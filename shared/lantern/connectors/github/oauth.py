"""How an organisation connects: an owner installs our GitHub App, and signs in on the way.

The callback names an installation, and anybody can write any number there. So the code that comes with it is
traded for a token of the person, and GitHub is asked with that token: is this installation among those the
person may reach, and does the person own the organisation? The token is used for nothing else, kept nowhere.

The page of an installation takes no PKCE challenge; the code is bound to the browser by the state alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from lantern.connectors.calls import Request
from lantern.connectors.consent import (
    ClientRegistration,
    ConsentFlow,
    ConsentRefusedError,
    ConsentStart,
    Identity,
    TokenGrant,
)
from lantern.connectors.github import normalize
from lantern.connectors.github.api import GithubApi, client, segment
from lantern.connectors.github.manifest import (
    APP,
    APP_STATUSES,
    CODE_SPENT,
    MANIFEST,
    OAUTH_STATUSES,
    OUR_FAULT,
    REQUESTS,
    STATUSES,
)
from lantern.connectors.github.tokens import AppStatement, permissions
from lantern.connectors.halt import Halt, within
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.registry import Io
from lantern.connectors.resolution import CallError

_PATIENCE_S: Final = 20.0  # a browser is waiting, and API Gateway gives up after 29 seconds
_USER_TOKEN_S: Final = 28_800
_INSTALLATIONS: Final = ("installations", "total_count")
_SPENT: Final = frozenset({"bad_verification_code", "incorrect_client_credentials_for_code"})


@dataclass(frozen=True, slots=True)
class _Bearer:
    """The token of the person who consents, for the few calls that tell what they may."""

    text: str = field(repr=False)

    def header(self, halt: Halt) -> str:  # noqa: ARG002 - nothing to wait for
        return self.text

    def rejected(self, header: str) -> None:
        """There is no other."""


def endpoints(io: Io) -> Mapping[str, str]:
    """The manifest's addresses with the configured ones in their place."""
    return {**MANIFEST.endpoints, **io.endpoints}


def installation_id(secret: str) -> int:
    """The installation that a connection's secret names.

    Raises:
        CallError: it names none.
    """
    try:
        value = json.loads(secret)["installation_id"]
    except (ValueError, KeyError, TypeError):
        value = None
    if not isinstance(value, int):
        raise CallError(OUR_FAULT, detail="the secret of the connection names no installation")
    return value


class GithubConsent:
    """The consent flow of GitHub."""

    def __init__(self, registration: ClientRegistration, io: Io) -> None:
        self._registration = registration
        self._io = io
        self._at = endpoints(io)
        self._oauth = HttpClient(io.session, OAUTH_STATUSES, clock=io.clock, random=io.random, limiters={})
        statement = AppStatement(registration, io.clock)
        self._app = GithubApi(client(io, APP_STATUSES, "", (APP,), statement), self._at["api"], ("app",))

    @property
    def answers(self) -> tuple[str, ...]:
        """What GitHub's redirect carries; a request for approval has neither installation nor code."""
        return ("setup_action", "installation_id?", "code?")

    def authorize_url(self, start: ConsentStart) -> str:
        """Where to send the browser: the page on which an owner installs our app."""
        slug = segment(self._registration.extra.get("slug", ""))
        return f"{self._at['web']}/apps/{slug}/installations/new?{urlencode({'state': start.state})}"

    def accepts_issuer(self, issuer: str | None) -> bool:
        """Whether `iss` of the callback names GitHub; absent is accepted (GitHub leaves it out)."""
        return issuer is None or issuer == self._at["issuer"]

    def missing_scopes(self, granted: frozenset[str]) -> frozenset[str]:
        """Wanted permissions that the installation does not hold: our app asked for them later."""
        return frozenset(need.scope for need in MANIFEST.scopes) - granted

    def exchange(self, start: ConsentStart, answer: Mapping[str, str]) -> TokenGrant:  # noqa: ARG002
        """Trade the code for a token of the person; the installation must be within its reach.

        Raises:
            ConsentRefusedError: the app was requested and not installed, the installation is not within this
                person's reach, or it is no organisation's.
            CallError: kind `config` where the code is spent, expired or not ours.
        """
        if answer["setup_action"] == "request":
            raise ConsentRefusedError("awaits_approval")
        named, code = answer.get("installation_id", ""), answer.get("code")
        if not code or not named.isascii() or not named.isdigit() or len(named) > 18:
            raise ConsentRefusedError("code_missing")
        token = self._trade(code)
        found = self._reachable(token, int(named))
        if found is None:
            raise ConsentRefusedError(
                "not_administrator", "the installation is not within this person's reach"
            )
        if found.get("target_type") != "Organization":
            raise ConsentRefusedError("consumer_account")
        return TokenGrant(
            secret=json.dumps({"installation_id": int(named)}),
            access_token=token,
            id_token="",
            granted_scopes=permissions(found.get("permissions")),
            expires_at=self._io.clock.now() + timedelta(seconds=_USER_TOKEN_S),
        )

    def identify(self, start: ConsentStart, grant: TokenGrant) -> Identity:  # noqa: ARG002
        """Ask GitHub whose installation it is, who consented, and whether they own the organisation."""
        halt = self._halt()
        found = self._app.get(f"/app/installations/{installation_id(grant.secret)}", "account", halt)
        account = found["account"]
        api = self._api(grant.access_token)
        try:
            person = api.get("/user", "login", halt)
            native_id = normalize.account_id(person)
            organisation_id, name = normalize.account_id(account), normalize.login(account)
        except normalize.MalformedError as error:
            raise CallError(GARBLED, detail=f"consent: {error}") from None
        email = person.get("email")
        return Identity(
            organisation_id=organisation_id,
            organisation_name=name,
            email=email.lower() if isinstance(email, str) else "",
            native_id=native_id,
            admin=self._owns(api, name, organisation_id, halt),
            consumer=account.get("type") != "Organization",
        )

    def revoke(self, token: str) -> None:
        """Nothing is given back: a refused consent leaves us nothing.

        The token of the person is in no store and dies unused. The installation is left alone: who was
        refused may have named one that somebody else made.
        """

    def _trade(self, code: str) -> str:
        form = {
            "client_id": self._registration.client_id,
            "client_secret": self._registration.client_secret,
            "code": code,
        }
        request = Request("POST", self._at["token"], form=form, authorised=False)
        body = self._oauth.call(request, self._halt()).body
        if not isinstance(body, dict):
            raise CallError(GARBLED, detail="token endpoint")
        token, error = body.get("access_token"), body.get("error")
        if isinstance(error, str):  # GitHub answers 200 to what it refuses
            resolution = CODE_SPENT if error in _SPENT else OUR_FAULT
            raise CallError(resolution, detail=f"token endpoint: {error[:64]}")
        if not isinstance(token, str) or not token:
            raise CallError(GARBLED, detail="token endpoint: no access token")
        return token

    def _reachable(self, token: str, wanted: int) -> Mapping[str, Any] | None:
        """The installation of our app with this id, if the person may reach it."""
        ours = self._registration.extra.get("app_id", "")
        for page in self._api(token).pages("/user/installations", self._halt(), under=_INSTALLATIONS):
            for row in page.rows:
                if row.get("id") == wanted and str(row.get("app_id")) == ours:
                    return row
        return None

    def _owns(self, api: GithubApi, name: str, organisation_id: str, halt: Halt) -> bool:
        try:
            body = api.get(f"/user/memberships/orgs/{segment(name)}", "role", halt)
            same = normalize.account_id(body.get("organization")) == organisation_id
        except normalize.MalformedError as error:
            raise CallError(GARBLED, detail=f"membership: {error}") from None
        except CallError as error:
            if error.status in (403, 404) and not error.resolution.retry:
                return False
            raise
        return same and body.get("state") == "active" and body["role"] == "admin"

    def _api(self, token: str) -> GithubApi:
        # A few calls of a new organisation: there is no tenant yet whose limiter they could share.
        http = client(self._io, STATUSES, "", (REQUESTS,), _Bearer(f"Bearer {token}"))
        return GithubApi(http, self._at["api"])

    def _halt(self) -> Halt:
        return within(self._io.clock, _PATIENCE_S)


def flow(registration: ClientRegistration, io: Io) -> ConsentFlow:
    """GitHub's consent flow."""
    return GithubConsent(registration, io)
