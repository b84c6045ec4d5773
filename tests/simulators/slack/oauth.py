"""The installation page (`/oauth/v2/authorize`) and `oauth.v2.access`; the product's own tokens."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode, urlsplit, urlunsplit

from tests.simulators.google.consent import PageError
from tests.simulators.google.wire import Request, Response, html_response, redirect

from .model import App, Member, SlackClient, Token
from .wire import SlackError, ok
from .world import World

CODE_S = 600
ENTERPRISE_ONLY = ("admin.", "auditlogs:")
KNOWN = frozenset(
    {
        "users:read", "users:read.email", "chat:write", "commands", "team:read", "admin", "admin.apps:read",
        "admin.apps:write", "auditlogs:read", "admin.workflows:read",
    }
)  # fmt: skip


@dataclass(slots=True)
class Decision:
    """What the simulated person will do when the page is shown.

    `email`: who (the first owner when None). `place`: the workspace or organisation chosen (the one asked
    for, else the first workspace). `scopes`: which of the permissions asked for are granted (None: all).
    `deny`: refuses.
    """

    email: str | None = None
    place: str | None = None
    scopes: tuple[str, ...] | None = None
    deny: bool = False


@dataclass(slots=True)
class Code:
    """A code on its way."""

    client_id: str
    redirect_uri: str
    place: str
    user: str
    bot_scopes: tuple[str, ...]
    user_scopes: tuple[str, ...]
    expires_at: float


class Tokens:
    """All tokens of the product; one per kind, place and person, whatever number of consents."""

    def __init__(self) -> None:
        self.clients: dict[str, SlackClient] = {}
        self.access: dict[str, Token] = {}
        self.codes: dict[str, Code] = {}

    def issue(self, kind: str, client_id: str, team: str, user: str, scopes: Sequence[str]) -> Token:
        """The token of an installation, with these permissions beside those it has."""
        for known in self.access.values():
            same = (known.kind, known.client_id, known.team) == (kind, client_id, team)
            if same and not known.revoked and (kind == "bot" or known.user == user):
                known.scopes |= set(scopes)
                return known
        prefix = {"bot": "xoxb", "user": "xoxp"}[kind]
        token = Token(f"{prefix}-{secrets.token_hex(24)}", kind, team, user, set(scopes), client_id)
        self.access[token.value] = token
        return token

    def living(self, client_id: str) -> list[Token]:
        """Tokens of a client that were not revoked."""
        return [t for t in self.access.values() if t.client_id == client_id and not t.revoked]


class OAuth:
    """Shows the page, or decides by itself when told how."""

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._world = world
        self._tokens = tokens
        self._pending: dict[str, dict[str, str]] = {}
        self.decision: Decision | None = None

    def show(self, request: Request) -> Response:
        """`GET /oauth/v2/authorize`."""
        query = request.query
        self._check(query)
        if self.decision is not None:
            return self._conclude(query, self.decision)
        ticket = secrets.token_urlsafe(16)
        self._pending[ticket] = query
        return html_response(self._form(ticket, query))

    def decide(self, request: Request) -> Response:
        """`POST /oauth/v2/authorize/decide`: the form's answer."""
        form = request.form()
        query = self._pending.pop(form.get("ticket", ""), None)
        if query is None:
            raise PageError(400, "invalid_request", "This page has expired.")
        chosen = Decision(form.get("email"), form.get("place") or None, deny=form.get("decision") != "allow")
        return self._conclude(query, chosen)

    def _check(self, query: dict[str, str]) -> None:
        client = self._tokens.clients.get(query.get("client_id", ""))
        if client is None:
            raise PageError(400, "invalid_client_id", "Invalid client_id parameter")
        if query.get("redirect_uri", client.redirect_uris[0]) not in client.redirect_uris:
            raise PageError(400, "bad_redirect_uri", "redirect_uri did not match any configured URIs")
        asked = _scopes(query, "scope") + _scopes(query, "user_scope")
        if not asked or not set(asked) <= KNOWN:
            raise PageError(400, "invalid_scope", "Invalid permissions requested")

    def _conclude(self, query: dict[str, str], chosen: Decision) -> Response:
        back = query.get("redirect_uri") or self._tokens.clients[query["client_id"]].redirect_uris[0]
        state = {"state": query["state"]} if "state" in query else {}
        if chosen.deny:
            return redirect(_with(back, {"error": "access_denied", **state}))
        with self._world.lock:
            place = chosen.place or query.get("team") or next(iter(self._world.teams))
            person = self._person(chosen, place)
            bot, user = _scopes(query, "scope"), _scopes(query, "user_scope")
            if "auditlogs:read" in user and not person.org_owner:
                raise PageError(403, "not_an_org_owner", "Only an org owner can grant auditlogs:read.")
            if place != self._world.enterprise_id and any(s.startswith(ENTERPRISE_ONLY) for s in user):
                text = "This app must be installed on the organization, by an org owner or admin."
                raise PageError(403, "org_install_required", text)
            if not (person.admin or person.owner):
                user = tuple(s for s in user if s != "admin")
            if chosen.scopes is not None:
                bot, user = (tuple(s for s in part if s in chosen.scopes) for part in (bot, user))
            code = secrets.token_hex(32)
            expires = self._world.clock.now() + CODE_S
            self._tokens.codes[code] = Code(query["client_id"], back, place, person.id, bot, user, expires)
        return redirect(_with(back, {"code": code, **state}))

    def _person(self, chosen: Decision, place: str) -> Member:
        people = [m for m in self._world.members.values() if not m.bot and not m.deleted]
        asked = (
            [m for m in people if m.email == chosen.email]
            if chosen.email
            else [m for m in people if m.primary]
        )
        if not asked:
            raise PageError(400, "unknown_account", "We could not find your account.")
        whole = place == self._world.enterprise_id
        if whole and not (asked[0].org_owner or asked[0].org_admin):
            raise PageError(
                403, "not_an_org_admin", "Only an org owner or admin can install on the organization."
            )
        if not whole and place not in self._world.teams:
            raise PageError(400, "invalid_team", "No such workspace.")
        return asked[0]

    def access(self, request: Request) -> Response:
        """`POST /api/oauth.v2.access`."""
        form = request.form()
        with self._world.lock:
            client = self._tokens.clients.get(form.get("client_id", ""))
            if client is None:
                raise SlackError("invalid_client_id")
            if not secrets.compare_digest(client.client_secret, form.get("client_secret", "")):
                raise SlackError("bad_client_secret")
            code = self._tokens.codes.pop(form.get("code", ""), None)
            if (
                code is None
                or code.client_id != client.client_id
                or code.expires_at <= self._world.clock.now()
            ):
                raise SlackError("invalid_code")
            if form.get("redirect_uri", code.redirect_uri) != code.redirect_uri:
                raise SlackError("bad_redirect_uri")
            return self._granted(client, code)

    def _granted(self, client: SlackClient, code: Code) -> Response:
        world = self._world
        whole = code.place == world.enterprise_id
        team = "" if whole else code.place
        bot = self._tokens.issue("bot", client.client_id, team, code.user, code.bot_scopes)
        person: dict[str, object] = {"id": code.user}
        if code.user_scopes:
            token = self._tokens.issue("user", client.client_id, team, code.user, code.user_scopes)
            person |= {
                "scope": ",".join(sorted(token.scopes)),
                "access_token": token.value,
                "token_type": "user",
            }
        bare = {"id": world.enterprise_id, "name": world.name}
        self._own(client, code, team)
        return ok(
            app_id=client.app_id,
            authed_user=person,
            scope=",".join(sorted(bot.scopes)),
            token_type="bot",
            access_token=bot.value,
            bot_user_id="U0LANTERN00",
            team=None if whole else {"id": team, "name": world.teams[team].name},
            enterprise=bare if world.enterprise_id else None,
            is_enterprise_install=whole,
        )

    def _own(self, client: SlackClient, code: Code, team: str) -> None:
        """The product's own app becomes an installation like any other."""
        if client.app_id not in self._world.apps:
            self._world.apps[client.app_id] = App(
                client.app_id, client.name, code.bot_scopes, code.user_scopes
            )
        scopes = (*code.bot_scopes, *code.user_scopes)
        self._world.install(client.app_id, code.user, team, scopes)

    def _form(self, ticket: str, query: dict[str, str]) -> str:
        client = self._tokens.clients[query["client_id"]]
        people = [m.email for m in self._world.members.values() if m.admin or m.owner]
        places = [(t.id, t.name) for t in self._world.teams.values()]
        if self._world.enterprise_id:
            places.append((self._world.enterprise_id, f"{self._world.name} (organization)"))
        wanted = query.get("team", "")
        options = "".join(
            f'<option value="{escape(i)}"{" selected" if i == wanted else ""}>{escape(n)}</option>'
            for i, n in places
        )
        accounts = "".join(f"<option>{escape(one)}</option>" for one in people)
        asked = "".join(
            f"<li>{escape(s)}</li>" for s in _scopes(query, "scope") + _scopes(query, "user_scope")
        )
        return f"""<!doctype html><html lang="en"><meta charset="utf-8">
<title>Sign in - simulated Slack</title>
<style>body{{font:16px system-ui;max-width:34rem;margin:4rem auto;padding:0 1rem}}</style>
<h1>{escape(client.name)} is requesting permission to access Slack</h1>
<form method="post" action="/oauth/v2/authorize/decide"><input type="hidden" name="ticket" value="{ticket}">
<label>Workspace <select name="place">{options}</select></label>
<label>Account <input name="email" list="people" value="{escape(people[0])}" required></label>
<datalist id="people">{accounts}</datalist><ul>{asked}</ul>
<button name="decision" value="allow">Allow</button><button name="decision" value="deny">Cancel</button>
</form></html>"""


def _scopes(query: dict[str, str], name: str) -> tuple[str, ...]:
    return tuple(filter(None, query.get(name, "").replace(" ", ",").split(",")))


def _with(uri: str, parameters: dict[str, str]) -> str:
    parts = urlsplit(uri)
    query = "&".join(filter(None, (parts.query, urlencode(parameters))))
    return urlunsplit(parts._replace(query=query))
