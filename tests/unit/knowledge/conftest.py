"""The shipped knowledge, compiled once for this state of the checkout."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lantern.services.catalog import Catalog
from scripts.build.checkout import shipped_content
from scripts.build.compile_catalog import FILE_NAME


@pytest.fixture(scope="session")
def knowledge_dir() -> Path:
    return shipped_content()


@pytest.fixture
def catalog(knowledge_dir: Path) -> Iterator[Catalog]:
    with Catalog(knowledge_dir / FILE_NAME) as opened:
        yield opened
