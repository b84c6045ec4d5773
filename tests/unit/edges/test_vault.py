"""The vault: what is sealed for one connection opens for that connection only."""

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from lantern.domain.errors import ConnectorError
from lantern.services import vault

SECRET = "1//canary-refresh-token"
TENANT, OTHER = "a" * 20, "b" * 20


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield boto3.client("kms", region_name="eu-central-1")


@pytest.fixture
def key(kms) -> str:
    return kms.create_key()["KeyMetadata"]["KeyId"]


def test_what_is_sealed_opens_again_and_does_not_show(kms, key: str):
    sealed = vault.seal(kms, key, TENANT, "con_1", SECRET)
    assert SECRET.encode() not in sealed
    assert vault.open_(kms, key, TENANT, "con_1", sealed) == SECRET


@pytest.mark.parametrize(("tenant", "connection"), [(OTHER, "con_1"), (TENANT, "con_2"), (OTHER, "con_2")])
def test_a_ciphertext_moved_elsewhere_does_not_open(kms, key: str, tenant: str, connection: str):
    sealed = vault.seal(kms, key, TENANT, "con_1", SECRET)
    with pytest.raises(ConnectorError) as caught:
        vault.open_(kms, key, tenant, connection, sealed)
    assert caught.value.kind == "system"
    assert SECRET not in str(caught.value) + caught.value.detail


def test_no_flipped_byte_opens(kms, key: str):
    sealed = vault.seal(kms, key, TENANT, "con_1", SECRET)
    for position in range(len(sealed)):
        altered = bytearray(sealed)
        altered[position] ^= 1
        with pytest.raises(ConnectorError):
            vault.open_(kms, key, TENANT, "con_1", bytes(altered))


class _Broken:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def encrypt(self, **_: object):
        raise self.error

    decrypt = encrypt


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ClientError({"Error": {"Code": "ThrottlingException", "Message": SECRET}}, "Encrypt"), "transient"),
        (ClientError({"Error": {"Code": "DisabledException", "Message": SECRET}}, "Encrypt"), "system"),
        (EndpointConnectionError(endpoint_url="https://kms"), "transient"),
    ],
)
def test_kms_down_is_an_error_and_never_a_plaintext(error: Exception, kind: str):
    for call in (
        lambda: vault.seal(_Broken(error), "key", TENANT, "con_1", SECRET),
        lambda: vault.open_(_Broken(error), "key", TENANT, "con_1", b"sealed"),
    ):
        with pytest.raises(ConnectorError) as caught:
            call()
        assert caught.value.kind == kind
        assert SECRET not in str(caught.value) + caught.value.detail
        assert caught.value.__suppress_context__


@pytest.mark.parametrize("secret", ["", "x" * 4097])
def test_secrets_kms_would_not_take_are_refused_first(secret: str):
    with pytest.raises(ConnectorError) as caught:
        vault.seal(_Broken(AssertionError("called")), "key", TENANT, "con_1", secret)
    assert caught.value.kind == "system"
