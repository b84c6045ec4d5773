"""A step machine: one random thing after another happens to the provider, the network, workers and queues.

A plan is a list of (step name, number); each step draws from a generator of its own number, so a plan can be
shortened and still does the same in what is left of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import requests

from lantern.domain import ids
from lantern.domain.errors import LanternError
from lantern.domain.jobs import Selector
from lantern.domain.work import Work
from lantern.services import remediation
from lantern.services.scoring.knowledge import Knowledge
from tests.support.google_world import GoogleWorld
from tests.support.lab import Crash, Lab, make_lab

Plan = list[tuple[str, int]]
APPS = ("ChatGPT", "Claude", "Zoom", "Slack", "Notion", "Grammarly")
SCOPES = (
    "openid",
    "https://www.googleapis.com/auth/drive",
    "https://www.googleapis.com/auth/gmail.readonly",
    "https://www.googleapis.com/auth/calendar",
    "https://www.googleapis.com/auth/userinfo.email",
)
STATUSES = (401, 403, 404, 408, 410, 429, 500, 502, 503, 504)
PATHS = ("/tokens$", "/users$", "/users/[^/]+$", "/activity/", "^/token$", "^/admin/", "/tokens/")
REST_EVERY = 120


@dataclass
class Machine:
    """One run: a lab, and what the network and the processes are about to do to it."""

    lab: Lab
    pushes: list[str] = field(default_factory=list)
    timeouts: list[str] = field(default_factory=list)
    races: list[int] = field(default_factory=list)
    crash_in: int | None = None
    crash_after: bool = False
    hired: int = 0

    def __post_init__(self) -> None:
        self.lab.world.simulator.world.listeners[:] = [self._pushed]
        self.arm()

    @property
    def world(self) -> GoogleWorld:
        """The provider."""
        return self.lab.world

    def arm(self) -> None:
        """Put the network and the table under this machine's faults."""
        self.world.adapter.tap = self._network
        self.lab.dynamo.tap = self._table

    def calm(self) -> None:
        """Take every fault away."""
        self.world.control.clear_faults()
        self.timeouts.clear()
        self.races.clear()
        self.crash_in = None

    def _pushed(self, _org: Any, application: str, user: Any, item: Any) -> None:
        if application == "token" and item["events"][0]["name"] in ("authorize", "revoke"):
            self.pushes.append(user.id)

    # --- faults that the simulator cannot make --------------------------------------------------------
    def _network(self, what: str, run: Callable[[], requests.Response]) -> requests.Response:
        if self.timeouts and not what.startswith("POST /token"):
            if self.timeouts.pop() == "after":
                run()
            raise requests.ReadTimeout
        answer = run()
        if self.races and what.startswith("GET") and what.endswith("/tokens"):
            self._race(what.split("/")[-2], Random(self.races.pop()))
        return answer

    def _race(self, native_id: str, rng: Random) -> None:
        """Between the provider's answer and our write something else happens to the same account."""
        user = self.world.org.by_id.get(native_id)
        kinds = rng.sample(("provider", "worker"), rng.randint(1, 2))
        if "provider" in kinds and user is not None:
            mutate(self, rng, user)
        if "worker" in kinds:
            self.lab.attempt(hint(self.lab, native_id))

    def _table(self, _name: str, _params: Any, run: Callable[[], Any]) -> Any:
        if self.crash_in is None:
            return run()
        self.crash_in -= 1
        if self.crash_in > 0:
            return run()
        self.crash_in = None
        if self.crash_after:
            run()
        raise Crash


def hint(lab: Lab, native_id: str) -> Work:
    """The message a push becomes."""
    return Work(lab.store.tenant_id, "bundle.read", lab.connection_id, {"native_id": native_id})


# --- the provider -----------------------------------------------------------------------------------


def person(machine: Machine, rng: Random) -> Any:
    """Somebody; never the administrator who gave consent."""
    admin = machine.world.org.admin
    return rng.choice([u for u in machine.world.org.users if u is not admin])


