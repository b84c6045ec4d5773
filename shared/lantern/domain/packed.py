"""Packed forms of everything but bundles: footprints, change entries and use."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Final

from lantern.domain.codec import instant, micros
from lantern.domain.columns import (
    CodecError,
    Reader,
    Table,
    Writer,
    day_number,
    day_of,
    gaps,
    pack_app,
    pack_principal,
    pack_scope_set,
    sums,
    unpack_app,
    unpack_principal,
    unpack_scope_set,
)
from lantern.domain.history import ChangeEntry
from lantern.domain.inventory import Cause, DeltaKind
from lantern.domain.use import UseRow

Holders = Mapping[str, frozenset[str]]
"""App id → ids of the principals that hold it."""

VERSION: Final = 1
_READABLE: Final = frozenset({1})
_APP, _PRINCIPAL, _SET = 8, 10, 6

# Positions in these tuples are stored: append only.
_DELTAS: Final[tuple[DeltaKind, ...]] = ("added", "removed", "changed")
_CAUSES: Final[tuple[Cause, ...]] = ("run", "hint", "act")


def encode_holders(holders: Holders) -> tuple[bytes, bytes]:
    """The packed form of a footprint, and 8 bytes over its logical content.

    Apps without holders are left out.
    """
    apps = sorted(app for app, held in holders.items() if held)
    principals = sorted({pid for app in apps for pid in holders[app]})
    position = {pid: at for at, pid in enumerate(principals)}
    rows = [sorted(position[pid] for pid in holders[app]) for app in apps]
    out = Writer()
    out.count(len(apps))
    out.count(len(principals))
    out.ids(pack_app, apps)
    out.ids(pack_principal, principals)
    out.numbers("I", [len(row) for row in rows])
    out.numbers("I", [gap for row in rows for gap in gaps(row)])
    return out.finish(VERSION), hashlib.sha256(out.payload()).digest()[:8]


def decode_holders(packed: bytes) -> dict[str, frozenset[str]]:
    """The footprint of its packed form.

    Raises:
        CodecError: damaged or unknown bytes.
    """
    source = Reader(packed, _READABLE)
    n_apps, n_principals = source.count(), source.count()
    apps = source.ids(unpack_app, _APP, n_apps)
    principals = source.ids(unpack_principal, _PRINCIPAL, n_principals)
    lengths = source.numbers("I", n_apps)
    values = iter(source.numbers("I", sum(lengths)))
    source.end()
    try:
        return {
            app: frozenset([principals[at] for at in sums(islice(values, length))])
            for app, length in zip(apps, lengths, strict=True)
        }
    except IndexError as cause:
        raise CodecError("a footprint that refers to nothing") from cause


def encode_changes(entries: Sequence[ChangeEntry]) -> bytes:
    """The packed form of change entries, in their order."""
    principals, apps, sets = Table(), Table(), Table()
    who = [principals.position(e.principal_id) for e in entries]
    what = [apps.position(e.app_id) for e in entries]
    before = [sets.position(e.before) for e in entries]
    after = [sets.position(e.after) for e in entries]
    out = Writer()
    for number in (len(entries), len(principals.values()), len(apps.values()), len(sets.values())):
        out.count(number)
    out.ids(pack_principal, principals.values())
    out.ids(pack_app, apps.values())
    out.ids(pack_scope_set, sets.values())
    out.numbers("I", who)
    out.numbers("I", what)
    out.numbers("I", before)
    out.numbers("I", after)
    out.numbers("I", [e.rev for e in entries])
    out.numbers("q", gaps([micros(e.at) for e in entries]))
    out.numbers("B", [_DELTAS.index(e.kind) * 16 + _CAUSES.index(e.cause) for e in entries])
    return out.finish(VERSION)


def decode_changes(packed: bytes) -> tuple[ChangeEntry, ...]:
    """The change entries of their packed form.

    Raises:
        CodecError: damaged or unknown bytes.
    """
    source = Reader(packed, _READABLE)
    length, n_principals, n_apps, n_sets = (source.count() for _ in range(4))
    principals = source.ids(unpack_principal, _PRINCIPAL, n_principals)
    apps = source.ids(unpack_app, _APP, n_apps)
    sets: list[str | None] = [None, *source.ids(unpack_scope_set, _SET, n_sets)]
    who, what, before, after, revs = (source.numbers("I", length) for _ in range(5))
    times = sums(source.numbers("q", length))
    kinds = source.numbers("B", length)
    source.end()
    try:
        return tuple(
            ChangeEntry(
                at=instant(at),
                principal_id=principals[w - 1],
                rev=rev,
                app_id=apps[a - 1],
                kind=_DELTAS[kind >> 4],
                before=sets[b],
                after=sets[c],
                cause=_CAUSES[kind & 15],
            )
            for at, w, rev, a, kind, b, c in zip(times, who, revs, what, kinds, before, after, strict=True)
        )
    except IndexError as cause:
        raise CodecError("a change entry that refers to nothing") from cause


def encode_use(rows: Sequence[UseRow]) -> bytes:
    """The packed form of use rows, in their order."""
    principals, apps = Table(), Table()
    who = [principals.position(r.principal_id) for r in rows]
    what = [apps.position(r.app_id) for r in rows]
    out = Writer()
    for number in (len(rows), len(principals.values()), len(apps.values())):
        out.count(number)
    out.ids(pack_principal, principals.values())
    out.ids(pack_app, apps.values())
    out.numbers("q", gaps(who))
    out.numbers("I", what)
    out.numbers("I", [min(r.events, 0xFFFFFFFF) for r in rows])
    out.numbers("H", [day_number(r.last_day) for r in rows])
    return out.finish(VERSION)


def decode_use(packed: bytes) -> tuple[UseRow, ...]:
    """The use rows of their packed form.

    Raises:
        CodecError: damaged or unknown bytes.
    """
    source = Reader(packed, _READABLE)
    length, n_principals, n_apps = (source.count() for _ in range(3))
    principals = source.ids(unpack_principal, _PRINCIPAL, n_principals)
    apps = source.ids(unpack_app, _APP, n_apps)
    who = sums(source.numbers("q", length))
    what, events = source.numbers("I", length), source.numbers("I", length)
    days = source.numbers("H", length)
    source.end()
    try:
        return tuple(
            UseRow(principals[w - 1], apps[a - 1], n, _day(d))
            for w, a, n, d in zip(who, what, events, days, strict=True)
        )
    except IndexError as cause:
        raise CodecError("a use row that refers to nothing") from cause


def _day(number: int) -> date:
    day = day_of(number)
    if day is None:
        raise CodecError("a use row without a day")
    return day


def grouped(rows: Iterable[UseRow]) -> dict[tuple[str, str], UseRow]:
    """Rows with the same principal and app as one: events added up, the latest day kept."""
    merged: dict[tuple[str, str], UseRow] = {}
    for row in rows:
        key = (row.principal_id, row.app_id)
        old = merged.get(key)
        merged[key] = (
            row if old is None else UseRow(*key, old.events + row.events, max(old.last_day, row.last_day))
        )
    return merged
