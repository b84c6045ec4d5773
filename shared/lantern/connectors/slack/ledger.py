"""Who holds which app, concluded from a log of installations read from its beginning. Pure.

Both of Slack's logs tell changes, not a state: what counts is what was not taken back. An app ends for
one person where the person takes it back; it ends for everybody where somebody else removes it, or Slack
does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

ChangeKind = Literal["added", "removed", "enabled", "disabled", "updated", "expanded", "touched", "account"]
"""What an entry says.

`touched`: something about the app changed that says nothing of who holds it. `account`: an account changed.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a log. `key` is the same in every delivery of it.

    `user_id` is who did it (None: nobody who is a member), or the account in question where `kind` is
    `account`. `team` is the workspace; empty for the whole organisation. `scopes` are what the app holds
    afterwards, None where the line does not say. `whole`: a removal that ends the app for everybody,
    whoever made it.
    """

    key: str
    at: datetime
    kind: ChangeKind
    app_id: str
    app_name: str
    user_id: str | None
    team: str
    scopes: frozenset[str] | None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Holding:
    """An app that somebody holds: with which permissions, and when they last grew."""

    app_id: str
    name: str
    scopes: frozenset[str]
    at: datetime
    on: bool = True


_Key = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is in force.

    `held` by person (None: nobody is named) and app id; `ended` are apps that nobody holds any more.
    `names` are the apps' names as the log last told them.
    """

    held: Mapping[str | None, Mapping[str, Holding]]
    ended: frozenset[str]
    names: Mapping[str, str]

    def of(self, user_id: str | None) -> Mapping[str, Holding]:
        """What one person holds, by app id."""
        return self.held.get(user_id, {})

    def apps(self) -> Mapping[str, Holding]:
        """What anybody holds, by app id: the permissions of all together, the latest date."""
        found: dict[str, Holding] = {}
        for mine in self.held.values():
            for app_id, holding in mine.items():
                known = found.get(app_id)
                found[app_id] = _joined(known, holding) if known else holding
        return found


def _joined(one: Holding, other: Holding) -> Holding:
    return replace(one, scopes=one.scopes | other.scopes, at=max(one.at, other.at))


@dataclass(slots=True)
class _Book:
    """State by workspace and app: who holds it."""

    lines: dict[tuple[str, str], dict[str | None, Holding]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def take(self, entry: Entry) -> None:
        if entry.app_name:
            self.names[entry.app_id] = entry.app_name
        match entry.kind:
            case "added" | "expanded":
                self._grow(entry, replaced=False)
            case "updated":
                self._grow(entry, replaced=True)
            case "removed" | "disabled" | "enabled":
                self._switch(entry)
            case "touched" | "account":
                return

    def _grow(self, entry: Entry, *, replaced: bool) -> None:
        mine = self.lines.setdefault((entry.team, entry.app_id), {})
        known = mine.get(entry.user_id)
        given = entry.scopes or frozenset()
        if known and known.on and not (replaced and entry.scopes is not None):
            given = known.scopes | given
        mine[entry.user_id] = Holding(entry.app_id, entry.app_name, given, entry.at)

    def _switch(self, entry: Entry) -> None:
        if entry.kind == "removed" and not entry.team:
            # Gone everywhere, though it was added before the log began.
            self.lines.setdefault(("", entry.app_id), {})
        for (team, app_id), mine in self.lines.items():
            # Without a workspace it is about all of them.
            if app_id != entry.app_id or entry.team not in ("", team):
                continue
            alone = entry.user_id in mine and not entry.whole and entry.user_id is not None
            for user in [entry.user_id] if alone else list(mine):
                if entry.kind == "removed":
                    del mine[user]
                else:
                    mine[user] = replace(mine[user], on=entry.kind == "enabled")


def fold(entries: Iterable[Entry]) -> Ledger:
    """The state after all of these, each taken once, in the order of their dates."""
    book = _Book()
    once = {entry.key: entry for entry in entries}
    for entry in sorted(once.values(), key=lambda e: e.at):
        book.take(entry)
    held: dict[str | None, dict[str, Holding]] = {}
    for mine in book.lines.values():
        for user, holding in mine.items():
            if holding.on:
                theirs = held.setdefault(user, {})
                known = theirs.get(holding.app_id)
                theirs[holding.app_id] = _joined(known, holding) if known else holding
    living = {app_id for theirs in held.values() for app_id in theirs}
    known_apps = {app_id for _, app_id in book.lines}
    return Ledger(held, frozenset(known_apps - living), book.names)
