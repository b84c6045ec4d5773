"""A tenant on the table in memory, connected to the simulator in this process, under watch.

The lab does what queues, stream and router do, message by message, and watches every write of a bundle:
a removal is checked against the provider's own timeline at the moment it is stored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from lantern.connectors.google.normalize import ORGANISATION
from lantern.connectors.protocol import Deadline, Unread
from lantern.domain import ids
from lantern.domain.errors import ConnectorError, LanternError, StorageError
from lantern.domain.findings import Finding
from lantern.domain.history import ChangeEntry
from lantern.domain.inventory import Bundle, Observation, Principal
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work
from lantern.services.routing import route
from lantern.services.scoring import score
from lantern.services.scoring.knowledge import Knowledge
from lantern.store.keys import Keys
from lantern.store.meter import Meter
from lantern.store.platform import PlatformStore
from lantern.store.session import TenantSession
from lantern.store.tenant import TenantStore
from tests.support.google_world import CUSTOMER, GoogleWorld, Instant
from tests.support.memory_table import MemoryDynamo
from tests.support.tenant import TENANT, Bench

TABLES = ("TenantTable", "PlatformTable")


class Crash(BaseException):
    """The worker's process is gone: nothing in it can catch this."""


@dataclass
class Seen:
    """What one message has asked and heard, by principal id."""

    began: dict[str, Instant] = field(default_factory=dict)
    outcomes: dict[str, Observation | Unread] = field(default_factory=dict)


class Watched:
    """A connector that notes when the read of each account began."""

    def __init__(self, inner: Any, world: GoogleWorld, seen: "Seen") -> None:
        self._inner = inner
        self._world = world
        self._seen = seen
        self.manifest = inner.manifest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def read(self, principals: Sequence[Principal], deadline: Deadline) -> Iterator[Observation | Unread]:
        now = self._world.instant()
        self._seen.began.update({p.id: now for p in principals})
        for outcome in self._inner.read(principals, deadline):
            self._seen.outcomes[outcome.principal.id] = outcome
            yield outcome


@dataclass
class Lab(Bench):
    """A bench whose world is the simulator; `dynamo` is its table."""

    dynamo: MemoryDynamo = field(default_factory=MemoryDynamo)
    rng: Random = field(default_factory=Random)
    meter: Meter | None = None
    active: list[Seen] = field(default_factory=list)
    expected: set[tuple[Any, ...]] = field(default_factory=set)
    retry: list[tuple[str, Work]] = field(default_factory=list)
    known: dict[str, Any] = field(default_factory=dict)
    removals: int = 0
    writes: int = 0

    # --- messages -----------------------------------------------------------------------------------
    def do(self, work: Work, message_id: str | None = None) -> None:
        # No two messages begin at the same instant, nor does one begin when another ended.
        self.clock.forward(milliseconds=1)
        self.active.append(Seen())
        try:
            super().do(work, message_id)
        finally:
            self.active.pop()

    def connector(self, _connection: Connection | None = None) -> Any:
        return self.wrap(Watched(super().connector(), self.world, self.active[-1]))

    def attempt(self, work: Work, message_id: str | None = None) -> bool:
        """Do a message; one that fails is delivered again later. False when it failed."""
        message = message_id or self.message_id()
        try:
            self.do(work, message)
        except (Crash, ConnectorError, StorageError, LanternError):
            self.retry.append((message, work))
            return False
        return True

    # --- watching -----------------------------------------------------------------------------------
    def watch(self) -> "Lab":
        """Check every write of a bundle from now on."""
        put = self.store.bundles.put

        def watched(bundle: Bundle) -> Bundle:
            first = self.connection.last_full_run is None and bundle.cause == "run"
            try:
                stored = put(bundle)
            except Crash:
                there = self.peek(bundle.principal.id)
                if there == replace(bundle, rev=bundle.rev + 1):
                    self._wrote(there, first=first)
                raise
            self._wrote(stored, first=first)
            return stored

        self.store.bundles.put = watched  # type: ignore[method-assign]
        return self

    def peek(self, pid: str) -> Bundle | None:
        """A bundle, past every fault."""
        tap, self.dynamo.tap = self.dynamo.tap, None
        try:
            return self.store.bundles.get(self.connection_id, pid)
        finally:
            self.dynamo.tap = tap

    def _wrote(self, bundle: Bundle, *, first: bool) -> None:
        self.writes += 1
        principal = bundle.principal
        self._told(bundle)
        for delta in bundle.delta:
            if delta.kind == "removed":
                self.removals += 1
                self._allowed(principal, delta.app_id)
            if not first:
                self.expected.add(
                    (principal.id, bundle.rev, delta.app_id, delta.kind, delta.before, delta.after)
                )
        routed = route(self._stream_record(bundle))
        if routed is not None:
            self.sent.append(routed)

    def _stream_record(self, bundle: Bundle) -> dict[str, Any]:
        """What the table's stream says of the write."""
        key = Keys(TENANT).bundle(self.connection_id, bundle.principal.id)
        image = self.dynamo.tables[TABLES[0]][key.pk].items[key.sk]
        keys = {"pk": {"S": key.pk}, "sk": {"S": key.sk}}
        return {"eventName": "MODIFY", "dynamodb": {"Keys": keys, "NewImage": image}}

    def _told(self, bundle: Bundle) -> None:
        """What was stored is what the provider answered; without an answer, what was stored before."""
        pid = bundle.principal.id
        outcome = self.active[-1].outcomes.get(pid)
        assert outcome is not None, "a write of what nobody read"
        if isinstance(outcome, Unread):
            assert not bundle.delta
            assert bundle.grants == self.known.get(pid), "an unread bundle changed"
        else:
            told = {g.app.id: g.scope_set for g in outcome.grants or ()}
            assert {g.app_id: g.scope_set for g in bundle.grants or ()} == told
        self.known[pid] = bundle.grants

    def _allowed(self, principal: Principal, app_id: str) -> None:
        since = self.active[-1].began.get(principal.id)
        assert since is not None, "a removal of what nobody read"
        clients = {c for c in self.world.org.apps if ids.app_id("google", c) == app_id}
        assert any(self.world.lacked(principal.native_id, client, since) for client in clients), (
            f"FALSE REVOCATION of {clients} for {principal.native_id}"
        )

    # --- at rest ------------------------------------------------------------------------------------
    def rest(self) -> None:
        """No faults any more; what failed comes again; then one whole full run."""
        self.world.control.clear_faults()
        self.dynamo.tap = self.world.adapter.tap = None
        self.seconds = 600.0
        for _ in range(3):
            self.clock.forward(minutes=17)
            again, self.retry = self.retry, []
            for message, work in again:
                self.attempt(work, message)
            self.settle()
        assert not self.retry
        began = self.clock.now()
        for _ in range(2):
            self.full()
            run = self.store.runs.list(self.connection_id, 1).items[0]
            if run.started_at >= began:
                break
        assert run.state == "complete", run
        self.check()

    def check(self) -> None:
        """What must be true at rest."""
        self.same_as_provider()
        self.same_footprints()
        self.same_history()
        self.same_findings()
        assert self.store.audit.verify() is None

    def same_as_provider(self) -> None:
        """Store and provider say the same."""
        stored = {pid: grants for pid, grants in self.stored().items() if grants}
        everyone = ids.principal_id("google", CUSTOMER, ORGANISATION)
        assert set(stored.pop(everyone, {})) == self.world.delegated()
        truth = self.world.truth()
        assert stored == truth, _difference(stored, truth)
        states = self.world.states()
        for bundle in self.store.bundles.all(self.connection_id):
            if bundle.principal.id == everyone:
                continue
            assert bundle.grants is not None
            assert bundle.principal.status == states[bundle.principal.id]

    def same_footprints(self) -> None:
        """Every footprint names the holders, and nobody else."""
        holders: dict[str, set[str]] = {}
        for bundle in self.store.bundles.all(self.connection_id):
            for grant in bundle.grants or ():
                holders.setdefault(grant.app_id, set()).add(bundle.principal.id)
        for app in self.store.apps.all_facts():
            named = set(self.store.footprints.holders(self.connection_id, app.id))
            assert named == holders.get(app.id, set()), app

    def same_history(self) -> None:
        """History holds every change of a stored bundle, once, and nothing else."""
        now = self.clock.now()
        since = now.replace(year=now.year - 1)
        entries = list(self.store.history.read(self.connection_id, since, now.replace(year=now.year + 1)))
        told = [_entry(e) for e in entries]
        assert len(told) == len(set(told))
        assert set(told) == self.expected, _difference(set(told), self.expected)

    def same_findings(self) -> None:
        """Open findings are what a first evaluation of the same inventory finds."""
        other = MemoryDynamo()
        other.copy_from(self.dynamo)
        table = other.tables[TABLES[0]]
        for pk in [pk for pk in table if pk.endswith("#FINDING")]:
            del table[pk]
        store = _store(other, Random(3))
        score.score_run(score.Scoring(store, self.knowledge, self.clock), self.connection_id)
        ours, fresh = _open(self.store), _open(store)
        assert ours == fresh, _difference(ours, fresh)


