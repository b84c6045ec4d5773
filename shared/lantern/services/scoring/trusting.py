"""What the risk functions are given about an app, put together in one place: scoring and the API agree."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from lantern.domain.abuse import KnownAbuse
from lantern.domain.accounts import account_kind, is_personal
from lantern.domain.apps import AppStatus
from lantern.domain.identification import Identification
from lantern.domain.inventory import App, Principal
from lantern.domain.lookalike import LookAlike
from lantern.domain.risk import (
    Assessment,
    GrantInput,
    RiskInput,
    Weights,
    assess_grant,
    grant_scores,
    level_of,
)
from lantern.domain.risk.grants import Flags
from lantern.domain.scopes import ScopeClass
from lantern.domain.tally import StoredTally, unflagged
from lantern.domain.vendors import trust
from lantern.services.reference import Reference


def app_trust(
    reference: Reference,
    app: App,
    identified: Identification,
    imitates: LookAlike | None,
    status: AppStatus | None,
    now: datetime,
) -> RiskInput:
    """What is known of an app itself, without its permissions and holders; `status` is what was decided."""
    profile = reference.vendor(identified.vendor)
    return RiskInput(
        identification=identified,
        scopes=None,
        holders=0,
        verified_publisher=app.verified_publisher,
        look_alike=imitates,
        status=status or "unreviewed",
        age_days=max(0, (now - app.first_seen).days) if app.first_seen else None,
        vendor=trust(profile, now.date()) if profile else None,
        abuse=abuse_of(reference, app),
    )


def profile_revision(reference: Reference, identified: Identification) -> str | None:
    """Which profile of its vendor an app is judged by; None where there is none."""
    profile = reference.vendor(identified.vendor)
    return profile.revision if profile else None


def abuse_of(reference: Reference, app: App) -> KnownAbuse | None:
    """The public report that an app fits, if any."""
    return reference.abuse.match(app.provider, app.client_id, app.name)


def personal(reference: Reference, principal: Principal) -> bool | None:
    """Whether an account is known not to be the organisation's own; None where it has no address."""
    if principal.email is None:
        return None
    return is_personal(account_kind(principal.email, reference.risk.consumer_domains, None, lambda _: None))


@dataclass(frozen=True, slots=True)
class GrantGroup:
    """Grants of one app that are alike, and their risk; None is not known."""

    scope_set: str
    flags: str
    holders: int
    score: int
    level: str


def grant_groups(
    trusted: RiskInput,
    whole: StoredTally,
    classes: Mapping[str, tuple[ScopeClass, ...]],
    weights: Weights,
    limit: int,
) -> tuple[GrantGroup, ...]:
    """The risk of every kind of grant, worst first, at most `limit`."""
    found = []
    for scope_set, same in groupby(sorted(whole.groups), key=lambda group: group[0]):
        kinds = list(same)
        told = [_five(unflagged(flags)) for _, flags, _ in kinds]
        scores = grant_scores(trusted, classes.get(scope_set), told, weights)
        for (_, flags, holders), score in zip(kinds, scores, strict=True):
            found.append(GrantGroup(scope_set, flags, holders, score, level_of(score)))
    found.sort(key=lambda one: (-one.score, -one.holders, one.scope_set, one.flags))
    return tuple(found[:limit])


def _five(facts: tuple[bool | None, ...]) -> Flags:
    admin, departed, stale, private, grew = facts
    return admin, departed, stale, private, grew


def assess_flagged(
    trusted: RiskInput, scopes: tuple[ScopeClass, ...] | None, told: str, weights: Weights
) -> Assessment:
    """The risk of a grant that is told by its flags."""
    admin, departed, stale, private, grew = unflagged(told)
    return assess_grant(
        GrantInput(replace(trusted, scopes=None), scopes, admin, departed, stale, private, grew), weights
    )
