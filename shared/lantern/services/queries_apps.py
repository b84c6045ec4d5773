"""Read models of apps: the list, one app, its holders."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import msgspec

from lantern.connectors.manifests import manifest
from lantern.domain import ids
from lantern.domain.apps import AppSummary, AppView, StoredRisk
from lantern.domain.blast import Chain, chains
from lantern.domain.errors import NotFoundError
from lantern.domain.inventory import Grant, Principal
from lantern.domain.pagination import Position, Slice, slice_after
from lantern.domain.products import Decision, ProductDecision, same_product
from lantern.domain.tally import StoredTally
from lantern.services.lookups import require
from lantern.services.reference import Reference
from lantern.store.documents import Page
from lantern.store.tenant import TenantStore

Sort = Literal["-risk", "risk", "name", "-holders", "-first_seen", "first_seen"]

_LAST: Final = 2**53
"""Sorts after every real value, so that what is unknown comes last in ascending order."""


@dataclass(frozen=True, slots=True)
class AppFilter:
    """Which apps; None does not filter. `first_seen_until` is exclusive; `unreviewed` means no decision."""

    verdict: str | None = None
    status: str | None = None
    min_risk: int | None = None
    max_risk: int | None = None
    category: str | None = None
    provider: str | None = None
    connection_id: str | None = None
    first_seen_from: datetime | None = None
    first_seen_until: datetime | None = None

    def matches(self, app: AppSummary) -> bool:
        """Whether an app is wanted; what is unknown is never within a range."""
        return (
            self.verdict in (None, app.verdict)
            and self.status in (None, app.status or "unreviewed")
            and self.category in (None, app.category)
            and self.provider in (None, app.provider)
            and (self.connection_id is None or self.connection_id in app.connections)
            and self._risk_fits(app.risk)
            and self._date_fits(app.first_seen)
        )

    def _risk_fits(self, risk: int | None) -> bool:
        if self.min_risk is None and self.max_risk is None:
            return True
        return risk is not None and (self.min_risk or 0) <= risk <= (
            100 if self.max_risk is None else self.max_risk
        )

    def _date_fits(self, seen: datetime | None) -> bool:
        if self.first_seen_from is None and self.first_seen_until is None:
            return True
        if seen is None:
            return False
        early = self.first_seen_from is not None and seen < self.first_seen_from
        late = self.first_seen_until is not None and seen >= self.first_seen_until
        return not early and not late


def _seconds(moment: datetime | None, unknown: int) -> int:
    return unknown if moment is None else int(moment.timestamp())


_SORTS: Final[Mapping[Sort, tuple[Callable[[AppSummary], Position], bool]]] = {
    "-risk": (lambda app: (-1 if app.risk is None else app.risk, app.app_id), True),
    "risk": (lambda app: (_LAST if app.risk is None else app.risk, app.app_id), False),
    "name": (lambda app: (app.name.casefold(), app.app_id), False),
    "-holders": (lambda app: (app.holders, app.app_id), True),
    "-first_seen": (lambda app: (_seconds(app.first_seen, -1), app.app_id), True),
    "first_seen": (lambda app: (_seconds(app.first_seen, _LAST), app.app_id), False),
}


def list_apps(
    store: TenantStore, wanted: AppFilter, sort: Sort, after: Position | None, limit: int, now: datetime
) -> Slice[AppSummary]:
    """A page of the apps list with the risks in effect: one request, filtered and sorted in memory."""
    key, descending = _SORTS[sort]
    rows = [app for app in (row.at(now) for row in store.apps.summary()) if wanted.matches(app)]
    return slice_after(rows, key=key, after=after, limit=limit, descending=descending)


def app(store: TenantStore, app_id: str) -> AppView:
    """All that is stored of one app.

    Raises:
        NotFoundError: the app was never seen in this tenant.
    """
    view = store.apps.view(app_id)
    if view.facts is None and view.risk is None and view.decision is None and view.override is None:
        raise NotFoundError("app", app_id)
    return view


@dataclass(frozen=True, slots=True)
class AppDetail:
    """An app and what stands around it.

    `product_id` is None where it is joined to no product. `tallies` are its holders, by connection.
    """

    view: AppView
    product_id: str | None
    product_decision: ProductDecision | None
    siblings: tuple[AppSummary, ...]
    tallies: Mapping[str, StoredTally]
    chains: tuple[Chain, ...]

    @property
    def decision(self) -> Decision | None:
        """What holds: what was decided about the product, and else about the app."""
        return self.product_decision or self.view.decision


def detail(store: TenantStore, reference: Reference, app_id: str) -> AppDetail:
    """An app with its product's other apps and its chains. Two requests.

    Raises:
        NotFoundError: the app was never seen in this tenant.
    """
    view = app(store, app_id)
    body = view.risk.body if view.risk else {}
    identified = body.get("identification") or {}
    vendor = identified.get("vendor")
    product_id = identified.get("product_id") if body.get("joined") else None
    around = store.joined.app(reference.vendor_id(vendor) if vendor else None, product_id)
    rows = {row.app_id: row for row in around.rows}
    reach = around.reach
    names = {one.connection_id: manifest(one.provider).title for one in reach.connections} if reach else {}
    found = chains(reach.vendor, reach.connections, rows, names) if reach else ()
    return AppDetail(
        view=view,
        product_id=product_id,
        product_decision=around.decision,
        siblings=tuple(row for row in same_product(around.rows, product_id) if row.app_id != app_id),
        tallies=msgspec.convert(body.get("tallies", {}), dict[str, StoredTally], strict=False),
        chains=tuple(one for one in found if any(app_id in link.apps for link in one.links)),
    )


def score(risk: StoredRisk | None) -> int | None:
    """The score inside an assessment; None where there is none."""
    value = risk.body.get("assessment", {}).get("score") if risk else None
    return value if isinstance(value, int) else None


def effective(view: AppView, now: datetime) -> int | None:
    """The score that holds now: the one people set, while theirs lasts, else the computed one."""
    given = view.override.in_effect(now) if view.override else None
    return score(view.risk) if given is None else given


@dataclass(frozen=True, slots=True)
class Holder:
    """An account that holds an app, and what it granted."""

    principal: Principal
    grant: Grant

    @property
    def grant_id(self) -> str:
        """Id of the grant."""
        return ids.grant_id(self.principal.id, self.grant.app_id)


def holders(
    store: TenantStore, connection_id: str, app_id: str, after: str | None, limit: int
) -> Page[Holder]:
    """Accounts of a connection that hold an app, in the order of their ids.

    The footprint is derived and may name an account that holds the app no more: only what the bundle
    says is answered.

    Raises:
        NotFoundError: no such connection or no such app.
    """
    named = sorted(store.footprints.holders(connection_id, app_id))
    if not named:
        keys = store.documents.keys
        require(
            store,
            [
                ("connection", connection_id, keys.connection(connection_id)),
                ("app", app_id, keys.app(app_id, "FACTS")),
            ],
        )
    left = [pid for pid in named if after is None or pid > after]
    chosen = left[:limit]
    bundles = store.bundles.batch_get(connection_id, chosen) if chosen else {}
    rows = []
    for pid in chosen:
        bundle = bundles.get(pid)
        grant = bundle.grant(app_id) if bundle else None
        if bundle and grant:
            rows.append(Holder(bundle.principal, grant))
    return Page(tuple(rows), chosen[-1] if len(left) > limit else None)
