"""Fixtures: the API over moto tables."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.functional.api.world import Client, Planted, World, dynamodb, make_tables, plant


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An empty deployment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = dynamodb()
        make_tables(client)
        yield World(client)


@pytest.fixture
def planted(world: World) -> Planted:
    """A tenant with one of everything."""
    return plant(world, 1)


@pytest.fixture
def api(world: World, planted: Planted) -> Client:
    """An administrator of that tenant."""
    return Client(world, planted.tenant_id)