def mutate(machine: Machine, rng: Random, user: Any) -> None:
    """Change one account's grants."""
    world = machine.world
    world.changed()
    held = world.org.grants.held_by(user)
    match rng.choice(("grant", "revoke", "revoke", "expand", "narrow")) if held else "grant":
        case "grant":
            world.control.grant(user.id, rng.choice(APPS), scopes=rng.sample(SCOPES, 2))
        case "revoke":
            world.control.revoke(user.id, rng.choice(held).client_id)
        case "expand":
            world.control.grant(user.id, client_id=rng.choice(held).client_id, scopes=rng.sample(SCOPES, 2))
        case _:
            client = rng.choice(held).client_id
            world.control.grant(user.id, client_id=client, scopes=rng.sample(SCOPES, 1), replace=True)


def change(machine: Machine, rng: Random) -> None:
    """Somebody's grants change."""
    mutate(machine, rng, person(machine, rng))


def use(machine: Machine, rng: Random) -> None:
    """An app is used."""
    user = person(machine, rng)
    held = machine.world.org.grants.held_by(user)
    if held:
        machine.world.control.use(user.id, rng.choice(held).client_id)


def state(machine: Machine, rng: Random) -> None:
    """An account is suspended, archived, deleted or restored."""
    machine.world.set_state(
        person(machine, rng), rng.choice(("suspended", "archived", "deleted", "active", "active"))
    )


def hire(machine: Machine, rng: Random) -> None:
    """Somebody joins, or the organisation has enough people."""
    if len(machine.world.org.users) < 12:
        machine.hired += 1
        machine.world.changed()
        machine.world.control.add_user(f"new{machine.hired}@harbourline.example")


# --- our own work -----------------------------------------------------------------------------------


def full(machine: Machine, rng: Random) -> None:
    """A nightly run, whole or cut by its deadline."""
    lab = machine.lab
    lab.seconds = 600.0 if rng.random() < 0.5 else rng.choice((0.0, 0.06, 0.12, 0.3))
    lab.attempt(Work(lab.store.tenant_id, "connection.full", lab.connection_id))
    lab.seconds = 600.0


def poll(machine: Machine, rng: Random) -> None:
    """The quarter-hourly poll."""
    lab = machine.lab
    lab.attempt(Work(lab.store.tenant_id, "connection.changes", lab.connection_id))


def push(machine: Machine, rng: Random) -> None:
    """Pushes arrive late, in any order, twice, or never."""
    if not machine.pushes:
        return
    native_id = machine.pushes.pop(rng.randrange(len(machine.pushes)))
    fate = rng.random()
    if fate < 0.2:
        return
    message = machine.lab.message_id()
    machine.lab.attempt(hint(machine.lab, native_id), message)
    if fate > 0.8:
        machine.lab.attempt(hint(machine.lab, native_id), message)


def forged(machine: Machine, rng: Random) -> None:
    """Somebody names an account without reason, or one that does not exist."""
    known = person(machine, rng).id
    machine.lab.attempt(hint(machine.lab, known if rng.random() < 0.7 else str(rng.getrandbits(60))))


def deliver(machine: Machine, rng: Random) -> None:
    """A waiting message is delivered, out of order, perhaps twice."""
    lab = machine.lab
    if rng.random() < 0.7:
        try:
            lab.drain_outbox()
        except Crash:
            return
    if lab.sent:
        work = lab.sent.pop(rng.randrange(len(lab.sent)))
        message = lab.message_id()
        lab.seconds = rng.choice((600.0, 600.0, 0.2))
        lab.attempt(work, message)
        if rng.random() < 0.2:
            lab.attempt(work, message)
        lab.seconds = 600.0


def redeliver(machine: Machine, rng: Random) -> None:
    """A message that failed comes again with its id."""
    lab = machine.lab
    if lab.retry:
        message, work = lab.retry.pop(rng.randrange(len(lab.retry)))
        lab.attempt(work, message)


def revoke_job(machine: Machine, rng: Random) -> None:
    """An operator revokes some stored grants."""
    lab = machine.lab
    try:
        held = [
            ids.grant_id(b.principal.id, g.app_id)
            for b in lab.store.bundles.all(lab.connection_id)
            if b.principal.kind == "user"
            for g in b.grants or ()
        ]
        if not held:
            return
        chosen = tuple(rng.sample(held, min(len(held), rng.randint(1, 2))))
        job = remediation.request_job(
            lab.store,
            requested_by="key_a",
            selector=Selector(grant_ids=chosen),
            dry_run=False,
            now=lab.clock.now(),
            random=rng.randbytes,
        )
        if job.state == "awaiting_approval":
            remediation.approve(lab.store, job.id, "key_b", lab.clock.now())
    except (Crash, LanternError):
        return


