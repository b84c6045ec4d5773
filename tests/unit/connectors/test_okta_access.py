"""What an administrator enters, and what is signed with it."""

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from lantern.connectors.okta import address, secret
from lantern.connectors.okta.proof import Prover, assertion
from lantern.connectors.okta.secret import OrgSecret, signing_key
from lantern.domain.errors import InvalidInputError


@pytest.mark.parametrize(
    ("entered", "host"),
    [
        ("acme.okta.com", "acme.okta.com"),
        (" https://ACME.okta.com/ ", "acme.okta.com"),
        ("acme-admin.okta.com", "acme.okta.com"),
        ("acme.okta-emea.com", "acme.okta-emea.com"),
        ("acme.oktapreview.com", "acme.oktapreview.com"),
        ("login.acme.com", "login.acme.com"),
        ("id.xn--bcher-kva.example.org", "id.xn--bcher-kva.example.org"),
    ],
)
def test_a_public_host_name_is_taken(entered: str, host: str) -> None:
    assert address.host(entered) == host


@pytest.mark.parametrize(
    "entered",
    [
        *(
            "",
            "acme",
            "localhost",
            "localhost.localdomain",
            "127.0.0.1",
            "169.254.169.254",
            "10.0.0.1",
            "[::1]",
        ),
        *(
            "2130706433",
            "0x7f.1",
            "127.1",
            "acme.okta.com:8443",
            "http://acme.okta.com",
            "ftp://acme.okta.com",
        ),
        *(
            "https://acme.okta.com/api",
            "https://u:p@acme.okta.com",
            "acme.okta.com@evil.example.org",
            "a..com",
        ),
        *("printer.local", "metadata.google.internal", "vault.corp", "router.lan", "x.home.arpa", "a.test"),
        *(
            "https://acme.okta.com?x=1",
            "acme.okta.com#x",
            "-a.com",
            "a-.com",
            "a_b.com",
            "acme.okta.com\\@x.y",
        ),
        *(
            "аcme.okta.com",
            "acme。okta.com",
            "a" * 64 + ".com",
            "x." * 130 + "com",
            "https://acme.okta.com\n.evil.org",
        ),
    ],
)
def test_what_is_no_public_host_name_is_refused(entered: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        address.host(entered)
    assert caught.value.field == "address"


def test_only_hosts_of_okta_are_okta() -> None:
    assert address.is_okta("acme.okta.com")
    for other in (
        "okta.com",
        "www.okta.com",
        "acme.okta.com.evil.org",
        "evilokta.com",
        "a.b.okta.com",
        "login.acme.com",
    ):
        assert not address.is_okta(other)
    assert address.admin_console("https://acme.okta.com") == "https://acme-admin.okta.com"


RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any, encryption: Any = None) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


def test_keys_are_taken_as_jwk_and_pem() -> None:
    jwk = {**RSAAlgorithm.to_jwk(RSA, as_dict=True), "kid": "k1"}
    for text, kid in (
        (json.dumps(jwk), "k1"),
        (json.dumps({"keys": [jwk]}), "k1"),
        (pem(RSA), None),
        (pem(RSA).replace("\n", "\r\n"), None),
        (pem(RSA).replace("\n", " "), None),
    ):
        made = signing_key(text)
        assert (made.algorithm, made.kid) == ("RS256", kid)
        assert made.key.private_numbers() == RSA.private_numbers()
    assert signing_key(pem(EC)).algorithm == "ES256"
    assert signing_key(json.dumps(ECAlgorithm.to_jwk(EC, as_dict=True))).algorithm == "ES256"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "{}",
        '{"keys": []}',
        json.dumps(RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True)),
        RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        pem(RSA, BestAvailableEncryption(b"x")),
        pem(rsa.generate_private_key(65537, 1024)),
        pem(ed25519.Ed25519PrivateKey.generate()),
        json.dumps({"kty": "oct", "k": "AAAA"}),
        pem(RSA)[:-200],
    ],
)
def test_other_keys_are_refused_and_never_quoted(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        signing_key(text)
    assert caught.value.field == "private_key"
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert not text or text not in str(caught.value)


def test_a_secret_survives_being_kept_and_shows_nothing() -> None:
    kept = OrgSecret("acme.okta.com", "0oa1", pem(RSA))
    assert secret.load(kept.dump()) == kept
    assert secret.load(OrgSecret("acme.okta.com", token="00abc").dump()).token == "00abc"
    assert "PRIVATE" not in repr(kept)
    assert "RSAPrivateKey" not in repr(signing_key(kept.key))
    assert len(OrgSecret("acme.okta.com", "0oa1", pem(rsa.generate_private_key(65537, 4096))).dump()) < 4000
    with pytest.raises(InvalidInputError):
        OrgSecret("acme.okta.com", "0oa1", "x" * 4000).dump()
    for bad in ("[]", "{}", '{"v": 2}', "x"):
        with pytest.raises(ValueError):
            secret.load(bad)


class Noon:
    def now(self) -> datetime:
        return datetime(2026, 11, 23, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


def test_an_assertion_names_the_client_once_for_five_minutes() -> None:
    url = "https://acme.okta.com/oauth2/v1/token"
    made = [assertion("0oa1", signing_key(pem(RSA)), url, Noon()) for _ in range(2)]
    options = {"verify_exp": False, "verify_iat": False}
    one, two = (jwt.decode(m, RSA.public_key(), ["RS256"], audience=url, options=options) for m in made)
    assert (one["iss"], one["sub"], one["exp"] - one["iat"]) == ("0oa1", "0oa1", 300)
    assert one["jti"] != two["jti"]


def test_a_proof_is_of_one_call_and_of_the_token_it_goes_with() -> None:
    prover = Prover(Noon())
    prover.heard({"DPoP-Nonce": "n-token"}, purpose="token")
    prover.heard({}, purpose="token")
    url = "https://acme.okta.com/api/v1/users"

    def read(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
        head = jwt.get_unverified_header(text)
        assert (head["typ"], head["alg"]) == ("dpop+jwt", "ES256")
        assert "d" not in head["jwk"]
        key = jwt.PyJWK(head["jwk"], algorithm="ES256").key
        return head["jwk"], jwt.decode(text, key, ["ES256"], options={"verify_iat": False})

    key, claims = read(prover.proof("GET", f"{url}?limit=1#x", token="t0ken"))
    expected = base64.urlsafe_b64encode(hashlib.sha256(b"t0ken").digest()).rstrip(b"=").decode()
    assert (claims["htm"], claims["htu"], claims["ath"]) == ("GET", url, expected)
    assert (claims["iat"], "nonce" in claims) == (int(Noon().now().timestamp()), False)
    same, other = read(prover.proof("POST", "https://acme.okta.com/oauth2/v1/token"))
    assert same == key
    assert (other["nonce"], "ath" in other) == ("n-token", False)
    assert other["jti"] != claims["jti"]
