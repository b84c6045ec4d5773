"""Who is behind an actor: by this, two who must not be the same are told apart. Pure."""

from collections.abc import Collection
from typing import Final

RUN_ACTOR: Final = "playbook:"
"""How a run of a playbook is named as an actor; its id follows."""
KEY_ACTOR: Final = "key:"
"""How an API key is named as an actor; its id follows. A person is named by the person's id alone."""


def alike(some: Collection[str], others: Collection[str]) -> bool:
    """Whether two sets of actors and persons have anybody in common."""
    return not set(some).isdisjoint(others)
