"""The targets that a selector names, for each kind of job."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lantern.connectors import manifests
from lantern.domain import ids
from lantern.domain.errors import InvalidInputError, NotFoundError
from lantern.domain.inventory import Bundle
from lantern.domain.jobs import JobKind, Selector
from lantern.domain.rules.vocabulary import Subject
from lantern.services.remediation.targets import APP_KINDS, ASSET_KINDS, GRANT_KINDS, act_of, app_target
from lantern.store.tenant import TenantStore

_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Target:
    """One target, and where it is: an account, an app and a connection, as far as it has them.

    `everyone`: the whole organisation feels it.
    """

    target_id: str
    connection_id: str
    principal_id: str = ""
    app_id: str = ""
    everyone: bool = False


def select(store: TenantStore, kind: JobKind, selector: Selector) -> Iterator[Target]:
    """Every target that is there now.

    Raises:
        NotFoundError: what is named does not exist in this tenant.
        InvalidInputError: nothing, more than one thing, or something this kind does not act on is named.
    """
    by = _named(selector)
    if kind == "revoke_scopes" and not selector.scopes:
        raise InvalidInputError("selector.scopes", "name the permissions to take away")
    if kind in GRANT_KINDS:
        yield from _grants(store, selector, by)
    elif kind in APP_KINDS:
        _only(by, "app_id", kind)
        yield from _of_whole_app(store, kind, selector.app_id or "")
    elif kind in ASSET_KINDS:
        if by == "finding_id":
            yield from _of_assets(store, _listed(store, selector.finding_id or "", Subject.ASSET))
            return
        _only(by, "asset_ids", kind)
        yield from _of_assets(store, selector.asset_ids, missing_ok=False)
    else:
        _only(by, "principal_id", kind)
        bundle = _one(store, selector.principal_id or "")
        yield Target(bundle.principal.id, bundle.principal.connection_id, bundle.principal.id)


def _named(selector: Selector) -> str:
    pairs = (
        ("app_id", selector.app_id),
        ("principal_id", selector.principal_id),
        ("finding_id", selector.finding_id),
        ("grant_ids", selector.grant_ids),
        ("asset_ids", selector.asset_ids),
    )
    chosen = [name for name, value in pairs if value]
    if len(chosen) != 1:
        raise InvalidInputError(
            "selector", "name exactly one of app_id, principal_id, finding_id, grant_ids or asset_ids"
        )
    return chosen[0]


def _only(by: str, wanted: str, kind: JobKind) -> None:
    if by != wanted:
        raise InvalidInputError(f"selector.{by}", f"{kind} acts on {wanted}")


def _grants(store: TenantStore, selector: Selector, by: str) -> Iterator[Target]:
    match by:
        case "app_id":
            yield from _of_app(store, selector.app_id or "")
        case "principal_id":
            bundle = _one(store, selector.principal_id or "")
            yield from (_target(bundle, grant.app_id) for grant in bundle.grants or ())
        case "finding_id":
            listed = _listed(store, selector.finding_id or "", Subject.GRANT)
            yield from _of_grants(store, listed, missing_ok=True)
        case "grant_ids":
            yield from _of_grants(store, selector.grant_ids, missing_ok=False)
        case _:
            raise InvalidInputError(f"selector.{by}", "grants are named by app, account, finding or grant")


def _of_app(store: TenantStore, app_id: str) -> Iterator[Target]:
    if store.apps.get_facts(app_id) is None:
        raise NotFoundError("app", app_id)
    for connection in store.connections.list():
        holders = store.footprints.holders(connection.id, app_id)
        for bundle in _bundles(store, connection.id, holders).values():
            if bundle.grant(app_id):
                yield _target(bundle, app_id)


def _of_whole_app(store: TenantStore, kind: JobKind, app_id: str) -> Iterator[Target]:
    """The app at each connection of its provider; that it takes an approval is for the provider to waive."""
    app = store.apps.get_facts(app_id)
    if app is None:
        raise NotFoundError("app", app_id)
    fact = manifests.manifest(app.provider).acts.get(act_of(kind))
    for connection in store.connections.list():
        if connection.provider == app.provider and not connection.leaving:
            everyone = fact.everyone if fact else True
            yield Target(app_target(app_id, connection.id), connection.id, app_id=app_id, everyone=everyone)


def _of_assets(store: TenantStore, asset_ids: Iterable[str], *, missing_ok: bool = True) -> Iterator[Target]:
    for asset_id in asset_ids:
        stored = store.assets.get(asset_id)
        if stored is not None and stored.gone_at is None:
            yield Target(asset_id, stored.asset.connection_id, stored.asset.owner or "")
        elif not missing_ok:
            raise NotFoundError("asset", asset_id)


_INSTEAD: Final[Mapping[Subject, str]] = {
    Subject.GRANT: "this finding lists grants: ask for revoke_grants or revoke_scopes",
    Subject.ASSET: "this finding lists assets: ask for disable_asset or delete_asset",
    Subject.APP: "this finding is about an app as a whole and lists no grants: name its app_id",
    Subject.PERSON: "this finding is about a person and lists no grants: name a principal_id",
    Subject.CONNECTION: "this finding is about a connection: there is nothing in it to act on",
}


def _listed(store: TenantStore, finding_id: str, wanted: Subject) -> tuple[str, ...]:
    """What a finding lists as affected now.

    Raises:
        NotFoundError: no such finding.
        InvalidInputError: it lists something else, or nothing.
    """
    finding = store.findings.get(finding_id)
    if finding is None:
        raise NotFoundError("finding", finding_id)
    if finding.subject is not wanted:
        raise InvalidInputError("selector.finding_id", _INSTEAD[finding.subject])
    return tuple(sorted(finding.open_items))


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


def _one(store: TenantStore, principal_id: str) -> Bundle:
    found = _find(store, [principal_id])
    if principal_id not in found:
        raise NotFoundError("principal", principal_id)
    return found[principal_id]


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
    return Target(
        ids.grant_id(principal.id, app_id),
        principal.connection_id,
        principal.id,
        app_id,
        everyone=principal.kind == "organisation",
    )
