"""Authorize, token and revoke endpoints: web server flow with PKCE, sessions, and the signed identity."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlencode

from tests.simulators.google.wire import OAuthError, Request, Response, html_response, json_response, redirect

from .model import World
from .wire import SalesforceError

CODE_S = 900.0
SESSION_S = 7200.0
KNOWN_SCOPES = frozenset({"api", "id", "refresh_token", "openid", "full", "web"})
REDIRECT = "http://127.0.0.1:9/connect/salesforce/callback"


@dataclass(frozen=True, slots=True)
class ConnectedClient:
    """The product's own connected app."""

    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...]
    name: str = "Lantern"


CLIENT = ConnectedClient("3MVG9simulatedLantern", "SF-SECRET-simulated", (REDIRECT,))


@dataclass(slots=True)
class Session:
    user_id: str
    client_id: str
    scopes: list[str]
    expires_at: float


@dataclass(slots=True)
class Refresh:
    user_id: str
    client_id: str
    scopes: list[str]


@dataclass(slots=True)
class Code:
    user_id: str
    client_id: str
    redirect_uri: str
    scopes: list[str]
    challenge: str
    expires_at: float
    used: bool = False


@dataclass(slots=True)
class Decision:
    """`email` consents (an administrator when None); `scopes`: what the app may ask; `deny` refuses."""

    email: str | None = None
    scopes: list[str] | None = None
    deny: bool = False


class Sessions:
    """Clients, codes, refresh tokens and sessions."""

    def __init__(self, world: World, clients: tuple[ConnectedClient, ...]) -> None:
        self._world = world
        self.base_url = ""
        self.clients = {client.client_id: client for client in clients}
        self.installed = True
        self.decision: Decision | None = None
        self.codes: dict[str, Code] = {}
        self.refresh: dict[str, Refresh] = {}
        self.access: dict[str, Session] = {}
        self.instance_url: str | None = None

    def bearer(self, request: Request) -> Session:
        """The session of a call; 401 INVALID_SESSION_ID where there is none."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        found = self.access.get(text.strip()) if scheme.lower() == "bearer" else None
        person = self._world.people.get(found.user_id) if found else None
        if found is None or found.expires_at < self._world.clock.now() or person is None or not person.active:
            raise SalesforceError(401, "INVALID_SESSION_ID", "Session expired or invalid")
        return found

    def authorize(self, request: Request) -> Response:
        """`GET /services/oauth2/authorize`."""
        query = request.query
        client = self.clients.get(query.get("client_id", ""))
        if client is None:
            return html_response("error=invalid_client_id&error_description=client identifier invalid", 400)
        back = query.get("redirect_uri", "")
        if back not in client.redirect_uris:
            return html_response("error=redirect_uri_mismatch", 400)
        state = {"state": query["state"]} if "state" in query else {}
        decision = self.decision
        if query.get("response_type") != "code":
            return redirect(f"{back}?{urlencode({'error': 'unsupported_response_type', **state})}")
        if not query.get("code_challenge") or query.get("code_challenge_method", "S256") != "S256":
            return redirect(f"{back}?{urlencode({'error': 'invalid_request', **state})}")
        if decision is None:
            return html_response(self._form(client, query))
        return self._decided(client, query, decision)

    def _decided(self, client: ConnectedClient, query: dict[str, str], decision: Decision) -> Response:
        back = query["redirect_uri"]
        state = {"state": query["state"]} if "state" in query else {}
        if decision.deny:
            answer = {"error": "access_denied", "error_description": "end-user denied authorization", **state}
            return redirect(f"{back}?{urlencode(answer)}")
        asked = query.get("scope", "full").split()
        allowed = asked if decision.scopes is None else [s for s in asked if s in decision.scopes]
        if not set(asked) <= KNOWN_SCOPES:
            return redirect(f"{back}?{urlencode({'error': 'invalid_scope', **state})}")
        return redirect(
            f"{back}?{urlencode({'code': self._code(client, decision, allowed, query), **state})}"
        )

    def decide(self, request: Request) -> Response:
        """A person pressed a button of the page."""
        form = request.form()
        query = {name: value for name, value in form.items() if name not in {"account", "decision"}}
        client, back = self.clients.get(query.get("client_id", "")), query.get("redirect_uri", "")
        if client is None or back not in client.redirect_uris:
            return html_response("error=redirect_uri_mismatch", 400)
        chosen = Decision(form.get("account"), deny=form.get("decision") != "allow")
        return self._decided(client, query, chosen)

    def _form(self, client: ConnectedClient, query: dict[str, str]) -> str:
        admin = next(p for p in self._world.people.values() if p.permissions)
        kept = "".join(
            f'<input type="hidden" name="{escape(k)}" value="{escape(v)}">' for k, v in query.items()
        )
        asks = "".join(f"<li>{escape(scope)}</li>" for scope in query.get("scope", "full").split())
        return f"""<!doctype html><html lang="en"><meta charset="utf-8">
