"""Taking a connection down, also when the process dies in the middle; and saying that one needs attention."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lantern.connectors.protocol import Channel
from lantern.domain.access import StoredChannel
from lantern.domain.errors import ConnectorError
from lantern.domain.tenancy import Connection
from lantern.services import connections, vault
from lantern.store.platform import ChannelRoute
from tests.functional.onboarding.world import Browser, Crash, World, lantern
from tests.simulators.google.simulator import GoogleSimulator


class Access:
    """The connector's way out, on the real consent flow; counts and fails as told."""

    def __init__(self, world: World, token: str, error: ConnectorError | None = None) -> None:
        self.world, self.token, self.error = world, token, error
        self.closed: list[Channel] = []

    def close_channel(self, channel: Channel) -> None:
        if self.error is not None:
            raise self.error
        self.closed.append(channel)

    def disconnect(self) -> None:
        self.world.flow.revoke(self.token)


def _connected(world: World) -> tuple[str, Connection]:
    assert Browser(world).connect().status == 200
    (tenant_id,) = world.tenants()
    store = world.tenant(tenant_id)
    (connection,) = store.connections.list()
    expires = world.clock.now() + timedelta(hours=6)
    for number in (1, 2):
        channel = StoredChannel(f"chan-{number}", f"res-{number}", "grants", "authorize", expires, "hash")
        store.channels.put(connection.id, channel)
        world.platform.put_channel(ChannelRoute(f"chan-{number}", tenant_id, connection.id, "hash", expires))
    store.connections.put(replace(connection, status="disconnecting"))
    return tenant_id, connection


def _teardown(world: World, tenant_id: str, error: ConnectorError | None = None) -> connections.Teardown:
    store = world.tenant(tenant_id)

    def access(connection: Connection) -> Access:
        sealed = store.secrets.get(connection.id)
        assert sealed is not None
        token = vault.open_(world.kms, world.key_id, tenant_id, connection.id, sealed)
        return Access(world, token, error)

    return connections.Teardown(store, world.platform, world.scheduler, "lantern-test", access)


def _gone(world: World, tenant_id: str, connection: Connection) -> None:
    store = world.tenant(tenant_id)
    left = store.connections.get(connection.id)
    assert left is not None
    assert (left.status, left.granted_scopes) == ("disconnected", frozenset())
    assert store.secrets.get(connection.id) is None
    assert store.channels.list(connection.id) == ()
    assert world.platform.get_channel("chan-1") is None
    assert world.platform.get_channel("chan-2") is None
    assert world.platform.get_org("google", connection.organisation_id) is None
    assert world.schedules() == set()
    actions = [entry.action for entry in store.audit.entries()]
    assert actions.count("connection.disconnected") == 1
    assert store.audit.verify() is None


def test_nothing_is_left(world: World):
    tenant_id, connection = _connected(world)
    for _ in range(2):
        connections.disconnect(_teardown(world, tenant_id), connection.id, world.clock.now())
    _gone(world, tenant_id, connection)
    assert world.simulator.tokens.refresh == {}


def test_a_token_that_is_dead_already_does_not_hold_it_up(world: World):
    tenant_id, connection = _connected(world)
    error = ConnectorError("config", "The consent was revoked.")
    connections.disconnect(_teardown(world, tenant_id, error), connection.id, world.clock.now())
    _gone(world, tenant_id, connection)


def test_a_provider_that_is_down_is_asked_again_with_the_token_still_there(world: World):
    tenant_id, connection = _connected(world)
    error = ConnectorError("transient", "Google does not answer.")
    with pytest.raises(ConnectorError):
        connections.disconnect(_teardown(world, tenant_id, error), connection.id, world.clock.now())
    assert world.tenant(tenant_id).secrets.get(connection.id) is not None
    connections.disconnect(_teardown(world, tenant_id), connection.id, world.clock.now())
    _gone(world, tenant_id, connection)
    assert world.simulator.tokens.refresh == {}


def test_only_a_connection_that_is_disconnecting_is_taken_down(world: World):
    tenant_id, connection = _connected(world)
    store = world.tenant(tenant_id)
    current = store.connections.get(connection.id)
    assert current is not None
    store.connections.put(replace(current, status="active"))
    connections.disconnect(_teardown(world, tenant_id), connection.id, world.clock.now())
    connections.disconnect(_teardown(world, tenant_id), "con_0000000000000000", world.clock.now())
    assert store.secrets.get(connection.id) is not None
    assert len(world.schedules()) == 2


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_anywhere_is_finished_by_the_next_delivery(
    simulator: GoogleSimulator, monkeypatch: pytest.MonkeyPatch, after: bool
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with lantern(simulator) as world:
        tenant_id, connection = _connected(world)
        world.faults.arm(None)
        connections.disconnect(_teardown(world, tenant_id), connection.id, world.clock.now())
        steps = len(world.faults.calls)
    for at in range(1, steps + 1):
        with lantern(simulator, seed=at) as world:
            tenant_id, connection = _connected(world)
            world.faults.arm(at, after=after)
            with pytest.raises(Crash):
                connections.disconnect(_teardown(world, tenant_id), connection.id, world.clock.now())
            world.faults.arm(None)
            connections.disconnect(_teardown(world, tenant_id), connection.id, world.clock.now())
            _gone(world, tenant_id, connection)


def test_a_disconnected_organisation_may_come_back_by_link(world: World):
    from tests.functional.onboarding.test_flow import _follow, _link

    tenant_id, connection = _connected(world)
    connections.disconnect(_teardown(world, tenant_id), connection.id, world.clock.now())
    visitor = Browser(world)
    page = visitor.back(visitor.consent(_follow(visitor, _link(world, tenant_id, connection.id))))
    assert page.status == 200, page.body
    (back,) = world.tenant(tenant_id).connections.list()
    assert (back.id, back.status) == (connection.id, "active")
    assert len(world.schedules()) == 2


def test_attention_is_recorded_once_with_its_remedy(world: World):
    assert Browser(world).connect().status == 200
    store = world.tenant(world.tenants()[0])
    (connection,) = store.connections.list()
    stale = connection
    store.connections.put(replace(connection, shards=2))
    now = world.clock.now()
    for _ in range(2):
        marked = connections.needs_attention(store, stale, "consent_revoked", "Connect again.", now)
    (stored,) = store.connections.list()
    assert stored == marked
    assert (stored.status, stored.attention, stored.remedy, stored.shards) == (
        "needs_attention", "consent_revoked", "Connect again.", 2,
    )  # fmt: skip
    actions = [entry.action for entry in store.audit.entries()]
    assert actions.count("connection.needs_attention") == 1


@pytest.mark.parametrize("status", ["disconnecting", "disconnected"])
def test_a_connection_on_its_way_out_needs_no_attention(world: World, status):
    assert Browser(world).connect().status == 200
    store = world.tenant(world.tenants()[0])
    (connection,) = store.connections.list()
    leaving = store.connections.put(replace(connection, status=status))
    assert connections.needs_attention(store, leaving, "x", "y", world.clock.now()) == leaving
