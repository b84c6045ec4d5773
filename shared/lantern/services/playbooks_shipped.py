"""The playbooks of a release, read once per process."""

from functools import lru_cache
from pathlib import Path

from lantern.domain.playbooks.loading import FILE_NAME, Playbooks, load_playbooks


@lru_cache(maxsize=4)
def books_in(directory: Path) -> Playbooks:
    """The compiled playbooks in a folder."""
    return load_playbooks(directory / FILE_NAME)
