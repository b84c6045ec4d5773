"""Read a log of the web: part by part, each stored and noted before the next is begun.

A part is a number of lines, so that memory does not grow with the log and a repeated message meets the same
parts: what was folded of one under the log's digest is not folded again. Whoever a log names is added to
what is known of them; a log says nothing about who did not go somewhere.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import islice
from typing import Final

from lantern.connectors.imports.formats import Rows
from lantern.connectors.imports.text import UnreadableError
from lantern.domain import ids
from lantern.domain.exports.census import Census
from lantern.domain.exports.rows import AnyRow, BadRow, VisitRow
from lantern.domain.imports import MAX_BAD, BadLine, ImportCounts, ImportRecord
from lantern.domain.tenancy import Connection
from lantern.domain.use import AppUse, UseTally, UseWindow, iso_week
from lantern.domain.visit_targets import PROVIDER
from lantern.domain.visits import VisitCounts, Visits, joined
from lantern.services.discovery.bundles import BundleWriter, Tally
from lantern.services.imports import storing
from lantern.services.imports.bundles import ImportedBundles
from lantern.services.imports.task import Imports

MAX_LOG_UNPACKED: Final = 4 * 1024 * 1024 * 1024
PART_LINES: Final = 500_000
NOTHING: Final = "No line of this log could be read."


def read_log(task: Imports, record: ImportRecord, rows: Rows) -> ImportRecord:
    """Store a log from where an earlier message stopped; hands itself on where time runs out.

    Raises:
        UnreadableError: the file is damaged before anything of it was stored.
    """
    store, now = task.store, task.clock.now()
    connection = storing.connection_for(store, PROVIDER, record, now)
    if connection.status != "active":
        return storing.fail(task, record, storing.LEAVING)
    before = store.cursors.get(connection.id, _mark(record))
    if before is not None and before != record.id:
        # The same log was counted before: nothing is counted twice.
        known = replace(record, state="done", finished_at=now, connections=(connection.id,), same_as=before)
        return storing.finish(task, known, [connection], [], now)
    if record.state != "reading":
        record = store.imports.put(replace(record, state="reading", visits=VisitCounts()))
    for _ in islice(rows, record.parts * PART_LINES):
        pass  # stored by an earlier message
    return _parts(task, record, connection, rows)


def _parts(task: Imports, record: ImportRecord, connection: Connection, rows: Rows) -> ImportRecord:
    if task.resolve is None:
        raise ValueError("a log cannot be read without a catalog")
    resolve, seen, today = task.resolve(), _Seen(), task.clock.now().date()
    while True:
        part = _Part(Visits(resolve, today))
        try:
            part.fold(islice(rows, PART_LINES))
        except UnreadableError as error:
            if not record.parts:
                raise
            return _end(task, replace(record, state="failed", error=str(error)), connection)
        if not part.rows and not part.bad_rows:
            break
        stored = _store(task, record, connection, part, seen)
        if stored is None:
            return storing.hand_on(task, record)
        record = stored
        if task.deadline.passed():
            return storing.hand_on(task, record)
    if not record.counts.rows:
        return storing.fail(task, record, NOTHING)
    task.store.cursors.put(connection.id, _mark(record), record.id, task.clock.now())
    # The mark names this import, so a repetition of what follows is not taken for a second log.
    return _end(task, replace(record, state="done"), connection)


def _end(task: Imports, record: ImportRecord, connection: Connection) -> ImportRecord:
    """End a log of which something was stored: it is judged, whether it was read to its end or not."""
    now = task.clock.now()
    connection = storing.index(task.store, connection, now)
    ended = replace(record, finished_at=now, connections=(connection.id,))
    return storing.finish(task, ended, [connection], [connection.id], now)


def _mark(record: ImportRecord) -> str:
    """Under what name it is noted that a log was counted."""
    return f"LOG-{record.digest}"


@dataclass(slots=True)
class _Seen:
    """Whom and what this message met so far, over all parts."""

    people: set[str] = field(default_factory=set)
    apps: set[str] = field(default_factory=set)
    pairs: int = 0


@dataclass(slots=True)
class _Part:
    """Some lines of a log, folded."""

    visits: Visits
    rows: int = 0
    bad_rows: int = 0
    bad: list[BadLine] = field(default_factory=list)

    def fold(self, rows: Iterable[AnyRow | BadRow]) -> None:
        """Take the lines."""
        for row in rows:
            if isinstance(row, VisitRow):
                reason = self.visits.add(row)
                if reason is None:
                    self.rows += 1
                    continue
                line = row.line
            elif isinstance(row, BadRow):
                line, reason = row.line, row.reason
            else:
                raise TypeError("a log has no rows of access")
            self.bad_rows += 1
            if len(self.bad) < MAX_BAD:
                self.bad.append(BadLine(line, reason))


def _store(
    task: Imports, record: ImportRecord, connection: Connection, part: _Part, seen: _Seen
) -> ImportRecord | None:
    """Store one part and note it; None where time ran out before."""
    store, now, visits = task.store, task.clock.now(), part.visits
    census = Census()
    for row in visits.rows():
        census.add(row)
    census.close()
    bundles = ImportedBundles(store, connection, census, visits=True)
    principals = bundles.principals()
    baseline = connection.last_changes_at is None
    writer = BundleWriter(
        store, bundles, connection, cause="run", indexed=False, baseline=baseline, clock=task.clock.now
    )
    tally = writer.refresh(principals, task.deadline, now)
    if len(tally.reached) < len(principals):
        return None
    _use(task, connection, visits, f"{record.digest} {record.parts}")
    seen.people.update(one.id for one in principals)
    seen.apps.update(app.client_id for app in census.apps)
    seen.pairs += census.grant_count
    noted = replace(
        record,
        parts=record.parts + 1,
        counts=_counted(record.counts, part, tally, seen),
        bad=(*record.bad, *part.bad)[:MAX_BAD],
        visits=(record.visits or VisitCounts()).plus(visits.counts),
        candidates=joined(record.candidates, visits.candidates()),
    )
    return store.imports.put(noted)


def _counted(old: ImportCounts, part: _Part, tally: Tally, seen: _Seen) -> ImportCounts:
    """The counts with one more part; of people and apps, those that one message met are told apart."""
    return ImportCounts(
        rows=old.rows + part.rows,
        bad_rows=old.bad_rows + part.bad_rows,
        people=max(old.people, len(seen.people)),
        apps=max(old.apps, len(seen.apps)),
        grants=max(old.grants, seen.pairs),
        bundles_written=old.bundles_written + tally.written,
        added=old.added + tally.added,
        removed=old.removed + tally.removed,
        changed=old.changed + tally.changed,
    )


def _use(task: Imports, connection: Connection, visits: Visits, batch: str) -> None:
    """Fold who used what when, and how much went out and came in at each app as a whole."""
    if visits.first is None or visits.last is None:
        return
    tally = UseTally()
    principal = cache(lambda name: ids.principal_id(PROVIDER, connection.organisation_id, name))
    app = cache(lambda key: ids.app_id(PROVIDER, key))
    sent: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    received: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in visits.visits():
        tally.add(principal(one.account), app(one.target), one.events, one.day)
        week = iso_week(one.day)
        # A log without sizes must not pass for one in which nothing went there.
        if visits.sized:
            sent[app(one.target)][week] += one.bytes_out
            received[app(one.target)][week] += one.bytes_in
    for rows in tally.by_shard(connection.shards):
        task.store.use.fold(connection.id, connection.shards, rows, batch=batch)
    uses = {
        key: AppUse(weeks, sent=dict(sent.get(key, {})), received=dict(received.get(key, {})))
        for key, weeks in tally.by_app().items()
    }
    window = UseWindow(_midnight(visits.first), _midnight(visits.last + timedelta(days=1)))
    task.store.app_use.fold(connection.id, uses, window, batch)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
