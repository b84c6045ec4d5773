"""A fixture for tests against DynamoDB Local (`make test-engine`)."""

import os
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from scripts.local_cloud.dynamodb_local import ENDPOINT_VARIABLE


@pytest.fixture
def dynamodb_engine() -> Iterator[dict[str, Any]]:
    """Client arguments for an empty database of the test's own: DynamoDB Local keeps one per access key."""
    endpoint = os.environ.get(ENDPOINT_VARIABLE)
    if not endpoint:
        pytest.fail("DynamoDB Local is not running: use make test-engine")
    arguments = {
        "endpoint_url": endpoint,
        "region_name": "us-east-1",
        "aws_access_key_id": uuid.uuid4().hex[:20],
        "aws_secret_access_key": "local",
    }
    yield arguments
    client = boto3.client("dynamodb", **arguments)
    for name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)
    client.close()
