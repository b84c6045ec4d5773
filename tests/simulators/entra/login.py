"""login.microsoftonline.com: sign-in, admin consent, tokens, keys."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

import jwt

from tests.simulators.google.consent import PageError
from tests.simulators.google.wire import Request, Response, html_response, json_response, redirect

from .model import GLOBAL_ADMIN, GRAPH_APP, PRIVILEGED_ADMIN, AppRegistration, Tenant
from .tokens import ACCESS_S, CODE_S, Code, TokenStore
from .wire import LoginError
from .world import World

MANY = frozenset({"organizations", "common"})


@dataclass(slots=True)
class Decision:
    """How sign-in and consent are decided without a person.

    `email` signs in and consents (None: the first administrator). `roles` are the permissions that
    consent gives (None: all that are asked for). `by` consents in place of who signed in.
    """

    email: str | None = None
    roles: tuple[str, ...] | None = None
    deny: bool = False
    by: str | None = None


class Login:
    """The pages and endpoints."""

    def __init__(self, world: World, tokens: TokenStore) -> None:
        self._world = world
        self._tokens = tokens
        self.apps: dict[str, AppRegistration] = {}
        self.decision: Decision | None = None
        self.slow = 0
        """So many requests for a token are told that the tenant does not know the app yet."""

    # -- pages ------------------------------------------------------------------------------------------

    def authorize(self, request: Request, tenant: str) -> Response:
        """Sign in with OpenID Connect."""
        query = request.query
        app = self._client(query)
        if tenant not in MANY and tenant not in self._world.tenants:
            raise PageError(400, "AADSTS90002", f"Tenant '{tenant}' not found.")
        if query.get("response_type") != "code" or "openid" not in query.get("scope", "").split():
            return _back(query, {"error": "invalid_request"})
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            return _back(query, {"error": "invalid_request"})
        if self.decision is None:
            return html_response(self._form(app, query, "sign-in", tenant))
        if self.decision.deny:
            return _back(query, {"error": "access_denied"})
        return self._signed_in(query, self.decision.email)

    def admin_consent(self, request: Request, tenant: str) -> Response:
        """An administrator lets an app into a tenant."""
        query = request.query
        app = self._client(query)
        if tenant not in self._world.tenants:
            raise PageError(400, "AADSTS90002", f"Tenant '{tenant}' not found.")
        if query.get("scope") != "https://graph.microsoft.com/.default":
            return _back(query, {"error": "invalid_scope"})
        if self.decision is None:
            return html_response(self._form(app, query, "consent", tenant))
        if self.decision.deny:
            return _back(query, {"error": "access_denied", "error_subcode": "cancel"})
        who = self.decision.by or self.decision.email
        return self._consented(query, app, self._world.tenants[tenant], who, self.decision.roles)

    def decide(self, request: Request) -> Response:
        """A person pressed a button of one of the pages."""
        form = request.form()
        query = {k: v for k, v in form.items() if k not in {"leg", "tenant", "account", "decision"}}
        app = self._client(query)
        if form.get("decision") != "accept":
            return _back(query, {"error": "access_denied"})
        if form.get("leg") == "sign-in":
            return self._signed_in(query, form.get("account"))
        return self._consented(query, app, self._world.tenants[form["tenant"]], form.get("account"), None)

    def _client(self, query: dict[str, str]) -> AppRegistration:
        app = self.apps.get(query.get("client_id", ""))
        if app is None:
            raise PageError(400, "AADSTS700016", "Application was not found.")
        if query.get("redirect_uri") not in app.redirect_uris:
            raise PageError(400, "AADSTS50011", "The redirect URI does not match.")
        return app

    def _signed_in(self, query: dict[str, str], email: str | None) -> Response:
        with self._world.lock:
            tenant, user = self._person(email, None)
            if not user["accountEnabled"]:
                raise PageError(400, "AADSTS50057", "The user account is disabled.")
            text = secrets.token_urlsafe(64)
            self._tokens.codes[text] = Code(
                tenant.id, user["id"], query["client_id"], query["redirect_uri"], query["code_challenge"],
                query.get("nonce", ""), self._world.clock.now() + CODE_S,
            )  # fmt: skip
        return _back(query, {"code": text, "session_state": secrets.token_hex(8)})

    def _consented(
        self, query: dict[str, str], app: AppRegistration, tenant: Tenant, email: str | None,
        roles: tuple[str, ...] | None,
    ) -> Response:  # fmt: skip
        with self._world.lock:
            home, user = self._person(email, tenant)
            if home is not tenant or not tenant.roles_of(user["id"]) & {GLOBAL_ADMIN, PRIVILEGED_ADMIN}:
                return _back(query, {"error": "access_denied", "error_description": "AADSTS90094"})
            asked = app.roles if roles is None else [role for role in app.roles if role in roles]
            self._world.admin_consent(tenant, app, asked)
        scope = " ".join(f"https://graph.microsoft.com/{role}" for role in asked)
        return _back(query, {"admin_consent": "True", "tenant": tenant.id, "scope": scope})

    def _person(self, email: str | None, tenant: Tenant | None) -> tuple[Tenant, dict]:
        if email:
            try:
                return self._world.locate(email)
            except ValueError:
                raise PageError(400, "AADSTS50034", "The user account does not exist.") from None
        home = tenant or next(iter(self._world.tenants.values()))
        return home, self.admin(home)

    def admin(self, tenant: Tenant) -> dict:
        """The tenant's first Global Administrator."""
        return next(u for u in tenant.users.values() if GLOBAL_ADMIN in tenant.roles_of(u["id"]))

    def _form(self, app: AppRegistration, query: dict[str, str], leg: str, tenant: str) -> str:
        tenants = (
            [self._world.tenants[tenant]] if tenant in self._world.tenants else self._world.tenants.values()
        )
        admins = [self.admin(one)["userPrincipalName"] for one in tenants]
        kept = "".join(
            f'<input type="hidden" name="{escape(k)}" value="{escape(v)}">' for k, v in query.items()
        )
        asks = "".join(f"<li>{escape(role)}</li>" for role in app.roles) if leg == "consent" else ""
        title = "Permissions requested" if leg == "consent" else "Pick an account"
        return f"""<!doctype html><html lang="en"><meta charset="utf-8">
<title>{title} - simulated Microsoft</title>
<style>body{{font:16px system-ui;max-width:34rem;margin:4rem auto;padding:0 1rem}}
input[name=account]{{width:100%;padding:.5rem}}button{{padding:.6rem 1.4rem;margin:1rem .5rem 0 0}}</style>
<h1>{title}</h1><p>{escape(app.name)}</p><ul>{asks}</ul><form method="post" action="/_login/decide">{kept}
<input type="hidden" name="leg" value="{leg}"><input type="hidden" name="tenant" value="{escape(tenant)}">
<label>Account <input name="account" value="{escape(admins[0])}" required></label>
<button name="decision" value="accept">Accept</button><button name="decision" value="cancel">Cancel</button>
</form></html>"""

    # -- endpoints --------------------------------------------------------------------------------------

    def token(self, request: Request, tenant: str) -> Response:
        """The token endpoint."""
        form = request.form()
        with self._world.lock:
            app = self.apps.get(form.get("client_id", ""))
            if app is None:
                raise LoginError("unauthorized_client", 700016, "Application was not found in the directory.")
            self._authenticate(app, form, tenant)
            grant = form.get("grant_type")
            if grant == "authorization_code":
                return self._code(app, form)
            if grant == "client_credentials":
                return self._app_only(app, form, tenant)
        raise LoginError("unsupported_grant_type", 70003, "The app requested an unsupported grant type.")

    def _authenticate(self, app: AppRegistration, form: dict[str, str], tenant: str) -> None:
        assertion = form.get("client_assertion")
        if assertion is None:
            if not secrets.compare_digest(form.get("client_secret", ""), app.client_secret):
                raise LoginError("invalid_client", 7000215, "Invalid client secret provided.", 401)
            return
        now = self._world.clock.now()
        try:
            head = jwt.get_unverified_header(assertion)
            claims = jwt.decode(
                assertion, app.public_key, algorithms=["PS256"], audience=self._audience(tenant),
                options={"require": ["exp", "nbf", "jti", "iss", "sub"], "verify_exp": False,
                         "verify_nbf": False},
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError) as error:
            raise LoginError(
                "invalid_client", 700027, f"Client assertion is not valid: {error}.", 401
            ) from None
        named = base64.urlsafe_b64decode(head.get("x5t#S256", "") + "==").hex()
        if named != app.thumbprint.lower() or {claims["iss"], claims["sub"]} != {app.client_id}:
            raise LoginError("invalid_client", 700027, "The certificate is not registered.", 401)
        if not claims["nbf"] <= now < claims["exp"]:
            raise LoginError("invalid_client", 700024, "Client assertion is not within its time range.", 401)

    def _audience(self, tenant: str) -> str:
        return f"{self.base_url}/{tenant}/oauth2/v2.0/token"

    base_url = ""

    def _code(self, app: AppRegistration, form: dict[str, str]) -> Response:
        code = self._tokens.codes.get(form.get("code", ""))
        if code is None or code.used or code.expires_at < self._world.clock.now():
            raise LoginError("invalid_grant", 54005, "The code has been redeemed or has expired.")
        proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(proof).rstrip(b"=").decode() != code.challenge:
            raise LoginError("invalid_grant", 501481, "The Code_Verifier does not match the code_challenge.")
        if (code.client_id, code.redirect_uri) != (app.client_id, form.get("redirect_uri")):
            raise LoginError("invalid_grant", 500112, "The redirect address does not match.")
        code.used = True
        user = self._world.tenants[code.tenant].users[code.user_id]
        body = {
            "token_type": "Bearer",
            "scope": "openid profile email",
            "expires_in": ACCESS_S,
            "access_token": secrets.token_urlsafe(64),
            "id_token": self._tokens.id_token(code, user, []),
        }
        return json_response(body, headers={"Cache-Control": "no-store"})

    def _app_only(self, app: AppRegistration, form: dict[str, str], tenant: str) -> Response:
        if form.get("scope") != "https://graph.microsoft.com/.default":
            raise LoginError("invalid_scope", 1002012, "The scope is not valid for client credentials.")
        home = self._world.tenants.get(tenant)
        if home is None:
            raise LoginError("invalid_request", 90002, f"Tenant '{tenant}' not found.")
        ours = home.app(app.client_id)
        if ours is None or self.slow > 0:
            self.slow -= self.slow > 0
            raise LoginError("unauthorized_client", 700016, "Application was not found in the directory.")
        if not ours["accountEnabled"]:
            raise LoginError("unauthorized_client", 7000112, "Application is disabled.")
        graph = home.app(GRAPH_APP) or {}
        names = {role["id"]: role["value"] for role in graph["appRoles"]}
        held = frozenset(
            names[row["appRoleId"]]
            for row in home.roles.values()
            if row["principalId"] == ours["id"] and row["resourceId"] == graph["id"]
        )
        token = self._tokens.issue(tenant, app.client_id, held)
        body = {
            "token_type": "Bearer",
            "expires_in": ACCESS_S,
            "ext_expires_in": ACCESS_S,
            "access_token": token,
        }
        return json_response(body, headers={"Cache-Control": "no-store"})

    def keys(self, request: Request, tenant: str) -> Response:
        """The public signing keys."""
        return json_response(self._tokens.signer.jwks())


def _back(query: dict[str, str], answer: dict[str, str]) -> Response:
    return redirect(f"{query['redirect_uri']}?{urlencode({**answer, 'state': query.get('state', '')})}")
