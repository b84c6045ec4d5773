"""What every Admin SDK call passes first: bearer token, scope, administrator privilege, quota, latency."""

import random
from dataclasses import dataclass

from .model import User
from .organisation import Organisation
from .quota import Quotas
from .scopes import METHOD_SCOPES, PRIVILEGES
from .tokens import AccessToken, TokenStore
from .wire import ApiError, Request, not_authorized
from .world import World


@dataclass(slots=True, frozen=True)
class Caller:
    """Who calls: an administrator of an organisation, through a client."""

    org: Organisation
    user: User
    token: AccessToken


@dataclass(slots=True)
class ServiceTime:
    """How long a served call takes, in seconds at scale 1; drawn evenly between the two."""

    low_s: float = 0.0
    high_s: float = 0.0


class Gate:
    """Admits calls."""

    def __init__(self, world: World, tokens: TokenStore, quotas: Quotas, seed: int = 0) -> None:
        self._world = world
        self._tokens = tokens
        self._quotas = quotas
        self._rng = random.Random(seed)
        self.service_time = ServiceTime()

    def admit(self, request: Request, method: str, *, filtered: bool = False, quota: str = "") -> Caller:
        """The caller of `method`; an `ApiError` 401, 403, 429 or 503 when refused."""
        with self._world.lock:
            token = self._bearer(request)
            if not token.scopes & METHOD_SCOPES[method]:
                raise _insufficient(method)
        self._quotas.spend((token.project, token.subject.user_id), filtered=filtered, quota=quota)
        self._work()
        with self._world.lock:
            customer = token.subject.customer_id
            if customer is None:
                raise not_authorized()
            org = self._world.orgs[customer]
            user = org.by_id[token.subject.user_id]
            if method in PRIVILEGES and not user.may(PRIVILEGES[method]):
                raise not_authorized()
        return Caller(org, user, token)

    def _bearer(self, request: Request) -> AccessToken:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        found = self._tokens.bearer(text.strip()) if scheme.lower() == "bearer" else None
        if found is not None and found.subject.customer_id is not None:
            user = self._world.orgs[found.subject.customer_id].by_id[found.subject.user_id]
            found = found if user.can_sign_in else None
        if found is None:
            raise _unauthenticated(missing=not text)
        return found

    def _work(self) -> None:
        time = self.service_time
        if time.high_s > 0:
            seconds = self._rng.uniform(time.low_s, time.high_s) / self._quotas.settings.time_scale
            self._world.clock.sleep(seconds)


def _unauthenticated(*, missing: bool) -> ApiError:
    message = (
        "Request is missing required authentication credential. Expected OAuth 2 access token."
        if missing
        else "Request had invalid authentication credentials. Expected OAuth 2 access token."
    )
    challenge = 'Bearer realm="https://accounts.google.com/"' + ("" if missing else ', error="invalid_token"')
    return ApiError(
        401,
        "required" if missing else "authError",
        message,
        rpc=True,
        headers={"WWW-Authenticate": challenge},
        extra={"location": "Authorization", "locationType": "header"},
    )


def _insufficient(method: str) -> ApiError:
    wanted = " ".join(sorted(METHOD_SCOPES[method]))
    challenge = f'Bearer realm="https://accounts.google.com/", error="insufficient_scope", scope="{wanted}"'
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        "domain": "googleapis.com",
        "metadata": {"service": "admin.googleapis.com"},
    }
    return ApiError(
        403,
        "insufficientPermissions",
        "Request had insufficient authentication scopes.",
        rpc=True,
        headers={"WWW-Authenticate": challenge},
        details=[info],
    )
