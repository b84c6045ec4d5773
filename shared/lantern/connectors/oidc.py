"""OpenID Connect: the provider's signing keys, and id tokens verified against them.

Rules from OpenID Connect Core section 3.1.3.7 (validation of id tokens) and RFC 7517 (key sets).
"""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from lantern.connectors.calls import Request
from lantern.connectors.halt import within
from lantern.connectors.http import HttpClient
from lantern.connectors.protocol import Clock
from lantern.connectors.resolution import CallError, ErrorResolution

_PATIENCE_S: Final = 20.0  # a browser is waiting, and API Gateway gives up after 29 seconds
_KEYS_EVERY_S: Final = 60.0  # a flood of unknown key ids fetches the key set once a minute
_LEEWAY_S: Final = 60


class KeySet:
    """A provider's public signing keys, fetched when an unknown one is named, at most once a minute."""

    def __init__(self, http: HttpClient, address: str, clock: Clock) -> None:
        self._http = http
        self._address = address
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, Mapping[str, Any]] = {}
        self._fetched_at = float("-inf")

    def find(self, kid: object) -> Mapping[str, Any] | None:
        """The RSA signing key of this id."""
        with self._lock:
            now = self._clock.monotonic()
            if kid not in self._keys and now - self._fetched_at >= _KEYS_EVERY_S:
                body = self._http.call(
                    Request("GET", self._address, authorised=False), within(self._clock, _PATIENCE_S)
                ).body
                self._fetched_at = now
                rows = body.get("keys", []) if isinstance(body, dict) else []
                self._keys = {
                    row["kid"]: row
                    for row in rows
                    if isinstance(row, dict) and isinstance(row.get("kid"), str) and row.get("kty") == "RSA"
                }
            return self._keys.get(kid) if isinstance(kid, str) else None


def verified_claims(
    text: str,
    keys: KeySet,
    *,
    audience: str,
    nonce: str,
    now: datetime,
    issued_by: Callable[[Mapping[str, Any]], bool],
    unproven: ErrorResolution,
) -> Mapping[str, Any]:
    """The claims of an id token that holds in every respect.

    Args:
        text: the token as it came.
        keys: the provider's keys.
        audience: our client id.
        nonce: what was sent along with the request.
        now: the time.
        issued_by: whether the claims name the provider as their issuer.
        unproven: what a token that does not hold is called.

    Raises:
        CallError: `unproven`, with what is wrong in the detail.
    """
    # PyJWT brings cryptography: only onboarding pays for it.
    import jwt

    try:
        head = jwt.get_unverified_header(text)
        key = keys.find(head.get("kid")) if head.get("alg") == "RS256" else None
        if key is None:
            raise CallError(unproven, detail="id token: unknown key or algorithm")
        claims: dict[str, Any] = jwt.decode(
            text,
            jwt.PyJWK(dict(key), algorithm="RS256"),
            algorithms=["RS256"],
            audience=audience,
            options={
                "require": ["exp", "iat", "iss", "aud", "sub"],
                # The injected clock decides, below.
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.PyJWTError as error:
        raise CallError(unproven, detail=f"id token: {type(error).__name__}") from None
    wrong = _wrong(claims, nonce, now.timestamp())
    if wrong is None and not issued_by(claims):
        wrong = "issuer"
    if wrong is not None:
        raise CallError(unproven, detail=f"id token: {wrong}")
    return claims


def _wrong(claims: Mapping[str, Any], nonce: str, now: float) -> str | None:
    expires, issued, begins = claims["exp"], claims["iat"], claims.get("nbf", claims["iat"])
    checks = (
        (isinstance(expires, int | float) and expires + _LEEWAY_S > now, "expiry"),
        (isinstance(issued, int | float) and issued <= now + _LEEWAY_S, "issue time"),
        (isinstance(begins, int | float) and begins <= now + _LEEWAY_S, "issue time"),
        (claims.get("nonce") == nonce, "nonce"),
        (isinstance(claims["sub"], str) and bool(claims["sub"]), "subject"),
        (not (isinstance(claims["aud"], list) and len(claims["aud"]) > 1), "audience"),
    )
    return next((name for holds, name in checks if not holds), None)
