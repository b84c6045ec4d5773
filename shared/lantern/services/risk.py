"""What people do about risk: weights, overrides, a preview, posture, and the risk of one grant explained."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec

from lantern.domain import ids
from lantern.domain.apps import AppStatus, AppSummary, AppView, RiskOverride
from lantern.domain.audit import AuditEvent
from lantern.domain.audit import change as moved
from lantern.domain.compliance import ComplianceFacts, FrameworkRelevance, relevance
from lantern.domain.errors import InvalidInputError, NotFoundError
from lantern.domain.facts import idle_of
from lantern.domain.granting import GRANTS, way_of
from lantern.domain.identification import Identification
from lantern.domain.lookalike import LookAlike
from lantern.domain.posture import Posture, PostureDay, kept, posture
from lantern.domain.risk import DEFAULT, Assessment, StoredWeights, Weights, level_of, reweighed
from lantern.domain.tally import GREW_DAYS, STALE_DAYS, flags
from lantern.domain.use_change import UseChange
from lantern.domain.work import Work
from lantern.services.reference import Reference
from lantern.services.scoring.trusting import app_trust, assess_flagged, personal
from lantern.store.tenant import TenantStore

LONGEST_OVERRIDE: Final = timedelta(days=366)
MAX_CHANGES: Final = 200
"""Apps that a preview names; all of them are counted."""


# --- weights ------------------------------------------------------------------------------------------------


def set_weights(
    store: TenantStore,
    before: StoredWeights | None,
    values: Mapping[str, float],
    *,
    by: str,
    now: datetime,
) -> StoredWeights:
    """Set the weights; every connection is scored again by a message.

    Raises:
        RevisionConflictError: they changed since they were read.
    """
    fresh = StoredWeights(dict(values), by, now, rev=before.rev if before else 0)
    old, new = (before.weights() if before else DEFAULT), fresh.weights()
    changed = {
        name: f"{getattr(old, name):g}>{getattr(new, name):g}"
        for name in Weights.__dataclass_fields__
        if getattr(old, name) != getattr(new, name)
    }
    names = sorted(changed)
    told = moved(*(" ".join(f"{one}={getattr(which, one):g}" for one in names) for which in (old, new)))
    works = [
        Work(store.tenant_id, "score.run", connection.id, cause=by)
        for connection in store.connections.list()
        if connection.baseline_at is not None
    ]
    unit = store.transact(now).put(store.risk.weights_op(fresh))
    unit.audit(AuditEvent(by, "risk.weights_set", store.tenant_id, changed | told)).outbox(*works).commit()
    return replace(fresh, rev=fresh.rev + 1)


@dataclass(frozen=True, slots=True)
class Change:
    """An app whose score other weights would change."""

    row: AppSummary
    score: int

    @property
    def level(self) -> str:
        """The level of the new score."""
        return level_of(self.score)


@dataclass(frozen=True, slots=True)
class Preview:
    """What other weights would do: apps that change (the most first), how many there are, posture."""

    changes: tuple[Change, ...]
    changed: int
    level_changed: int
    unchanged: int
    before: Posture
    after: Posture


def preview(store: TenantStore, weights: Weights, now: datetime) -> Preview:
    """Say what would change under `weights`; nothing is stored. One request.

    An app whose risk people set keeps it; one that was not assessed since shares are kept stays as it is.
    """
    rows = current_rows(store, now)
    fresh = [_reweighed(row, weights) for row in rows]
    changes = [
        Change(row, new.risk)
        for row, new in zip(rows, fresh, strict=True)
        if new.risk is not None and new.risk != row.risk
    ]
    changes.sort(key=lambda one: (-abs(one.score - (one.row.risk or 0)), one.row.app_id))
    return Preview(
        changes=tuple(changes[:MAX_CHANGES]),
        changed=len(changes),
        level_changed=sum(1 for one in changes if one.level != one.row.risk_level),
        unchanged=len(rows) - len(changes),
        before=posture(rows, now.date()),
        after=posture(fresh, now.date()),
    )


def _reweighed(row: AppSummary, weights: Weights) -> AppSummary:
    if row.shares is None or row.override_until is not None:
        return row
    score = reweighed(row.shares, weights)
    return replace(row, risk=score, risk_level=level_of(score))


def current_rows(store: TenantStore, now: datetime) -> list[AppSummary]:
    """The apps list with the risks in effect at `now`."""
    return [row.at(now) for row in store.apps.summary()]


# --- overrides ----------------------------------------------------------------------------------------------


def override(
    store: TenantStore, view: AppView, *, score: int, note: str, until: datetime, by: str, now: datetime
) -> RiskOverride:
    """Set the risk of an app in place of the computed one, until a time; findings follow by the outbox.

    Raises:
        InvalidInputError: `until` is past, or more than a year away.
        RevisionConflictError: it changed since it was read.
    """
    if not now < until <= now + LONGEST_OVERRIDE:
        raise InvalidInputError("until", "Send a time within the next year.")
    before = view.override
    fresh = RiskOverride(view.app_id, score, note, by, now, until, rev=before.rev if before else 0)
    known = before.score if before and before.score is not None and before.until > now else "computed"
    detail = {"score": str(score), "until": until.isoformat(), **moved(known, score)}
    return _override(store, fresh, AuditEvent(by, "app.risk_overridden", view.app_id, detail))


def take_back(store: TenantStore, view: AppView, *, by: str, now: datetime) -> RiskOverride:
    """Let the computed risk hold again.

    Raises:
        NotFoundError: nobody set one.
        RevisionConflictError: it changed since it was read.
    """
    before = view.override
    if before is None or before.score is None:
        raise NotFoundError("risk_override", view.app_id)
    fresh = replace(before, score=None, note="", by=by, at=now, until=now)
    return _override(
        store,
        fresh,
        AuditEvent(by, "app.risk_override_removed", view.app_id, moved(before.score, "computed")),
    )


def _override(store: TenantStore, fresh: RiskOverride, event: AuditEvent) -> RiskOverride:
    work = Work(store.tenant_id, "score.app", body={"app_id": fresh.app_id}, cause=fresh.by)
    unit = store.transact(fresh.at).put(store.apps.override_op(fresh))
    unit.audit(event).outbox(work).commit()
    return replace(fresh, rev=fresh.rev + 1)


# --- posture ------------------------------------------------------------------------------------------------


def keep_posture(store: TenantStore, now: datetime) -> bool:
    """Keep the day's posture unless it is kept; False where it is, or where nothing was assessed yet."""
    if store.risk.has_posture(now.date()):
        return False
    rows = current_rows(store, now)
    if not any(row.risk is not None for row in rows):
        return False
    return store.risk.keep_posture(kept(posture(rows, now.date()), now))


