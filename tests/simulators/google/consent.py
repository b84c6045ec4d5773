"""The consent page: `GET /o/oauth2/v2/auth` and what the person on it decides."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode, urlsplit, urlunsplit

from .identity import ISSUER
from .scopes import SIGN_IN, is_known, normalise
from .tokens import CODE_S, Code, Subject, TokenStore
from .wire import Request, Response, html_response, redirect
from .world import World


@dataclass(slots=True)
class Decision:
    """What the simulated administrator will do when consent is asked.

    `email`: who consents (the `login_hint` or the first administrator when None). `scopes`: which of the
    requested scopes are ticked (None: all). `deny`: refuses. `once`: only for the next request.
    """

    email: str | None = None
    scopes: tuple[str, ...] | None = None
    deny: bool = False
    once: bool = False


class PageError(Exception):
    """A consent request that Google refuses on a page of its own, without redirecting."""

    def __init__(self, status: int, error: str, text: str) -> None:
        super().__init__(text)
        self.status, self.error, self.text = status, error, text

    def response(self) -> Response:
        """The error page."""
        page = f"<title>Error {self.status}</title><h1>Access blocked</h1><p>{escape(self.text)}</p>"
        return html_response(f"{page}<p>Error {self.status}: {escape(self.error)}</p>", self.status)


class ConsentPage:
    """Serves the page, or decides by itself when told how."""

    def __init__(self, world: World, tokens: TokenStore) -> None:
        self._world = world
        self._tokens = tokens
        self._pending: dict[str, dict[str, str]] = {}
        self.decision: Decision | None = None
        self.send_iss = True

    def show(self, request: Request) -> Response:
        """`GET /o/oauth2/v2/auth`."""
        query = request.query
        self._check(query)
        decision = self.decision
        if decision is not None:
            if decision.once:
                self.decision = None
            email = decision.email or query.get("login_hint") or self._first_admin()
            ticked = list(decision.scopes) if decision.scopes is not None else query["scope"].split()
            return self._conclude(query, email, ticked, deny=decision.deny)
        ticket = secrets.token_urlsafe(16)
        self._pending[ticket] = query
        return html_response(self._form(ticket, query))

    def decide(self, request: Request) -> Response:
        """`POST /o/oauth2/v2/auth/decide`: the form's answer."""
        form = request.form()
        query = self._pending.pop(form.get("ticket", ""), None)
        if query is None:
            raise PageError(400, "invalid_request", "This consent page has expired.")
        email = form.get("email", "").strip().lower()
        deny = form.get("decision") != "allow"
        return self._conclude(query, email, request.form_list("scope"), deny=deny)

    def _first_admin(self) -> str:
        return next(iter(self._world.orgs.values())).admin.email

    def _check(self, query: dict[str, str]) -> None:
        client = self._tokens.clients.get(query.get("client_id", ""))
        if client is None:
            raise PageError(401, "invalid_client", "The OAuth client was not found.")
        if query.get("redirect_uri", "") not in client.redirect_uris:
            raise PageError(400, "redirect_uri_mismatch", "The redirect URI is not registered.")
        if query.get("response_type") != "code":
            raise PageError(400, "unsupported_response_type", "Response type must be code.")
        scopes = query.get("scope", "").split()
        unknown = [scope for scope in scopes if not is_known(scope)]
        if not scopes:
            raise PageError(400, "invalid_request", "Missing required parameter: scope")
        if unknown:
            raise PageError(400, "invalid_scope", f"Some requested scopes were invalid: {unknown}")
        method = query.get("code_challenge_method", "plain")
        challenge = query.get("code_challenge")
        if method not in {"S256", "plain"} or (challenge is not None and not 43 <= len(challenge) <= 128):
            raise PageError(400, "invalid_request", "Invalid code challenge.")

    def _conclude(self, query: dict[str, str], email: str, ticked: Sequence[str], *, deny: bool) -> Response:
        answer = {"state": query["state"]} if "state" in query else {}
        if self.send_iss:
            answer["iss"] = ISSUER
        if deny:
            return redirect(_with(query["redirect_uri"], {"error": "access_denied", **answer}))
        with self._world.lock:
            subject, domain = self._subject(email)
            scopes = _granted(query["scope"].split(), ticked)
            code = f"4/0A{secrets.token_urlsafe(48)}"
            self._tokens.codes[code] = self._code(query, subject, scopes)
            self._record(query["client_id"], subject, scopes)
        answer |= {"code": code, "scope": " ".join(scopes), "authuser": "0", "prompt": "consent"}
        if domain:
            answer["hd"] = domain
        return redirect(_with(query["redirect_uri"], answer))

    def _code(self, query: dict[str, str], subject: Subject, scopes: tuple[str, ...]) -> Code:
        first = (subject.user_id, query["client_id"]) not in self._tokens.consented
        again = "consent" in query.get("prompt", "").split()
        return Code(
            subject=subject,
            client_id=query["client_id"],
            redirect_uri=query["redirect_uri"],
            scopes=scopes,
            challenge=query.get("code_challenge", ""),
            method=query.get("code_challenge_method", "plain"),
            nonce=query.get("nonce", ""),
            offline=query.get("access_type") == "offline" and (first or again),
            expires_at=self._world.clock.now() + CODE_S,
        )

    def _record(self, client_id: str, subject: Subject, scopes: tuple[str, ...]) -> None:
        """The product's own client becomes a grant of the administrator, like any other app."""
        self._tokens.consented.add((subject.user_id, client_id))
        if subject.customer_id is None:
            return
        org = self._world.orgs[subject.customer_id]
        app = self._world.app_named(org, self._tokens.clients[client_id].name, client_id)
        self._world.grant(org, org.by_id[subject.user_id], app, scopes)

    def _subject(self, email: str) -> tuple[Subject, str | None]:
        found = self._world.locate(email)
        if found is not None:
            org, user = found
            if not user.can_sign_in:
                raise PageError(403, "account_disabled", "This account has been disabled.")
            return Subject(user.id, user.email, org.customer_id), org.domain
        number = self._world.consumers.get(email)
        if number is None:
            raise PageError(400, "unknown_account", "Couldn't find your Google Account")
        return Subject(number, email, None), None

    def _form(self, ticket: str, query: dict[str, str]) -> str:
        client = self._tokens.clients[query["client_id"]]
        admins = [u.email for org in self._world.orgs.values() for u in org.users if u.is_admin]
        email = query.get("login_hint") or (admins[0] if admins else "")
        options = "".join(f"<option>{escape(a)}</option>" for a in (*admins, *self._world.consumers))
        ticks = "".join(
            f'<li><label><input type="checkbox" name="scope" value="{escape(s)}" checked> {escape(s)}</label>'
            for s in query["scope"].split()
        )
        return f"""<!doctype html><html lang="en"><meta charset="utf-8">
<title>Sign in - simulated Google</title>
<style>body{{font:16px system-ui;max-width:34rem;margin:4rem auto;padding:0 1rem}}li{{list-style:none}}
input[name=email]{{width:100%;padding:.5rem}}button{{padding:.6rem 1.4rem;margin:1rem .5rem 0 0}}</style>
<h1>{escape(client.name)} wants access to your Google Account</h1>
<form method="post" action="/o/oauth2/v2/auth/decide"><input type="hidden" name="ticket" value="{ticket}">
<label>Account <input name="email" list="admins" value="{escape(email)}" required></label>
<datalist id="admins">{options}</datalist><ul>{ticks}</ul>
<button name="decision" value="allow">Allow</button><button name="decision" value="deny">Cancel</button>
</form></html>"""


def _granted(requested: list[str], ticked: Sequence[str]) -> tuple[str, ...]:
    """Sign-in scopes cannot be unticked; the others are granted one by one."""
    chosen = set(normalise(list(ticked)))
    return tuple(s for s in normalise(requested) if s in SIGN_IN or s in chosen)


def _with(uri: str, parameters: dict[str, str]) -> str:
    parts = urlsplit(uri)
    query = "&".join(filter(None, (parts.query, urlencode(parameters))))
    return urlunsplit(parts._replace(query=query))
