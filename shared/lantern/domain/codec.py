"""One principal with all its grants as a few bytes: about 1.2 kB for 70 grants.

A packed bundle is one byte of version and a compressed sequence of columns: the account, the ids of
apps and scope sets, then per grant the scope set and the days, then the last delta. Old versions stay
readable for ever (golden files in the tests); a write always uses the newest.

What the item's key and attributes say (ids, revision, cause) is not in the bytes.
"""

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from lantern.domain import ids
from lantern.domain.columns import (
    CodecError,
    Reader,
    Table,
    Writer,
    day_number,
    day_of,
    gaps,
    pack_app,
    pack_scope_set,
    sums,
    unpack_app,
    unpack_scope_set,
)
from lantern.domain.inventory import (
    Bundle,
    Cause,
    DeltaKind,
    Grant,
    GrantDelta,
    GrantSource,
    Principal,
    PrincipalKind,
    PrincipalStatus,
)

VERSION: Final = 3
_READABLE: Final = frozenset({1, 2, 3})
_DIGEST_BYTES: Final = 8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

# Positions in these tuples are stored: append only.
_KINDS: Final[tuple[PrincipalKind, ...]] = (
    "user",
    "group",
    "service",
    "organisation",
    "shared",
)
_STATUSES: Final[tuple[PrincipalStatus, ...]] = ("active", "suspended", "archived", "deleted")
_DELTAS: Final[tuple[DeltaKind, ...]] = ("added", "removed", "changed")
_SOURCES: Final[tuple[GrantSource, ...]] = (
    "consent",
    "application",
    "assignment",
    "installation",
    "credential",
    "seat",
    "extension",
    "password",
    "use",
    "visit",
    "mail",
)

_KNOWN: Final = 1
_DATED: Final = 2
_WIDE: Final = 4

_AccountV1 = tuple[str, int, int, str | None, str | None, str | None, bool | None, str | None, date | None]
_AccountV2 = tuple[
    str, int, int, str | None, str | None, str | None, bool | None, str | None, date | None, tuple[str, ...]
]
_Account = tuple[
    str,
    int,
    int,
    str | None,
    str | None,
    str | None,
    bool | None,
    str | None,
    date | None,
    tuple[str, ...],
    str | None,
]
_account_decoder_v1: Final = msgspec.json.Decoder(_AccountV1)
_account_decoder_v2: Final = msgspec.json.Decoder(_AccountV2)
_account_decoder: Final = msgspec.json.Decoder(_Account)


def micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware time, exactly."""
    return (at - _EPOCH) // _MICROSECOND


def instant(number: int) -> datetime:
    """The UTC time of `micros`."""
    return _EPOCH + timedelta(microseconds=number)


def _account(principal: Principal) -> _Account:
    derived = ids.person_id(principal.id)
    return (
        principal.native_id,
        _KINDS.index(principal.kind),
        _STATUSES.index(principal.status),
        None if principal.person_id == derived else principal.person_id,
        principal.email,
        principal.name,
        principal.admin,
        principal.org_unit,
        principal.last_login,
        principal.aliases,
        principal.manager,
    )


def digest(bundle: Bundle) -> bytes:
    """8 bytes over the logical content: the account and its grants, whatever codec wrote them.

    Revision, cause, delta and time of the write are not covered: equal digests mean the same inventory.
    """
    grants = None
    if bundle.grants is not None:
        grants = sorted(
            (
                g.app_id,
                g.scope_set,
                day_number(g.first_seen),
                day_number(g.granted_on),
                g.prior_scope_set or "",
                day_number(g.expanded_on),
                g.source,
            )
            for g in bundle.grants
        )
    account = _account(bundle.principal)
    # What is as it was before managers were kept has the digest that it had then.
    told = account if bundle.principal.manager is not None else account[:-1]
    content = msgspec.json.encode((bundle.principal.id, told, grants))
    return hashlib.sha256(content).digest()[:_DIGEST_BYTES]


def encode(bundle: Bundle) -> bytes:
    """The packed form of a bundle.

    Raises:
        ValueError: a date is outside what a packed date holds (2000 to 2179).
    """
    grants, delta = bundle.grants or (), bundle.delta
    sets = Table()
    held = [sets.position(g.scope_set) for g in grants]
    prior = [sets.position(g.prior_scope_set) for g in grants]
    before = [sets.position(d.before) for d in delta]
    after = [sets.position(d.after) for d in delta]
    # The grants' apps in their order, then those that only the delta names.
    app_ids = [g.app_id for g in grants]
    rows = {app_id: row for row, app_id in enumerate(app_ids)}
    for d in delta:
        if d.app_id not in rows:
            rows[d.app_id] = len(app_ids)
            app_ids.append(d.app_id)
    delta_apps = [rows[d.app_id] for d in delta]
    set_ids = sets.values()

    wide = max(len(app_ids), len(set_ids)) > 0x7FFF
    code = "I" if wide else "H"
    flags = (
        (_KNOWN if bundle.grants is not None else 0)
        | (_DATED if bundle.changed_at is not None else 0)
        | (_WIDE if wide else 0)
    )
    out = Writer()
    out.numbers("B", [flags])
    out.blob(msgspec.json.encode(_account(bundle.principal)))
    if bundle.changed_at is not None:
        out.numbers("q", [micros(bundle.changed_at)])
    for number in (len(grants), len(app_ids), len(set_ids), len(delta)):
        out.count(number)
    out.ids(pack_app, app_ids)
    out.ids(pack_scope_set, set_ids)
    out.numbers(code, held)
    out.numbers(code, after)  # beside `held`, which it mostly repeats
    out.numbers(code, prior)
    out.numbers("H", [day_number(g.first_seen) for g in grants])
    out.numbers("H", [day_number(g.granted_on) for g in grants])
    out.numbers("H", [day_number(g.expanded_on) for g in grants])
    out.numbers("B", [_SOURCES.index(g.source) for g in grants])
    out.numbers("B", [_DELTAS.index(d.kind) for d in delta])
    out.numbers("q", gaps(delta_apps))
    out.numbers(code, before)
    return out.finish(VERSION)


def decode(packed: bytes, *, principal_id: str, connection_id: str, rev: int, cause: Cause) -> Bundle:
    """The bundle of its packed form and of what its item says.

    Raises:
        CodecError: the bytes are damaged or of a version this code does not know.
    """
    source = Reader(packed, _READABLE)
    (flags,) = source.numbers("B", 1)
    principal = _principal(source.blob(), source.version, principal_id, connection_id)
    changed_at = instant(source.numbers("q", 1)[0]) if flags & _DATED else None
    n_grants, n_apps, n_sets, n_delta = (source.count() for _ in range(4))
    code = "I" if flags & _WIDE else "H"
    apps = source.ids(unpack_app, 8, n_apps)
    sets: list[str | None] = [None, *source.ids(unpack_scope_set, 6, n_sets)]
    held = source.numbers(code, n_grants)
    after = source.numbers(code, n_delta)
    prior = source.numbers(code, n_grants)
    seen = source.numbers("H", n_grants)
    granted = source.numbers("H", n_grants)
    expanded = source.numbers("H", n_grants)
    rests = source.numbers("B", n_grants) if source.version > 1 else (0,) * n_grants
    kinds = source.numbers("B", n_delta)
    delta_apps = sums(source.numbers("q", n_delta))
    before = source.numbers(code, n_delta)
    source.end()
    grants: tuple[Grant, ...] | None = None
    delta: tuple[GrantDelta, ...] = ()
    try:
        if flags & _KNOWN:
            grants = tuple(
                [
                    # Scope set and first day are never None in what `encode` wrote.
                    Grant(app, sets[s], day_of(d), day_of(g), sets[p], day_of(e), _SOURCES[r])  # type: ignore[arg-type]
                    for app, s, d, g, p, e, r in zip(
                        apps, held, seen, granted, prior, expanded, rests, strict=False
                    )
                ]
            )
        if n_delta:
            delta = tuple(
                GrantDelta(_DELTAS[k], apps[a], sets[b], sets[c])
                for k, a, b, c in zip(kinds, delta_apps, before, after, strict=True)
            )
    except IndexError as cause_:
        raise CodecError("a packed bundle that refers to nothing") from cause_
    return Bundle(principal, grants, rev=rev, cause=cause, delta=delta, changed_at=changed_at)


def decode_account(packed: bytes, *, principal_id: str, connection_id: str) -> Principal:
    """The account alone of a packed bundle: a twentieth of the work.

    Raises:
        CodecError: the bytes are damaged or of a version this code does not know.
    """
    source = Reader(packed, _READABLE)
    source.numbers("B", 1)
    return _principal(source.blob(), source.version, principal_id, connection_id)


def _principal(raw: bytes, version: int, principal_id: str, connection_id: str) -> Principal:
    try:
        account: _Account
        if version > 2:
            account = _account_decoder.decode(raw)
        elif version == 2:
            account = (*_account_decoder_v2.decode(raw), None)
        else:
            account = (*_account_decoder_v1.decode(raw), (), None)
        native, kind, status, person, email, name, admin, unit, login, aliases, manager = account
        return Principal(
            id=principal_id,
            connection_id=connection_id,
            native_id=native,
            kind=_KINDS[kind],
            status=_STATUSES[status],
            person_id=person or ids.person_id(principal_id),
            email=email,
            name=name,
            admin=admin,
            org_unit=unit,
            last_login=login,
            aliases=aliases,
            manager=manager,
        )
    except (msgspec.MsgspecError, IndexError) as cause:
        raise CodecError("a packed bundle whose account is damaged") from cause
