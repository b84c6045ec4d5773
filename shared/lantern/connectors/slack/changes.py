"""What changed since a cursor, and what was installed in a past window, from either log."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from lantern.connectors.halt import Halt
from lantern.connectors.http import HaltedError
from lantern.connectors.protocol import ChangePage, Consent, Hint, HistoryPage
from lantern.connectors.slack.ledger import Entry
from lantern.connectors.slack.log import InstallLog

OVERLAP: Final = timedelta(hours=2)
SLICE: Final = timedelta(hours=6)
SEEN_LIMIT: Final = 1000
_VERSION: Final = 1
_GROWS: Final = frozenset({"added", "expanded", "updated"})
_ENDS: Final = frozenset({"removed", "disabled", "enabled"})


@dataclass(frozen=True, slots=True)
class Cursor:
    """Standing of the feed: everything before `settled` is done for good.

    Between then and the present entries may still arrive late, so that stretch is read again; `seen`
    keeps the entries already answered there (digest of the key → epoch seconds).
    """

    settled: datetime
    seen: Mapping[str, int] = field(default_factory=dict)

    def dump(self) -> str:
        """As text."""
        value = {
            "v": _VERSION,
            "settled": int(self.settled.timestamp()),
            "seen": dict(sorted(self.seen.items())),
        }
        return json.dumps(value, separators=(",", ":"))


def load(text: str) -> Cursor:
    """The cursor in a text of `dump`.

    Raises:
        ValueError: it is none.
    """
    value: Any = json.loads(text)
    if not isinstance(value, dict) or value.get("v") != _VERSION:
        raise ValueError("not a cursor of the Slack log")
    return Cursor(datetime.fromtimestamp(value["settled"], UTC), value["seen"])


def changes(
    log: InstallLog, organisation_id: str, text: str | None, now: datetime, halt: Halt
) -> Iterator[ChangePage]:
    """What changed from a cursor to `now`; the last two hours are read again, hints given once each.

    Raises:
        CallError: Slack did not answer as documented.
        ValueError: the cursor is none of ours.
    """
    now = now.replace(microsecond=0)  # the logs and the cursor speak in seconds
    cursor = load(text) if text else Cursor(now - OVERLAP)
    while not halt.passed() and now > cursor.settled:
        # The integration log cannot be asked for a part.
        end = min(now, cursor.settled + SLICE) if log.kind == "audit" else now
        try:
            entries = log.between(cursor.settled, end + timedelta(seconds=1), halt)
            fresh = [entry for entry in entries if digest(entry.key) not in cursor.seen]
            hints = _hints(log, organisation_id, fresh, halt)
        except HaltedError:
            return
        settled = max(cursor.settled, min(end, now - OVERLAP))
        cursor = Cursor(settled, _remembered(cursor, fresh, settled))
        last = end >= now
        yield ChangePage(hints, (), cursor.dump(), len(entries), last)
        if last:
            return


def _remembered(cursor: Cursor, fresh: Iterable[Entry], settled: datetime) -> Mapping[str, int]:
    floor = int(settled.timestamp())
    seen = {**cursor.seen, **{digest(e.key): int(e.at.timestamp()) for e in fresh}}
    kept = sorted(((k, at) for k, at in seen.items() if at >= floor), key=lambda pair: pair[1])
    return dict(kept[-SEEN_LIMIT:])


def digest(key: str) -> str:
    """A short stand-in for an entry's key."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _hints(log: InstallLog, organisation_id: str, fresh: list[Entry], halt: Halt) -> tuple[Hint, ...]:
    """What to read again: one hint per account with the dates of what it installed, and the organisation.

    A removal names who made it, not who loses the app: everybody who ever installed that app is read again.
    """
    found: dict[str, Hint] = {}
    for entry in fresh:
        if entry.user_id:
            _note(found, entry.user_id, entry)
    for app_id in sorted({entry.app_id for entry in fresh if entry.kind in _ENDS}):
        ending = next(entry for entry in reversed(fresh) if entry.app_id == app_id and entry.kind in _ENDS)
        for user in {entry.user_id for entry in log.whole(halt, app_id) if entry.user_id}:
            found.setdefault(user, Hint(native_id=user, event=ending.kind, event_id=ending.key))
    about_apps = [entry for entry in fresh if entry.kind != "account"]
    if about_apps:
        found[organisation_id] = Hint(
            native_id=organisation_id, event=about_apps[-1].kind, event_id=about_apps[-1].key
        )
    return tuple(found.values())


def _note(found: dict[str, Hint], user: str, entry: Entry) -> None:
    known = found.get(user)
    dates = dict(known.granted_at) if known else {}
    if entry.kind in _GROWS:
        dates[entry.app_id] = entry.at
    found[user] = Hint(native_id=user, granted_at=dates, event=entry.kind, event_id=entry.key)


def history(log: InstallLog, since: datetime, until: datetime, halt: Halt) -> Iterator[HistoryPage]:
    """Who installed what in `[since, until)`.

    Neither log tells how an app is used, so no page is the last: nothing may be concluded from silence.

    Raises:
        CallError: Slack did not answer as documented.
    """
    try:
        entries = log.between(since, until, halt)
    except HaltedError:
        return
    consents = tuple(
        Consent(entry.user_id, entry.app_id, entry.at)
        for entry in entries
        if entry.user_id and entry.kind in _GROWS
    )
    yield HistoryPage((), consents, (), len(entries), last=False)
