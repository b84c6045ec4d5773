"""Items of several aggregates in one request, for answers that must cost at most two."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from lantern.domain import ids
from lantern.domain.apps import AppView
from lantern.domain.inventory import App, Bundle
from lantern.domain.risk import DEFAULT, Weights
from lantern.domain.tenancy import Connection
from lantern.domain.use import UseWindow

if TYPE_CHECKING:
    from lantern.store.tenant import TenantStore


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around grants: their apps, permissions and holders, and how their use is known.

    `last_use` is principal id → app id → last day of seen use. `window` is what has been read of use without
    a hole; None while nothing has.
    """

    apps: Mapping[str, App]
    scope_sets: Mapping[str, frozenset[str]]
    bundles: Mapping[str, Bundle]
    last_use: Mapping[str, Mapping[str, date]]
    window: UseWindow | None


@dataclass(frozen=True, slots=True)
class GrantSurroundings:
    """What the risk of one grant takes, besides its bundle; `scopes` None where the set is not stored."""

    view: AppView
    scopes: frozenset[str] | None
    last_used: date | None
    window: UseWindow | None
    weights: Weights


class JoinedReader:
    """Reads of one request each, over several kinds of item."""

    def __init__(self, store: "TenantStore") -> None:
        self._store = store

    def bundle(self, cid: str, pid: str) -> tuple[Bundle | None, Connection | None]:
        """A principal's bundle and its connection."""
        keys = self._store.documents.keys
        wanted, at = keys.bundle(cid, pid), keys.connection(cid)
        found = self._store.documents.batch_get([wanted, at])
        bundle = self._store.bundles.decode(cid, found[wanted]) if wanted in found else None
        return bundle, self._store.connections.decode(found[at]) if at in found else None

    def finding(self, finding_id: str, cid: str) -> tuple[Any, Connection | None]:
        """A finding and a connection."""
        keys = self._store.documents.keys
        wanted, at = keys.finding(finding_id), keys.connection(cid)
        found = self._store.documents.batch_get([wanted, at])
        finding = self._store.findings.decode(found[wanted]) if wanted in found else None
        return finding, self._store.connections.decode(found[at]) if at in found else None

    def activity(self, cid: str, app_id: str) -> tuple[Connection | None, bool, UseWindow | None]:
        """A connection, whether an app was ever seen, and what is known of use at the connection."""
        keys = self._store.documents.keys
        at, app, window = keys.connection(cid), keys.app(app_id, "FACTS"), keys.activity(cid)
        found = self._store.documents.batch_get([at, app, window])
        return (
            self._store.connections.decode(found[at]) if at in found else None,
            app in found,
            self._store.use.decode_window(found[window]) if window in found else None,
        )

    def surroundings(
        self,
        connection: Connection,
        *,
        apps: Iterable[str] = (),
        scope_sets: Iterable[str] = (),
        bundles: Iterable[str] = (),
        users: Iterable[str] = (),
    ) -> Surroundings:
        """What stands around some grants of a connection; at most 100 items.

        Args:
            connection: where they are held.
            apps: ids of apps whose facts are wanted.
            scope_sets: ids of scope sets.
            bundles: ids of principals whose bundles are wanted.
            users: ids of principals whose use is wanted.
        """
        keys, cid, shards = self._store.documents.keys, connection.id, connection.shards
        facts = {keys.app(app_id, "FACTS"): app_id for app_id in apps}
        sets = {keys.scope_set(name): name for name in scope_sets}
        held = {keys.bundle(cid, pid): pid for pid in bundles}
        use = {keys.last_use(cid, ids.shard_of(pid, shards), shards) for pid in users}
        window, repo = keys.activity(cid), self._store.apps
        found = self._store.documents.batch_get({*facts, *sets, *held, *use, window})
        last_use: dict[str, Mapping[str, date]] = {}
        for key in use & found.keys():
            last_use.update(self._store.use.decode_last(found[key]))
        return Surroundings(
            apps={facts[key]: repo.decode_facts(found[key]) for key in facts.keys() & found.keys()},
            scope_sets={sets[key]: repo.decode_scopes(found[key]) for key in sets.keys() & found.keys()},
            bundles={
                held[key]: self._store.bundles.decode(cid, found[key]) for key in held.keys() & found.keys()
            },
            last_use=last_use,
            window=self._store.use.decode_window(found[window]) if window in found else None,
        )

    def grant_risk(self, connection: Connection, pid: str, app_id: str, scope_set: str) -> GrantSurroundings:
        """What the risk of one grant takes, besides its bundle."""
        keys, cid, shards = self._store.documents.keys, connection.id, connection.shards
        aspects = [keys.app(app_id, name) for name in ("FACTS", "RISK", "POLICY", "OVERRIDE")]
        held, window, weights = keys.scope_set(scope_set), keys.activity(cid), keys.risk_weights()
        use = keys.last_use(cid, ids.shard_of(pid, shards), shards)
        found = self._store.documents.batch_get([*aspects, held, use, window, weights])
        repo = self._store.apps
        last = self._store.use.decode_last(found[use]) if use in found else {}
        return GrantSurroundings(
            view=repo.view_of(app_id, (found[key] for key in aspects if key in found)),
            scopes=repo.decode_scopes(found[held]) if held in found else None,
            last_used=last.get(pid, {}).get(app_id),
            window=self._store.use.decode_window(found[window]) if window in found else None,
            weights=self._store.risk.decode_weights(found[weights]).weights()
            if weights in found
            else DEFAULT,
        )
