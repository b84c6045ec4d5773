"""OpenID Connect: the signing key, id tokens, the key set and the discovery document."""

import base64
import hashlib
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .tokens import Subject

ISSUER = "https://accounts.google.com"


@cache
def _process_key() -> rsa.RSAPrivateKey:
    """One key for all simulators of a process: making one takes a quarter of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Signer:
    """Signs id tokens with an RSA key that is made when first needed."""

    def __init__(self) -> None:
        self._key: rsa.RSAPrivateKey | None = None

    @property
    def key(self) -> rsa.RSAPrivateKey:
        """The private key."""
        if self._key is None:
            self._key = _process_key()
        return self._key

    @property
    def kid(self) -> str:
        """The key's id."""
        numbers = self.key.public_key().public_numbers()
        return hashlib.sha256(str(numbers.n).encode()).hexdigest()[:40]

    def pem(self) -> str | None:
        """The private key for keeping, if there is one yet."""
        if self._key is None:
            return None
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self._key.private_bytes(encoding, form, serialization.NoEncryption()).decode()

    def load(self, pem: str | None) -> None:
        """Take up a kept key."""
        if pem is not None:
            key = serialization.load_pem_private_key(pem.encode(), None)
            assert isinstance(key, rsa.RSAPrivateKey)
            self._key = key

    def jwks(self) -> dict[str, Any]:
        """The public key set."""
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        jwk.pop("key_ops", None)
        return {"keys": [{**jwk, "kid": self.kid, "alg": "RS256", "use": "sig"}]}

    def id_token(
        self, subject: Subject, domain: str | None, audience: str, now: float, nonce: str, access_token: str
    ) -> str:
        """An id token; `hd` is present for Workspace accounts only."""
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "azp": audience,
            "aud": audience,
            "sub": subject.user_id,
            "email": subject.email,
            "email_verified": True,
            "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
            "iat": int(now),
            "exp": int(now) + 3600,
        }
        if domain is not None:
            claims["hd"] = domain
        if nonce:
            claims["nonce"] = nonce
        return jwt.encode(claims, self.key, "RS256", headers={"kid": self.kid})


def openid_configuration(base_url: str) -> dict[str, Any]:
    """Google's OpenID discovery document, with this server's addresses."""
    return {
        "issuer": ISSUER,
        "authorization_endpoint": f"{base_url}/o/oauth2/v2/auth",
        "token_endpoint": f"{base_url}/token",
        "userinfo_endpoint": f"{base_url}/v1/userinfo",
        "revocation_endpoint": f"{base_url}/revoke",
        "jwks_uri": f"{base_url}/oauth2/v3/certs",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "code_challenge_methods_supported": ["plain", "S256"],
    }
