"""What GitHub lists for a whole organisation: members, installed apps, seats, credentials, tokens.

GitHub cuts lists into numbered pages: something removed while they are read moves what follows one place up,
and the row at the edge of a page is never shown. So a list that is longer than one page is read twice, and
what either reading showed counts as there: nobody loses access by a page that turned under our hands. A page
alone is one answer, and true.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Generic, TypeVar

from lantern.connectors.github import keys, normalize
from lantern.connectors.github.api import GithubApi, Page, segment
from lantern.connectors.github.keys import Credential, PersonalToken
from lantern.connectors.github.manifest import ABOUT_THIS
from lantern.connectors.github.normalize import Installation, MalformedError, Seat
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.protocol import Clock
from lantern.connectors.resolution import CallError

T = TypeVar("T")

ROLES: Final = ("admin", "member")
OUTSIDE: Final = "outside"
_INSTALLATIONS: Final = ("installations", "total_count")
_SEATS: Final = ("seats", "total_seats")
_CREDENTIALS: Final = "credentials"


@dataclass(frozen=True, slots=True)
class Dated(Generic[T]):
    """A list of the whole organisation, and when its reading began; None where there is no such list here."""

    value: T
    as_of: datetime


class Absent(Exception):  # noqa: N818 - no error: GitHub says that this organisation has no such list
    """The organisation's plan, or the permissions given, do not have this list."""


def offered(error: CallError) -> bool:
    """Whether a list that was refused exists here: GitHub itself says 403, 404 or 422 where it does not."""
    return not (error.status in (403, 404, 422) and ABOUT_THIS in error.codes and not error.resolution.retry)


