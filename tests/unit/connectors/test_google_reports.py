"""The feed over days of polling: late and doubled events, crashes, long absences."""

import random
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lantern.connectors.google import cursor as cursors
from lantern.connectors.google import reports
from lantern.connectors.google.api import FILTERED_QUERY, QUERY
from lantern.connectors.halt import Halt
from lantern.connectors.resolution import CallError, ErrorResolution

T0 = datetime(2026, 11, 20, tzinfo=UTC)


class Wall:
    def monotonic(self) -> float:
        return 0.0


class Feed:
    """Google's feed: rows become visible late, come newest first in pages, and may come twice."""

    def __init__(self, page: int = 7) -> None:
        self.rows: list[tuple[datetime, datetime, dict[str, Any]]] = []
        self.now = T0
        self.calls = 0
        self.expired = False
        self._page = page

    def add(self, at: datetime, name: str, *, late: timedelta = timedelta(0), twice: bool = False) -> None:
        number = len(self.rows)
        row = {
            "id": {
                "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "uniqueQualifier": str(number),
                "applicationName": "token",
            },
            "actor": {"profileId": f"u{number % 3}"},
            "events": [{"name": name, "parameters": [{"name": "client_id", "value": f"c{number}"}]}],
        }
        self.rows += [(at, at + late, row)] * (2 if twice else 1)

    def get(
        self, path: str, kind: str, halt: Halt, *, params: Mapping[str, str], quotas: tuple[str, ...]
    ) -> dict[str, Any]:
        assert kind == "admin#reports#activities"
        assert quotas == (FILTERED_QUERY if "eventName" in params else QUERY)
        self.calls += 1
        if self.expired and "pageToken" in params:
            self.expired = False
            raise CallError(ErrorResolution("system", "provider_error", "no"), status=400)
        if path.endswith("admin"):
            return {}
        start, end = (datetime.fromisoformat(params[key]) for key in ("startTime", "endTime"))
        assert start < end <= self.now
        wanted = params.get("eventName")
        seen = [
            (at, row)
            for at, visible, row in self.rows
            if start <= at <= end and visible <= self.now and wanted in (None, _name(row))
        ]
        seen.sort(key=lambda item: item[0], reverse=True)
        first = int(params.get("pageToken", "0"))
        answer: dict[str, Any] = {"items": [row for _, row in seen[first : first + self._page]]}
        if first + self._page < len(seen):
            answer["nextPageToken"] = str(first + self._page)
        return answer


def _name(row: dict[str, Any]) -> str:
    return row["events"][0]["name"]


def _client(row: dict[str, Any]) -> str:
    return row["events"][0]["parameters"][0]["value"]


