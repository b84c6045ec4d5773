"""Over-privilege: permissions that were granted and are never seen in use, where use is known at all."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lantern.domain.scopes import DataClass, ScopeClass

LEAST_DAYS: Final = 60
"""A permission is not called unused before so many days of use were read without a hole."""
IDENTITY: Final[frozenset[DataClass]] = frozenset({"identity"})
"""Signing in needs its permissions and leaves no calls behind."""


@dataclass(frozen=True, slots=True)
class ApiUse:
    """Which of the provider's APIs an app was seen to call, and in which window every call was read.

    `reported` are the APIs that this provider's feed has shown for any app of the organisation: of an API it
    never shows, silence says nothing.
    """

    apis: frozenset[str]
    reported: frozenset[str]
    since: datetime
    until: datetime


def untouched(
    use: ApiUse | None, reaches: Mapping[str, Collection[DataClass]]
) -> frozenset[DataClass] | None:
    """Return the kinds of data whose API the feed reports and the app never called; None where not known.

    Nothing can be told without a long enough window, nor of an app that was not seen at all (that is a
    dormant grant), nor of one that called an API that is not known.

    Args:
        use: what the app was seen to do.
        reaches: API name → the data classes it serves.
    """
    if use is None or not use.apis or (use.until - use.since).days < LEAST_DAYS:
        return None
    if any(api not in reaches for api in use.apis):
        return None
    seen = {kind for api in use.apis for kind in reaches[api]}
    observable = {kind for api in use.reported for kind in reaches.get(api, ())}
    return frozenset(observable - seen - IDENTITY)


def unused(
    granted: Collection[ScopeClass] | None, never: Collection[str] | None
) -> tuple[ScopeClass, ...] | None:
    """Return the permissions for data that was never touched; None where that cannot be told.

    A permission that is not known to Lantern, or for data of no known API, counts as used.
    """
    if granted is None or never is None:
        return None
    idle = (one for one in granted if one.data_class in never)
    return tuple(sorted(set(idle), key=lambda one: one.scope))
