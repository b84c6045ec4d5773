"""A tenant, tables on moto, and compiled knowledge."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from lantern.services.scoring.knowledge import Knowledge, load_knowledge
from scripts.build.content import build_content
from tests.support.tables import create_tables, dynamodb_client
from tests.support.tenant import Bench, make_bench


@pytest.fixture(scope="session")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """What a release ships."""
    out: Path = tmp_path_factory.mktemp("content")
    build_content(out)
    return load_knowledge(out)


@pytest.fixture
def bench(knowledge: Knowledge) -> Iterator[Bench]:
    """A tenant with a connection to a provider in memory."""
    with mock_aws():
        client = dynamodb_client()
        yield make_bench(client, create_tables(client), knowledge)