<title>Allow Access? - simulated Salesforce</title>
<style>body{{font:16px system-ui;max-width:34rem;margin:4rem auto;padding:0 1rem}}
input[name=account]{{width:100%;padding:.5rem}}button{{padding:.6rem 1.4rem;margin:1rem .5rem 0 0}}</style>
<h1>Allow Access?</h1><p>{escape(client.name)} is asking to:</p><ul>{asks}</ul>
<form method="post" action="/_login/decide">{kept}
<label>Account <input name="account" value="{escape(admin.email)}" required></label>
<button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button>
</form></html>"""

    def _code(
        self, client: ConnectedClient, decision: Decision, scopes: list[str], query: dict[str, str]
    ) -> str:
        with self._world.lock:
            admins = [p for p in self._world.people.values() if p.permissions]
            person = self._world.person(decision.email) if decision.email else admins[0]
            code = f"aPrx{secrets.token_urlsafe(24)}"
            expiry = self._world.clock.now() + CODE_S
            self.codes[code] = Code(
                person.id, client.client_id, query["redirect_uri"], scopes, query["code_challenge"], expiry
            )
            return code

    def token(self, request: Request) -> Response:
        """`POST /services/oauth2/token`."""
        form = request.form()
        with self._world.lock:
            client = self._client(form)
            match form.get("grant_type"):
                case "authorization_code":
                    return self._exchange(client, form)
                case "refresh_token":
                    return self._refreshed(client, form)
                case _:
                    raise OAuthError("unsupported_grant_type", "grant type not supported")

    def _client(self, form: dict[str, str]) -> ConnectedClient:
        client = self.clients.get(form.get("client_id", ""))
        if client is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if not hmac.compare_digest(client.client_secret, form.get("client_secret", "")):
            raise OAuthError("invalid_client", "invalid client credentials")
        if not self.installed:
            raise OAuthError("invalid_client", "app must be installed into org")
        return client

    def _exchange(self, client: ConnectedClient, form: dict[str, str]) -> Response:
        code = self.codes.get(form.get("code", ""))
        now = self._world.clock.now()
        if code is None or code.client_id != client.client_id or code.used or code.expires_at < now:
            raise OAuthError("invalid_grant", "expired authorization code")
        if code.redirect_uri != form.get("redirect_uri"):
            raise OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if not hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), code.challenge):
            raise OAuthError("invalid_grant", "invalid code verifier")
        code.used = True
        answer = self._session(client, code.user_id, code.scopes)
        if "refresh_token" in code.scopes:
            token = self._world.grant(code.user_id, client.name)
            text = f"5Aep861{secrets.token_urlsafe(24)}"
            token.access_token, token.delete_token = text, f"DLT-{secrets.token_urlsafe(24)}"
            self.refresh[text] = Refresh(code.user_id, client.client_id, code.scopes)
            answer["refresh_token"] = text
        return json_response(answer)

    def _refreshed(self, client: ConnectedClient, form: dict[str, str]) -> Response:
        found = self.refresh.get(form.get("refresh_token", ""))
        if found is None or found.client_id != client.client_id:
            raise OAuthError("invalid_grant", "expired access/refresh token")
        if not self._world.people[found.user_id].active:
            raise OAuthError("inactive_user", "user is inactive")
        return json_response(self._session(client, found.user_id, found.scopes))

    def _session(self, client: ConnectedClient, user_id: str, scopes: list[str]) -> dict[str, Any]:
        now = self._world.clock.now()
        text = f"{self._world.organisation_id[:15]}!{secrets.token_urlsafe(24)}"
        self.access[text] = Session(user_id, client.client_id, scopes, now + SESSION_S)
        identity = f"{self.base_url}/id/{self._world.organisation_id}/{user_id}"
        issued = str(int(now * 1000))
        signed = hmac.new(
            client.client_secret.encode(), (identity + issued).encode(), hashlib.sha256
        ).digest()
        return {
            "access_token": text,
            "scope": " ".join(scopes),
            "instance_url": self.instance_url or self.base_url,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued,
            "signature": base64.b64encode(signed).decode(),
        }

    def revoke(self, request: Request) -> Response:
        """`POST /services/oauth2/revoke`: takes refresh tokens, access tokens and delete tokens."""
        text = request.form().get("token") or request.query.get("token", "")
        with self._world.lock:
            if self.access.pop(text, None):
                return Response(200)
            gone = [t for t in self._world.tokens if text and text in (t.delete_token, t.access_token)]
            if not gone:
                raise OAuthError("invalid_token", "invalid token")
            self._world.end(gone)
            for token in gone:
                ended = self.refresh.pop(token.access_token, None)
                if ended:
                    self.access = {
                        k: s
                        for k, s in self.access.items()
                        if (s.user_id, s.client_id) != (ended.user_id, ended.client_id)
                    }
            return Response(200)
