"""The directory: the tenant, its accounts and administrators, its apps, and proof that an account is gone."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from lantern.connectors.entra import grants, normalize
from lantern.connectors.entra.api import BATCH, HEAVY, LIGHT, GraphApi, Item, segment
from lantern.connectors.entra.grants import Service
from lantern.connectors.entra.manifest import UNLICENSED
from lantern.connectors.entra.normalize import MalformedError
from lantern.connectors.entra.tokens import GUID
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.protocol import Organisation, PrincipalPage
from lantern.connectors.resolution import CallError, ErrorResolution
from lantern.domain.inventory import Principal

ACCOUNT: Final = (
    "id,displayName,userPrincipalName,mail,proxyAddresses,accountEnabled,userType,department,"
    "isResourceAccount,identityParentId"
)
_MANAGER: Final = "manager($select=id)"
"""Whom an account reports to ("List manager"): one more resource unit, which `$select` saves again."""
_ACTIVITY: Final = ",signInActivity"
_SERVICE: Final = (
    "id,appId,displayName,appOwnerOrganizationId,accountEnabled,servicePrincipalType,replyUrls,homepage,"
    "loginUrl,verifiedPublisher,preferredSingleSignOnMode,servicePrincipalNames,appRoles"
)
T = TypeVar("T")
_PAGE: Final = "999"
_PAGE_WITH_ACTIVITY: Final = "120"  # the most that is given with `signInActivity`
_DELETED: Final = "/directory/deletedItems/microsoft.graph.user"
_NAMELESS: Final = ErrorResolution(
    "transient",
    "provider_error",
    "Microsoft named an app that it does not know; Lantern tries again.",
    retry=True,
)
_EXPIRED: Final = "Directory_ExpiredPageToken"
_BYSTANDERS: Final = frozenset(
    {
        "88d8e3e3-8f55-4a1e-953a-9b9898b8876b",  # Directory Readers
        "95e79109-95c0-4d8e-aee3-d01accf2d47b",  # Guest Inviter
        "d29b2b05-8046-44ba-8758-1e26182fcf32",  # Directory Synchronization Accounts
        "10dae51f-b6af-4016-8d66-8c2a99b929b3",  # Guest User
        "a0b1b346-4d3e-4e8b-98f8-753987be4970",  # User
        "2af84b1e-32c8-42b7-82bc-daa82404023b",  # Restricted Guest User
    }
)
"""Roles (by template) whose holders administer nothing."""
CONSENTERS: Final = frozenset(
    {
        "62e90394-69f5-4237-9190-012177145e10",  # Global Administrator
        "e8611ab8-c189-46e8-94e1-60213ab1f814",  # Privileged Role Administrator
        "158c047a-c907-4556-b7ef-446551a6b5f7",  # Cloud Application Administrator
        "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",  # Application Administrator
    }
)
"""Roles (by template) whose holders may connect an organisation."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose accounts these are."""

    connection_id: str
    organisation_id: str


def organisation(api: GraphApi, tenant: str, halt: Halt) -> Organisation:
    """The tenant behind the token, which must be the one that was connected."""
    rows = list(api.all("/organization", halt, params={"$select": "id,displayName,verifiedDomains"}))
    if len(rows) != 1 or str(rows[0].get("id")).lower() != tenant.lower():
        raise CallError(GARBLED, detail="organization: not our tenant")
    listed = rows[0].get("verifiedDomains")
    named = [d for d in listed if isinstance(d, Mapping)] if isinstance(listed, list) else []
    first = sorted(named, key=lambda d: d.get("isDefault") is not True)
    names = tuple(d["name"].lower() for d in first if isinstance(d.get("name"), str))
    return Organisation(tenant, normalize.label(rows[0].get("displayName")) or tenant, names)


def roles_of(api: GraphApi, native_id: str, halt: Halt) -> frozenset[str]:
    """The directory roles (by template) that an account holds, itself or through groups."""
    path = f"/users/{segment(native_id)}/transitiveMemberOf/microsoft.graph.directoryRole"
    rows = api.all(path, halt, params={"$select": "id,roleTemplateId"}, quotas=LIGHT)
    return frozenset(row["roleTemplateId"] for row in rows if isinstance(row.get("roleTemplateId"), str))


