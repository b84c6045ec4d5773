"""What every import works with, gathered once per message."""

from collections.abc import Callable
from dataclasses import dataclass

from lantern.connectors.protocol import Clock, Deadline
from lantern.domain.visit_targets import Resolve
from lantern.services.discovery.context import Send
from lantern.services.imports.drops import DropBox
from lantern.store.tenant import TenantStore


@dataclass(frozen=True, slots=True)
class Imports:
    """One message's tools.

    `drops` gives the tenant's part of the bucket, `resolve` where hosts lead by the tenant's own catalog: few
    messages need either.
    """

    store: TenantStore
    clock: Clock
    deadline: Deadline
    send: Send
    hop: int = 0
    drops: Callable[[], DropBox] | None = None
    resolve: Callable[[], Resolve] | None = None
