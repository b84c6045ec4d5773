"""Where artifacts are to run: the wheels in the dependency layers differ, nothing else does."""

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A Python version and, for another machine than this one, its wheel platform."""

    name: str
    python: str
    platform: str | None


LAMBDA = Target(name="aws", python="3.13", platform="aarch64-manylinux_2_28")
HOST = Target(name="local", python=f"{sys.version_info.major}.{sys.version_info.minor}", platform=None)
