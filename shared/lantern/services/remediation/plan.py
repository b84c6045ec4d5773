"""What a request is about, target by target, and whether the brakes allow it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lantern.domain.errors import ConflictError
from lantern.domain.jobs import Guards, JobKind, PlanSummary, Selector
from lantern.services.remediation.select import Target, select
from lantern.store.tenant import TenantStore

DEFAULT_GUARDS: Final = Guards(max_targets=500, max_percent=25.0, approve_above=1)
SAMPLE: Final = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """The targets of a request in a stable order, and their summary."""

    targets: tuple[Target, ...]
    summary: PlanSummary


def make_plan(
    store: TenantStore,
    selector: Selector,
    guards: Guards,
    connection_id: str | None = None,
    kind: JobKind = "revoke_grants",
) -> Plan:
    """Find what `selector` names now, and hold it against the brakes.

    `connection_id` narrows it to one connection.

    Raises:
        NotFoundError: the app, principal, finding, grant or asset does not exist in this tenant.
        InvalidInputError: nothing, or more than one thing, is selected, or not what this kind acts on.
    """
    found = {t for t in select(store, kind, selector) if connection_id in (None, t.connection_id)}
    found = _reachable(store, found)
    targets = tuple(sorted(found, key=lambda t: t.target_id))
    return Plan(targets, summarise(store, targets, guards))


def summarise(store: TenantStore, targets: Sequence[Target], guards: Guards) -> PlanSummary:
    """Targets counted and held against the brakes."""
    principals = {t.principal_id for t in targets if t.principal_id}
    share = _percent(store, [t for t in targets if t.principal_id and not t.everyone])
    return PlanSummary(
        targets=len(targets),
        principals=len(principals),
        apps=len({t.app_id for t in targets if t.app_id}),
        percent=None if share is None else round(share, 1),
        # Held against the share as it is: 25.04 % is more than 25 %.
        refused_by=_brake(guards, len(targets), share),
        sample=tuple(t.target_id for t in targets[:SAMPLE]),
        everyone=any(t.everyone for t in targets),
    )


def _reachable(store: TenantStore, targets: set[Target]) -> set[Target]:
    """Targets behind which there is access; what only files tell cannot be revoked from here.

    Raises:
        ConflictError: all of them are known from files only.
    """
    imported = {one.id for one in store.connections.list() if one.kind == "import"} if targets else set()
    reachable = {target for target in targets if target.connection_id not in imported}
    if targets and not reachable:
        raise ConflictError("This access is known from a file only: connect the organisation to revoke it")
    return reachable


def _percent(store: TenantStore, targets: Iterable[Target]) -> float | None:
    """The largest share of a connection's principals that is affected; None before a first full run."""
    affected = Counter(c for c, _ in {(t.connection_id, t.principal_id) for t in targets})
    shares = []
    for connection_id, count in affected.items():
        connection = store.connections.get(connection_id)
        run = (
            store.runs.get(connection_id, connection.last_full_run)
            if connection and connection.last_full_run
            else None
        )
        if run is None or not run.coverage.listed:
            return None
        shares.append(100 * count / run.coverage.listed)
    return max(shares, default=0.0)


def _brake(guards: Guards, targets: int, percent: float | None) -> str | None:
    """The brake that forbids a plan of this size. An unknown share is held to the limit, not let through."""
    if guards.max_targets is not None and targets > guards.max_targets:
        return "max_targets"
    small = targets <= 1  # one person is a large share of a small organisation
    if guards.max_percent is not None and not small and (percent is None or percent > guards.max_percent):
        return "max_percent"
    return None
