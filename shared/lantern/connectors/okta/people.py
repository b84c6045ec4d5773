"""The organisation and its accounts, administrators marked as such."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.okta import normalize
from lantern.connectors.okta.api import OktaApi, segment
from lantern.connectors.okta.normalize import MalformedError
from lantern.connectors.protocol import Organisation, PrincipalPage
from lantern.connectors.resolution import CallError
from lantern.domain.inventory import Principal

_USERS: Final = "/api/v1/users"
_ADMINS: Final = "/api/v1/iam/assignees/users"
_PAGE: Final = "200"  # the most that listings of users give
_LIVING, _DEACTIVATED = "living", "deactivated"
_DEACTIVATED_ONLY: Final = 'status eq "DEPROVISIONED"'


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose accounts these are."""

    connection_id: str
    organisation_id: str


def organisation(api: OktaApi, halt: Halt) -> Organisation:
    """The organisation at the address we call. Its id stays when it is renamed or gets another address."""
    body = api.one("/api/v1/org", halt)
    identifier, subdomain = body.get("id"), body.get("subdomain")
    if not isinstance(identifier, str) or not identifier:
        raise CallError(GARBLED, detail="an organisation without id")
    name = body.get("companyName") or subdomain or identifier
    return Organisation(identifier, normalize.label(str(name)))


class People:
    """The accounts of one connection. `marks_admins`: whether we may read who is an administrator."""

    def __init__(self, api: OktaApi, owner: Owner, *, marks_admins: bool) -> None:
        self._api = api
        self._owner = owner
        self._marks_admins = marks_admins
        self._lock = threading.Lock()
        self._admins: frozenset[str] | None = None

    def page(self, cursor: str | None, halt: Halt) -> PrincipalPage:
        """A page of all accounts: those that are not deactivated, then the deactivated ones.

        The plain listing leaves out deactivated accounts, and only a filter names them. (`search` would give
        both at once, but from an index that lags behind.) In this order an account that is deactivated
        meanwhile is listed twice rather than never.
        """
        part, _, place = (cursor or f"{_LIVING}:").partition(":")
        if part not in (_LIVING, _DEACTIVATED):
            raise ValueError("not a cursor of this listing")
        if place:
            page = self._api.page(place, halt)
        else:
            only = {"filter": _DEACTIVATED_ONLY} if part == _DEACTIVATED else {}
            page = self._api.page(_USERS, halt, params={"limit": _PAGE, **only})
        if part == _LIVING and not place and not page.rows:
            raise CallError(GARBLED, detail="an organisation without users")
        rows = tuple(self._principal(row, halt) for row in page.rows)
        if page.following:
            return PrincipalPage(rows, f"{part}:{page.following}")
        return PrincipalPage(rows, f"{_DEACTIVATED}:" if part == _LIVING else None)

    def find(self, key: str, halt: Halt) -> Principal | None:
        """One account by id or login; None where Okta knows none."""
        row = self._api.found(f"{_USERS}/{segment(key)}", halt)
        return self._principal(row, halt) if row is not None else None

    def absent(self, native_id: str, halt: Halt) -> bool:
        """Whether a listing that was answered says that there is no such account.

        A 404 alone never proves that: proxies and outages say 404 too.
        """
        quoted = native_id.replace("\\", "\\\\").replace('"', '\\"')
        params = {"filter": f'id eq "{quoted}"', "limit": "1"}
        return not self._api.page(_USERS, halt, params=params).rows

    def _principal(self, row: Mapping[str, Any], halt: Halt) -> Principal:
        admins = self.administrators(halt)
        try:
            return normalize.principal(
                row,
                connection_id=self._owner.connection_id,
                organisation_id=self._owner.organisation_id,
                admin=None if admins is None else row.get("id") in admins,
            )
        except MalformedError as error:
            raise CallError(GARBLED, detail=f"users: {error}") from None

    def administrators(self, halt: Halt) -> frozenset[str] | None:
        """Ids of all who have an administrator role; None where we may not read that (any more)."""
        with self._lock:
            if self._marks_admins and self._admins is None:
                try:
                    self._admins = frozenset(self._list_admins(halt))
                except CallError as error:
                    if error.reason not in ("forbidden", "not_found") or error.resolution.connection_wide:
                        raise
                    self._marks_admins = False
            return self._admins

    def _list_admins(self, halt: Halt) -> list[str]:
        path: str | None = _ADMINS
        params = {"limit": _PAGE}
        found: list[str] = []
        while path:
            body = self._api.one(path, halt, params=params)
            rows, links = body.get("value"), body.get("_links")
            if not isinstance(rows, list):
                raise CallError(GARBLED, detail="administrators: no list")
            found += [row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]
            href = normalize.inner(links, "next").get("href")
            path, params = (self._api.relative(href), {}) if isinstance(href, str) else (None, {})
        return found