class Lists:
    """The lists of one organisation, by its present name."""

    def __init__(self, api: GithubApi, name: str, clock: Clock) -> None:
        self.name = name
        self._api = api
        self._path = f"/orgs/{segment(name)}"
        self._clock = clock
        self._abouts: dict[str, Mapping[str, Any] | None] = {}
        self._offers: dict[str, bool] = {}

    def now(self) -> datetime:
        """The current time."""
        return self._clock.now()

    def members(self, part: str, following: str | None, halt: Halt) -> Page:
        """A page of the members with a role, or of the outside collaborators."""
        if following:
            return self._api.page(following, halt)
        if part == OUTSIDE:
            return self._api.page(f"{self._path}/outside_collaborators", halt, params={})
        page = self._api.page(f"{self._path}/members", halt, params={"role": part})
        if part == "admin" and not page.rows:
            raise CallError(GARBLED, detail="an organisation without an owner")
        return page

    def roster(self, halt: Halt) -> Mapping[str, str]:
        """Everybody here: id by login.

        Raises:
            CallError: a list could not be read.
        """
        found: dict[str, str] = {}
        for part in (*ROLES, OUTSIDE):
            for row in self._twice(partial(self._walk, part, halt)):
                found[_read(normalize.login, row)] = _read(normalize.account_id, row)
        return found

    def _walk(self, part: str, halt: Halt) -> Iterator[Page]:
        page = self.members(part, None, halt)
        yield page
        while page.following:
            page = self.members(part, page.following, halt)
            yield page

    def membership(self, login: str, halt: Halt) -> str | None:
        """The role of a member; None where GitHub knows no membership."""
        try:
            body = self._api.get(f"{self._path}/memberships/{segment(login)}", "role", halt)
        except CallError as error:
            if error.reason == "not_found":
                return None
            raise
        return str(body["role"]) if body.get("state") == "active" else None

    def installations(self, halt: Halt) -> Dated[list[Installation]]:
        """The installed apps."""
        at = self._clock.now()
        pages = partial(self._api.pages, f"{self._path}/installations", halt, under=_INSTALLATIONS)
        return Dated([_read(normalize.installation, row) for row in self._twice(pages)], at)

    def about(self, slug: str, halt: Halt) -> Mapping[str, Any] | None:
        """The public page of an app; None where it has none. Asked once."""
        if slug not in self._abouts:
            try:
                self._abouts[slug] = self._api.get(f"/apps/{segment(slug)}", "owner", halt)
            except CallError as error:
                if error.reason != "not_found":
                    raise
                self._abouts[slug] = None
        return self._abouts[slug]

    def seats(self, halt: Halt) -> Dated[dict[str, Seat]]:
        """All Copilot seats by account.

        Raises:
            Absent: the organisation has no Copilot.
        """
        at = self._clock.now()
        pages = partial(self._api.pages, f"{self._path}/copilot/billing/seats", halt, under=_SEATS)
        rows = self._offered(_SEATS[0], lambda: self._twice(pages))
        found = (_read(normalize.seat, row) for row in rows)
        return Dated({one.native_id: one for one in found if one}, at)

    def first_seats(self, halt: Halt) -> Page:
        """The first page of the seats.

        Raises:
            Absent: the organisation has no Copilot.
        """
        path = f"{self._path}/copilot/billing/seats"
        return self._offered(_SEATS[0], lambda: self._api.page(path, halt, params={}, under=_SEATS))

    def seat(self, login: str, halt: Halt) -> Seat | None:
        """One person's seat; None is no proof that there is none: only the whole list is."""
        try:
            body = self._api.get(f"{self._path}/members/{segment(login)}/copilot", "created_at", halt)
        except CallError as error:
            if error.reason == "not_found":
                return None
            raise
        return _read(normalize.seat, body)

    def credentials(self, halt: Halt, login: str | None = None) -> Dated[list[Credential]]:
        """The credentials authorised for single sign-on, of everybody or of one person.

        Raises:
            Absent: the organisation has no single sign-on.
        """
        at, path = self._clock.now(), f"{self._path}/credential-authorizations"
        if login and _CREDENTIALS not in self._offers:
            # What is refused for one person alone says nothing of the organisation: so that is asked first.
            one = {"per_page": "1"}
            self._offered(_CREDENTIALS, lambda: self._api.page(path, halt, params=one))
        params = {"login": login} if login else {}
        pages = partial(self._api.pages, path, halt, params=params)
        rows = self._offered(_CREDENTIALS, lambda: self._twice(pages, key="credential_id"))
        found = [_read(keys.credential, row) for row in rows]
        if login and any(one.login.lower() != login.lower() for one in found):
            raise CallError(GARBLED, detail="credentials of somebody else")
        return Dated(found, at)

    def personal_tokens(self, halt: Halt) -> Dated[list[PersonalToken]]:
        """The fine-grained personal access tokens that reach the organisation."""
        at, path = self._clock.now(), f"{self._path}/personal-access-tokens"
        pages = partial(self._api.pages, path, halt)
        return Dated([_read(keys.personal_token, row) for row in self._twice(pages)], at)

    def _twice(self, pages: Callable[[], Iterable[Page]], key: str = "id") -> list[Mapping[str, Any]]:
        """All rows of a list; of one longer than a page, what either of two readings showed."""
        found: dict[object, Mapping[str, Any]] = {}
        least = 0
        for _ in range(2):
            count = 0
            for page in pages():
                count += 1
                least = page.total or 0 if count == 1 else min(least, page.total or 0)
                for position, row in enumerate(page.rows):
                    found[_identity(row, key, count, position)] = row
            if len(found) < least:
                raise CallError(GARBLED, detail="a list is shorter than it says")
            if count == 1:
                break
        return list(found.values())

    def _offered(self, what: str, read: Callable[[], T]) -> T:
        """Read what the organisation may not have.

        Raises:
            Absent: it has not. Once it was read, a refusal is a failure like any other.
        """
        if self._offers.get(what) is False:
            raise Absent
        try:
            value = read()
        except CallError as error:
            if offered(error) or self._offers.get(what):
                raise
            self._offers[what] = False
            raise Absent from None
        self._offers[what] = True
        return value


def _identity(row: Mapping[str, Any], key: str, page: int, position: int) -> object:
    """What a row is known by, so that it counts once."""
    assignee = row.get("assignee")
    value = assignee.get("id") if isinstance(assignee, Mapping) else row.get(key)
    return value if value is not None else ("nameless", page, position)


def _read(reader: Callable[[Any], T], row: Any) -> T:
    try:
        return reader(row)
    except MalformedError as error:
        raise CallError(GARBLED, detail=f"github: {error}") from None
