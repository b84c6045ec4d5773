"""Principals: accounts at a connection, and what they have granted."""

from datetime import date, datetime
from typing import Any, Self

from pydantic import Field, model_validator

from lantern.domain.inventory import Bundle, PrincipalKind, PrincipalStatus
from lantern.runtime.api.grants import GrantList, grant_answer
from lantern.runtime.api.paging import ListOf, PageQuery
from lantern.runtime.api.routing import ID_SHAPES, Call, Reply, Route
from lantern.runtime.api.validation import Answer, Question, choice_error
from lantern.runtime.preconditions import revision_etag
from lantern.services import queries, queries_grants, queries_people

_ID = r"^[A-Za-z0-9_.-]{1,80}$"


class PrincipalAnswer(Answer):
    """One account at one connection."""

    id: str
    connection_id: str
    person_id: str = Field(description="Joins the accounts of one human being.")
    native_id: str = Field(description="The provider's immutable id.")
    kind: PrincipalKind
    status: PrincipalStatus
    email: str | None
    name: str | None
    admin: bool | None
    org_unit: str | None
    last_login: date | None
    grants: int | None = Field(description="How many grants; null while they have never been read.")
    changed_at: datetime | None


class PrincipalList(ListOf[PrincipalAnswer]):
    """Accounts of a connection."""


class PrincipalQuery(PageQuery):
    """Accounts of which connection, or of which person: exactly one of the two."""

    connection_id: str | None = Field(None, pattern=_ID, description="The connection whose accounts to list.")
    person_id: str | None = Field(
        None,
        pattern=f"^{ID_SHAPES['person_id']}$",
        description="The person whose accounts to list, all at once.",
    )

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        names = ("connection_id", "person_id")
        if sum(getattr(self, name) is not None for name in names) != 1:
            raise choice_error(names, "Send exactly one of connection_id and person_id.")
        return self


class PrincipalGrantsQuery(PageQuery):
    """Grants of the account at which connection."""

    connection_id: str = Field(pattern=_ID, description="The account's connection, as the account names it.")


def _answer(bundle: Bundle) -> PrincipalAnswer:
    principal = bundle.principal
    return PrincipalAnswer(
        id=principal.id,
        connection_id=principal.connection_id,
        person_id=principal.person_id,
        native_id=principal.native_id,
        kind=principal.kind,
        status=principal.status,
        email=principal.email,
        name=principal.name,
        admin=principal.admin,
        org_unit=principal.org_unit,
        last_login=principal.last_login,
        grants=None if bundle.grants is None else len(bundle.grants),
        changed_at=bundle.changed_at,
    )


def list_principals(call: Call[PrincipalQuery, None]) -> Reply:
    """Accounts of a connection, or of a person."""
    asked = call.query
    if asked.person_id is not None:
        found = queries_people.accounts(call.store, asked.person_id)
        return Reply(PrincipalList(data=[_answer(one) for one in found], next_cursor=None))
    if asked.connection_id is None:
        raise ValueError("the query was checked to name one of the two")
    page = queries.principals(
        call.store, asked.connection_id, limit=asked.limit, after=call.position(asked.cursor)
    )
    return Reply(PrincipalList(data=[_answer(b) for b in page.items], next_cursor=call.cursor(page.cursor)))


def get_principal(call: Call[Question, None]) -> Reply:
    """One account."""
    bundle = queries.principal(call.store, call.path["principal_id"])
    return Reply(_answer(bundle), etag=revision_etag(bundle.rev))


def list_principal_grants(call: Call[PrincipalGrantsQuery, Any]) -> Reply:
    """Grants of one account."""
    asked = call.query
    page = queries_grants.by_principal(
        call.store, asked.connection_id, call.path["principal_id"], call.position(asked.cursor), asked.limit
    )
    return Reply(
        GrantList(data=[grant_answer(row) for row in page.items], next_cursor=call.cursor(page.cursor))
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/principals",
        operation="listPrincipals",
        tag="Principals",
        summary="Accounts of a connection or a person",
        description="Every account, suspended and archived ones too.",
        handler=list_principals,
        scope="read",
        query=PrincipalQuery,
        answer=PrincipalList,
        problems=("not_found",),
    ),
    Route(
        method="GET",
        path="/v1/principals/{principal_id}",
        operation="getPrincipal",
        tag="Principals",
        summary="One account",
        description="Who it is, and how many grants it has given.",
        handler=get_principal,
        scope="read",
        answer=PrincipalAnswer,
        etag=True,
    ),
    Route(
        method="GET",
        path="/v1/principals/{principal_id}/grants",
        operation="listPrincipalGrants",
        tag="Principals",
        summary="Grants of an account",
        description="Every app the account gave access to, with the permissions.",
        handler=list_principal_grants,
        scope="read",
        query=PrincipalGrantsQuery,
        answer=GrantList,
    ),
)