def administrators(api: GraphApi, halt: Halt) -> frozenset[str]:
    """The ids of all accounts that hold a role that administers something, itself or through a group."""
    roles = api.all("/directoryRoles", halt, params={"$select": "id,roleTemplateId"}, quotas=LIGHT)
    paths = [
        f"/directoryRoles/{segment(str(role.get('id')))}/members?$select=id"
        for role in roles
        if role.get("roleTemplateId") not in _BYSTANDERS
    ]
    found: set[str] = set()
    groups: set[str] = set()
    for row in _collected(api, paths, halt):
        told, native_id = str(row.get("@odata.type") or "").lower(), row.get("id")
        if isinstance(native_id, str):
            (groups if told.endswith(".group") else found).add(native_id)
    inside = [f"/groups/{segment(one)}/transitiveMembers/microsoft.graph.user?$select=id" for one in groups]
    found |= {row["id"] for row in _collected(api, inside, halt) if isinstance(row.get("id"), str)}
    return frozenset(found)


def _collected(api: GraphApi, paths: list[str], halt: Halt) -> Iterator[Item]:
    """The items of many collections, asked for in batches."""
    for start in range(0, len(paths), BATCH):
        some = paths[start : start + BATCH]
        parts = api.batch(some, halt)
        for path in some:
            yield from api.finish(path, parts.get(path), halt)


class Accounts:
    """The accounts of a tenant; administrators are listed once. Safe for threads."""

    def __init__(self, api: GraphApi, owner: Owner, *, activity: bool) -> None:
        self._api = api
        self._owner = owner
        self._activity = activity
        self._lock = threading.Lock()
        self._admins: frozenset[str] | None = None

    def page(self, cursor: str | None, halt: Halt) -> PrincipalPage:
        """A page of all accounts, with who of them administers something; see `listed`."""
        return self.flagged(self.listed(cursor, halt), halt)

    def flagged(self, page: PrincipalPage, halt: Halt) -> PrincipalPage:
        """A page of `listed` with who administers something."""
        return replace(page, principals=tuple(self.flag(one, halt) for one in page.principals))

    def flag(self, account: Principal, halt: Halt) -> Principal:
        """An account of `listed` with whether it administers something."""
        if account.native_id in normalize.PSEUDO or account.status == "deleted":
            return account
        return replace(account, admin=account.native_id in self.admins(halt))

    def listed(self, cursor: str | None, halt: Halt) -> PrincipalPage:
        """A page of all accounts: the tenant as a whole first, then who was deleted lately, then the living.

        In this order an account that is restored meanwhile is listed twice, and one that is in neither list
        was deleted; the other way round a restored account could be missed.

        Of the living it is not said who administers anything: that takes lists which need one another, and
        nobody's grants have to wait for them.
        """
        part, _, link = (cursor or "deleted:").partition(":")
        if part not in ("deleted", "living"):
            raise ValueError("not a cursor of this listing")
        items, following = self._listed(part, link or None, halt)
        # No role has a deleted account as its member.
        admins = frozenset[str]() if part == "deleted" else None
        rows = [self._made(item, admins, deleted=part == "deleted") for item in items]
        if cursor is None:
            rows = [self.pseudo(native_id) for native_id in normalize.PSEUDO] + rows
        if following:
            return PrincipalPage(tuple(rows), f"{part}:{following}")
        return PrincipalPage(tuple(rows), "living:" if part == "deleted" else None)

    def _listed(self, part: str, link: str | None, halt: Halt) -> tuple[tuple[Item, ...], str | None]:
        path = _DELETED if part == "deleted" else "/users"
        try:
            page = self._api.page(
                link or path, halt, params=None if link else self._params(part), quotas=HEAVY
            )
        except CallError as error:
            if link and _EXPIRED in error.codes:
                return self._listed(part, None, halt)
            if error.resolution is not UNLICENSED or not self._activity:
                raise
            # The licence ended: accounts are listed without it.
            self._activity = False
            return self._listed(part, None, halt)
        return page.items, page.following

    def _params(self, part: str) -> dict[str, str]:
        activity = self._activity and part == "living"
        params = {
            "$select": ACCOUNT + (_ACTIVITY if activity else ""),
            "$top": _PAGE_WITH_ACTIVITY if activity else _PAGE,
        }
        return params | ({"$expand": _MANAGER} if part == "living" else {})

    def pseudo(self, native_id: str) -> Principal:
        """One of the principals that stand for the tenant."""
        return normalize.pseudo(
            native_id, connection_id=self._owner.connection_id, organisation_id=self._owner.organisation_id
        )

    def principal(self, item: Item, halt: Halt) -> Principal:
        """A user as a principal."""
        return self._made(item, self.admins(halt))

    def _made(self, item: Item, admins: frozenset[str] | None, *, deleted: bool = False) -> Principal:
        try:
            return normalize.principal(
                item,
                connection_id=self._owner.connection_id,
                organisation_id=self._owner.organisation_id,
                admins=admins,
                deleted=deleted,
            )
        except MalformedError as error:
            raise CallError(GARBLED, detail=f"users: {error}") from None

    def find(self, key: str, halt: Halt) -> Principal | None:
        """One account by id or sign-in name; None where Graph knows none."""
        if key in normalize.PSEUDO:
            return self.pseudo(key)
        path = account_path(key, _ACTIVITY if self._activity else "")
        try:
            return self.principal(self._api.get(path, halt), halt)
        except CallError as error:
            if error.reason == "not_found":
                return None
            if error.resolution is not UNLICENSED or not self._activity:
                raise
            self._activity = False
            return self.find(key, halt)

    def admins(self, halt: Halt) -> frozenset[str]:
        """The ids of all administrators, listed when first asked for."""
        with self._lock:
            if self._admins is None:
                self._admins = administrators(self._api, halt)
            return self._admins


