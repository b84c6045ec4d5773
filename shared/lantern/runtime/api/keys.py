"""API keys of the tenant."""

from datetime import datetime
from typing import Any

from pydantic import Field

from lantern.domain.access import ApiKeyInfo
from lantern.domain.apikeys import Scope
from lantern.runtime.api.paging import ListOf, PageQuery
from lantern.runtime.api.routing import ID_SHAPES, Call, Reply, Route
from lantern.runtime.api.validation import Answer, Strict
from lantern.services import keys


class KeyAnswer(Answer):
    """An API key, without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    last4: str = Field(description="The end of the key.")
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = Field(description="Null while it works.")
    person_id: str | None = Field(description="Who holds it; null where that is a system, or not known.")


class KeyList(ListOf[KeyAnswer]):
    """The tenant's keys."""


class KeyBody(Strict):
    """A key to issue."""

    name: str = Field(min_length=1, max_length=100, description="What it is for.")
    scopes: list[Scope] = Field(min_length=1, max_length=4, description="What it may do.")
    person_id: str | None = Field(
        None,
        pattern=f"^{ID_SHAPES['person_id']}$",
        description="Who holds it: nobody approves with a key what the same person asked for otherwise.",
    )


class IssuedKeyAnswer(KeyAnswer):
    """A key at the only moment when its text is known."""

    key: str | None = Field(
        description="Shown once, stored nowhere. Null where a repeated request is answered again."
    )


def _fields(info: ApiKeyInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "name": info.name,
        "scopes": sorted(info.scopes),
        "last4": info.last4,
        "created_at": info.created_at,
        "created_by": info.created_by,
        "revoked_at": info.revoked_at,
        "person_id": info.person_id,
    }


def list_keys(call: Call[PageQuery, None]) -> Reply:
    """Keys, revoked ones too."""
    asked = call.query
    page = keys.listing(call.store, after=call.position(asked.cursor), limit=asked.limit)
    data = [KeyAnswer(**_fields(info)) for info in page.rows]
    position = None if page.position is None else str(page.position[0])
    return Reply(KeyList(data=data, next_cursor=call.cursor(position)))


def issue_key(call: Call[Any, KeyBody]) -> Reply:
    """A fresh key."""
    tools = call.tools
    info, text = keys.issue(
        call.store,
        tools.platform,
        environment=tools.environment,
        name=call.body.name,
        scopes=frozenset(call.body.scopes),
        by=call.caller.actor,
        now=tools.now(),
        random=tools.random,
        person_id=call.body.person_id,
    )
    fields = _fields(info)
    return Reply(IssuedKeyAnswer(**fields, key=text), status=201, replay=IssuedKeyAnswer(**fields, key=None))


def revoke_key(call: Call[Any, None]) -> Reply:
    """End a key."""
    info = keys.revoke(
        call.store, call.tools.platform, call.path["key_id"], by=call.caller.actor, now=call.tools.now()
    )
    return Reply(KeyAnswer(**_fields(info)))


ROUTES = (
    Route(
        method="GET",
        path="/v1/keys",
        operation="listKeys",
        tag="Keys",
        summary="API keys",
        description="Every key of the tenant, revoked ones too; never its text.",
        handler=list_keys,
        scope="admin",
        query=PageQuery,
        answer=KeyList,
    ),
    Route(
        method="POST",
        path="/v1/keys",
        operation="issueKey",
        tag="Keys",
        summary="Issue an API key",
        description="`write` and `remediate` include `read`; `admin` includes all. The key is shown once.",
        handler=issue_key,
        scope="admin",
        body=KeyBody,
        answer=IssuedKeyAnswer,
        status=201,
        located=False,
        problems=("not_found",),
    ),
    Route(
        method="DELETE",
        path="/v1/keys/{key_id}",
        operation="revokeKey",
        tag="Keys",
        summary="Revoke an API key",
        description="It stops working within 60 seconds. No `If-Match`: revoking twice is revoking once.",
        handler=revoke_key,
        scope="admin",
        answer=KeyAnswer,
    ),
)
