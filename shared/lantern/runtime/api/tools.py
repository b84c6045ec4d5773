"""Everything the API's handlers work with, injected."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lantern.domain.ids import RandomBytes
from lantern.domain.rules.model import RuleSet
from lantern.runtime.cursors import CursorCodec
from lantern.services.catalog_layers import OperatorCatalog
from lantern.services.imports.drops import DropBox
from lantern.services.ports import OnboardingPort, QueuePort, RemediationPort
from lantern.services.reference import Reference
from lantern.store.platform import PlatformStore
from lantern.store.tenant import TenantStore


@dataclass(frozen=True, slots=True)
class Tools:
    """The composition of one process.

    `open_store` answers with a store bound to one tenant. `queue`, `catalog`, `cursors` and `rules` are
    functions because few requests need them: a client is made, a file opened, and a platform secret read, at
    first use. `drops` gives a tenant's part of the bucket for large files. `environment` goes into issued
    keys. `reference` is the release's knowledge, read at first use. `seal` makes a ciphertext of tenant,
    secret id and text; nothing here can open one.
    """

    open_store: Callable[[str], TenantStore]
    platform: PlatformStore
    queue: Callable[[], QueuePort]
    remediation: RemediationPort
    onboarding: OnboardingPort
    catalog: Callable[[], OperatorCatalog]
    cursors: Callable[[], CursorCodec]
    now: Callable[[], datetime]
    random: RandomBytes
    environment: str
    requests_per_minute: int
    reference: Reference
    rules: Callable[[], RuleSet]
    drops: Callable[[str], DropBox]
    seal: Callable[[str, str, str], bytes]

    def vendors(self) -> Reference:
        """`reference` with the profiles of vendors as operators publish them, at most five minutes old."""
        return self.catalog().layer().over(self.reference)
