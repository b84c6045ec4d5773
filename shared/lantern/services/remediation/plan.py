"""Which grants a request is about, and whether the brakes allow it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lantern.domain import ids
from lantern.domain.errors import ConflictError, InvalidInputError, NotFoundError
from lantern.domain.inventory import Bundle
from lantern.domain.jobs import Guards, PlanSummary, Selector
from lantern.store.tenant import TenantStore

DEFAULT_GUARDS: Final = Guards(max_targets=500, max_percent=25.0, approve_above=1)
SAMPLE: Final = 20
_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Target:
    """One grant to revoke, and the connection it is held at."""

    grant_id: str
    principal_id: str
    app_id: str
    connection_id: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The targets of a request in a stable order, and their summary."""

    targets: tuple[Target, ...]
    summary: PlanSummary


def make_plan(
    store: TenantStore, selector: Selector, guards: Guards, connection_id: str | None = None
) -> Plan:
    """Find the grants that `selector` names now, and hold them against the brakes.

    `connection_id` narrows them to one connection.

    Raises:
        NotFoundError: the app, principal, finding or a grant does not exist in this tenant.
        InvalidInputError: nothing, or more than one thing, is selected.
    """
    found = {t for t in _targets(store, selector) if connection_id in (None, t.connection_id)}
    found = _reachable(store, found)
    targets = tuple(sorted(found, key=lambda t: t.grant_id))
    principals = {t.principal_id for t in targets}
    percent = _percent(store, targets)
    summary = PlanSummary(
        targets=len(targets),
        principals=len(principals),
        apps=len({t.app_id for t in targets}),
        percent=percent,
        refused_by=_brake(guards, len(targets), percent),
        sample=tuple(t.grant_id for t in targets[:SAMPLE]),
    )
    return Plan(targets, summary)


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


def _targets(store: TenantStore, selector: Selector) -> Iterator[Target]:
    chosen = [
        name
        for name, value in (
            ("app_id", selector.app_id),
            ("principal_id", selector.principal_id),
            ("finding_id", selector.finding_id),
            ("grant_ids", selector.grant_ids),
        )
        if value
    ]
    if len(chosen) != 1:
        raise InvalidInputError(
            "selector", "name exactly one of app_id, principal_id, finding_id or grant_ids"
        )
    if selector.app_id:
        yield from _of_app(store, selector.app_id)
    elif selector.principal_id:
        yield from _of_principal(store, selector.principal_id)
    elif selector.finding_id:
        yield from _of_grants(store, _open_grants(store, selector.finding_id), missing_ok=True)
    else:
        yield from _of_grants(store, selector.grant_ids, missing_ok=False)


def _of_app(store: TenantStore, app_id: str) -> Iterator[Target]:
    if store.apps.get_facts(app_id) is None:
        raise NotFoundError("app", app_id)
    for connection in store.connections.list():
        holders = store.footprints.holders(connection.id, app_id)
        for bundle in _bundles(store, connection.id, holders).values():
            if bundle.grant(app_id):
                yield _target(bundle, app_id)


def _of_principal(store: TenantStore, principal_id: str) -> Iterator[Target]:
    found = _find(store, [principal_id])
    if principal_id not in found:
        raise NotFoundError("principal", principal_id)
    bundle = found[principal_id]
    yield from (_target(bundle, grant.app_id) for grant in bundle.grants or ())


def _open_grants(store: TenantStore, finding_id: str) -> tuple[str, ...]:
    finding = store.findings.get(finding_id)
    if finding is None:
        raise NotFoundError("finding", finding_id)
    return tuple(item.grant_id for item in finding.affected if item.state == "open")


def _of_grants(store: TenantStore, grant_ids: Iterable[str], *, missing_ok: bool) -> Iterator[Target]:
    pairs: dict[str, tuple[str, str]] = {}
    for grant_id in grant_ids:
        pair = ids.split_grant_id(grant_id)
        if pair is None:
            raise NotFoundError("grant", grant_id)
        pairs[grant_id] = pair
    bundles = _find(store, [principal for principal, _ in pairs.values()])
    for grant_id, (principal, app_id) in pairs.items():
        bundle = bundles.get(principal)
        if bundle is not None and bundle.grant(app_id):
            yield _target(bundle, app_id)
        elif not missing_ok:
            raise NotFoundError("grant", grant_id)


def _find(store: TenantStore, principals: list[str]) -> Mapping[str, Bundle]:
    """Bundles of these principals at whichever connection holds them."""
    found: dict[str, Bundle] = {}
    for connection in store.connections.list():
        found.update(_bundles(store, connection.id, [p for p in principals if p not in found]))
    return found


def _bundles(store: TenantStore, connection_id: str, principals: Iterable[str]) -> dict[str, Bundle]:
    wanted = list(dict.fromkeys(principals))
    found: dict[str, Bundle] = {}
    for start in range(0, len(wanted), _BATCH):
        found.update(store.bundles.batch_get(connection_id, wanted[start : start + _BATCH]))
    return found


def _target(bundle: Bundle, app_id: str) -> Target:
    principal = bundle.principal
    return Target(ids.grant_id(principal.id, app_id), principal.id, app_id, principal.connection_id)


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
    return round(max(shares), 1) if shares else 0.0


def _brake(guards: Guards, targets: int, percent: float | None) -> str | None:
    """The brake that forbids a plan of this size. An unknown share is held to the limit, not let through."""
    if guards.max_targets is not None and targets > guards.max_targets:
        return "max_targets"
    small = targets <= (guards.approve_above or 1)
    if guards.max_percent is not None and not small and (percent is None or percent > guards.max_percent):
        return "max_percent"
    return None
