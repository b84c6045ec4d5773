"""Google's token endpoint and its neighbours: exchange, refresh, revoke, userinfo, tokeninfo."""

import base64
import hashlib
import hmac
from typing import Any

import jwt

from .identity import Signer
from .model import OAuthClient
from .tokens import ACCESS_TOKEN_S, Code, Subject, TokenStore
from .wire import OAuthError, Request, Response, json_response
from .world import World

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCES = ("https://oauth2.googleapis.com/token", "https://www.googleapis.com/oauth2/v4/token")
NO_STORE = {"Cache-Control": "no-store"}


class OAuth:
    """The endpoints behind `oauth2.googleapis.com` and `openidconnect.googleapis.com`."""

    def __init__(self, world: World, tokens: TokenStore, signer: Signer) -> None:
        self._world = world
        self._tokens = tokens
        self._signer = signer
        self.base_url = ""

    def token(self, request: Request) -> Response:
        """`POST /token`."""
        form = request.form()
        kind = form.get("grant_type", "")
        with self._world.lock:
            if kind == JWT_BEARER:
                return self._assertion(form)
            if kind not in {"authorization_code", "refresh_token"}:
                raise OAuthError("unsupported_grant_type", f"Invalid grant_type: {kind}")
            client = self._client(request, form)
            if kind == "authorization_code":
                return self._exchange(client, form)
            return self._refresh(client, form)

    def _client(self, request: Request, form: dict[str, str]) -> OAuthClient:
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
        basic = request.headers.get("authorization", "")
        if basic.lower().startswith("basic "):
            try:
                name, _, secret = base64.b64decode(basic[6:]).decode().partition(":")
            except ValueError:
                raise OAuthError("invalid_client", "Unauthorized", 401) from None
        client = self._tokens.clients.get(name)
        if client is None:
            raise OAuthError("invalid_client", "The OAuth client was not found.", 401)
        if not hmac.compare_digest(client.client_secret.encode(), secret.encode()):
            raise OAuthError("invalid_client", "Unauthorized", 401)
        return client

    def _exchange(self, client: OAuthClient, form: dict[str, str]) -> Response:
        code = self._tokens.codes.get(form.get("code", ""))
        if code is None or code.client_id != client.client_id:
            raise OAuthError("invalid_grant", "Malformed auth code.")
        if code.used:
            # RFC 6749 section 4.1.2: a code used twice ends what it gave.
            if code.refresh_token is not None:
                self._tokens.refresh.pop(code.refresh_token, None)
            raise OAuthError("invalid_grant", "Bad Request")
        if code.redirect_uri != form.get("redirect_uri"):
            raise OAuthError("redirect_uri_mismatch", "Bad Request")
        if code.expires_at <= self._world.clock.now():
            raise OAuthError("invalid_grant", "Bad Request")
        _verify_pkce(code, form.get("code_verifier", ""))
        code.used = True
        answer = self._tokens_for(code.subject, client.client_id, code.scopes, code.nonce)
        if code.offline:
            code.refresh_token = self._tokens.issue_refresh(code.subject, client.client_id, code.scopes)
            answer["refresh_token"] = code.refresh_token
        self._changed(code.subject)
        return json_response(answer, headers=NO_STORE)

    def _refresh(self, client: OAuthClient, form: dict[str, str]) -> Response:
        entry = self._tokens.refresh.get(form.get("refresh_token", ""))
        if entry is None or entry.client_id != client.client_id:
            raise OAuthError("invalid_grant", "Token has been expired or revoked.")
        found = self._world.locate(entry.subject.user_id)
        if found is not None and not found[1].can_sign_in:
            raise OAuthError("invalid_grant", "Account has been deleted or disabled")
        scopes = entry.scopes
        if form.get("scope"):
            scopes = tuple(form["scope"].split())
            if not set(scopes) <= set(entry.scopes):
                raise OAuthError("invalid_scope", "Some requested scopes were invalid")
        return json_response(self._tokens_for(entry.subject, client.client_id, scopes, ""), headers=NO_STORE)

    def _tokens_for(
        self, subject: Subject, client_id: str, scopes: tuple[str, ...], nonce: str
    ) -> dict[str, Any]:
        access = self._tokens.issue_access(subject, client_id, scopes)
        answer = {
            "access_token": access,
            "expires_in": ACCESS_TOKEN_S,
            "scope": " ".join(scopes),
            "token_type": "Bearer",
        }
        if "openid" in scopes:
            now, domain = self._world.clock.now(), self._domain(subject)
            answer["id_token"] = self._signer.id_token(subject, domain, client_id, now, nonce, access)
        return answer

    def _assertion(self, form: dict[str, str]) -> Response:
        """A service account speaks for a user of a customer that delegated to it (RFC 7523)."""
        assertion = form.get("assertion", "")
        try:
            issuer = jwt.decode(assertion, options={"verify_signature": False}).get("iss", "")
            account = self._tokens.service_accounts[issuer]
            audiences = [*AUDIENCES, f"{self.base_url}/token"]
            claims = jwt.decode(
                assertion, account.public_key_pem, algorithms=["RS256"], audience=audiences,
                options={"verify_exp": False, "verify_iat": False},
            )  # fmt: skip
        except (jwt.PyJWTError, KeyError):
            raise OAuthError("invalid_grant", "Invalid JWT Signature.") from None
        now = self._world.clock.now()
        if not now - 300 <= claims.get("exp", 0) <= now + 3900:
            raise OAuthError("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes)")
        found = self._world.locate(claims.get("sub", ""))
        scopes = tuple(claims.get("scope", "").split())
        if found is None or not found[1].can_sign_in:
            raise OAuthError("invalid_grant", "Invalid email or User ID")
        org, user = found
        if not scopes or not set(scopes) <= account.delegated.get(org.customer_id, frozenset()):
            text = "Client is unauthorized to retrieve access tokens using this method, or client not "
            raise OAuthError("unauthorized_client", f"{text}authorized for any of the scopes requested.", 401)
        subject = Subject(user.id, user.email, org.customer_id)
        token = self._tokens.issue_access(subject, account.client_id, scopes)
        return json_response({"access_token": token, "expires_in": ACCESS_TOKEN_S, "token_type": "Bearer"})

    def revoke(self, request: Request) -> Response:
        """`POST /revoke`: ends the whole consent that a refresh or access token stands for."""
        token = request.form().get("token") or request.query.get("token", "")
        with self._world.lock:
            entry = self._tokens.refresh.get(token) or self._tokens.bearer(token)
            if entry is None:
                raise OAuthError("invalid_token", "Token expired or revoked")
            subject, client_id = entry.subject, entry.client_id
            self._tokens.end_access(subject.user_id, client_id)
            self._tokens.end_refresh(subject.user_id, client_id)
            if subject.customer_id is not None:
                org = self._world.orgs[subject.customer_id]
                self._world.revoke(org, org.by_id[subject.user_id], client_id)
        return json_response({})

    def userinfo(self, request: Request) -> Response:
        """`GET /v1/userinfo`."""
        with self._world.lock:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            entry = self._tokens.bearer(token) if scheme.lower() == "bearer" else None
            if entry is None or "openid" not in entry.scopes:
                raise OAuthError("invalid_request", "Invalid Credentials", 401)
            subject = entry.subject
            answer: dict[str, Any] = {"sub": subject.user_id, "email": subject.email, "email_verified": True}
            found = self._world.locate(subject.user_id)
            if found is not None:
                org, user = found
                answer |= {"hd": org.domain, "given_name": user.given, "family_name": user.family}
                answer["name"] = f"{user.given} {user.family}"
            return json_response(answer)

    def tokeninfo(self, request: Request) -> Response:
        """`GET /tokeninfo`."""
        with self._world.lock:
            entry = self._tokens.bearer(request.query.get("access_token", ""))
            if entry is None:
                raise OAuthError("invalid_token", "Invalid Value")
            left = int(entry.expires_at - self._world.clock.now())
            return json_response(
                {
                    "azp": entry.client_id,
                    "aud": entry.client_id,
                    "sub": entry.subject.user_id,
                    "scope": " ".join(sorted(entry.scopes)),
                    "expires_in": str(left),
                    "email": entry.subject.email,
                    "email_verified": "true",
                    "access_type": "offline",
                }
            )

    def certs(self, request: Request) -> Response:
        """`GET /oauth2/v3/certs`."""
        return json_response(self._signer.jwks(), headers={"Cache-Control": "public, max-age=19845"})

    def _domain(self, subject: Subject) -> str | None:
        return self._world.orgs[subject.customer_id].domain if subject.customer_id else None

    def _changed(self, subject: Subject) -> None:
        if subject.customer_id is not None:
            self._world.touch(self._world.orgs[subject.customer_id])


def _verify_pkce(code: Code, verifier: str) -> None:
    """RFC 7636 section 4.6."""
    if not code.challenge:
        return
    if not verifier:
        raise OAuthError("invalid_grant", "Missing code verifier.")
    proof = verifier
    if code.method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not hmac.compare_digest(proof.encode(), code.challenge.encode()):
        raise OAuthError("invalid_grant", "Invalid code verifier.")
