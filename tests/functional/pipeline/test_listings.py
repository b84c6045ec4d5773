"""A list of the whole organisation that many accounts are looked up in may be older than what is stored."""

from collections.abc import Iterator, Sequence

from lantern.connectors.protocol import Deadline
from lantern.domain import ids
from lantern.domain.inventory import App, Observation, ObservedGrant, Principal, merge
from lantern.services.discovery.bundles import BundleWriter
from tests.support.clock import FakeClock
from tests.support.tenant import Bench

PID = ids.principal_id("google", "C1", "1")
PERSON = Principal(PID, "con_0000000000000001", "1", "user", "active", ids.person_id(PID))
TOOL = App(ids.app_id("google", "tool"), "google", "tool", "Tool")


class Listing:
    """A provider that is known by one list, read when it was made or when somebody is asked for again."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.held: dict[str, tuple[ObservedGrant, ...]] = {}
        self.known, self.as_of = dict(self.held), clock.now()
        self.asked: set[str] = set()

    def read(self, principals: Sequence[Principal], _deadline: Deadline) -> Iterator[Observation]:
        if self.asked & {p.id for p in principals}:
            self.known, self.as_of = dict(self.held), self.clock.now()
        self.asked |= {p.id for p in principals}
        for principal in principals:
            yield Observation(principal, self.known.get(principal.id, ()), as_of=self.as_of)


def test_a_list_older_than_the_bundle_concludes_nothing(bench: Bench) -> None:
    """Somebody wrote the bundle after the list was begun: the account is read anew before it is believed."""
    listing = Listing(bench.clock)
    bench.clock.forward(minutes=1)
    listing.held[PID] = (ObservedGrant(TOOL, frozenset({"openid"})),)
    hinted = merge(None, Observation(PERSON, listing.held[PID]), now=bench.clock.now(), cause="hint").bundle
    assert hinted is not None
    bench.store.bundles.put(hinted)
    bench.clock.forward(minutes=1)
    writer = BundleWriter(
        bench.store,
        listing,
        bench.connection,
        cause="run",
        indexed=False,
        baseline=False,
        clock=bench.clock.now,
    )

    tally = writer.refresh([PERSON], bench.deadline(), bench.clock.now())

    assert (tally.removed, tally.unread, tally.read) == (0, {}, 1)
    assert listing.as_of == bench.clock.now(), "the list was read anew"
    bundle = bench.store.bundles.get(bench.connection_id, PID)
    assert bundle is not None
    assert [g.app_id for g in bundle.grants or ()] == [TOOL.id]


def test_a_list_younger_than_the_bundle_is_believed(bench: Bench) -> None:
    held = merge(
        None, Observation(PERSON, (ObservedGrant(TOOL, frozenset()),)), now=bench.clock.now(), cause="run"
    ).bundle
    assert held is not None
    bench.store.bundles.put(held)
    bench.clock.forward(minutes=1)
    listing = Listing(bench.clock)
    bench.clock.forward(minutes=1)
    writer = BundleWriter(
        bench.store,
        listing,
        bench.connection,
        cause="run",
        indexed=False,
        baseline=False,
        clock=bench.clock.now,
    )
    assert writer.refresh([PERSON], bench.deadline(), bench.clock.now()).removed == 1
    assert listing.as_of < bench.clock.now(), "one list was enough"
