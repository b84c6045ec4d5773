"""What apps do as a whole: events a week and the APIs they call, per connection.

Packed by app, so that a run reads a handful of items. Like use itself it is folded once for each batch,
whatever crashes in between: every item remembers the batches folded into it last.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from lantern.domain.errors import RevisionConflictError
from lantern.domain.use import AppUse, UseWindow, first_places
from lantern.store.apps import summary_part
from lantern.store.documents import Documents
from lantern.store.records import Records, Versioned

WEEKS_KEPT: Final = 12
_BATCHES_KEPT: Final = 8
_ATTEMPTS: Final = 8


@dataclass(frozen=True, slots=True)
class AppUseWindow:
    """Since when and until when calls were read without a hole, and every API that was ever reported."""

    since: datetime
    until: datetime
    reported: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    apps: Mapping[str, AppUse] = field(default_factory=dict)
    batches: tuple[str, ...] = ()
    rev: int = 0


class AppUseRepository:
    """Use of apps as a whole, per connection."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys = documents.keys
        self._parts = Versioned(documents, "app_use", _Part)
        self._windows = Records(documents, "app_use_window", AppUseWindow)

    def fold(self, cid: str, uses: Mapping[str, AppUse], window: UseWindow, batch: str) -> int:
        """Add the use of a slice of time; the same batch soon again changes nothing.

        Args:
            cid: the connection.
            uses: app id → events by ISO week and APIs called in the slice.
            window: the slice; it touches what was folded before, or else starts anew.
            batch: names the slice.

        Returns:
            How many items were written.
        """
        parts: dict[int, dict[str, AppUse]] = defaultdict(dict)
        for app_id, use in uses.items():
            parts[summary_part(app_id)][app_id] = use
        written = sum(self._merge(cid, number, rows, batch) for number, rows in parts.items())
        self._widen(cid, window, {api for use in uses.values() for api in use.apis})
        return written + 1

    def _merge(self, cid: str, number: int, rows: Mapping[str, AppUse], batch: str) -> int:
        key = self._keys.app_use(cid, f"{number:x}")
        for attempt in range(_ATTEMPTS):
            old = self._parts.get(key, consistent=True) or _Part()
            if batch in old.batches:
                return 0
            apps = {**old.apps, **{app: _joined(old.apps.get(app), use) for app, use in rows.items()}}
            fresh = _Part(apps, (*old.batches, batch)[-_BATCHES_KEPT:], old.rev)
            try:
                self._parts.put(key, fresh)
            except RevisionConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return 1
        raise AssertionError("unreachable")  # pragma: no cover

    def _widen(self, cid: str, window: UseWindow, reported: set[str]) -> None:
        key = self._keys.app_use(cid, "window")
        old = self._windows.get(key, consistent=True)
        before = UseWindow(old.since, old.until) if old else window
        whole = before.widened(window.complete_from, window.complete_until) or window
        names = tuple(sorted({*(old.reported if old else ()), *reported}))
        fresh = AppUseWindow(whole.complete_from, whole.complete_until, names)
        # Its writer holds the chain's lease.
        self._documents.put(self._windows.doc(key, fresh), None)

    def read(self, cid: str, app_ids: Iterable[str]) -> tuple[AppUseWindow | None, dict[str, AppUse]]:
        """The window and the use of some apps, one request; an app without use is not there."""
        wanted = set(app_ids)
        window = self._keys.app_use(cid, "window")
        keys = {self._keys.app_use(cid, f"{summary_part(app_id):x}") for app_id in wanted}
        found = self._documents.batch_get([window, *sorted(keys)])
        uses = {
            app_id: use
            for key in keys & found.keys()
            for app_id, use in self._parts.decode(found[key]).apps.items()
            if app_id in wanted
        }
        return (self._windows.decode(found[window]) if window in found else None), uses


def _joined(old: AppUse | None, new: AppUse) -> AppUse:
    if old is None:
        return new
    first = dict(old.first)
    for api, week in new.first.items():
        if api in first:
            first[api] = min(first[api], week)
        elif api not in old.apis:  # else it was called before anybody noted when
            first[api] = week
    return AppUse(
        _added(old.weeks, new.weeks),
        tuple(sorted({*old.apis, *new.apis})),
        first,
        _added(old.sent, new.sent),
        _added(old.received, new.received),
        first_places(old.networks, new.networks, "network"),
        first_places(old.countries, new.countries, "country"),
    )


def _added(old: Mapping[str, int], new: Mapping[str, int]) -> dict[str, int]:
    """Amounts by week, of the last weeks."""
    weeks = dict(old)
    for week, amount in new.items():
        weeks[week] = weeks.get(week, 0) + amount
    return dict(sorted(weeks.items())[-WEEKS_KEPT:])
