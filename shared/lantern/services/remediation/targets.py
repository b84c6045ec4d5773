"""What a target id of a job stands for, and the act that is asked of its provider."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lantern.connectors.protocol import Action, ActionKind
from lantern.domain import ids
from lantern.domain.assets import Asset
from lantern.domain.inventory import Bundle
from lantern.domain.jobs import Job, JobKind
from lantern.domain.tenancy import Connection
from lantern.store.tenant import TenantStore

GRANT_KINDS: Final[frozenset[JobKind]] = frozenset({"revoke_grants", "revoke_scopes"})
APP_KINDS: Final[frozenset[JobKind]] = frozenset(
    {"disable_app", "enable_app", "approve_app", "restrict_app", "uninstall_app"}
)
ASSET_KINDS: Final[frozenset[JobKind]] = frozenset({"delete_asset", "disable_asset"})
LETTING: Final[frozenset[JobKind]] = frozenset({"enable_app", "approve_app"})
"""Kinds after which the access is to be there, not gone."""
_ACTS: Final[dict[JobKind, ActionKind]] = {
    "revoke_grants": "revoke_grant",
    "revoke_scopes": "revoke_scopes",
    "disable_app": "disable_app",
    "enable_app": "enable_app",
    "approve_app": "approve_app",
    "restrict_app": "restrict_app",
    "uninstall_app": "uninstall_app",
    "end_sessions": "end_sessions",
    "delete_asset": "delete_asset",
    "disable_asset": "disable_asset",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """One target as the provider knows it.

    `bundle` is the account to read again afterwards, `asset` what an act on an asset is about.
    """

    connection: Connection
    action: Action
    bundle: Bundle | None = None
    asset: Asset | None = None


def act_of(kind: JobKind) -> ActionKind:
    """The act that a kind of job asks of a connector, for each target."""
    return _ACTS[kind]


def app_target(app_id: str, connection_id: str) -> str:
    """The target id of an app as a whole at one connection."""
    return f"{app_id}@{connection_id}"


def resolve(store: TenantStore, job: Job, target_id: str) -> Subject | None:
    """What a target stands for now; None where it is no longer known here.

    Raises:
        ValueError: no target of this kind of job has such an id.
    """
    if job.kind in GRANT_KINDS:
        return _grant(store, job, target_id)
    if job.kind in APP_KINDS:
        return _app(store, job, target_id)
    if job.kind in ASSET_KINDS:
        return _asset(store, job, target_id)
    return _account(store, job, target_id)


def _grant(store: TenantStore, job: Job, target_id: str) -> Subject | None:
    pair = ids.split_grant_id(target_id)
    if pair is None:
        raise ValueError(f"not a grant id: {target_id}")
    found, app = locate(store.connections.list(), store, pair[0]), store.apps.get_facts(pair[1])
    if found is None or app is None:
        return None
    connection, bundle = found
    scopes = frozenset(job.selector.scopes)
    action = Action(act_of(job.kind), bundle.principal.native_id, app.client_id, scopes=scopes)
    return Subject(connection, action, bundle)


def _app(store: TenantStore, job: Job, target_id: str) -> Subject | None:
    app_id, at, connection_id = target_id.partition("@")
    if not at:
        raise ValueError(f"not an app at a connection: {target_id}")
    app, connection = store.apps.get_facts(app_id), store.connections.get(connection_id)
    if app is None or connection is None:
        return None
    return Subject(connection, Action(act_of(job.kind), client_id=app.client_id))


def _asset(store: TenantStore, job: Job, target_id: str) -> Subject | None:
    stored = store.assets.get(target_id)
    connection = store.connections.get(stored.asset.connection_id) if stored else None
    if stored is None or connection is None:
        return None
    return Subject(connection, Action(act_of(job.kind), asset_id=stored.asset.native_id), asset=stored.asset)


def _account(store: TenantStore, job: Job, target_id: str) -> Subject | None:
    found = locate(store.connections.list(), store, target_id)
    if found is None:
        return None
    connection, bundle = found
    return Subject(connection, Action(act_of(job.kind), bundle.principal.native_id), bundle)


def locate(
    connections: Iterable[Connection], store: TenantStore, principal_id: str
) -> tuple[Connection, Bundle] | None:
    """An account and the connection that has it."""
    for connection in connections:
        bundle = store.bundles.get(connection.id, principal_id)
        if bundle is not None:
            return connection, bundle
    return None
