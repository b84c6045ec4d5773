"""AI agents with an identity of their own (Entra Agent ID), and who answers for them."""

from typing import Final

from lantern.connectors.entra import normalize
from lantern.connectors.entra.api import BATCH, HEAVY, GraphApi, Item, entity, segment
from lantern.connectors.entra.directory import Owner, understood
from lantern.connectors.halt import Halt
from lantern.domain.assets import Asset, AssetListing

_PATH: Final = "/servicePrincipals/microsoft.graph.agentIdentity"
_SELECT: Final = "id,appId,displayName,accountEnabled,agentIdentityBlueprintId,createdDateTime"


def agents(api: GraphApi, owner: Owner, halt: Halt) -> AssetListing:
    """Every agent identity of the tenant with its sponsors and owners.

    Raises:
        CallError: one of the lists cannot be had, so that the listing would not be complete.
    """
    rows = list(api.all(_PATH, halt, params={"$select": _SELECT, "$top": "999"}, quotas=HEAVY))
    found: list[Asset] = []
    for start in range(0, len(rows), BATCH // 2):
        some = rows[start : start + BATCH // 2]
        ids = [str(entity(row)["id"]) for row in some]
        parts = api.batch([path for one in ids for path in _people(one)], halt)
        for row, one in zip(some, ids, strict=True):
            sponsors, owners = (api.finish(path, parts.get(path), halt) for path in _people(one))
            found.append(_asset(row, owner, sponsors, owners))
    return AssetListing("agent", tuple(found))


def _asset(row: Item, owner: Owner, sponsors: list[Item], owners: list[Item]) -> Asset:
    return understood(
        lambda: normalize.agent(
            row,
            connection_id=owner.connection_id,
            organisation_id=owner.organisation_id,
            sponsors=sponsors,
            owners=owners,
        ),
        "agents",
    )


def _people(native_id: str) -> tuple[str, str]:
    base = f"/servicePrincipals/{segment(native_id)}"
    return (
        f"{base}/microsoft.graph.agentIdentity/sponsors?$select=id",
        f"{base}/owners?$select=id",
    )
