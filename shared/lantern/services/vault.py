"""Refresh tokens at rest: sealed by KMS itself, under a context that names tenant and connection.

A ciphertext moved to another tenant or connection does not decrypt. There is no second way in: when
KMS is down nothing is stored and nothing is read.
"""

from typing import Final, Protocol, TypedDict

from botocore.exceptions import BotoCoreError, ClientError

from lantern.domain.errors import ConnectorError

MAX_SECRET_BYTES: Final = 4_096
"""What `kms:Encrypt` takes directly; provider refresh tokens are far smaller."""

_TRANSIENT: Final = frozenset(
    {
        "DependencyTimeoutException",
        "KMSInternalException",
        "LimitExceededException",
        "RequestTimeout",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
    }
)


class _Sealed(TypedDict):
    CiphertextBlob: bytes


class _Opened(TypedDict):
    Plaintext: bytes


class Kms(Protocol):
    """The two KMS calls of the vault, as botocore names them."""

    def encrypt(self, *, KeyId: str, Plaintext: bytes, EncryptionContext: dict[str, str]) -> _Sealed:  # noqa: N803 - botocore's parameter names
        """`kms:Encrypt`."""
        ...

    def decrypt(self, *, KeyId: str, CiphertextBlob: bytes, EncryptionContext: dict[str, str]) -> _Opened:  # noqa: N803 - botocore's parameter names
        """`kms:Decrypt`."""
        ...


def context(tenant: str, connection: str) -> dict[str, str]:
    """The encryption context; the key's policy compares `tenant` with the caller's session tag."""
    return {"tenant": tenant, "connection": connection}


def seal(kms: Kms, key_id: str, tenant: str, connection: str, secret: str) -> bytes:
    """The ciphertext of a secret of one connection.

    Raises:
        ConnectorError: `transient` or `system`; it carries nothing of the secret.
    """
    plaintext = secret.encode()
    if not 0 < len(plaintext) <= MAX_SECRET_BYTES:
        raise ConnectorError("system", _MESSAGE, detail=f"secret of {len(plaintext)} bytes cannot be sealed")
    try:
        return kms.encrypt(KeyId=key_id, Plaintext=plaintext, EncryptionContext=context(tenant, connection))[
            "CiphertextBlob"
        ]
    except (BotoCoreError, ClientError) as error:
        raise _failure("encrypt", error) from None


def open_(kms: Kms, key_id: str, tenant: str, connection: str, ciphertext: bytes) -> str:
    """The secret of one connection.

    Raises:
        ConnectorError: `transient` or `system`; a ciphertext of another tenant, connection or key, or
            one that was altered, is `system`.
    """
    try:
        opened = kms.decrypt(
            KeyId=key_id, CiphertextBlob=ciphertext, EncryptionContext=context(tenant, connection)
        )
    except (BotoCoreError, ClientError) as error:
        raise _failure("decrypt", error) from None
    return opened["Plaintext"].decode()


_MESSAGE: Final = "The key service did not answer. Nothing was changed; this will be tried again."


def _failure(verb: str, error: BotoCoreError | ClientError) -> ConnectorError:
    # `from None` and the bare code: botocore's message of a parameter error quotes the parameter.
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        transient = code in _TRANSIENT
    else:
        code, transient = type(error).__name__, True
    return ConnectorError("transient" if transient else "system", _MESSAGE, detail=f"kms {verb}: {code}")
