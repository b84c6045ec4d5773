"""Judge apps: who is it, what does it reach, how risky is it; keep the apps list in step."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import msgspec

from lantern.domain.anomalies import LEAST_HISTORY
from lantern.domain.apps import AppNotes, AppSummary, AppView
from lantern.domain.facts import ScopeSetView
from lantern.domain.granting import GRANTS, Way, by_scope
from lantern.domain.identification import AppFacts, Identification, identify
from lantern.domain.inventory import App
from lantern.domain.lookalike import LookAlike, lookalike
from lantern.domain.privilege import LEAST_DAYS, unused
from lantern.domain.products import Decision, ProductDecision, join_evidence, ran_out
from lantern.domain.risk import DEFAULT, Assessment, RiskInput, Weights, assess, level_of, pack_shares
from lantern.domain.scopes import ScopeClass, severity_rank, worst
from lantern.domain.tally import StoredTally, total
from lantern.domain.use_change import use_change
from lantern.services.scoring.knowledge import Knowledge
from lantern.services.scoring.trusting import app_trust, grant_groups, profile_revision
from lantern.store.tenant import TenantStore

_GROUPS: Final = 20
"""Kinds of grants whose risk is kept with the app."""


@dataclass(frozen=True, slots=True)
class Around:
    """What an app is judged against: time, weights, the size of the organisation, what was decided.

    `size` counts principals, None while not known. `products` are decisions by product id.
    """

    now: datetime
    size: int | None = None
    weights: Weights = DEFAULT
    products: Mapping[str, ProductDecision] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judged:
    """One app after judgement: its row of the apps list, and the document kept beside it."""

    row: AppSummary
    fingerprint: str
    body: Mapping[str, Any]


def judge(
    knowledge: Knowledge,
    app: App,
    view: AppView,
    tallies: Mapping[str, StoredTally],
    scope_sets: Mapping[str, frozenset[str]],
    around: Around,
) -> Judged:
    """Identify and assess one app.

    Args:
        knowledge: what the release knows.
        app: what the provider said of it.
        view: what is stored of it: what the tenant decided, and a risk that people set.
        tallies: its holders, by connection.
        scope_sets: the scope sets the tallies name.
        around: what it is judged against.
    """
    whole = total(tallies.values())
    scopes = frozenset(scope for key in whole.scope_sets for scope in scope_sets.get(key, frozenset()))
    identified, imitates = recognise(knowledge, app, scopes)
    joined = join_evidence(
        identified, verified_publisher=app.verified_publisher, imitates=imitates is not None
    )
    decided = decision_of(view, identified.product_id if joined else None, around.products)
    classes = knowledge.classes(app.provider, by_scope(whole.scope_sets, whole.wide, scope_sets))
    trusted = replace(
        app_trust(
            knowledge.reference, app, identified, imitates, decided.status if decided else None, around.now
        ),
        unused=unused(classes, whole.untouched) if _known_long(app, around.now) else None,
        use_change=use_change(whole.weeks) if whole.weeks is not None else None,
    )
    counted = replace(
        trusted,
        scopes=classes,
        holders=whole.holders,
        org_size=around.size,
        privileged_holders=whole.admins,
        stale_holders=whole.stale,
        departed_holders=whole.departed,
        personal_holders=whole.personal,
        shared_holders=whole.shared,
        connections=sum(1 for t in tallies.values() if t.holders),
    )
    risk = assess(counted, around.weights)
    by_set = {
        key: knowledge.of_set(app.provider, scope_sets[key], whole.wide.get(key, "person"))
        for key in whole.scope_sets
        if key in scope_sets
    }
    severity = worst(classes)
    row = _set_by_people(_row(app, identified, counted, risk, whole, tallies), view, around.now)
    row = replace(
        row,
        scope_severity=severity if severity_rank(severity) or classes else None,
        status=decided.status if decided else None,
        product_evidence=joined,
        noted=_notes(app, classes, trusted, whole, decided, view),
    )
    body = {
        "identification": identified,
        "look_alike": imitates,
        "profile": profile_revision(knowledge.reference, identified),
        "abuse": trusted.abuse,
        "assessment": risk,
        "data": _data(classes),
        "access": _access(classes),
        "unused": _shown(trusted.unused),
        "use_change": trusted.use_change,
        "anomalies": _odd(whole),
        "seen": None if whole.sent is None else {"bytes_out": whole.sent, "bytes_in": whole.received},
        "grants": grant_groups(trusted, whole, by_set, around.weights, _GROUPS),
        "tallies": tallies,
        "reach": _reach(knowledge, app, tallies, scope_sets),
        "joined": joined,
        "status": decided.status if decided else None,
    }
    return Judged(row, risk.fingerprint, msgspec.to_builtins(body))


def _notes(
    app: App,
    classes: tuple[ScopeClass, ...],
    trusted: RiskInput,
    whole: StoredTally,
    decided: Decision | None,
    view: AppView,
) -> AppNotes:
    """What the rules read of an app beyond what its list shows."""
    odd, override = _odd(whole), view.override
    return AppNotes(
        verified=app.verified_publisher,
        data=_data(classes),
        access=_access(classes),
        anomalies=tuple(sorted({one.kind for one in whole.anomalies})) if odd else None,
        odd_accounts=whole.odd_accounts if odd else None,
        unused=None if trusted.unused is None else len(trusted.unused),
        unused_severity=None if trusted.unused is None else (worst(trusted.unused) or "none"),
        sent=whole.sent,
        decided_at=decided.at if decided else None,
        exception_until=override.until if override and override.score is not None else None,
        approval_ended_at=decided.at if decided and ran_out(decided) else None,
    )


def _data(classes: tuple[ScopeClass, ...]) -> tuple[str, ...]:
    return tuple(sorted({one.data_class for one in classes if one.data_class}))


def _access(classes: tuple[ScopeClass, ...]) -> tuple[str, ...]:
    return tuple(sorted({one.access for one in classes if one.access}))


def decision_of(
    view: AppView, product_id: str | None, products: Mapping[str, ProductDecision]
) -> Decision | None:
    """What holds for an app: what was decided about its product, and else about itself."""
    product = products.get(product_id) if product_id else None
    return product or view.decision


def _reach(
    knowledge: Knowledge,
    app: App,
    tallies: Mapping[str, StoredTally],
    scope_sets: Mapping[str, frozenset[str]],
) -> dict[str, dict[str, Any]]:
    """What the app reaches at each connection where somebody holds it."""
    found = {}
    for cid, tally in tallies.items():
        if tally.holders:
            seen = knowledge.view(app.provider, by_scope(tally.scope_sets, tally.wide, scope_sets))
            found[cid] = {"data": seen.data_classes, "access": seen.access, "severity": seen.severity}
    return found


def _known_long(app: App, now: datetime) -> bool:
    """Whether an app is here for long enough to have used what it may do."""
    return app.first_seen is not None and (now - app.first_seen).days >= LEAST_DAYS


def _odd(whole: StoredTally) -> dict[str, Any] | None:
    """What stands out in its use; None where too little of it is known to tell."""
    if whole.weeks is None or len(whole.weeks) <= LEAST_HISTORY:
        return None
    return {"app": whole.anomalies, "accounts": whole.accounts, "odd_accounts": whole.odd_accounts}


def _shown(scopes: tuple[ScopeClass, ...] | None) -> list[str] | None:
    return None if scopes is None else [one.scope for one in scopes]


def recognise(
    knowledge: Knowledge, app: App, scopes: frozenset[str]
) -> tuple[Identification, LookAlike | None]:
    """Who an app is, and whom it imitates."""
    facts = AppFacts(
        provider=app.provider,
        client_id=app.client_id,
        name=app.name,
        publisher=app.publisher,
        domains=app.domains,
        scopes=scopes,
        extension_id=app.client_id if app.kind == "extension" else None,
    )
    identified = identify(facts, knowledge.catalog, knowledge.registrable)
    return identified, lookalike(facts, knowledge.catalog, knowledge.registrable)


def _row(
    app: App,
    identified: Identification,
    judged: RiskInput,
    risk: Assessment,
    whole: StoredTally,
    tallies: Mapping[str, StoredTally],
) -> AppSummary:
    return AppSummary(
        app_id=app.id,
        provider=app.provider,
        name=app.name,
        kind=app.kind,
        verdict=identified.verdict,
        confidence=identified.confidence,
        holders=whole.holders,
        risk=risk.score,
        risk_level=risk.level,
        category=identified.category,
        product=identified.product,
        product_id=identified.product_id,
        vendor=identified.vendor,
        publisher=app.publisher,
        lookalike_of=_imitated(judged.look_alike),
        first_seen=app.first_seen,
        last_used=whole.last_used,
        connections=tuple(sorted(c for c, t in tallies.items() if t.holders)),
        shares=pack_shares(risk),
        abused=judged.abuse is not None,
    )


def _imitated(found: LookAlike | None) -> str | None:
    return found.product if found else None


def _set_by_people(row: AppSummary, view: AppView, now: datetime) -> AppSummary:
    """The row with the risk that people set in place of the computed one, while theirs holds."""
    override = view.override
    score = override.in_effect(now) if override else None
    if override is None or score is None:
        return row
    return replace(
        row, risk=score, risk_level=level_of(score), risk_computed=row.risk, override_until=override.until
    )


def stored_tallies(body: Mapping[str, Any] | None) -> dict[str, StoredTally]:
    """The tallies by connection that an earlier judgement kept."""
    return msgspec.convert((body or {}).get("tallies", {}), dict[str, StoredTally], strict=False)


def save(store: TenantStore, judged: Iterable[Judged], seen: Mapping[str, AppView]) -> int:
    """Write the judgements that changed and the parts of the apps list they touch.

    Args:
        store: the tenant's store.
        judged: the apps.
        seen: what was stored of them when they were judged, by app id: it is not read again.

    Returns:
        How many items were written.
    """
    written, rows = 0, {}
    for one in judged:
        app_id = one.row.app_id
        written += store.apps.put_risk(app_id, _fingerprint(one), one.body, seen[app_id].risk)
        rows[app_id] = one.row
    return written + store.apps.merge_rows(rows)


def _fingerprint(judged: Judged) -> str:
    """Covers everything that is kept, so that an equal one need not be written."""
    return hash_of(judged.body)


def hash_of(value: Any) -> str:
    """A short digest of plain data."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:16]


def views(
    knowledge: Knowledge,
    provider: str,
    held: Iterable[tuple[str, Way]],
    scope_sets: Mapping[str, frozenset[str]],
) -> dict[tuple[str, Way], ScopeSetView]:
    """Scope sets in the ways they are held, as rules see them."""
    return {
        (key, way): knowledge.view(provider, dict.fromkeys(scope_sets[key], GRANTS[way]))
        for key, way in held
        if key in scope_sets
    }
