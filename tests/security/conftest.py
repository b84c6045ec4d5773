"""The story, told once for all tests that look at what it left behind."""

import pytest

from scripts.build.checkout import shipped_content
from tests.security.story import Story, lived


@pytest.fixture(scope="session")
def story() -> Story:
    """A customer's whole life with everything failing once."""
    return lived(str(shipped_content()))
