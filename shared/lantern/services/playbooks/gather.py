"""The targets of a run: what it is about, gathered target by target from what is stored now."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from lantern.domain import ids
from lantern.domain.blast import VendorReach
from lantern.domain.errors import InvalidInputError, NotFoundError
from lantern.domain.findings import Finding
from lantern.domain.inventory import Bundle
from lantern.domain.jobs import Selector
from lantern.domain.playbooks.machine import About
from lantern.domain.playbooks.model import Playbook, TargetKind
from lantern.domain.rules.vocabulary import GroupBy, Subject
from lantern.services import queries_people
from lantern.services.remediation.select import Target, select
from lantern.store.tenant import TenantStore

_OWNED: Final = ("api_key", "agent", "mcp_server", "automation", "endpoint")
"""Kinds of assets that act for whoever owns them."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """One target, and what kind of thing it is."""

    kind: TargetKind
    target: Target


def gather(store: TenantStore, book: Playbook, about: About) -> tuple[Gathered, ...]:
    """Every target of a run about this, in a stable order; what files alone tell is left out.

    Raises:
        NotFoundError: what is named does not exist in this tenant.
        InvalidInputError: nothing, more than one thing, or something the playbook does not gather is named.
    """
    name = _named(about)
    found: dict[str, Gathered] = {}
    for word in book.gathers:
        for one in _of(store, word, name, about):
            found.setdefault(one.target.target_id, one)
    if not found and not _fits(book, name):
        raise InvalidInputError(
            "about", f"{book.id} is about {', '.join(book.gathers)}, which {name} does not name"
        )
    imported = {one.id for one in store.connections.list() if one.kind == "import" or one.leaving}
    rows = (one for one in found.values() if one.target.connection_id not in imported)
    return tuple(sorted(rows, key=lambda one: one.target.target_id))


_FITS: Final = {
    "app_id": {"grants", "app"},
    "vendor_id": {"grants", "app"},
    "finding_id": {"grants", "app", "assets"},
    "grant_ids": {"grants"},
    "asset_ids": {"assets"},
    "principal_id": {"grants", "accounts", "assets"},
    "person_id": {"grants", "accounts", "assets"},
}
"""What may be gathered of each thing that a run can be about."""


def _fits(book: Playbook, name: str) -> bool:
    return not _FITS[name].isdisjoint(book.gathers)


def _named(about: About) -> str:
    chosen = [name for name in _FITS if getattr(about, name)]
    if len(chosen) != 1:
        raise InvalidInputError("about", f"name exactly one of {', '.join(_FITS)}")
    return chosen[0]


def _of(store: TenantStore, word: str, name: str, about: About) -> Iterator[Gathered]:
    if word not in _FITS[name]:
        return
    if word == "grants":
        yield from (Gathered("grant", one) for one in _grants(store, name, about))
    elif word == "app":
        for app_id in _apps(store, name, about):
            one = Selector(app_id=app_id)
            yield from (Gathered("app", target) for target in select(store, "disable_app", one))
    elif word == "assets" and name == "asset_ids":
        chosen = select(store, "disable_asset", Selector(asset_ids=about.asset_ids))
        yield from (Gathered("asset", one) for one in chosen)
    elif word == "assets" and name == "finding_id":
        if _finding(store, about).subject is Subject.ASSET:
            chosen = select(store, "disable_asset", Selector(finding_id=about.finding_id))
            yield from (Gathered("asset", one) for one in chosen)
    else:
        yield from _of_accounts(store, word, _accounts(store, about))


def _grants(store: TenantStore, name: str, about: About) -> Iterator[Target]:
    if name == "person_id":
        for account in _accounts(store, about):
            if account.grants:
                yield from select(store, "revoke_grants", Selector(principal_id=account.principal.id))
    elif name == "vendor_id":
        for app_id in _apps(store, name, about):
            yield from select(store, "revoke_grants", Selector(app_id=app_id))
    elif name == "finding_id" and _finding(store, about).subject is not Subject.GRANT:
        # What an asset is used by are the grants of its app: an extension's installations, a site's visitors.
        for app_id in _apps(store, name, about):
            yield from select(store, "revoke_grants", Selector(app_id=app_id))
    else:
        selector = Selector(
            app_id=about.app_id,
            principal_id=about.principal_id,
            finding_id=about.finding_id,
            grant_ids=about.grant_ids,
        )
        yield from select(store, "revoke_grants", selector)


def _apps(store: TenantStore, name: str, about: About) -> tuple[str, ...]:
    if name == "app_id":
        return (about.app_id or "",)
    if name == "vendor_id":
        return apps_of(store, about.vendor_id or "")
    finding = _finding(store, about)
    if finding.subject is Subject.ASSET:
        return _apps_of_assets(store, sorted(finding.open_assets))
    return (finding.group.id,) if finding.group.kind is GroupBy.APP else ()


def _finding(store: TenantStore, about: About) -> Finding:
    found: Finding | None = store.findings.get(about.finding_id or "")
    if found is None:
        raise NotFoundError("finding", about.finding_id or "")
    return found


def _apps_of_assets(store: TenantStore, asset_ids: Iterable[str]) -> tuple[str, ...]:
    """The apps that assets belong to, as far as they are known."""
    providers = {one.id: one.provider for one in store.connections.list()}
    wanted = set[str]()
    for asset_id in asset_ids:
        stored = store.assets.get(asset_id)
        asset = stored.asset if stored is not None and stored.gone_at is None else None
        if asset is not None and asset.client_id is not None and asset.connection_id in providers:
            wanted |= {ids.app_id(one, asset.client_id) for one in (providers[asset.connection_id], "web")}
    return tuple(sorted(store.apps.batch_facts(wanted)))


def apps_of(store: TenantStore, vendor_id: str) -> tuple[str, ...]:
    """The apps of a vendor that anybody here holds, as of when reaches were computed last."""
    reach: VendorReach | None
    reach, _ = store.reach.get(vendor_id)
    if reach is None:
        return ()
    return tuple(sorted({app.app_id for part in reach.connections for app in part.apps}))


def _accounts(store: TenantStore, about: About) -> tuple[Bundle, ...]:
    if about.person_id:
        return queries_people.accounts(store, about.person_id)
    (one,) = {
        target.principal_id: target
        for target in select(store, "end_sessions", Selector(principal_id=about.principal_id))
    }.values()
    bundle = store.bundles.get(one.connection_id, one.principal_id)
    return (bundle,) if bundle else ()


def _of_accounts(store: TenantStore, word: str, accounts: Iterable[Bundle]) -> Iterator[Gathered]:
    people = {one.principal.id: one.principal.connection_id for one in accounts}
    if word == "accounts":
        yield from (Gathered("account", Target(pid, cid, pid)) for pid, cid in people.items())
        return
    for kind in _OWNED:
        for connection_id in sorted(set(people.values())):
            cursor: str | None = None
            while True:
                page = store.assets.page(kind, connection_id, limit=200, cursor=cursor)
                for one in page.items:
                    if one.gone_at is None and one.asset.state == "active" and one.asset.owner in people:
                        target = Target(one.asset.id, connection_id, one.asset.owner or "")
                        yield Gathered("asset", target)
                cursor = page.cursor
                if cursor is None:
                    break
