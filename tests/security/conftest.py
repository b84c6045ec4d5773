"""The story, told once for all tests that look at what it left behind."""

from collections.abc import Iterator

import pytest

from scripts.build.content import build_content
from tests.security.story import Story, lived


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A customer's whole life with everything failing once."""
    content = tmp_path_factory.mktemp("content")
    build_content(content)
    with lived(str(content)) as told:
        yield told
