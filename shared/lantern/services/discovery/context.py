"""What every discovery task works with, gathered once per message."""

from collections.abc import Callable
from dataclasses import dataclass

from lantern.connectors.protocol import Clock, Connector, Deadline
from lantern.domain.ids import RandomBytes
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work
from lantern.store.tenant import TenantStore

Send = Callable[[Work, float], None]
"""Enqueue a message after a delay in seconds."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """One message's tools: the tenant's store, the connection, its connector, time and a way to send.

    `message_id` is the queue's id of the message, the same when it is delivered again: it owns leases.
    `hop` is how often the chain has handed itself on; the queue refuses a chain that never ends.
    """

    store: TenantStore
    connection: Connection
    connector: Connector
    clock: Clock
    deadline: Deadline
    random: RandomBytes
    send: Send
    message_id: str
    hop: int = 0
