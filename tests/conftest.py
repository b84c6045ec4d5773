"""How tests are spread over workers: those of a group share one, and so what is made once for all of them."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

_GROUP = re.compile(r'xdist_group\("(\w+)"\)')


@cache
def group_of(path: Path) -> str:
    """The group that a module names by the mark `xdist_group`; empty where it names none."""
    found = _GROUP.search(path.read_text())
    return found[1] if found else ""


class Grouped(LoadScopeScheduling):
    """Modules of a group go to one worker, any other test to whoever is free.

    `--dist loadgroup` means that too, but pytest-xdist 3.8 tells groups by the private `_nodeid` of an item,
    which pytest 9.2 does not have any more: it groups nothing there.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(self.config.rootpath / nodeid.partition("::")[0]) or nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """The scheduler of `--dist loadgroup`."""
    return Grouped(config, log) if config.getvalue("dist") == "loadgroup" else None
