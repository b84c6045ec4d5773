"""Fixtures: the API over tables in memory (held to the contract of DynamoDB)."""

import pytest

from tests.functional.api.world import Client, Planted, World, make_tables, plant
from tests.support.memory_table import MemoryDynamo


@pytest.fixture
def dynamo() -> MemoryDynamo:
    """The account with both tables."""
    return MemoryDynamo()


@pytest.fixture
def world(dynamo: MemoryDynamo, monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty deployment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    make_tables(dynamo.client())
    return World(dynamo.client)


@pytest.fixture
def planted(world: World) -> Planted:
    """A tenant with one of everything."""
    return plant(world, 1)


@pytest.fixture
def api(world: World, planted: Planted) -> Client:
    """An administrator of that tenant."""
    return Client(world, planted.tenant_id)
