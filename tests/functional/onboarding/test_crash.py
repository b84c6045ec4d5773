"""The process dies at each AWS request of a callback, then the administrator tries again."""

import pytest

from lantern.services import vault
from tests.functional.onboarding.test_flow import _key
from tests.functional.onboarding.world import Browser, Crash, World, lantern
from tests.simulators.google.simulator import GoogleSimulator


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


def _steps(simulator: GoogleSimulator, *, renew: bool) -> list[str]:
    with lantern(simulator) as world:
        if renew:
            Browser(world).connect()
        browser = Browser(world)
        query = browser.consent(browser.start())
        world.faults.arm(None)
        assert browser.back(query).status == 200
        return list(world.faults.calls)


def _whole(world: World, keys: int) -> None:
    """One tenant, one connection, everything it needs, nothing twice."""
    (tenant_id,) = world.tenants()
    store = world.tenant(tenant_id)
    (connection,) = store.connections.list()
    route = world.platform.get_org("google", connection.organisation_id)
    assert route is not None
    assert (route.tenant_id, route.connection_id) == (tenant_id, connection.id)
    tenant = store.tenants.get()
    assert tenant is not None
    assert (tenant.status, connection.status) == ("active", "active")
    assert world.schedules() == {f"{connection.id}-full", f"{connection.id}-changes"}
    sealed = store.secrets.get(connection.id)
    assert sealed is not None
    token = vault.open_(world.kms, world.key_id, tenant_id, connection.id, sealed)
    assert token in world.simulator.tokens.refresh
    works = {work.kind for _, work in store.outbox.due(world.clock.now())}
    assert works == {"connection.full", "connection.channels"}
    assert len(store.keys.list()) == keys
    assert store.audit.verify() is None


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("renew", [False, True], ids=["new", "renew"])
def test_a_crash_anywhere_is_mended_by_consenting_again(simulator: GoogleSimulator, renew: bool, after: bool):
    steps = _steps(simulator, renew=renew)
    assert {"Encrypt", "CreateSchedule", "TransactWriteItems"} <= set(steps)
    committed = steps.index("TransactWriteItems") + 1
    for at in range(1, len(steps) + 1):
        with lantern(simulator, seed=at) as world:
            first = _key(Browser(world).connect().body) if renew else None
            browser = Browser(world)
            query = browser.consent(browser.start())
            world.faults.arm(at, after=after)
            with pytest.raises(Crash):
                browser.back(query)
            world.faults.arm(None)
            page = Browser(world).connect()
            assert page.status == 200, (steps[at - 1], page.body)
            _whole(world, keys=1)
            # The one gap: the process dies with the commit done and the page not sent. An operator
            # issues the key then; a second consent must not, or any administrator could have one.
            lost = not renew and (at > committed or (after and at == committed))
            assert (_key(page.body) is not None) is (not renew and not lost), steps[at - 1]
            assert (first is not None) is renew


def test_an_answer_lost_at_the_commit_does_not_lose_the_key(simulator: GoogleSimulator):
    with lantern(simulator) as world:
        browser = Browser(world)
        query = browser.consent(browser.start())
        lost: list[str] = []

        def lose(model, http_response, parsed, **_: object) -> None:
            if not lost:
                lost.append(model.name)
                parsed["Error"] = {"Code": "InternalServerError", "Message": ""}
                http_response.status_code = 500

        world.tenant_hooks["after-call.dynamodb.TransactWriteItems"] = lose
        page = browser.back(query)
        assert lost == ["TransactWriteItems"]
        assert page.status == 200, page.body
        assert _key(page.body) is not None
        _whole(world, keys=1)


def test_two_consents_at_once_make_one_tenant_and_one_key(simulator: GoogleSimulator):
    """The second arrives between the first one's look for a route and its claim."""
    with lantern(simulator) as world:
        slow, fast = Browser(world), Browser(world)
        late, early = slow.consent(slow.start()), fast.consent(fast.start())
        claim = world.platform.claim_org
        pages = []

        def claim_late(route):
            world.platform.claim_org = claim  # type: ignore[method-assign]
            pages.append(fast.back(early))
            return claim(route)

        world.platform.claim_org = claim_late  # type: ignore[method-assign]
        pages.append(slow.back(late))
        assert [page.status for page in pages] == [200, 200]
        assert [_key(page.body) is not None for page in pages] == [True, False]
        assert len(world.tenants()) == 1
        (connection,) = world.tenant(world.tenants()[0]).connections.list()
        sealed = world.tenant(world.tenants()[0]).secrets.get(connection.id)
        assert sealed is not None
        vault.open_(world.kms, world.key_id, world.tenants()[0], connection.id, sealed)


def test_the_tenant_is_made_once_when_two_consents_follow_one_route(simulator: GoogleSimulator):
    """Both know the route and find no tenant yet; the slower one's key is revoked before it shows."""
    with lantern(simulator) as world:
        slow, fast = Browser(world), Browser(world)
        late, early = slow.consent(slow.start()), fast.consent(fast.start())
        put_key = world.platform.put_key
        pages, keys = [], []

        def put_late(entry):
            keys.append(entry.key_id)
            world.platform.put_key = put_key  # type: ignore[method-assign]
            pages.append(fast.back(early))
            put_key(entry)

        world.platform.put_key = put_late  # type: ignore[method-assign]
        pages.append(slow.back(late))
        assert [_key(page.body) is not None for page in pages] == [True, False]
        entry = world.platform.get_key(keys[0])
        assert entry is not None
        assert entry.status == "revoked"
        assert len(world.tenant(world.tenants()[0]).keys.list()) == 1
