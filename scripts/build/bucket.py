"""The artifacts bucket: content-addressed, encrypted, never public, and surely our own."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NOT_FOUND = frozenset({"404", "NoSuchBucket", "NoSuchKey", "NotFound"})


def bucket_name(account: str, region: str) -> str:
    """Name the bucket of an account and a region."""
    return f"lantern-artifacts-{account}-{region}"


def ensure_bucket(client: "S3Client", bucket: str, *, account: str, region: str) -> bool:
    """Create the bucket if it is absent; True if it was.

    Raises:
        ClientError: the bucket belongs to another account (403), or may not be created.
    """
    try:
        client.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NOT_FOUND:
            raise
    else:
        return False
    if region == "us-east-1":  # the one region that must not be named
        client.create_bucket(Bucket=bucket)
    else:
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})  # type: ignore[typeddict-item] # any region's name
    client.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    client.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    return True


def upload(client: "S3Client", bucket: str, key: str, content: bytes, *, account: str) -> bool:
    """Upload content under its content-derived key unless it is there; True if it was uploaded."""
    try:
        client.head_object(Bucket=bucket, Key=key, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NOT_FOUND:
            raise
    else:
        return False
    client.put_object(Bucket=bucket, Key=key, Body=content, ExpectedBucketOwner=account)
    return True
