"""In which way a permission is held, which says whom it reaches: see `scopes.Grant`."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from lantern.domain.inventory import GrantSource, PrincipalKind
from lantern.domain.scopes import Grant

Way = Literal["person", "everyone", "application"]
"""By a person for what that person reaches, for all of the organisation, or by the app itself."""

GRANTS: Final[Mapping[Way, Grant]] = {
    "person": Grant("delegated"),
    "everyone": Grant("delegated", tenant_wide=True),
    "application": Grant("application"),
}
_WIDTH: Final[Mapping[Way, int]] = {"person": 0, "everyone": 1, "application": 2}


def way_of(kind: PrincipalKind, source: GrantSource) -> Way:
    """How a grant is held, by the kind of its holder and what it rests on."""
    if source == "application":
        return "application"
    return "everyone" if kind == "organisation" else "person"


def widest(ways: Iterable[Way]) -> Way:
    """The way that reaches most of these; a person's where there are none."""
    return max(ways, key=_WIDTH.__getitem__, default="person")


def by_scope(
    scope_sets: Iterable[str], wide: Mapping[str, Way], scopes: Mapping[str, frozenset[str]]
) -> dict[str, Grant]:
    """Each scope of these sets with how it is held, in the widest way.

    Args:
        scope_sets: ids of the sets.
        wide: the sets that are held otherwise than by persons.
        scopes: what is in each set, as far as known.
    """
    ways: dict[str, Way] = {}
    for key in scope_sets:
        way = wide.get(key, "person")
        for scope in scopes.get(key, ()):
            ways[scope] = widest((way, ways.get(scope, "person")))
    return {scope: GRANTS[way] for scope, way in ways.items()}
