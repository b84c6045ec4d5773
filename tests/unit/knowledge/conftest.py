"""The shipped knowledge, compiled once per session into a temporary folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lantern.services.catalog import Catalog
from scripts.build import compile_catalog


@pytest.fixture(scope="session")
def knowledge_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("knowledge")
    compile_catalog.compile_to(out)
    return out


@pytest.fixture
def catalog(knowledge_dir: Path) -> Iterator[Catalog]:
    with Catalog(knowledge_dir / compile_catalog.FILE_NAME) as opened:
        yield opened