def _entry(entry: ChangeEntry) -> tuple[Any, ...]:
    return entry.principal_id, entry.rev, entry.app_id, entry.kind, entry.before, entry.after


def _open(store: TenantStore) -> dict[str, Any]:
    """Findings that are open, with the grants they are open for."""
    found: dict[str, Any] = {}
    cursor = None
    while True:
        page = store.findings.page(None, 200, cursor)
        found |= {
            f.id: (f.rule_id, f.severity, frozenset(f.open_items)) for f in page.items if f.status == "open"
        }
        cursor = page.cursor
        if cursor is None:
            return found


def _difference(ours: Any, theirs: Any) -> str:
    if isinstance(ours, set):
        return f"only here: {ours - theirs}; only there: {theirs - ours}"
    keys = [k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k)]
    return "; ".join(f"{k}: {ours.get(k)} is not {theirs.get(k)}" for k in keys[:5])


def _store(dynamo: MemoryDynamo, rng: Random, meter: Meter | None = None) -> TenantStore:
    client = dynamo.client()
    if meter is not None:
        meter.attach(client)
    session = TenantSession.open(TENANT, TABLES[0], client)
    return TenantStore(session, finding_type=Finding, random=rng.randbytes, sleep=lambda _: None)


def make_lab(world: GoogleWorld, knowledge: Knowledge, seed: int, meter: Meter | None = None) -> Lab:
    """A tenant with one active connection to the organisation that `world` has now."""
    dynamo = MemoryDynamo(world.clock.monotonic)
    for table in TABLES:
        dynamo.tables[table] = {}
    rng = Random(seed)
    store = _store(dynamo, rng, meter)
    connection = store.connections.put(
        Connection(
            id="con_0000000000000001",
            provider="google",
            organisation_id=CUSTOMER,
            name="Example",
            status="active",
            granted_scopes=frozenset(),
            missing_scopes=frozenset(),
            connected_at=world.clock.now(),
        )
    )
    platform = PlatformStore(dynamo.client(), TABLES[1])
    return Lab(
        store, platform, world, world.clock, knowledge, connection.id, dynamo=dynamo, rng=rng, meter=meter
    )
