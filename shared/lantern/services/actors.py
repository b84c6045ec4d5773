"""Who is behind an actor, as far as it is known: the person of a key, who asked for what a run asks for."""

from collections.abc import Iterable

from lantern.domain.actors import KEY_ACTOR, RUN_ACTOR
from lantern.store.tenant import TenantStore


def behind(store: TenantStore, actors: Iterable[str]) -> frozenset[str]:
    """The actors, the persons whose keys they are, and those who asked for the runs they are.

    A key without a person stands for itself alone: nobody can tell who holds it. One request a key or run.
    """
    found: set[str] = set()
    left = list(actors)
    while left:
        actor = left.pop()
        if actor in found:
            continue
        found.add(actor)
        if actor.startswith(KEY_ACTOR):
            key = store.keys.get(actor.removeprefix(KEY_ACTOR))
            left += [key.person_id] if key is not None and key.person_id else []
        elif actor.startswith(RUN_ACTOR):
            run = store.playbooks.get(actor.removeprefix(RUN_ACTOR))
            left += [run.requested_by, *run.behind] if run is not None else []
    return frozenset(found)
