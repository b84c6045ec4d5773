"""What every message of scoring works with."""

from dataclasses import dataclass

from lantern.connectors.protocol import Clock
from lantern.services.catalog_layers import OperatorCatalog
from lantern.services.scoring.knowledge import Knowledge
from lantern.store.tenant import TenantStore


@dataclass(frozen=True, slots=True)
class Scoring:
    """One message's tools: the tenant's store, the release's knowledge, time, the operators' entries.

    Where `operators` is None there are none beside the tenant's own.
    """

    store: TenantStore
    knowledge: Knowledge
    clock: Clock
    operators: OperatorCatalog | None = None
