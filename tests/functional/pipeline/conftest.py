"""A tenant, tables on moto, and compiled knowledge."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from lantern.services.scoring.knowledge import Knowledge, load_knowledge
from scripts.build.checkout import shipped_content
from tests.support.tables import create_tables, dynamodb_client
from tests.support.tenant import Bench, make_bench


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    """What a release ships."""
    return load_knowledge(shipped_content())


@pytest.fixture
def bench(knowledge: Knowledge) -> Iterator[Bench]:
    """A tenant with a connection to a provider in memory."""
    with mock_aws():
        client = dynamodb_client()
        yield make_bench(client, create_tables(client), knowledge)
