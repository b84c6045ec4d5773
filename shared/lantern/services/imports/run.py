"""Read an accepted file and store it: one message, which may be delivered again at any point.

Bundles are merged and written exactly as a run writes them, so a file that says nothing new writes nothing.
Whoever a file does not name is left alone: nothing is concluded from absence.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from lantern.connectors.imports.formats import Options, Reading, read
from lantern.connectors.imports.text import UnreadableError
from lantern.domain.exports.census import Census
from lantern.domain.exports.rows import BadRow, VisitRow
from lantern.domain.imports import MAX_BAD, BadLine, ImportCounts, ImportRecord
from lantern.domain.inventory import Provider
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work
from lantern.services.discovery.bundles import BundleWriter, Tally
from lantern.services.imports import storing
from lantern.services.imports.accept import SUBJECTS
from lantern.services.imports.bundles import ImportedBundles
from lantern.services.imports.logs import MAX_LOG_UNPACKED, read_log
from lantern.services.imports.task import Imports

__all__ = ["Imports", "read_import"]

MAX_UNPACKED: Final = 64 * 1024 * 1024
GONE: Final = "The file is not kept any more; hand it in again."


@dataclass(frozen=True, slots=True)
class _Content:
    census: Census
    rows: int
    bad: tuple[BadLine, ...]
    bad_rows: int


def read_import(task: Imports, work: Work) -> ImportRecord | None:
    """Do one import; returns it as it stands, None where there is none such."""
    record = task.store.imports.get(work.body["import_id"])
    if record is None or not record.open:
        return record
    chunks = _chunks(task, record)
    if chunks is None:
        # Whoever has an address may still send; the record expires by itself.
        return record if record.state == "uploading" else storing.fail(task, record, GONE)
    limit = MAX_LOG_UNPACKED if record.kind == "logs" else MAX_UNPACKED
    try:
        reading = read(chunks, Options(record.provider), limit, SUBJECTS[record.kind])
        record = replace(record, format=reading.format.id, title=reading.format.title)
        if reading.format.subject == "visits":
            return read_log(task, record, reading.rows)
        found = _read(reading)
    except UnreadableError as error:
        # Parts of a log may have been stored and noted before the damage showed.
        return storing.fail(task, task.store.imports.get(record.id) or record, str(error))
    again = record.state == "reading"
    if not again:
        # From here on a repetition has to see to it that what follows the bundles is done.
        record = task.store.imports.put(replace(record, state="reading"))
    return _store(task, record, found, again=again)


def _chunks(task: Imports, record: ImportRecord) -> Iterable[bytes] | None:
    if record.dropped:
        return task.drops().chunks(record.id) if task.drops is not None else None
    content = task.store.imports.content(record.id)
    return None if content is None else [content]


def _read(reading: Reading) -> _Content:
    census, rows, bad_rows = Census(), 0, 0
    bad: list[BadLine] = []
    for row in reading.rows:
        if isinstance(row, BadRow | VisitRow):
            bad_rows += 1
            if len(bad) < MAX_BAD:
                reason = row.reason if isinstance(row, BadRow) else "a visit in a list of access"
                bad.append(BadLine(row.line, reason))
        else:
            rows += 1
            census.add(row)
    census.close()
    return _Content(census, rows, tuple(bad), bad_rows)


def _store(task: Imports, record: ImportRecord, found: _Content, *, again: bool) -> ImportRecord:
    store, now = task.store, task.clock.now()
    census, total = found.census, Tally()
    connections: list[Connection] = []
    touched: list[str] = []
    people = 0
    for provider in _providers(census):
        connection = storing.connection_for(store, provider, record, now)
        if connection.status != "active":
            return storing.fail(task, record, storing.LEAVING)
        bundles = ImportedBundles(store, connection, census)
        principals = bundles.principals()
        writer = BundleWriter(
            store,
            bundles,
            connection,
            cause="run",
            indexed=False,
            baseline=connection.last_changes_at is None,
            clock=task.clock.now,
        )
        tally = writer.refresh(principals, task.deadline, now)
        if len(tally.reached) < len(principals):
            return storing.hand_on(task, record)
        used = store.use.fold(connection.id, connection.shards, bundles.uses(), batch=record.digest)
        if tally.written or used or again:
            connection = storing.index(store, connection, now)
            touched.append(connection.id)
        connections.append(connection)
        people += len(principals)
        _add(total, tally)
    counts = ImportCounts(
        rows=found.rows,
        bad_rows=found.bad_rows,
        people=people,
        apps=len(census.apps),
        grants=census.grant_count,
        bundles_written=total.written,
        added=total.added,
        removed=total.removed,
        changed=total.changed,
    )
    done = replace(
        record, state="done", counts=counts, bad=found.bad, finished_at=now,
        connections=tuple(one.id for one in connections),
    )  # fmt: skip
    return storing.finish(task, done, connections, touched, now)


def _providers(census: Census) -> list[Provider]:
    """Providers at which the file names somebody."""
    held = {census.apps[one.app].provider for one in census.grants()}
    return sorted(held | {person.listed for person in census.people if person.listed})


def _add(total: Tally, tally: Tally) -> None:
    total.written += tally.written
    total.added += tally.added
    total.removed += tally.removed
    total.changed += tally.changed
