"""What opens an Okta connection: where it is, and a client's key or a token. One JSON text, kept sealed."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from lantern.domain.errors import InvalidInputError

KEY_FIELD: Final = "private_key"
LIMIT: Final = 4000
_LEAST_RSA_BITS: Final = 2048
_CURVES: Final = {256: "ES256", 384: "ES384", 521: "ES512"}
_KEY_REMEDY: Final = (
    "paste the private key that you created in Okta: a JWK that has the member d, or an unencrypted PEM; "
    "RSA of at least 2048 bits or an elliptic curve"
)


@dataclass(frozen=True, slots=True)
class OrgSecret:
    """The parts of `Credentials.secret`: a client with its private key (JWK or PEM text), or a token."""

    address: str
    client_id: str = ""
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def dump(self) -> str:
        """As JSON text of at most 4,000 bytes.

        Raises:
            InvalidInputError: the key is longer than any that Okta takes.
        """
        value = {"v": 1, "address": self.address}
        value |= {"token": self.token} if self.token else {"client_id": self.client_id, "key": self.key}
        text = json.dumps(value, separators=(",", ":"))
        if len(text.encode()) > LIMIT:
            raise InvalidInputError(KEY_FIELD, _KEY_REMEDY)
        return text


def load(text: str) -> OrgSecret:
    """The secret in a text of `OrgSecret.dump`.

    Raises:
        ValueError: it is none.
    """
    value = json.loads(text)
    if not isinstance(value, dict) or value.get("v") != 1:
        raise ValueError("not the secret of an Okta connection")
    return OrgSecret(
        value["address"], value.get("client_id", ""), value.get("key", ""), value.get("token", "")
    )


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key ready to sign with (algorithm as in RFC 7518); `kid` as Okta knows it, if named."""

    algorithm: str
    key: Any = field(repr=False)
    kid: str | None = None


def signing_key(text: str) -> SigningKey:
    """The private key in a JWK or PEM text.

    Raises:
        InvalidInputError: it is none that Okta accepts: a public or encrypted key, a short one, another kind.
    """
    # PyJWT brings cryptography: connections by API token do without.
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        key, kid = _from_jwk(text) if text.lstrip().startswith("{") else (_from_pem(text), None)
    except Exception:
        # Any parser's complaint may quote the key.
        raise InvalidInputError(KEY_FIELD, _KEY_REMEDY) from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _LEAST_RSA_BITS:
        return SigningKey("RS256", key, kid)
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in {
        "secp256r1",
        "secp384r1",
        "secp521r1",
    }:
        return SigningKey(_CURVES[key.curve.key_size], key, kid)
    raise InvalidInputError(KEY_FIELD, _KEY_REMEDY)


def _from_pem(text: str) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    # Browsers send line ends as CRLF; a text field may have turned them into spaces.
    return load_pem_private_key(_lines(text).encode("ascii"), password=None)


def _lines(text: str) -> str:
    """A PEM with its line ends restored."""
    head, dashes, rest = text.strip().partition("-----")
    label, _, body = rest.partition("-----")
    body, _, _ = body.partition("-----")
    if head or not dashes:
        return text
    return (
        f"-----{label}-----\n" + "\n".join(body.split()) + f"\n-----END {label.removeprefix('BEGIN ')}-----\n"
    )


def _from_jwk(text: str) -> tuple[Any, str | None]:
    from jwt import PyJWK

    value = json.loads(text)
    if "keys" in value:  # a key set with the one key in it, as Okta's generator shows it
        (value,) = value["keys"]
    key = PyJWK(value, algorithm=None if value.get("kty") == "EC" else "RS256").key
    kid = value.get("kid")
    return key, kid if isinstance(kid, str) and kid else None
