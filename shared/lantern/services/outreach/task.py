"""What outreach works with."""

from collections.abc import Callable
from dataclasses import dataclass

from lantern.channels.protocol import Channel
from lantern.connectors.protocol import Clock, Deadline
from lantern.domain.messages import ChannelKind
from lantern.domain.work import Work
from lantern.store.tenant import TenantStore


@dataclass(frozen=True, slots=True)
class Outreach:
    """One message's tools.

    Attributes:
        store: the tenant's store.
        clock: time.
        deadline: when to stop starting new things.
        send: enqueues a message, after a delay in seconds.
        channel: the way out of a kind.
        unseal: opens the secret of a connection, channel or endpoint by its id; None where there is none.
        luck: a number in [0, 1).
        link: makes the address that a marker in a button stands for (`domain.person_links`).
        back: tells who pressed a button (address, text, whether in place of the buttons).
        site: public base address, for links; may be empty.
    """

    store: TenantStore
    clock: Clock
    deadline: Deadline
    send: Callable[[Work, float], None]
    channel: Callable[[ChannelKind], Channel]
    unseal: Callable[[str], str | None]
    luck: Callable[[], float]
    link: Callable[[str], str] = lambda url: url
    back: Callable[[str, str, bool], bool] = lambda _url, _text, _replace: False
    site: str = ""
