"""The catalog as one tenant sees it, and which of its apps a change of it touches."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from lantern.domain.apps import AppView
from lantern.domain.overlay import AppliedCatalog, OverlayCatalog
from lantern.domain.tally import total
from lantern.services.catalog_layers import OperatorCatalog, OperatorLayer
from lantern.services.scoring.assess import recognise, stored_tallies
from lantern.services.scoring.knowledge import Knowledge
from lantern.services.scoring.trusting import profile_revision
from lantern.store.tenant import TenantStore


@dataclass(frozen=True, slots=True)
class TenantView:
    """A release's knowledge with the catalog of one tenant, and what was last applied to its apps."""

    knowledge: Knowledge
    operators: int
    applied: AppliedCatalog | None

    @property
    def is_applied(self) -> bool:
        """Whether the tenant's apps have been brought in line with this very catalog and these profiles."""
        applied, now = self.applied, (self.knowledge.catalog.revision, self.operators)
        return applied is not None and (applied.revision, applied.operators) == now


def view(
    store: TenantStore,
    knowledge: Knowledge,
    operators: OperatorCatalog | None,
    *,
    least: int = 0,
    consistent: bool = False,
) -> TenantView:
    """Lay the operators' entries over the shipped catalog, and the tenant's over both: one request.

    Profiles of vendors are as operators publish them. What operators say may be some minutes old, but never
    older than what was applied to this tenant: an app must not go back to what it was.

    Args:
        store: the tenant's store.
        knowledge: what the release ships.
        operators: the operators' entries; None where there are none.
        least: the version of the operators' entries that is needed.
        consistent: see the tenant's last entry for sure.
    """
    catalog, applied = store.catalog.state(consistent=consistent)
    least = max(least, applied.operators if applied else 0)
    layer = operators.layer(least) if operators else OperatorLayer(0, OverlayCatalog(knowledge.catalog))
    whole = OverlayCatalog(layer.catalog, catalog.entries) if catalog.entries else layer.catalog
    known = replace(knowledge, catalog=whole, reference=layer.over(knowledge.reference))
    return TenantView(known, layer.version, applied)


def touched(store: TenantStore, knowledge: Knowledge) -> list[str]:
    """Return the ids of apps that, or whose vendors, are told otherwise now than when they were judged.

    The stored judgement is compared, not the change: what an entry said before and what it says now count
    alike, and whatever an earlier message failed to do is found again. Apps never judged wait for their run.
    """
    judged = [one for one in store.apps.all_views() if one.facts is not None and one.risk is not None]
    held = {one.app_id: _scope_sets(one) for one in judged}
    scopes = store.apps.scope_sets({name for names in held.values() for name in names})
    found = []
    for one in judged:
        granted = frozenset(scope for name in held[one.app_id] for scope in scopes.get(name, ()))
        if one.facts is None:
            continue
        identified, imitates = recognise(knowledge, one.facts, granted)
        profile = profile_revision(knowledge.reference, identified)
        if _plain(identified, imitates) != _stored(one) or profile != _body(one).get("profile"):
            found.append(one.app_id)
    return found


def note_applied(store: TenantStore, seen: TenantView, now: datetime) -> None:
    """Note that the tenant's apps are in line with a catalog."""
    store.catalog.put_applied(AppliedCatalog(seen.knowledge.catalog.revision, seen.operators, now))


def _scope_sets(one: AppView) -> tuple[str, ...]:
    return total(stored_tallies(_body(one)).values()).scope_sets


def _body(one: AppView) -> Mapping[str, Any]:
    return one.risk.body if one.risk else {}


def _stored(one: AppView) -> list[Any]:
    return [_body(one).get("identification"), _body(one).get("look_alike")]


def _plain(*records: Any) -> list[Any]:
    """Records as they come back from the store."""
    made = [None if record is None else asdict(record) for record in records]
    plain: list[Any] = msgspec.json.decode(msgspec.json.encode(made))
    return plain
