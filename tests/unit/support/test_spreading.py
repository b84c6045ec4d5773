"""What is made once for a group of modules is made in one worker."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import Grouped

ROOT = Path(__file__).resolve().parents[3]


def scopes(pattern: str, scheduler: Grouped) -> set[str]:
    """Where the tests of these modules go."""
    found = [path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern)]
    assert found
    return {scheduler._split_scope(f"{path}::test_{n}") for path in found for n in range(2)}


@pytest.fixture
def scheduler() -> Grouped:
    made = Grouped.__new__(Grouped)
    made.config = SimpleNamespace(rootpath=ROOT)
    return made


def test_modules_of_a_group_go_to_one_worker(scheduler: Grouped) -> None:
    assert scopes("tests/stack/test_*.py", scheduler) == {"stack"}
    assert scopes("tests/isolation/test_*.py", scheduler) == {"lived"}
    assert len(scopes("tests/security/test_[ch]*.py", scheduler)) == 1 + 2


def test_others_go_to_whoever_is_free(scheduler: Grouped) -> None:
    assert len(scopes("tests/unit/support/test_spreading.py", scheduler)) == 2