class Reader:
    """Polls as the service does: keeps the cursor of the last page whose effects are durable."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.cursor: str | None = None
        self.hints: Counter[str] = Counter()

    def poll(self, stop_after: int | None = None) -> None:
        pages = reports.changes(self.feed, self.cursor, self.feed.now, Halt(Wall()))
        for number, page in enumerate(pages):
            if stop_after is not None and number >= stop_after:
                pages.close()
                return
            for hint in page.hints:
                self.hints.update(list(hint.granted_at))
            self.cursor = page.cursor


def fill(feed: Feed, hours: int, *, seed: int, name: str, per_hour: int = 12) -> list[datetime]:
    rng = random.Random(seed)
    times = []
    for _ in range(hours * per_hour):
        at = T0 + timedelta(milliseconds=rng.randrange(hours * 3_600_000))
        late = timedelta(minutes=rng.choice([0, 0, 1, 10, 100]))
        feed.add(at, name, late=late, twice=rng.random() < 0.1)
        times.append(at)
    return times


@pytest.mark.parametrize("seed", range(5))
def test_every_change_has_its_effect_once_however_late_and_however_often_polled(seed: int) -> None:
    feed, rng = Feed(page=3), random.Random(seed)
    fill(feed, 10, seed=seed, name="activity")
    fill(feed, 10, seed=seed + 100, name="authorize", per_hour=6)
    reader = Reader(feed)
    reader.poll()
    while feed.now < T0 + timedelta(hours=16):
        feed.now += timedelta(minutes=rng.choice([5, 15, 15, 200]), microseconds=rng.randrange(1_000_000))
        for _ in range(rng.randrange(2)):
            reader.poll(stop_after=rng.randrange(4))  # a crash, or the end of the worker's time
        reader.poll()
    assert set(reader.hints) == {_client(row) for _, _, row in feed.rows if _name(row) == "authorize"}
    assert max(reader.hints.values()) == 1


def test_use_costs_following_changes_nothing() -> None:
    """A busy organisation has a million uses a day: they are not paged through every few minutes."""
    feed = Feed(page=1000)
    for number in range(20_000):
        feed.add(T0 + timedelta(seconds=number / 6), "activity")
    feed.add(T0, "authorize")
    feed.now = T0 + timedelta(hours=1)
    reader = Reader(feed)
    reader.poll()
    assert len(reader.hints) == 1
    assert feed.calls == len(cursors.FEEDS)


def test_a_long_absence_is_walked_in_slices_that_each_count() -> None:
    feed = Feed(page=1000)
    reader = Reader(feed)
    reader.poll()
    fill(feed, 72, seed=2, name="authorize", per_hour=1)
    feed.now = T0 + timedelta(hours=72)
    reader.poll(stop_after=9)
    standing = cursors.load(reader.cursor or "")
    assert standing.settled > T0 + timedelta(hours=10)
    reader.poll()
    assert cursors.load(reader.cursor or "").settled == feed.now - cursors.OVERLAP
    assert len(reader.hints) == 72


def test_a_page_token_that_expired_starts_the_window_again() -> None:
    feed = Feed()
    fill(feed, 2, seed=3, name="authorize")
    feed.now = T0 + timedelta(hours=2, minutes=5)
    reader = Reader(feed)
    reader.cursor = cursors.dump(cursors.start(T0 + timedelta(hours=2)))
    reader.poll(stop_after=2)
    assert cursors.load(reader.cursor).walk is not None
    feed.expired = True
    reader.poll()
    assert set(reader.hints) == {_client(row) for _, at, row in feed.rows if at <= feed.now}


def test_a_cursor_stays_small() -> None:
    feed = Feed(page=1000)
    for number in range(5000):
        feed.add(T0 + timedelta(seconds=number), "authorize")
    feed.now = T0 + timedelta(seconds=5000)
    reader = Reader(feed)
    reader.cursor = cursors.dump(cursors.start(feed.now))
    reader.poll()
    assert len(reader.cursor) < 40_000
    assert cursors.dump(cursors.load(reader.cursor)) == reader.cursor
    assert len(cursors.load(reader.cursor).seen) == cursors.SEEN_LIMIT


def test_a_cursor_of_the_version_before_is_taken_over_without_its_walk() -> None:
    settled = int(T0.timestamp() * 1000)
    text = f'{{"v":1,"settled":{settled},"begin":{settled},"seen":{{"k":7}},"walk":[1,2,1,1,"token"]}}'
    assert cursors.load(text) == cursors.Cursor(T0, {"k": 7}, None)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"v":3}', "x"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        cursors.load(text)


@pytest.mark.parametrize("cap", [1, 8])
@pytest.mark.parametrize("page", [7, 10_000])
def test_history_counts_each_event_of_its_window_once(cap: int, page: int) -> None:
    feed = Feed(page)
    times = fill(feed, 24, seed=5, name="activity")
    feed.now = T0 + timedelta(days=3)
    found: Counter[str] = Counter()
    for day in (12, 0):  # newest first, two windows that touch
        since = T0 + timedelta(hours=day)
        pages = list(reports.history(feed, since, since + timedelta(hours=12), Halt(Wall()), cap=cap))
        assert [one.last for one in pages] == [False] * (len(pages) - 1) + [True]
        for one in pages:
            for use in one.uses:
                found[use.client_id] += use.events
    assert len(found) == len(times)
    assert set(found.values()) == {1}


def test_a_quiet_window_costs_a_call_for_each_feed() -> None:
    feed = Feed()
    assert list(reports.history(feed, T0 - timedelta(days=7), T0, Halt(Wall())))[-1].last
    assert feed.calls == 2


def test_history_that_is_stopped_does_not_say_it_is_whole() -> None:
    feed = Feed()
    fill(feed, 24, seed=5, name="activity")
    feed.now = T0 + timedelta(days=3)
    halt = Halt(Wall())
    pages = []
    for page in reports.history(feed, T0, T0 + timedelta(hours=24), halt):
        pages.append(page)
        halt.call()
    assert not any(page.last for page in pages)


def test_a_row_of_an_unknown_shape_does_not_block_the_feed(caplog: pytest.LogCaptureFixture) -> None:
    feed = Feed()
    feed.add(T0 - timedelta(hours=1), "authorize")
    odd = {"id": {"time": "once"}, "events": [{"name": "authorize"}]}
    feed.rows.append((T0 - timedelta(hours=1), T0 - timedelta(hours=1), odd))
    reader = Reader(feed)
    reader.poll()
    assert set(reader.hints) == {"c0"}
    assert "1 activities" in caplog.text
