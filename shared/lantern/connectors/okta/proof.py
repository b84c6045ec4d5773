"""Signed statements: who our client is (RFC 7523), and that we hold the token we use (RFC 9449, DPoP)."""

import base64
import hashlib
import secrets
import threading
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from lantern.connectors.okta.secret import SigningKey
from lantern.connectors.protocol import Clock

_ASSERTION_S: Final = 300  # Okta allows an hour; one use takes a second


def assertion(client_id: str, key: SigningKey, audience: str, clock: Clock) -> str:
    """The `client_assertion` of a token request; good once, for five minutes."""
    import jwt

    now = int(clock.now().timestamp())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": now,
        "exp": now + _ASSERTION_S,
        "jti": secrets.token_urlsafe(16),
    }
    return jwt.encode(claims, key.key, algorithm=key.algorithm, headers={"kid": key.kid} if key.kid else None)


class Prover:
    """Makes DPoP proofs with a key of its own, which lives as long as the connector; safe for threads.

    Servers may hand out nonces, which the next proof for the same host and purpose carries.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._nonces: dict[str, str] = {}
        self._key: Any = None
        self._jwk: Mapping[str, Any] = {}

    def proof(self, method: str, url: str, *, token: str | None = None) -> str:
        """A proof for one call; with the token it goes with, except at the token endpoint."""
        import jwt

        key, jwk = self._keys()
        purpose = "api" if token else "token"
        claims: dict[str, Any] = {
            "htm": method,
            "htu": target(url),
            "iat": int(self._clock.now().timestamp()),
            "jti": secrets.token_urlsafe(16),
        }
        if token:
            claims["ath"] = hash_of(token)
        with self._lock:
            nonce = self._nonces.get(purpose)
        if nonce:
            claims["nonce"] = nonce
        return jwt.encode(claims, key, algorithm="ES256", headers={"typ": "dpop+jwt", "jwk": jwk})

    def heard(self, headers: Mapping[str, str], *, purpose: str) -> None:
        """Keep the nonce of an answer, if it brought one."""
        nonce = headers.get("DPoP-Nonce")
        if nonce:
            with self._lock:
                self._nonces[purpose] = nonce

    def _keys(self) -> tuple[Any, Mapping[str, Any]]:
        with self._lock:
            if self._key is None:
                from cryptography.hazmat.primitives.asymmetric import ec
                from jwt.algorithms import ECAlgorithm

                self._key = ec.generate_private_key(ec.SECP256R1())
                self._jwk = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
            return self._key, self._jwk


def target(url: str) -> str:
    """`htu`: the address without query and fragment (RFC 9449 section 4.2)."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


def hash_of(token: str) -> str:
    """`ath`: base64url of the token's SHA-256, without padding."""
    digest = hashlib.sha256(token.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
