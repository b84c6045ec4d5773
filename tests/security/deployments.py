"""Where the security tests run: tables in memory behind the real API handler."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from tests.functional.api.world import World, make_tables
from tests.support.memory_table import MemoryDynamo

_AWS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
}


@contextmanager
def memory_world() -> Iterator[World]:
    """An empty deployment that lives as long as the context."""
    kept = {name: value for name, value in os.environ.items() if name != "AWS_ENDPOINT_URL"}
    with mock.patch.dict(os.environ, {**kept, **_AWS}, clear=True):
        dynamo = MemoryDynamo()
        make_tables(dynamo.client())
        yield World(dynamo.client)
