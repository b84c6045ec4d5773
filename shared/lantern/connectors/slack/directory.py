"""Members and workspaces: listed page by page, or asked for one by one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.resolution import CallError
from lantern.connectors.slack import normalize
from lantern.connectors.slack.api import SlackApi
from lantern.connectors.slack.normalize import Member, Owner

_PAGE: Final = "500"  # at most 1,000; Slack asks for few
_TEAMS: Final = "1000"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the listing of members stands: workspaces it is through with, the one it is in, the page there.

    `team` is empty where the installation has one workspace only, or none has been begun.
    """

    done: tuple[str, ...] = ()
    team: str = ""
    page: str = ""

    def dump(self) -> str:
        """As text."""
        return json.dumps([list(self.done), self.team, self.page], separators=(",", ":"))


def load(text: str) -> Place:
    """A place from a text of `dump`.

    Raises:
        ValueError: it is none.
    """
    value = json.loads(text)
    match value:
        case [list(done), str(team), str(page)] if all(isinstance(one, str) for one in done):
            return Place(tuple(done), team, page)
    raise ValueError("not a cursor of this listing")


class Directory:
    """The accounts of one installation."""

    def __init__(self, api: SlackApi, owner: Owner) -> None:
        self._api = api
        self._owner = owner
        self._teams: tuple[str, ...] | None = None if owner.enterprise else ("",)

    def teams(self, halt: Halt) -> tuple[str, ...]:
        """Ids of the workspaces that Lantern may see; a single empty one where the installation is of one."""
        if self._teams is None:
            found = self._api.pages("auth.teams.list", "teams", halt, {"limit": _TEAMS})
            self._teams = tuple(sorted({_identifier(team) for team in found}))
        return self._teams

    def page(self, place: Place, halt: Halt) -> tuple[list[Member], Place | None]:
        """One page of members and where to go on; None after the last.

        Who is in several workspaces is listed in the first of them only. A new listing asks for the
        workspaces anew, and so does one that another instance goes on with.
        """
        if self._owner.enterprise and not place.team:
            self._teams = None
            following = self._next(place, halt)
            if following is None:
                return [], None
            place = following
        found, cursor = self._members(place, halt)
        done = frozenset(place.done)
        fresh = [member for member in found if not member.teams & done]
        if cursor is not None:
            return fresh, replace(place, page=cursor)
        if not self._owner.enterprise:
            return fresh, None
        return fresh, self._next(Place((*place.done, place.team)), halt)

    def _next(self, place: Place, halt: Halt) -> Place | None:
        left = [team for team in self.teams(halt) if team not in place.done]
        return Place(place.done, left[0]) if left else None

    def _members(self, place: Place, halt: Halt) -> tuple[list[Member], str | None]:
        try:
            return self._fetch(place, halt)
        except CallError as error:
            if "invalid_cursor" not in error.codes or not place.page:
                raise
            # It has expired: the workspace is listed again from its beginning.
            return self._fetch(replace(place, page=""), halt)

    def _fetch(self, place: Place, halt: Halt) -> tuple[list[Member], str | None]:
        params = {"limit": _PAGE}
        if place.team:
            params["team_id"] = place.team
        if place.page:
            params["cursor"] = place.page
        found, cursor = self._api.page("users.list", "members", halt, params)
        return [self._member(row) for row in found], cursor

    def everybody(self, halt: Halt) -> Iterator[Member]:
        """All members, bots and deactivated ones too."""
        place: Place | None = Place()
        while place is not None:
            found, place = self.page(place, halt)
            yield from found

    def find(self, native_id: str, halt: Halt) -> Member | None:
        """One account by id; None where Slack knows none."""
        try:
            body = self._api.get("users.info", halt, {"user": native_id})
        except CallError as error:
            if error.reason == "not_found":
                return None
            raise
        return self._member(body.get("user"))

    def by_email(self, email: str, halt: Halt) -> Member | None:
        """One account by address; None where Slack knows none, or does not show deactivated ones."""
        try:
            body = self._api.get("users.lookupByEmail", halt, {"email": email})
        except CallError as error:
            if error.reason == "not_found":
                return None
            raise
        return self._member(body.get("user"))

    def _member(self, row: Any) -> Member:
        try:
            return normalize.member(row, self._owner)
        except normalize.MalformedError as error:
            raise CallError(GARBLED, detail=f"users: {error}") from None


def _identifier(team: Any) -> str:
    found = team.get("id") if isinstance(team, dict) else None
    if not isinstance(found, str) or not found:
        raise CallError(GARBLED, detail="a workspace without id")
    return found
