"""A tenant, tables in memory (held to the contract of DynamoDB), and compiled knowledge."""

import pytest

from lantern.services.scoring.knowledge import Knowledge, load_knowledge
from scripts.build.checkout import shipped_content
from tests.support.memory_table import MemoryDynamo
from tests.support.tables import create_tables
from tests.support.tenant import Bench, make_bench


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    """What a release ships."""
    return load_knowledge(shipped_content())


@pytest.fixture
def bench(knowledge: Knowledge) -> Bench:
    """A tenant with a connection to a provider in memory."""
    dynamo = MemoryDynamo()
    return make_bench(dynamo.client, create_tables(dynamo.client()), knowledge)
