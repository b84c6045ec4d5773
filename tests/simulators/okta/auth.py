"""Who calls: clients that prove their key (RFC 7523) and hold a token (RFC 9449), and API tokens.

Two gates stand before every call: the scope that the client was granted, and the administrator role it (or
the owner of the API token) has.
"""

import base64
import hashlib
import json
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

import jwt

from tests.simulators.google.clock import Clock
from tests.simulators.google.wire import Request, Response, json_response

from .model import App, State
from .wire import OAuthRefusedError, OktaError, forbidden

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SKEW_S = 300
_ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
# Roles that may read everything, and change things.
READERS = {"SUPER_ADMIN", "ORG_ADMIN", "READ_ONLY_ADMIN"}
WRITERS = {"SUPER_ADMIN", "ORG_ADMIN"}


@dataclass(slots=True)
class Issued:
    client_id: str
    scopes: frozenset[str]
    jkt: str | None
    expires_at: float


@dataclass(slots=True)
class Auth:
    """The token endpoint and the gates. `nonces` says where proofs must carry one."""

    state: State
    clock: Clock
    base_url: str = ""
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    token_nonce: bool = True
    api_nonce: bool = False
    issued: dict[str, Issued] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)
    _lock: Any = field(default_factory=threading.Lock)

    def token(self, request: Request) -> Response:
        """`POST /oauth2/v1/token`."""
        form = request.form()
        if form.get("grant_type") != "client_credentials":
            raise OAuthRefusedError(400, "unsupported_grant_type", "The grant type is not supported.")
        app = self._client(form, request.path)
        proof = request.headers.get("dpop")
        if proof is None and app.dpop:
            raise OAuthRefusedError(400, "invalid_dpop_proof", "The DPoP proof JWT header is missing.")
        jkt = self._proof(proof, request, token=None, nonce=self.token_nonce) if proof and app.dpop else None
        wanted = frozenset(form.get("scope", "").split())
        if not wanted:
            raise OAuthRefusedError(
                400, "invalid_scope", "The authorization server resource has no default scopes."
            )
        if not wanted <= set(app.grants.values()):
            raise OAuthRefusedError(
                400,
                "invalid_scope",
                "One or more scopes are not configured for the authorization server resource.",
            )
        value = secrets.token_urlsafe(32)
        with self._lock:
            self.issued[value] = Issued(app.client_id, wanted, jkt, self.clock.now() + 3600)
        body = {
            "token_type": "DPoP" if jkt else "Bearer",
            "expires_in": 3600,
            "access_token": value,
            "scope": " ".join(sorted(wanted)),
        }
        return json_response(body, headers={"Cache-Control": "no-store"})

    def revoke(self, request: Request) -> Response:
        """`POST /oauth2/v1/revoke` (RFC 7009)."""
        form = request.form()
        self._client(form, request.path)
        with self._lock:
            self.issued.pop(form.get("token", ""), None)
        return Response(200)

    def admit(self, request: Request, scope: str) -> str:
        """Let a call in: the user id of an API token's owner, or the client id.

        Raises:
            OktaError: whoever calls may not.
        """
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme == "SSWS":
            return self._admit_owner(value, scope)
        with self._lock:
            issued = self.issued.get(value)
        if issued is None or issued.expires_at <= self.clock.now() or scheme not in ("DPoP", "Bearer"):
            raise OktaError(
                401, "E0000011", headers={"WWW-Authenticate": f'{scheme or "Bearer"} error="invalid_token"'}
            )
        app = next(a for a in self.state.apps.values() if a.client_id == issued.client_id)
        if app.status != "ACTIVE":
            raise OktaError(401, "E0000011")
        if issued.jkt:
            proof = request.headers.get("dpop")
            if scheme != "DPoP" or proof is None:
                raise OAuthRefusedError(400, "invalid_dpop_proof", "The DPoP proof JWT header is missing.")
            if self._proof(proof, request, token=value, nonce=self.api_nonce) != issued.jkt:
                raise OAuthRefusedError(
                    400, "invalid_dpop_proof", "The proof is of another key than the token."
                )
        elif scheme != "Bearer":
            raise OktaError(401, "E0000011")
        # Who may manage may read.
        if not {scope, scope.replace(".read", ".manage")} & issued.scopes:
            raise OktaError(
                403,
                "E0000006",
                headers={"WWW-Authenticate": f'{scheme} error="insufficient_scope", scope="{scope}"'},
            )
        _role(app.role, scope)
        return app.client_id

    def _admit_owner(self, value: str, scope: str) -> str:
        token = self.state.api_tokens.get(self.state.token_values.get(value, ""))
        owner = self.state.users.get(token["userId"]) if token else None
        if token is None or owner is None or owner.status != "ACTIVE":
            raise OktaError(401, "E0000011")
        token["lastUpdated"] = self.clock.now()
        _role(owner.role, scope)
        return owner.id

    def _client(self, form: dict[str, str], path: str) -> App:
        try:
            assertion = form["client_assertion"]
            claimed = jwt.decode(assertion, options={"verify_signature": False})["sub"]
            app = next(a for a in self.state.apps.values() if a.client_id == claimed and a.public_keys)
            kid = jwt.get_unverified_header(assertion).get("kid")
            key = next(k for k in app.public_keys if kid is None or k.get("kid") in (None, kid))
            claims = jwt.decode(
                assertion,
                jwt.PyJWK(key, algorithm=None if key["kty"] == "EC" else "RS256").key,
                algorithms=_ALGORITHMS,
                audience=self.base_url + path,
                options={"verify_exp": False, "verify_iat": False, "require": ["exp", "iss", "sub", "aud"]},
            )
        except (KeyError, StopIteration, jwt.PyJWTError):
            raise OAuthRefusedError(401, "invalid_client", "The client_assertion is invalid.") from None
        now = self.clock.now()
        if form.get("client_assertion_type") != _ASSERTION or claims["iss"] != claimed:
            raise OAuthRefusedError(401, "invalid_client", "The client_assertion is invalid.")
        if not now < claims["exp"] <= now + 3600 + _SKEW_S:
            raise OAuthRefusedError(
                401, "invalid_client", "The client_assertion token has an expiration out of range."
            )
        self._once(
            claims.get("jti"),
            OAuthRefusedError(401, "invalid_client", "The client_assertion was used before."),
        )
        if app.status != "ACTIVE":
            raise OAuthRefusedError(401, "invalid_client", "The client is not active.")
        return app

    def _proof(self, text: str, request: Request, *, token: str | None, nonce: bool) -> str:
        """Check a proof; the thumbprint of its key (RFC 7638)."""
        try:
            head = jwt.get_unverified_header(text)
            key = head["jwk"]
            if head.get("typ") != "dpop+jwt" or head.get("alg") not in _ALGORITHMS or "d" in key:
                raise KeyError("header")
            claims: dict[str, Any] = jwt.decode(
                text,
                jwt.PyJWK(key, algorithm=head["alg"]).key,
                algorithms=[head["alg"]],
                options={"verify_iat": False, "verify_exp": False, "require": ["htm", "htu", "iat", "jti"]},
            )
            wrong = (
                claims["htm"] != request.method,
                claims["htu"] != self.base_url + request.path,
                abs(self.clock.now() - claims["iat"]) > _SKEW_S,
                token is not None and claims.get("ath") != _b64(hashlib.sha256(token.encode()).digest()),
            )
            if any(wrong):
                raise KeyError(wrong)
        except (KeyError, jwt.PyJWTError) as error:
            raise OAuthRefusedError(
                400, "invalid_dpop_proof", f"The DPoP proof is invalid: {error}."
            ) from None
        if nonce and claims.get("nonce") != self.nonce:
            raise OAuthRefusedError(
                400,
                "use_dpop_nonce",
                "Authorization server requires nonce in DPoP proof.",
                headers={"DPoP-Nonce": self.nonce},
            )
        self._once(
            claims["jti"], OAuthRefusedError(400, "invalid_dpop_proof", "The DPoP proof was used before.")
        )
        return thumbprint(key)

    def _once(self, jti: str | None, refusal: Exception) -> None:
        with self._lock:
            if jti is not None and jti in self._used:
                raise refusal
            if jti is not None:
                self._used.add(jti)


def _role(role: str | None, scope: str) -> None:
    needed = WRITERS if scope.endswith(".manage") else READERS
    if role not in needed:
        raise forbidden()


def thumbprint(key: dict[str, Any]) -> str:
    """RFC 7638."""
    members = ("crv", "kty", "x", "y") if key["kty"] == "EC" else ("e", "kty", "n")
    text = json.dumps({name: key[name] for name in members}, separators=(",", ":"), sort_keys=True)
    return _b64(hashlib.sha256(text.encode()).digest())


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
