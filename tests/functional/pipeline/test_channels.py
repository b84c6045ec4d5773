"""Push channels of a connection that is given up while they are opened."""

from dataclasses import replace
from typing import Any

from lantern.connectors.protocol import Channel, ChannelRequest, PushFact
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


class Pushing:
    """A connector whose provider pushes two events."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        push = PushFact("channel", ("authorize", "revoke"), ttl_s=6 * 3600, renew_s=3600)
        self.manifest = replace(inner.manifest, push=push)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_a_channel_opened_while_the_connection_is_given_up_is_closed(bench: Bench) -> None:
    bench.wrap = lambda connector: Leaving(connector, bench)
    bench.do(Work(bench.store.tenant_id, "connection.channels", bench.connection_id))
    assert bench.world.channels == {}
    assert not bench.store.channels.list(bench.connection_id)


def test_a_channel_that_the_provider_closed_is_opened_again(bench: Bench) -> None:
    tenant, connection = bench.store.tenant_id, bench.connection_id
    bench.wrap = Pushing
    bench.do(Work(tenant, "connection.channels", connection))
    before = {stored.id: stored.event for stored in bench.store.channels.list(connection)}
    assert len(before) == 2
    lost = next(iter(before))
    for _ in range(2):  # the message may come twice
        bench.do(Work(tenant, "connection.channels", connection, {"lost": lost}))
        after = {stored.id: stored.event for stored in bench.store.channels.list(connection)}
        assert sorted(after.values()) == sorted(before.values())
        assert len(set(before) & set(after)) == 1
        assert lost not in after
    bench.do(Work(tenant, "connection.channels", connection))
    assert {stored.id for stored in bench.store.channels.list(connection)} == set(after)
