"""Who has granted what. The generated part is packed in arrays; what changes is kept beside it.

Ten thousand employees with seventy grants each are 700,000 grants: as packed arrays they are 11 MB and
are made in a second or two; a dictionary is made only for a user whose grants somebody changed.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from .model import App, Change, Grant, User


class GrantTable:
    """The grants of one organisation. Callers hold the world's lock around changes."""

    def __init__(self, apps: Sequence[App]) -> None:
        self.apps = list(apps)
        self.offsets = array("I", [0])
        self.app = array("H")
        self.scope_set = array("B")
        self.granted = array("I")
        self.used_until = array("I")
        self.changed: dict[str, dict[str, Grant]] = {}
        self.ended: dict[int, float] = {}
        self.changes: list[Change] = []
        self._by_pair: dict[tuple[str, str], list[Change]] = {}

    def append_user(self, rows: Sequence[tuple[int, int, int, int]]) -> None:
        """Add the next user's generated grants: (app index, scope set, granted, used until or 0)."""
        for app, scope_set, granted, used_until in rows:
            self.app.append(app)
            self.scope_set.append(scope_set)
            self.granted.append(granted)
            self.used_until.append(used_until)
        self.offsets.append(len(self.app))

    @property
    def generated(self) -> int:
        """How many grants the generator made."""
        return len(self.app)

    def owner(self, flat: int) -> int:
        """The index of the user who holds generated grant number `flat`."""
        return bisect_right(self.offsets, flat) - 1

    def base(self, flat: int) -> Grant:
        """Generated grant number `flat`, whether or not it still exists."""
        app = self.apps[self.app[flat]]
        scopes = app.scope_sets[self.scope_set[flat]]
        return _grant(app, scopes, float(self.granted[flat]))

    def _flats(self, user: User) -> range:
        if user.index < 0:
            return range(0)
        return range(self.offsets[user.index], self.offsets[user.index + 1])

    def held_by(self, user: User) -> list[Grant]:
        """The grants the user holds now, in a stable order."""
        held = self.changed.get(user.id)
        if held is not None:
            return list(held.values())
        return [self.base(flat) for flat in self._flats(user)]

    def get(self, user: User, client_id: str) -> Grant | None:
        """One grant, or None."""
        held = self.changed.get(user.id)
        if held is not None:
            return held.get(client_id)
        return next((g for g in self.held_by(user) if g.client_id == client_id), None)

    def _edit(self, user: User) -> dict[str, Grant]:
        held = self.changed.get(user.id)
        if held is None:
            held = self.changed[user.id] = {g.client_id: g for g in self.held_by(user)}
        return held

    def put(self, user: User, grant: Grant, at: float) -> None:
        """Add or replace a grant."""
        held = self._edit(user)
        before = held.get(grant.client_id)
        held[grant.client_id] = grant
        self._log(user, grant.client_id, before, grant, at)

    def drop(self, user: User, client_id: str, at: float) -> Grant | None:
        """Remove a grant and return it; None when there was none."""
        gone = self._edit(user).pop(client_id, None)
        if gone is None:
            return None
        for flat in self._flats(user):
            if self.apps[self.app[flat]].client_id == client_id and flat not in self.ended:
                self.ended[flat] = at
        self._log(user, client_id, gone, None, at)
        return gone

    @property
    def seq(self) -> int:
        """The number of the latest change."""
        return len(self.changes)

    def lacked(self, user: User, client_id: str, since: int) -> bool:
        """Whether the grant was absent at some instant after change number `since` (absent now included)."""
        later = [c for c in self._by_pair.get((user.id, client_id), ()) if c.seq > since]
        if not later:
            return self.get(user, client_id) is None
        return later[0].before is None or any(change.scopes is None for change in later)

    def _log(self, user: User, client_id: str, before: Grant | None, after: Grant | None, at: float) -> None:
        change = Change(
            len(self.changes) + 1, at, user.id, client_id,
            None if before is None else before.scopes, None if after is None else after.scopes,
        )  # fmt: skip
        self.changes.append(change)
        self._by_pair.setdefault((user.id, client_id), []).append(change)

    def iterate(self, users: Sequence[User]) -> Iterator[tuple[User, Grant]]:
        """Every grant of the given users."""
        for user in users:
            for grant in self.held_by(user):
                yield user, grant


def _grant(app: App, scopes: tuple[str, ...], granted_at: float) -> Grant:
    return Grant(app.client_id, app.name, scopes, granted_at, app.anonymous, app.native, app.client_type)


def grant_of(app: App, scopes: tuple[str, ...] | None, granted_at: float) -> Grant:
    """A grant to `app` of `scopes`, or of what the app normally asks for."""
    return _grant(app, tuple(scopes) if scopes else app.scope_sets[0], granted_at)