# --- trouble ----------------------------------------------------------------------------------------


def fault(machine: Machine, rng: Random) -> None:
    """The provider misbehaves on some path from now on."""
    rule: dict[str, Any] = {
        "path": rng.choice(PATHS),
        "probability": rng.choice((0.3, 0.7, 1.0)),
        "count": rng.choice((1, 2, 5, 12)),
        "skip": rng.randrange(3),
    }
    kind = rng.choice(("status", "status", "status", "truncate", "cut", "reset", "half_page"))
    if kind == "status":
        rule |= {"status": rng.choice(STATUSES), "html": rng.random() < 0.2}
        if rule["status"] == 403:
            rule["reason"] = rng.choice(("forbidden", "rateLimitExceeded", "quotaExceeded"))
    if kind in ("status", "reset"):
        rule["after"] = rng.random() < 0.3
    machine.world.control.fault(kind, **rule)


def outage(machine: Machine, rng: Random) -> None:
    """Nothing works for a while."""
    machine.world.control.outage(rng.choice((2.0, 30.0, 300.0)), status=rng.choice((500, 503, 404, 403)))


def timeout(machine: Machine, rng: Random) -> None:
    """The next calls are never answered, done or not."""
    machine.timeouts += [rng.choice(("before", "after")) for _ in range(rng.randint(1, 5))]


def race(machine: Machine, rng: Random) -> None:
    """Soon something happens between a read and its write."""
    machine.races += [rng.getrandbits(32) for _ in range(rng.randint(1, 3))]


def crash(machine: Machine, rng: Random) -> None:
    """A worker dies at one of its next calls to the table."""
    machine.crash_in = rng.randint(1, 60)
    machine.crash_after = rng.random() < 0.5


def calm(machine: Machine, _rng: Random) -> None:
    """The weather clears."""
    machine.calm()


def wait(machine: Machine, rng: Random) -> None:
    """Time goes by."""
    machine.lab.clock.forward(minutes=rng.choice((1, 5, 20, 90, 600)))


def rest(machine: Machine, _rng: Random) -> None:
    """Everything comes to rest, and must be true."""
    machine.calm()
    machine.lab.rest()
    machine.pushes.clear()
    machine.arm()


STEPS: dict[Callable[[Machine, Random], None], int] = {
    change: 20,
    use: 4,
    state: 4,
    hire: 1,
    full: 9,
    poll: 6,
    push: 14,
    forged: 3,
    deliver: 14,
    redeliver: 6,
    revoke_job: 3,
    fault: 8,
    outage: 1,
    timeout: 3,
    race: 6,
    crash: 4,
    calm: 5,
    wait: 6,
}
_BY_NAME = {step.__name__: step for step in (*STEPS, rest)}


def plan(seed: int, steps: int) -> Plan:
    """The steps of a seed."""
    rng = Random(seed)
    names = [step.__name__ for step in STEPS]
    chosen = rng.choices(names, list(STEPS.values()), k=steps)
    for at in range(REST_EVERY - 1, steps, REST_EVERY):
        chosen[at] = "rest"
    return [(name, rng.getrandbits(32)) for name in (*chosen, "rest")]


def execute(world: GoogleWorld, knowledge: Knowledge, seed: int, steps: Plan) -> Lab:
    """Carry a plan out in a new organisation."""
    world.begin(seed, employees=5 + seed % 3, grants_per_user=3, events_per_user_day=0)
    lab = make_lab(world, knowledge, seed).watch()
    machine = Machine(lab)
    for name, number in steps:
        _BY_NAME[name](machine, Random(number))
    return lab


def shorten(fails: Callable[[Plan], bool], steps: Plan) -> Plan:
    """A shorter plan that still fails (delta debugging, Zeller 1999)."""
    size = max(1, len(steps) // 2)
    while True:
        at, before = 0, len(steps)
        while at < len(steps):
            shorter = steps[:at] + steps[at + size :]
            if fails(shorter):
                steps = shorter
            else:
                at += size
        if size == 1 and len(steps) == before:
            return steps
        size = max(1, size // 2)
