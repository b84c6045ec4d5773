"""Where the security tests run: moto tables behind the real API handler."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from moto import mock_aws

from tests.functional.api.world import World, dynamodb, make_tables

_AWS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
}


@contextmanager
def moto_world() -> Iterator[World]:
    """An empty deployment that lives as long as the context."""
    kept = {name: value for name, value in os.environ.items() if name != "AWS_ENDPOINT_URL"}
    with mock.patch.dict(os.environ, {**kept, **_AWS}, clear=True), mock_aws():
        client = dynamodb()
        make_tables(client)
        yield World(client)
