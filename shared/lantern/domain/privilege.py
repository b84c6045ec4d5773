"""Over-privilege: permissions that were granted and are never seen in use, where use is known at all."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from lantern.domain.scopes import DataClass, ScopeClass

LEAST_DAYS: Final = 60
"""A permission is not called unused before so many days of use were read without a hole."""
IDENTITY: Final = frozenset({"identity"})
"""Signing in needs its permissions and leaves no calls behind."""


@dataclass(frozen=True, slots=True)
class ApiUse:
    """Which of the provider's APIs an app was seen to call, and since when every call was read.

    `reported` are the APIs that this provider's feed has shown for any app of the organisation: of an API it
    never shows, silence says nothing.
    """

    apis: Mapping[str, date]
    reported: frozenset[str]
    since: datetime
    until: datetime


def unused(
    granted: Collection[ScopeClass] | None,
    use: ApiUse | None,
    reaches: Mapping[str, Collection[DataClass]],
) -> tuple[ScopeClass, ...] | None:
    """Return the permissions whose data was never touched; None where that cannot be told.

    Nothing can be told without a long enough window, nor of an app that was not seen at all (that is a
    dormant grant). A permission is unused only if its data class is reached by an API that the feed reports
    and the app never called; a permission not known to Lantern, or for data of no known API, counts as used.

    Args:
        granted: what the app may do, None where the provider does not tell.
        use: what it was seen to do.
        reaches: API name → the data classes it serves.
    """
    if granted is None or use is None or not use.apis or (use.until - use.since).days < LEAST_DAYS:
        return None
    if any(api not in reaches for api in use.apis):
        return None
    seen = {kind for api in use.apis for kind in reaches[api]}
    observable = {kind for api in use.reported for kind in reaches.get(api, ())} - IDENTITY
    idle = (one for one in granted if one.data_class in observable and one.data_class not in seen)
    return tuple(sorted(set(idle), key=lambda one: one.scope))
