"""The knowledge of this checkout, compiled once."""

import pytest

from scripts.admin_cli.assess.knowledge import ExportKnowledge, knowledge


@pytest.fixture(scope="session")
def known() -> ExportKnowledge:
    return knowledge()