def posture_now(store: TenantStore, days: int, now: datetime) -> tuple[Posture, tuple[PostureDay, ...]]:
    """How the tenant stands now, and the kept days of the last `days`, oldest first. Two requests."""
    today: date = now.date()
    return posture(current_rows(store, now), today), store.risk.posture(
        today - timedelta(days=days - 1), today
    )


# --- explanations -------------------------------------------------------------------------------------------


def frameworks(reference: Reference, body: Mapping[str, Any]) -> tuple[FrameworkRelevance, ...]:
    """For which frameworks an app matters, by its stored assessment."""
    found = body.get("identification") or {}
    data, access = body.get("data"), body.get("access")
    facts = ComplianceFacts(
        verdict=found.get("verdict", "unknown"),
        data=None if data is None else frozenset(data),
        access=None if access is None else frozenset(access),
        category=found.get("category"),
        profile=reference.vendor(found.get("vendor")),
    )
    return relevance(reference.risk.frameworks, facts)


@dataclass(frozen=True, slots=True)
class GrantRisk:
    """The risk of one grant; `assessment` is None while its app was not assessed."""

    grant_id: str
    app_id: str
    assessment: Assessment | None


def grant_risk(
    store: TenantStore, reference: Reference, grant_id: str, connection_id: str, now: datetime
) -> GrantRisk:
    """Explain the risk of one grant, from what is stored now. Two requests.

    Raises:
        NotFoundError: nobody holds it at this connection.
    """
    parts = ids.split_grant_id(grant_id)
    bundle, connection = store.joined.bundle(connection_id, parts[0]) if parts else (None, None)
    grant = bundle.grant(parts[1]) if bundle and parts else None
    if bundle is None or connection is None or grant is None:
        raise NotFoundError("grant", grant_id)
    around = store.joined.grant_risk(connection, bundle.principal, grant.app_id, grant.scope_set)
    facts, stored = around.view.facts, around.view.risk
    if facts is None or stored is None or "identification" not in stored.body:
        return GrantRisk(grant_id, grant.app_id, None)
    body = stored.body
    trusted = app_trust(
        reference,
        facts,
        msgspec.convert(body["identification"], Identification, strict=False),
        msgspec.convert(body.get("look_alike"), LookAlike | None, strict=False),
        _status(around.view, body),
        now,
    )
    held = None
    if around.scopes is not None:
        way = GRANTS[way_of(bundle.principal.kind, grant.source)]
        held = tuple(reference.scopes.classify(facts.provider, one, way) for one in sorted(around.scopes))
    never = body.get("unused")
    trusted = replace(
        trusted,
        unused=None if never is None else _named(held or (), never),
        use_change=msgspec.convert(body.get("use_change"), UseChange | None, strict=False),
    )
    idle = idle_of(grant, around.last_used, around.window, now)
    grew = grant.expanded_on is not None and (now.date() - grant.expanded_on).days <= GREW_DAYS
    told = flags(
        bundle.principal.admin,
        bundle.principal.departed or bool(around.person and around.person.departed),
        None if idle is None else idle >= STALE_DAYS,
        personal(reference, bundle.principal),
        grew,
    )
    return GrantRisk(grant_id, grant.app_id, assess_flagged(trusted, held, told, around.weights))


def _status(view: AppView, body: Mapping[str, Any]) -> AppStatus | None:
    """What was decided: of an app that is joined to a product, as it was judged last."""
    if body.get("joined"):
        status: AppStatus | None = body.get("status")
        return status
    return view.decision.status if view.decision else None


def _named(held: Iterable[Any], names: Iterable[str]) -> tuple[Any, ...]:
    wanted = set(names)
    return tuple(one for one in held if one.scope in wanted)
