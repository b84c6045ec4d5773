"""Reading how apps are used: which slices of time, in which order, and what is known afterwards."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from lantern.connectors.protocol import Deadline, HistoryPage
from lantern.domain.work import Work
from lantern.services.discovery.use import HISTORY, LONGEST, SETTLED
from tests.support.tenant import Bench


class Slices:
    """A connector that notes which windows are asked for; those of more than `most` take too long."""

    def __init__(self, inner: Any, asked: list[tuple[datetime, datetime]], most: timedelta) -> None:
        self._inner = inner
        self._asked = asked
        self._most = most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def history(self, since: datetime, until: datetime, deadline: Deadline) -> Iterator[HistoryPage]:
        self._asked.append((since, until))
        for page in self._inner.history(since, until, deadline):
            if until - since > self._most:
                return
            yield page


@pytest.fixture
def asked(bench: Bench) -> list[tuple[datetime, datetime]]:
    """The windows asked for; an organisation with one user of one app."""
    bench.world.add("u1", "app")
    found: list[tuple[datetime, datetime]] = []
    bench.wrap = lambda connector: Slices(connector, found, LONGEST)
    return found


def read(bench: Bench) -> None:
    """A message, and the messages it begets."""
    bench.do(Work(bench.store.tenant_id, "connection.use", bench.connection_id))
    bench.settle()


def events(bench: Bench) -> int:
    """Uses stored in all weeks."""
    now, counted = bench.clock.now(), Counter[str]()
    for week in {f"{(now - timedelta(days=day)).date():%G-W%V}" for day in range(200)}:
        for shard in range(bench.connection.shards):
            stored = bench.store.use.week(bench.connection_id, week, shard, bench.connection.shards)
            counted.update({week: sum(use.events for apps in stored.values() for use in apps.values())})
    return counted.total()


def test_the_newest_is_read_first_and_180_days_back_without_a_hole(bench: Bench, asked: Any) -> None:
    now = bench.clock.now()
    for days in range(1, 179):
        bench.world.use("u1", "app", days_ago=days)
    read(bench)
    assert asked[0] == (now - SETTLED - LONGEST, now - SETTLED)
    for (since, _), (_, until) in pairwise(asked):
        assert since == until
    window = bench.store.use.window(bench.connection_id)
    assert window is not None
    assert window.complete_from == bench.connection.connected_at - HISTORY
    assert events(bench) == 178
    asked.clear()
    read(bench)
    assert asked == []


def test_nothing_is_asked_of_the_time_before_the_provider_remembers(bench: Bench, asked: Any) -> None:
    class Forgetful:
        def __init__(self, inner: Any) -> None:
            self.inner = inner
            self.manifest = replace(inner.manifest, history_days=30)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    inside = bench.wrap
    bench.wrap = lambda connector: Forgetful(inside(connector) if inside else connector)
    read(bench)
    window = bench.store.use.window(bench.connection_id)
    assert window is not None
    assert window.complete_from == bench.connection.connected_at - timedelta(days=30)
    assert min(since for since, _ in asked) == window.complete_from


def test_a_day_is_read_once_it_is_complete_by_the_poll_that_finds_it_due(bench: Bench, asked: Any) -> None:
    read(bench)
    asked.clear()
    bench.clock.forward(hours=12)
    bench.world.use("u1", "app", days_ago=0.1)
    bench.do(Work(bench.store.tenant_id, "connection.changes", bench.connection_id))
    bench.settle()
    assert asked == []
    bench.clock.forward(hours=12)
    bench.do(Work(bench.store.tenant_id, "connection.changes", bench.connection_id))
    bench.settle()
    ((since, until),) = asked
    assert round((until - since) / timedelta(hours=1)) == 24
    assert events(bench) == 1


def test_a_slice_that_is_too_long_for_one_worker_is_halved(bench: Bench, asked: Any) -> None:
    for days in range(1, 179):
        bench.world.use("u1", "app", days_ago=days)
    bench.wrap = lambda connector: Slices(connector, asked, timedelta(days=2))
    read(bench)
    lengths = [until - since for since, until in asked]
    assert lengths[:3] == [LONGEST, LONGEST / 2, LONGEST / 4]
    assert set(lengths[3:-1]) == {LONGEST / 4}
    assert events(bench) == 178


def test_an_absence_longer_than_the_provider_remembers_starts_anew(bench: Bench, asked: Any) -> None:
    read(bench)
    asked.clear()
    bench.clock.forward(days=400)
    read(bench)
    window = bench.store.use.window(bench.connection_id)
    assert window is not None
    behind = bench.clock.now() - SETTLED - window.complete_until
    assert behind < timedelta(seconds=1)
    assert timedelta(0) <= bench.clock.now() - HISTORY - window.complete_from < timedelta(days=1, seconds=1)


def test_grants_older_than_the_connection_are_dated_once_the_past_is_read(bench: Bench) -> None:
    bench.world.add("u1", "app")
    given = bench.clock.now().date()
    bench.clock.forward(days=30)
    bench.full()
    (grant,) = bench.bundle("u1").grants
    assert (grant.granted_on, grant.first_seen) == (given, bench.clock.now().date())
    revisions = bench.bundle("u1").rev
    bench.full()
    assert bench.bundle("u1").rev == revisions


def test_a_consent_seen_since_is_not_undone_by_an_older_one(bench: Bench) -> None:
    bench.world.add("u1", "app")
    bench.clock.forward(days=30)
    bench.world.consent("u1", "app", "openid", "email")
    bench.full()
    (grant,) = bench.bundle("u1").grants
    assert grant.granted_on == bench.clock.now().date()
