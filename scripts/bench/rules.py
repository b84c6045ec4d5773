"""`python -m scripts.bench.rules [--principals 10000]`: what evaluating all rules anew costs.

One tenant of so many people with 70 grants each over 300 apps, put straight into a counted table in memory:
no provider takes part. Measured are the nightly sweep, a change of the policy that lets every rule be
evaluated again, and a preview of one rule: read units, our own computing, and peak memory.
"""

import json
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from lantern.domain import ids
from lantern.domain.inventory import App, Bundle, Grant, Principal
from lantern.domain.previews import Preview, Proposal
from lantern.domain.rules.policy import RuleSettings
from lantern.domain.tenancy import Connection
from lantern.domain.use import UseRow, UseWindow
from lantern.domain.work import Work, WorkKind
from lantern.services.discovery.run import PRINCIPALS_PER_SHARD
from lantern.services.scoring.score import handle
from lantern.services.scoring.task import Scoring
from lantern.store.meter import Meter
from lantern.store.tenant import TenantStore
from scripts.bench.tenant import counted_store, knowledge

APPS: Final = 300
GRANTS: Final = 70
_FOLDED: Final = 100_000
"""Rows of use that are folded at once."""
NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
CID: Final = "con_0000000000000001"
_NAMES: Final = (
    "ChatGPT",
    "Otter.ai",
    "Notion",
    "Zapier",
    "Grammarly",
    "Slack",
    "Zoom",
    "Figma",
    "Miro",
    "Claude",
)
_SETS: Final = tuple(
    frozenset(scopes)
    for scopes in (
        ("openid", "email"),
        ("openid", "https://www.googleapis.com/auth/calendar.readonly"),
        ("openid", "https://www.googleapis.com/auth/drive.readonly"),
        ("openid", "https://www.googleapis.com/auth/drive.file"),
        ("openid", "https://www.googleapis.com/auth/contacts.readonly"),
    )
)


class _Clock:
    """Stands still, so that what is measured twice is judged alike."""

    def __init__(self) -> None:
        self._now = NOW

    def now(self) -> datetime:
        """The time."""
        return self._now

    def monotonic(self) -> float:
        """Seconds."""
        return self._now.timestamp()

    def sleep(self, seconds: float) -> None:
        """Nothing here waits."""
        raise AssertionError(seconds)

    def forward(self, days: int) -> None:
        """Move on."""
        self._now += timedelta(days=days)


def _apps() -> list[App]:
    return [
        App(
            ids.app_id("google", f"client-{number}"),
            "google",
            f"client-{number}",
            _NAMES[number] if number < len(_NAMES) else f"Tool number {number}",
            first_seen=NOW - timedelta(days=300),
        )
        for number in range(APPS)
    ]


def _bundles(principals: int, apps: list[App]) -> Iterator[Bundle]:
    draw = random.Random(7)  # noqa: S311 - an invented organisation
    # Some apps everybody has, most a few.
    weights = [1 / (rank + 3) for rank in range(APPS)]
    sets = [ids.scope_set_id(scopes) for scopes in _SETS]
    held = {app.id: sets[number % len(sets)] for number, app in enumerate(apps)}
    for number in range(principals):
        pid = ids.principal_id("google", "C0bench", f"{number:021}")
        chosen: set[str] = set()
        while len(chosen) < GRANTS:
            chosen.update(app.id for app in draw.choices(apps, weights, k=GRANTS - len(chosen)))
        given = NOW.date() - timedelta(days=draw.randrange(20, 280))
        yield Bundle(
            Principal(
                id=pid,
                connection_id=CID,
                native_id=f"{number:021}",
                kind="user",
                status="suspended" if number % 50 == 0 else "active",
                person_id=ids.person_id(pid),
                email=f"person{number}@bench.example",
                name=f"Person {number}",
                admin=number % 200 == 0,
            ),
            tuple(Grant(app, held[app], given, given) for app in sorted(chosen)),
            changed_at=NOW,
        )


