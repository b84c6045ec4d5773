"""A tenant of four: somebody with tools, a leaver, a shared mailbox, a service account."""

import pytest

from lantern.services.scoring.knowledge import Knowledge, load_knowledge
from scripts.build.checkout import shipped_content
from tests.support.company import Company, make_company
from tests.support.memory_table import MemoryDynamo


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    """What a release ships."""
    return load_knowledge(shipped_content())


@pytest.fixture
def company(knowledge: Knowledge) -> Company:
    """Everybody holds everything; it has been read once."""
    return make_company(knowledge, MemoryDynamo())
