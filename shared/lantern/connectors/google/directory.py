"""The Directory API: accounts, their grants, the organisation, and proof that an account is gone."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lantern.connectors.calls import Admission
from lantern.connectors.google.api import GoogleApi, segment
from lantern.connectors.google.normalize import MalformedError, principal
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.protocol import Organisation, PrincipalPage
from lantern.connectors.resolution import CallError
from lantern.domain.inventory import Principal

_USERS = "/admin/directory/v1/users"
_PAGE = "500"  # the most `users.list` gives
_DELETED, _LIVING = "deleted", "living"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose accounts these are."""

    connection_id: str
    organisation_id: str


def organisation(api: GoogleApi, halt: Halt) -> Organisation:
    """The customer behind the token. `customerId` stays when domains are renamed."""
    body = api.get("/admin/directory/v1/customers/my_customer", "admin#directory#customer", halt)
    identifier, domain = body.get("id"), body.get("customerDomain")
    if not isinstance(identifier, str) or not identifier:
        raise CallError(GARBLED, detail="a customer without id")
    address = body.get("postalAddress")
    name = address.get("organizationName") if isinstance(address, Mapping) else None
    domains = (domain,) if isinstance(domain, str) and domain else ()
    return Organisation(identifier, name if isinstance(name, str) and name else domain or identifier, domains)


def principals(api: GoogleApi, owner: Owner, cursor: str | None, halt: Halt) -> PrincipalPage:
    """A page of all accounts; those deleted in the last 20 days come first.

    In this order an account that is restored meanwhile is listed twice, and one that is in neither list
    was deleted; the other way round a restored account could be missed.
    """
    part, _, token = (cursor or f"{_DELETED}:").partition(":")
    if part not in (_DELETED, _LIVING):
        raise ValueError("not a cursor of this listing")
    users, following = _page(api, part, token or None, halt)
    try:
        rows = tuple(
            principal(
                user,
                connection_id=owner.connection_id,
                organisation_id=owner.organisation_id,
                deleted=part == _DELETED,
            )
            for user in users
        )
    except MalformedError as error:
        raise CallError(GARBLED, detail=f"users.list: {error}") from None
    if following:
        return PrincipalPage(rows, f"{part}:{following}")
    return PrincipalPage(rows, f"{_LIVING}:" if part == _DELETED else None)


def _page(api: GoogleApi, part: str, token: str | None, halt: Halt) -> tuple[list[Any], str | None]:
    params = {"customer": "my_customer", "maxResults": _PAGE, "orderBy": "email"}
    if part == _DELETED:
        params["showDeleted"] = "true"
    if token:
        params["pageToken"] = token
    body = api.get(_USERS, "admin#directory#users", halt, params=params)
    users, following = body.get("users", []), body.get("nextPageToken")
    if not isinstance(users, list) or not isinstance(following, str | None):
        raise CallError(GARBLED, detail="users.list")
    return users, following or None


def user(api: GoogleApi, owner: Owner, key: str, halt: Halt) -> Principal | None:
    """One account by id or address; None where Google knows none."""
    try:
        body = api.get(f"{_USERS}/{segment(key)}", "admin#directory#user", halt)
        return principal(body, connection_id=owner.connection_id, organisation_id=owner.organisation_id)
    except MalformedError as error:
        raise CallError(GARBLED, detail=f"users.get: {error}") from None
    except CallError as error:
        if error.reason == "not_found":
            return None
        raise


def administers(api: GoogleApi, key: str, halt: Halt) -> bool | None:
    """Whether an account is an administrator, of whatever role; None where Google did not say."""
    found = user(api, Owner("", ""), key, halt)
    return found.admin if found else None


def tokens(api: GoogleApi, key: str, halt: Halt, admission: Admission | None = None) -> Mapping[str, Any]:
    """All grants of one account, as Google lists them."""
    path = f"{_USERS}/{segment(key)}/tokens"
    return api.get(path, "admin#directory#tokenList", halt, admission=admission)


def delete_token(api: GoogleApi, key: str, client_id: str, halt: Halt) -> bool:
    """Take every scope of one client from one account; False where there is no such grant."""
    try:
        api.send("DELETE", f"{_USERS}/{segment(key)}/tokens/{segment(client_id)}", halt)
    except CallError as error:
        if error.reason == "not_found":
            return False
        raise
    return True


class Roster:
    """Who exists and who was deleted, listed when first asked for; safe for threads.

    A 404 alone never proves that an account is gone: proxies and outages say 404 too. The listings do.
    """

    def __init__(self, list_ids: Callable[[str], Iterator[str]]) -> None:
        self._list_ids = list_ids
        self._lock = threading.Lock()
        self._lists: dict[str, frozenset[str]] = {}

    def deleted(self, native_id: str) -> bool:
        """Whether the listing of deleted accounts names it."""
        return native_id in self._list(_DELETED)

    def absent(self, native_id: str) -> bool:
        """Whether it is gone: listed as deleted, or in no complete listing at all."""
        return self.deleted(native_id) or native_id not in self._list(_LIVING)

    def _list(self, part: str) -> frozenset[str]:
        with self._lock:
            if part not in self._lists:
                self._lists[part] = frozenset(self._list_ids(part))
            return self._lists[part]


def roster(api: GoogleApi, halt: Halt) -> Roster:
    """A roster that lists through `api`, deleted accounts before living ones (see `principals`)."""

    def list_ids(part: str) -> Iterator[str]:
        token: str | None = None
        while True:
            users, token = _page(api, part, token, halt)
            for row in users:
                if not isinstance(row, Mapping) or not isinstance(row.get("id"), str):
                    raise CallError(GARBLED, detail="users.list: a user without id")
                yield row["id"]
            if token is None:
                return

    return Roster(list_ids)