def _used(bundle: Bundle, draw: random.Random) -> Iterator[UseRow]:
    """Four of five grants were used in the last month, some longer ago, one in ten never."""
    for grant in bundle.grants or ():
        luck = draw.random()
        days = draw.randrange(30) if luck < 0.8 else draw.randrange(30, 170)
        if luck < 0.9:
            yield UseRow(bundle.principal.id, grant.app_id, 3, NOW.date() - timedelta(days=days))


def organisation(store: TenantStore, principals: int) -> None:
    """Store it all, as discovery would have."""
    shards = 1
    while principals > shards * PRINCIPALS_PER_SHARD:
        shards *= 2
    store.connections.put(
        Connection(
            id=CID,
            provider="google",
            organisation_id="C0bench",
            name="Bench",
            status="active",
            granted_scopes=frozenset(),
            missing_scopes=frozenset(),
            connected_at=NOW - timedelta(days=300),
            baseline_at=NOW - timedelta(days=299),
            last_full_at=NOW,
            shards=shards,
        )
    )
    apps = _apps()
    store.apps.put_all_facts(apps)
    store.apps.put_scope_sets({ids.scope_set_id(one): one for one in _SETS})
    store.use.set_window(CID, UseWindow(NOW - timedelta(days=180), NOW))
    used: list[UseRow] = []
    draw = random.Random(8)  # noqa: S311 - an invented organisation
    for bundle in _bundles(principals, apps):
        store.bundles.put(bundle)
        used += _used(bundle, draw)
        if len(used) > _FOLDED:
            store.use.fold(CID, shards, used)
            used = []
    store.use.fold(CID, shards, used)


def measure(meter: Meter, name: str, do: Callable[[], object]) -> dict[str, Any]:
    """Units, seconds of computing and what came out."""
    cpu = time.process_time()
    with meter.measured() as usage:
        changed = do()
    return {
        "what": name,
        "read_units": usage.read_units,
        "write_units": usage.write_units,
        "calls": usage.total_calls,
        "cpu_s": round(time.process_time() - cpu, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "findings_changed": changed,
    }


def life(principals: int) -> list[dict[str, Any]]:
    """Everything in its order."""
    meter = Meter()
    store = counted_store(meter)
    clock, known = _Clock(), knowledge()
    stored = measure(meter, "storing the inventory", lambda: organisation(store, principals))
    task = Scoring(store, known, clock)

    def work(kind: WorkKind, **body: str) -> Callable[[], object]:
        return lambda: handle(task, Work(store.tenant_id, kind, CID if kind == "score.run" else None, body))

    found = [stored, measure(meter, "first scoring", work("score.run"))]
    found.append(measure(meter, "people, and rules about wholes", work("people.join")))
    clock.forward(1)
    found.append(measure(meter, "nightly sweep", work("score.run")))
    found.append(measure(meter, "rules about wholes", work("score.whole")))
    # Nothing was noted as applied yet: every rule counts as changed.
    found.append(measure(meter, "policy: every rule anew", work("score.policy")))
    policy = store.policy.get()
    set_ = RuleSettings(params={"days": 60})
    store.transact(NOW).put(store.policy.op(policy.with_settings("stale-grant", set_))).commit()
    found.append(measure(meter, "policy: one rule anew", work("score.policy")))
    asked = Preview(
        "prv_1", "pending", Proposal("stale-grant", settings=replace(set_, params={})), NOW, "bench"
    )
    store.policy.put_preview(asked)
    found.append(measure(meter, "preview of one rule", work("policy.preview", preview_id="prv_1")))
    return found


def main(principals: Annotated[int, typer.Option(help="How many people, 70 grants each.")] = 10_000) -> None:
    """Measure; prints JSON."""
    result = {"principals": principals, "grants": principals * GRANTS, "rules": len(knowledge().rules.rules)}
    sys.stdout.write(json.dumps({**result, "phases": life(principals)}, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
