"""What every message of scoring works with."""

from collections.abc import Callable
from dataclasses import dataclass

from lantern.connectors.protocol import Clock
from lantern.domain.incidents import Notice
from lantern.services.catalog_layers import OperatorCatalog
from lantern.services.scoring.knowledge import Knowledge
from lantern.store.tenant import TenantStore


@dataclass(frozen=True, slots=True)
class Scoring:
    """One message's tools: the tenant's store, the release's knowledge, time, the operators' entries.

    Where `operators` is None there are none beside the tenant's own. `notices` reads the incidents of vendors
    that operators raised for all tenants.
    """

    store: TenantStore
    knowledge: Knowledge
    clock: Clock
    operators: OperatorCatalog | None = None
    notices: Callable[[], tuple[Notice, ...]] | None = None
