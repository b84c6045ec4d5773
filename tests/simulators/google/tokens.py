"""Codes, access tokens and refresh tokens, and who they speak for."""

import secrets
from dataclasses import dataclass

from .clock import Clock
from .model import OAuthClient, ServiceAccount

ACCESS_TOKEN_S = 3599
CODE_S = 600


@dataclass(slots=True, frozen=True)
class Subject:
    """A person who consented; `customer_id` is None for a consumer account."""

    user_id: str
    email: str
    customer_id: str | None


@dataclass(slots=True)
class Code:
    """An authorization code, good for one exchange."""

    subject: Subject
    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str
    method: str
    nonce: str
    offline: bool
    expires_at: float
    used: bool = False
    refresh_token: str | None = None


@dataclass(slots=True)
class AccessToken:
    """A bearer token."""

    subject: Subject
    client_id: str
    scopes: frozenset[str]
    expires_at: float

    @property
    def project(self) -> str:
        """The Cloud project that pays the quota."""
        return self.client_id.split("-", 1)[0]


@dataclass(slots=True)
class RefreshToken:
    """A refresh token."""

    subject: Subject
    client_id: str
    scopes: tuple[str, ...]


class TokenStore:
    """Everything the OAuth endpoints issued. The world's lock guards it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.clients: dict[str, OAuthClient] = {}
        self.service_accounts: dict[str, ServiceAccount] = {}
        self.codes: dict[str, Code] = {}
        self.access: dict[str, AccessToken] = {}
        self.refresh: dict[str, RefreshToken] = {}
        self.consented: set[tuple[str, str]] = set()

    def issue_access(self, subject: Subject, client_id: str, scopes: tuple[str, ...]) -> str:
        """A new access token."""
        token = f"ya29.{secrets.token_urlsafe(96)}"
        expires = self._clock.now() + ACCESS_TOKEN_S
        self.access[token] = AccessToken(subject, client_id, frozenset(scopes), expires)
        return token

    def issue_refresh(self, subject: Subject, client_id: str, scopes: tuple[str, ...]) -> str:
        """A new refresh token."""
        token = f"1//{secrets.token_urlsafe(48)}"
        self.refresh[token] = RefreshToken(subject, client_id, scopes)
        return token

    def bearer(self, token: str) -> AccessToken | None:
        """A live access token."""
        found = self.access.get(token)
        return found if found is not None and found.expires_at > self._clock.now() else None

    def end_refresh(self, user_id: str, client_id: str | None = None) -> int:
        """End a user's refresh tokens (of one client); access tokens live out. Returns how many."""
        doomed = [
            token
            for token, entry in self.refresh.items()
            if entry.subject.user_id == user_id and client_id in (None, entry.client_id)
        ]
        for token in doomed:
            del self.refresh[token]
        self.consented = {
            pair for pair in self.consented if pair[0] != user_id or client_id not in (None, pair[1])
        }
        return len(doomed)

    def end_access(self, user_id: str, client_id: str | None = None) -> None:
        """End a user's access tokens (of one client) at once."""
        self.access = {
            token: entry
            for token, entry in self.access.items()
            if entry.subject.user_id != user_id or client_id not in (None, entry.client_id)
        }
