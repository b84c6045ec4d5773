"""The story, told once for all tests that look at what it left behind."""

import pytest

from scripts.build.content import build_content
from tests.security.story import Story, lived


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A customer's whole life with everything failing once."""
    content = tmp_path_factory.mktemp("content")
    build_content(content)
    return lived(str(content))