def account_path(key: str, more: str = "") -> str:
    """The address of one account, with `more` properties. Keys with a `$` in front would be an operator."""
    return f"/users/{segment(key)}?$select={ACCOUNT}{more}&$expand={_MANAGER}"


class Roster:
    """Who exists and who was deleted, listed when first asked for; safe for threads.

    A 404 alone never proves that an account is gone: proxies and outages say 404 too. The listings do.
    """

    def __init__(self, api: GraphApi, halt: Halt) -> None:
        self._api = api
        self._halt = halt
        self._lock = threading.Lock()
        self._lists: dict[str, frozenset[str]] = {}

    def deleted(self, native_id: str) -> bool:
        """Whether the listing of deleted accounts names it."""
        return native_id in self._list(_DELETED)

    def absent(self, native_id: str) -> bool:
        """Whether it is gone: listed as deleted, or in no complete listing at all."""
        return self.deleted(native_id) or native_id not in self._list("/users")

    def _list(self, path: str) -> frozenset[str]:
        with self._lock:
            if path not in self._lists:
                params = {"$select": "id", "$top": _PAGE}
                rows = self._api.all(path, self._halt, params=params, quotas=HEAVY)
                try:
                    self._lists[path] = frozenset(normalize.text(row, "id") for row in rows)
                except MalformedError as error:
                    raise CallError(GARBLED, detail=f"users: {error}") from None
            return self._lists[path]


class Services:
    """The apps of a tenant by object id, listed when first asked for; safe for threads."""

    def __init__(self, api: GraphApi, organisation_id: str) -> None:
        self._api = api
        self._organisation_id = organisation_id
        self._lock = threading.Lock()
        self._known: dict[str, Service] | None = None

    def all(self, halt: Halt) -> Mapping[str, Service]:
        """Every service principal by its object id."""
        with self._lock:
            if self._known is None:
                params = {"$select": _SERVICE, "$top": _PAGE}
                rows = self._api.all("/servicePrincipals", halt, params=params, quotas=HEAVY)
                found = [self._service(row) for row in rows]
                self._known = {one.id: one for one in found}
            return self._known

    def resolve(self, wanted: Iterable[str], halt: Halt) -> Mapping[str, Service]:
        """The service principals of these ids; those that came after the listing are asked for one by one.

        Raises:
            CallError: one is not to be found, so that what names it cannot be understood.
        """
        known = self.all(halt)
        found = {}
        for one in set(wanted):
            found[one] = known.get(one) or self._late(one, halt)
        return found

    def _late(self, native_id: str, halt: Halt) -> Service:
        try:
            row = self._api.get(
                f"/servicePrincipals/{segment(native_id)}", halt, params={"$select": _SERVICE}
            )
        except CallError as error:
            if error.reason == "not_found":
                raise CallError(_NAMELESS, detail="an app that is named is not to be found") from None
            raise
        made = self._service(row)
        with self._lock:
            if self._known is not None:
                self._known[made.id] = made
        return made

    def by_app(self, client_id: str, halt: Halt) -> Service | None:
        """The service principal of an app id, asked for anew; None where the tenant has none."""
        if not GUID.fullmatch(client_id):
            return None
        try:
            row = self._api.get(
                f"/servicePrincipals(appId='{client_id}')", halt, params={"$select": _SERVICE}
            )
        except CallError as error:
            if error.reason == "not_found":
                return None
            raise
        return self._service(row)

    def _service(self, row: Mapping[str, Any]) -> Service:
        return understood(
            lambda: grants.service(row, organisation_id=self._organisation_id), "servicePrincipals"
        )


def understood(make: Callable[[], T], what: str) -> T:
    """What `make` makes of an answer.

    Raises:
        CallError: the answer has not the documented shape.
    """
    try:
        return make()
    except MalformedError as error:
        raise CallError(GARBLED, detail=f"{what}: {error}") from None
