"""A finding as bytes: its list of grants or assets in columns, the rest as JSON.

A finding about an app that everybody uses lists thousands of grants. Each costs the 10 bytes of its account,
which nothing can compress, and next to nothing besides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec

from lantern.domain import ids
from lantern.domain.columns import (
    CodecError,
    Reader,
    Table,
    Writer,
    gaps,
    pack_app,
    pack_principal,
    sums,
    unpack_app,
    unpack_principal,
)
from lantern.domain.findings.records import Affected, Finding, GrantState
from lantern.domain.rules.vocabulary import Severity

_VERSION: Final = 1
_GRANTS, _ASSETS, _OTHER = 0, 1, 2
"""What the ids of the list are: of grants, of assets, or something of an unknown form."""
_PRINCIPAL_BYTES, _APP_BYTES, _ASSET_BYTES = 10, 8, 10
_SEVERITIES: Final = tuple(Severity)
_STATES: Final = tuple(GrantState)
_whole: Final = msgspec.json.Decoder(Finding)
_names: Final = msgspec.json.Decoder(tuple[str, ...])


def pack(finding: Finding) -> bytes:
    """The finding as bytes, everything included."""
    out = Writer()
    out.blob(msgspec.json.encode(replace(finding, affected=())))
    out.count(len(finding.affected))
    _pack_ids(out, [item.id for item in finding.affected])
    out.numbers("B", [_SEVERITIES.index(item.severity) for item in finding.affected])
    out.numbers("B", [_STATES.index(item.state) for item in finding.affected])
    times = Table()
    since = [times.position(item.since.isoformat()) for item in finding.affected]
    ended = [_time(times, item.resolved_at) for item in finding.affected]
    out.blob(msgspec.json.encode(times.values()))
    out.numbers("I", since)
    out.numbers("I", ended)
    return out.finish(_VERSION)


def unpack(packed: bytes) -> Finding:
    """The finding of its bytes.

    Raises:
        CodecError: damaged or unknown bytes.
    """
    source = Reader(packed, frozenset({_VERSION}))
    head = _whole.decode(source.blob())
    length = source.count()
    names = _unpack_ids(source, length)
    severities, states = source.numbers("B", length), source.numbers("B", length)
    times = [None, *map(datetime.fromisoformat, _names.decode(source.blob()))]
    since, ended = source.numbers("I", length), source.numbers("I", length)
    source.end()
    try:
        affected = tuple(
            Affected(name, _SEVERITIES[severity], _required(times[begun]), _STATES[state], times[end])
            for name, severity, state, begun, end in zip(names, severities, states, since, ended, strict=True)
        )
    except IndexError as cause:
        raise CodecError("a damaged finding") from cause
    return replace(head, affected=affected)


def head(packed: bytes) -> Finding:
    """The finding of its bytes without what it lists, which is not unpacked.

    Raises:
        CodecError: damaged or unknown bytes.
    """
    return _whole.decode(Reader(packed, frozenset({_VERSION})).blob())


def _time(times: Table, at: datetime | None) -> int:
    return times.position(None if at is None else at.isoformat())


def _required(at: datetime | None) -> datetime:
    if at is None:
        raise CodecError("a damaged finding")
    return at


def _pack_ids(out: Writer, names: Sequence[str]) -> None:
    pairs = [ids.split_grant_id(name) for name in names]
    if all(pairs):
        out.numbers("B", (_GRANTS,))
        held = [pair for pair in pairs if pair]
        # In the order of ids an account's grants stand together: the differences are nearly all 1 or 0.
        _column(out, [principal for principal, _ in held], pack_principal)
        _column(out, [app for _, app in held], pack_app)
    elif all(ids.is_asset_id(name) for name in names):
        out.numbers("B", (_ASSETS,))
        out.ids(ids.pack_asset, names)
    else:
        out.numbers("B", (_OTHER,))
        out.blob(msgspec.json.encode(names))


def _unpack_ids(source: Reader, length: int) -> Sequence[str]:
    (kind,) = source.numbers("B", 1)
    if kind == _GRANTS:
        principals = _read_column(source, length, unpack_principal, _PRINCIPAL_BYTES)
        apps = _read_column(source, length, unpack_app, _APP_BYTES)
        return [ids.grant_id(principal, app) for principal, app in zip(principals, apps, strict=True)]
    if kind == _ASSETS:
        return source.ids(ids.unpack_asset, _ASSET_BYTES, length)
    return _names.decode(source.blob())


def _column(out: Writer, names: Sequence[str], pack_one: Callable[[str], bytes]) -> None:
    """Ids of which some repeat: each once, and which one stands where."""
    table = Table()
    positions = [table.position(name) for name in names]
    values = table.values()
    out.count(len(values))
    out.ids(pack_one, values)
    out.numbers("q", gaps(positions))


def _read_column(source: Reader, length: int, unpack_one: Callable[[bytes], str], width: int) -> list[str]:
    values = source.ids(unpack_one, width, source.count())
    positions = sums(source.numbers("q", length))
    if not all(1 <= position <= len(values) for position in positions):
        raise CodecError("a damaged finding")
    return [values[position - 1] for position in positions]
