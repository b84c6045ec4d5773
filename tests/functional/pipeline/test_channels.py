"""Push channels of a connection that is given up while they are opened."""

from dataclasses import replace
from typing import Any

from lantern.connectors.protocol import Channel, ChannelRequest
from lantern.domain.work import Work
from tests.support.tenant import Bench


class Leaving:
    """A connector during whose opening of a channel somebody gives the connection up."""

    def __init__(self, inner: Any, bench: Bench) -> None:
        self._inner = inner
        self._bench = bench

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def open_channel(self, request: ChannelRequest) -> Channel:
        store = self._bench.store
        store.connections.put(replace(self._bench.connection, status="disconnecting"))
        return self._inner.open_channel(request)


def test_a_channel_opened_while_the_connection_is_given_up_is_closed(bench: Bench) -> None:
    bench.wrap = lambda connector: Leaving(connector, bench)
    bench.do(Work(bench.store.tenant_id, "connection.channels", bench.connection_id))
    assert bench.world.channels == {}
    assert not bench.store.channels.list(bench.connection_id)
