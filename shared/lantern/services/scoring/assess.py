"""Judge apps: who is it, what does it reach, how risky is it; keep the apps list in step."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from lantern.domain.apps import AppDecision, AppSummary
from lantern.domain.facts import ScopeSetView
from lantern.domain.identification import AppFacts, Identification, identify
from lantern.domain.inventory import App
from lantern.domain.lookalike import LookAlike, lookalike
from lantern.domain.risk import Assessment, RiskInput, assess
from lantern.domain.scopes import severity_rank, worst
from lantern.domain.tally import StoredTally, total
from lantern.services.scoring.knowledge import Knowledge
from lantern.store.apps import summary_part
from lantern.store.tenant import TenantStore


@dataclass(frozen=True, slots=True)
class Judged:
    """One app after judgement: its row of the apps list, and the document kept beside it."""

    row: AppSummary
    fingerprint: str
    body: Mapping[str, Any]


def judge(
    knowledge: Knowledge,
    app: App,
    tallies: Mapping[str, StoredTally],
    scope_sets: Mapping[str, frozenset[str]],
    decision: AppDecision | None,
    organisation_size: int | None,
    now: datetime,
) -> Judged:
    """Identify and assess one app.

    Args:
        knowledge: catalog and scope tables.
        app: what the provider said of it.
        tallies: its holders, by connection.
        scope_sets: the scope sets the tallies name.
        decision: what the tenant decided.
        organisation_size: principals of the tenant; None while not known.
        now: the current time.
    """
    whole = total(tallies.values())
    scopes = frozenset(scope for key in whole.scope_sets for scope in scope_sets.get(key, frozenset()))
    identified, imitates = recognise(knowledge, app, scopes)
    classes = knowledge.classes(app.provider, scopes)
    risk = assess(
        RiskInput(
            identification=identified,
            scopes=classes,
            holders=whole.holders,
            org_size=organisation_size,
            privileged_holders=whole.admins,
            stale_holders=whole.stale,
            departed_holders=whole.departed,
            connections=sum(1 for t in tallies.values() if t.holders),
            verified_publisher=app.verified_publisher,
            look_alike=imitates,
            status=decision.status if decision else "unreviewed",
            age_days=(now - app.first_seen).days if app.first_seen else None,
        )
    )
    severity = worst(classes)
    row = _row(app, identified, imitates, risk, whole, tallies, decision)
    row = replace(row, scope_severity=severity if severity_rank(severity) or classes else None)
    return Judged(row, risk.fingerprint, _body(identified, imitates, risk, tallies))


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
    )
    identified = identify(facts, knowledge.catalog, knowledge.registrable)
    return identified, lookalike(facts, knowledge.catalog, knowledge.registrable)


def _row(
    app: App,
    identified: Identification,
    imitates: LookAlike | None,
    risk: Assessment,
    whole: StoredTally,
    tallies: Mapping[str, StoredTally],
    decision: AppDecision | None,
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
        lookalike_of=imitates.product if imitates else None,
        status=decision.status if decision else None,
        first_seen=app.first_seen,
        last_used=whole.last_used,
        connections=tuple(sorted(c for c, t in tallies.items() if t.holders)),
    )


def _body(
    identified: Identification,
    imitates: LookAlike | None,
    risk: Assessment,
    tallies: Mapping[str, StoredTally],
) -> Mapping[str, Any]:
    body = {
        "identification": asdict(identified),
        "look_alike": asdict(imitates) if imitates else None,
        "assessment": asdict(risk),
        "tallies": {connection: asdict(tally) for connection, tally in tallies.items()},
    }
    built: dict[str, Any] = msgspec.to_builtins(body)
    return built


def stored_tallies(body: Mapping[str, Any] | None) -> dict[str, StoredTally]:
    """The tallies by connection that an earlier judgement kept."""
    return msgspec.convert((body or {}).get("tallies", {}), dict[str, StoredTally], strict=False)


def save(store: TenantStore, judged: Iterable[Judged]) -> int:
    """Write the judgements that changed and the parts of the apps list they touch.

    Returns:
        How many items were written.
    """
    written, rows = 0, {}
    for one in judged:
        written += store.apps.put_risk(one.row.app_id, _fingerprint(one), one.body)
        rows[one.row.app_id] = one.row
    touched = sorted({summary_part(app_id) for app_id in rows})
    for number, current in store.apps.summary_parts(touched).items():
        merged = {row.app_id: row for row in current} | {
            app_id: row for app_id, row in rows.items() if summary_part(app_id) == number
        }
        written += store.apps.put_summary_part(number, sorted(merged.values(), key=lambda r: r.app_id))
    return written


def _fingerprint(judged: Judged) -> str:
    """Covers the judgement and the tallies kept with it."""
    return f"{judged.fingerprint}-{hash_of(judged.body['tallies'])}"


def hash_of(value: Any) -> str:
    """A short digest of plain data."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:16]


def views(
    knowledge: Knowledge, provider: str, scope_sets: Mapping[str, frozenset[str]]
) -> dict[str, ScopeSetView]:
    """Scope sets as rules see them."""
    return {key: knowledge.view(provider, scopes) for key, scopes in scope_sets.items()}
