"""Codes and access tokens, and whom they speak for."""

import secrets
from dataclasses import dataclass
from typing import Any

import jwt

from tests.simulators.google.clock import Clock
from tests.simulators.google.identity import Signer

ACCESS_S = 3599
CODE_S = 600
GRAPH = "https://graph.microsoft.com"


@dataclass(slots=True)
class Code:
    """An authorization code, good for one exchange."""

    tenant: str
    user_id: str
    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str
    expires_at: float
    used: bool = False


@dataclass(slots=True)
class Access:
    """An app-only access token."""

    tenant: str
    client_id: str
    roles: frozenset[str]
    expires_at: float


class TokenStore:
    """Everything the sign-in endpoints issued. The world's lock guards it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.signer = Signer()
        self.codes: dict[str, Code] = {}
        self.access: dict[str, Access] = {}
        self.forge: dict[str, Any] = {}
        """Claims that replace the true ones in every token, for tests of those who check them."""

    def issue(self, tenant: str, client_id: str, roles: frozenset[str]) -> str:
        """An app-only token."""
        now = self._clock.now()
        claims = {
            "aud": GRAPH,
            "iss": f"https://sts.windows.net/{tenant}/",
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now) + ACCESS_S,
            "appid": client_id,
            "idtyp": "app",
            "tid": tenant,
            "roles": sorted(roles),
            "uti": secrets.token_urlsafe(12),
        }
        token = self._signed({**claims, **self.forge.get("access", {})})
        self.access[token] = Access(tenant, client_id, roles, now + ACCESS_S)
        return token

    def id_token(self, code: Code, user: dict[str, Any], wids: list[str]) -> str:
        """A statement of who signed in."""
        now = self._clock.now()
        claims = {
            "aud": code.client_id,
            "iss": f"https://login.microsoftonline.com/{code.tenant}/v2.0",
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now) + 3600,
            "sub": secrets.token_urlsafe(24),
            "oid": user["id"],
            "tid": code.tenant,
            "preferred_username": user["userPrincipalName"],
            "email": user["mail"],
            "name": user["displayName"],
            "nonce": code.nonce,
            "ver": "2.0",
            **({"wids": wids} if wids else {}),
        }
        return self._signed({**claims, **self.forge.get("id", {})})

    def _signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.signer.key, "RS256", headers={"kid": self.signer.kid})

    def bearer(self, token: str) -> Access | None:
        """A live access token."""
        found = self.access.get(token)
        return found if found is not None and found.expires_at > self._clock.now() else None
