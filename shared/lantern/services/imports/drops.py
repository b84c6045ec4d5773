"""Files that are too large for a request: sent straight to a bucket, read from there by the tenant's worker.

Every object lies under its tenant's id, and the credentials here reach no other tenant's (their session tag
is part of the resource in the role's policy). An address to send to is good for one file: its size, its
checksum and its type are signed, so nothing else can be put there. What is never read is deleted by the
bucket after a week.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from lantern.domain import ids

EXPIRES: Final = timedelta(minutes=15)
CHUNK: Final = 256 * 1024
_ABSENT: Final = frozenset({"NoSuchKey", "404", "403", "AccessDenied"})
"""Whoever may not list a bucket is told "denied" of what is not there."""


@dataclass(frozen=True, slots=True)
class Upload:
    """Where and how to send one file; `headers` must be sent as they are."""

    url: str
    headers: Mapping[str, str]
    expires_at: datetime


class DropBox:
    """One tenant's part of the bucket.

    Args:
        client: S3 client on the tenant's own credentials.
        bucket: name of the bucket.
        tenant_id: whose part.
    """

    def __init__(self, client: Any, bucket: str, tenant_id: str) -> None:
        if not ids.is_tenant_id(tenant_id):
            raise ValueError("not a tenant id")
        self._client = client
        self._bucket = bucket
        self._tenant_id = tenant_id

    def key(self, import_id: str) -> str:
        """Where a file lies."""
        return f"{self._tenant_id}/{import_id}"

    def address(self, import_id: str, *, size: int, sha256: str, media_type: str, now: datetime) -> Upload:
        """An address for one file.

        Args:
            import_id: the import it is for.
            size: its length in bytes.
            sha256: its SHA-256, in hex.
            media_type: its content type.
            now: current time.
        """
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        url = self._client.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self._bucket,
                "Key": self.key(import_id),
                "ContentLength": size,
                "ContentType": media_type,
                "ChecksumSHA256": checksum,
            },
            ExpiresIn=int(EXPIRES.total_seconds()),
            HttpMethod="PUT",
        )
        headers = {
            "Content-Length": str(size),
            "Content-Type": media_type,
            "x-amz-checksum-sha256": checksum,
        }
        return Upload(url, headers, now + EXPIRES)

    def chunks(self, import_id: str) -> Iterator[bytes] | None:
        """The file, piece by piece; None where it is not there."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self.key(import_id))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _ABSENT:
                return None
            raise
        chunks: Iterator[bytes] = answer["Body"].iter_chunks(CHUNK)
        return chunks

    def forget(self, import_id: str) -> None:
        """Remove the file; one that is gone is removed already."""
        self._client.delete_object(Bucket=self._bucket, Key=self.key(import_id))
