"""`audit verify`."""

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from lantern.domain.audit import GENESIS, AuditEntry, AuditHead, digest, verify
from scripts.admin_cli.errors import FOUND, CliError, bad_input
from scripts.admin_cli.terminal import inert
from scripts.admin_cli.verbs import Desk, verb

app = typer.Typer(no_args_is_help=True, help="The audit log: verify its chain.")

_FIELDS: Final = {"seq": int, "at": str, "actor": str, "action": str, "subject": str, "detail": dict,
                  "prev_hash": str, "hash": str}  # fmt: skip


@verb(app, "verify")
def verify_chain(
    desk: Desk,
    tenant: Annotated[str | None, typer.Argument(metavar="[TENANT]", help="Whose chain to read.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="An export instead: one entry a line, as GET /v1/audit gives them."),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option("--head", help="SEQ:HASH where the chain must end, from a place you trust."),
    ] = None,
) -> None:
    """Check that no entry is missing, edited, added or moved. Exits with 1 and names the first bad one."""
    if (tenant is None) == (file is None):
        raise bad_input(
            "TENANT", "give either a tenant or --file.", "For example: audit verify --file export.jsonl"
        )
    trusted = _head(head)
    if file is not None:
        entries = list(_entries(file))
        start, end = _start(entries), trusted
    else:
        assert tenant is not None  # noqa: S101 - one of the two is given, as checked above
        desk.registered(tenant)
        store = desk.backend.tenant(tenant)
        # Head first: entries that are appended meanwhile come after it.
        stored = store.audit.head()
        entries = [entry for entry in store.audit.entries() if entry.seq <= stored.seq]
        start, end = _start(entries), trusted or stored
        if trusted and stored.seq >= trusted.seq:
            # An anchor is passed through: the chain has gone on since it was made.
            _finish(desk, entries, start, _through(entries, start, trusted, stored), stored)
            return
    _finish(desk, entries, start, verify(entries, after=start, head=end), end)


def _through(entries: list[AuditEntry], start: AuditHead, anchor: AuditHead, head: AuditHead) -> int | None:
    bad = verify([e for e in entries if e.seq <= anchor.seq], after=start, head=anchor)
    return bad or verify([e for e in entries if e.seq > anchor.seq], after=anchor, head=head)


def _finish(
    desk: Desk, entries: list[AuditEntry], start: AuditHead, bad: int | None, end: AuditHead | None
) -> None:
    data = {
        "sound": bad is None,
        "entries": len(entries),
        "first_seq": entries[0].seq if entries else None,
        "last_seq": entries[-1].seq if entries else None,
        "first_bad_seq": bad,
        "why": None if bad is None else _why(entries, start, bad, end),
        "end_checked": end is not None,
    }

    def show() -> None:
        if bad is None:
            desk.out.line(f"The chain is sound: {len(entries)} entries, {_span(entries)}.", "green")
        else:
            desk.out.line(f"The chain breaks at entry {bad}: {data['why']}", "bold red")
        if start.seq:
            desk.out.remark(f"It starts after entry {start.seq}; what came before is not part of this check.")
        if end is None:
            desk.out.remark("Entries cut off at the end cannot be noticed without --head SEQ:HASH.")

    desk.out.result(data, show)
    if bad is not None:
        raise typer.Exit(FOUND)


def _why(entries: list[AuditEntry], start: AuditHead, bad: int, end: AuditHead | None) -> str:
    found = [entry for entry in entries if entry.seq == bad]
    if len(found) != 1:
        return "it is there more than once." if found else "it is missing."
    entry = found[0]
    hashes = {start.seq: start.hash, **{e.seq: e.hash for e in entries}}
    content = f"({inert(entry.action, 60)}, {entry.at.isoformat()})"
    reasons = {
        f"its content is not what was hashed {content}.": entry.hash != digest(entry),
        "it does not follow the entry before it: one of the two was replaced.": (
            entry.prev_hash != hashes.get(bad - 1, entry.prev_hash)
        ),
        "it was added after the entry at which the chain must end.": end is not None and bad > end.seq,
        "it is not the entry at which the chain must end: the end was rewritten.": (
            end is not None and bad == end.seq and entry.hash != end.hash
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), "it is out of place.")


def _span(entries: list[AuditEntry]) -> str:
    if not entries:
        return "an empty log"
    return f"{entries[0].at:%Y-%m-%d} to {entries[-1].at:%Y-%m-%d}"


def _start(entries: list[AuditEntry]) -> AuditHead:
    """Where the entries start: the beginning, or wherever older ones were left out or have expired."""
    if not entries or entries[0].seq <= 1:
        return AuditHead(0, GENESIS)
    return AuditHead(entries[0].seq - 1, entries[0].prev_hash)


def _head(text: str | None) -> AuditHead | None:
    if text is None:
        return None
    seq, _, value = text.partition(":")
    if not (seq.isascii() and seq.isdigit() and len(value) == 64):
        raise bad_input(
            "--head", "is not SEQ:HASH.", "For example --head 41:9f2c… with 64 hexadecimal digits."
        )
    return AuditHead(int(seq), value.lower())


def _entries(file: Path) -> Iterator[AuditEntry]:
    try:
        lines = sys.stdin if str(file) == "-" else file.open(encoding="utf-8")
    except OSError as error:
        raise bad_input(
            "--file", f"{error.strerror}: {file}", "Name a readable file, or - for input."
        ) from None
    with lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _entry(line, number)


def _entry(line: str, number: int) -> AuditEntry:
    try:
        row: Any = json.loads(line)
        if not isinstance(row, dict) or any(not isinstance(row.get(k), t) for k, t in _FIELDS.items()):
            raise ValueError("it lacks fields of an audit entry")
        at = datetime.fromisoformat(row["at"])
        if at.tzinfo is None:
            raise ValueError("its time has no zone")
        values = {**{name: row[name] for name in _FIELDS}, "at": at}
        return AuditEntry(**values)
    except ValueError as error:
        raise CliError(
            f"Line {number} is no audit entry: {inert(error, 120)}.",
            "Export anew with GET /v1/audit, one entry of `data` a line.",
        ) from None
