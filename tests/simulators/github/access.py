"""Who is calling and what they may: the app's statements, tokens, permissions, rate limits."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt

from tests.simulators.google.clock import Clock
from tests.simulators.google.wire import Request, Response

from .wire import DOCS, LIMITS, GithubError

HOUR = 3600
VERSIONS = frozenset({"2022-11-28"})
AHEAD_S = 600
LEVELS = {"read": 1, "write": 2, "admin": 3}


@dataclass(slots=True)
class Token:
    """A token of an installation, or of a person (then `user_id`)."""

    text: str
    installation_id: int
    expires_at: float
    permissions: dict[str, str] = field(default_factory=dict)
    user_id: int | None = None


@dataclass(slots=True)
class RateSettings:
    """Limits: so many requests an hour; `secondary` of the next requests are refused by the secondary limit.

    `secondary_hint` says whether that refusal names the seconds to wait.
    """

    per_hour: int = 5000
    enabled: bool = True
    secondary: int = 0
    secondary_hint: int | None = 7


class Rates:
    """The primary limit: a counter for each token holder that starts anew every hour."""

    def __init__(self, clock: Clock) -> None:
        self.settings = RateSettings()
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}

    def spend(self, key: str) -> dict[str, str]:
        """Count one request; the headers of its answer."""
        settings = self.settings
        with self._lock:
            now = self._clock.now()
            if settings.secondary:
                settings.secondary -= 1
                hint = settings.secondary_hint
                raise GithubError(
                    403,
                    "You have exceeded a secondary rate limit. Please wait a few minutes.",
                    page=f"{LIMITS}#about-secondary-rate-limits",
                    reason="quota",
                    headers={} if hint is None else {"Retry-After": str(hint)},
                )
            reset, used = self._windows.get(key, (0.0, 0))
            if now >= reset:
                reset, used = now + HOUR, 0
            left = settings.per_hour - used
            headers = {
                "X-RateLimit-Limit": str(settings.per_hour),
                "X-RateLimit-Remaining": str(max(0, left - 1)),
                "X-RateLimit-Reset": str(int(reset)),
                "X-RateLimit-Used": str(used + 1),
                "X-RateLimit-Resource": "core",
            }
            if left <= 0 and settings.enabled:
                raise GithubError(
                    403, f"API rate limit exceeded for {key}.", page=LIMITS, reason="quota", headers=headers
                )
            self._windows[key] = (reset, used + 1)
            return headers


class Access:
    """Checks callers. `key` is the public key of our app."""

    def __init__(self, clock: Clock, rates: Rates, app: Any, key: Any, alive: Callable[[int], bool]) -> None:
        self.clock = clock
        self.rates = rates
        self.access: dict[str, Token] = {}
        self.unversioned = 0
        self._app = app
        self._key = key
        self._alive = alive

    def issue(self, kind: str, installation_id: int, life: float, **more: Any) -> Token:
        """A fresh token."""
        token = Token(f"{kind}_{secrets.token_hex(18)}", installation_id, self.clock.now() + life, **more)
        self.access[token.text] = token
        return token

    def app(self, handler: Callable[..., Response]) -> Callable[..., Response]:
        """A handler for our app's own statements."""

        def guarded(request: Request, *parts: str) -> Response:
            self._version(request)
            self._statement(_bearer(request))
            headers = self.rates.spend("app")
            response = handler(request, *parts)
            response.headers.update(headers)
            return response

        return guarded

    def token(
        self, handler: Callable[..., Response], *needs: tuple[str, str], person: bool = False
    ) -> Callable[..., Response]:
        """A handler for tokens with one of these permissions; `person` for tokens of people only."""
        named = "; ".join(f"{name}={level}" for name, level in needs)

        def guarded(request: Request, *parts: str) -> Response:
            self._version(request)
            token = self.access.get(_bearer(request))
            if token is None or token.expires_at <= self.clock.now() or not self._living(token):
                raise GithubError(401, "Bad credentials")
            headers = self.rates.spend(f"installation ID {token.installation_id}/{token.user_id}")
            if named:
                headers["X-Accepted-GitHub-Permissions"] = named
            if person and token.user_id is None:
                raise _inaccessible(headers)
            if needs and not any(_holds(token.permissions, name, level) for name, level in needs):
                raise _inaccessible(headers)
            response = handler(request, token, *parts)
            response.headers.update(headers)
            return response

        return guarded

    def _living(self, token: Token) -> bool:
        return token.user_id is not None or self._alive(token.installation_id)

    def _statement(self, text: str) -> None:
        now = self.clock.now()
        try:
            claims = jwt.decode(
                text,
                self._key,
                algorithms=["RS256"],
                options={
                    "require": ["exp", "iat", "iss"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_iss": False,
                },
            )
        except jwt.PyJWTError:
            raise GithubError(401, "A JSON web token could not be decoded") from None
        if str(claims["iss"]) not in (str(self._app.app_id), self._app.client_id):
            raise GithubError(401, "'Issuer' claim ('iss') must be an Integer of the app id")
        if claims["exp"] <= now:
            raise GithubError(401, "'Expiration time' claim ('exp') must be in the future")
        if claims["exp"] > now + AHEAD_S:
            raise GithubError(401, "'Expiration time' claim ('exp') is too far in the future")
        if claims["iat"] > now:
            raise GithubError(401, "'Issued at' claim ('iat') must be in the past")

    def _version(self, request: Request) -> None:
        version = request.headers.get("x-github-api-version")
        if version is None:
            self.unversioned += 1
        elif version not in VERSIONS:
            raise GithubError(400, f"{version} is not a supported version")


def _inaccessible(headers: dict[str, str]) -> GithubError:
    page = f"{DOCS}/orgs/orgs#what-was-asked-for"
    return GithubError(403, "Resource not accessible by integration", page=page, headers=headers)


def _bearer(request: Request) -> str:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    return text if scheme.lower() in ("bearer", "token") else ""


def _holds(permissions: dict[str, str], name: str, level: str) -> bool:
    return LEVELS.get(permissions.get(name, ""), 0) >= LEVELS[level]
