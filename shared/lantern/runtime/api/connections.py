"""Connections: list, get, start, sync, disconnect."""

from datetime import datetime
from typing import Any

from pydantic import Field

from lantern.domain.inventory import ConsentProvider, Provider
from lantern.domain.tenancy import Connection, ConnectionKind, ConnectionStatus
from lantern.runtime.api.paging import ListOf, PageQuery, page_of
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer, Strict
from lantern.runtime.preconditions import revision_etag
from lantern.services import decisions_connections as use_cases
from lantern.services import queries


class ConnectionAnswer(Answer):
    """One organisation at one provider."""

    id: str
    provider: Provider
    kind: ConnectionKind = Field(description="`consent`, or `import` for what files said.")
    organisation_id: str = Field(description="The provider's immutable id of the organisation.")
    name: str
    status: ConnectionStatus
    granted_scopes: list[str]
    missing_scopes: list[str] = Field(description="Permissions Lantern asks for and does not have.")
    connected_at: datetime
    attention: str | None = Field(description="What is wrong, where something is.")
    remedy: str | None = Field(description="What to do about it.")
    last_full_run: str | None = Field(description="The last complete reading.")
    last_full_at: datetime | None
    last_changes_at: datetime | None


class ConnectionList(ListOf[ConnectionAnswer]):
    """The tenant's connections."""


class ConnectionStart(Strict):
    """Whom to connect, or which connection to repair."""

    provider: ConsentProvider
    connection_id: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_.-]{1,80}$", description="Repair this one; absent adds a connection."
    )


class ConsentLinkAnswer(Answer):
    """Where an administrator gives consent."""

    url: str | None = Field(description="Works once. Null where a repeated request is answered again.")


class SyncAnswer(Answer):
    """A reading was asked for."""

    connection_id: str
    runs: str = Field(description="Where the runs of this connection are listed.")


def _answer(connection: Connection) -> ConnectionAnswer:
    return ConnectionAnswer(
        id=connection.id,
        provider=connection.provider,
        kind=connection.kind,
        organisation_id=connection.organisation_id,
        name=connection.name,
        status=connection.status,
        granted_scopes=sorted(connection.granted_scopes),
        missing_scopes=sorted(connection.missing_scopes),
        connected_at=connection.connected_at,
        attention=connection.attention,
        remedy=connection.remedy,
        last_full_run=connection.last_full_run,
        last_full_at=connection.last_full_at,
        last_changes_at=connection.last_changes_at,
    )


def list_connections(call: Call[PageQuery, None]) -> Reply:
    """Connections, in the order of their ids."""
    rows, cursor = page_of(call, call.store.connections.list(), lambda one: (one.id,))
    return Reply(ConnectionList(data=[_answer(one) for one in rows], next_cursor=cursor))


def get_connection(call: Call[Any, None]) -> Reply:
    """One connection."""
    connection = queries.connection(call.store, call.path["connection_id"])
    return Reply(_answer(connection), etag=revision_etag(connection.rev))


def start_connection(call: Call[Any, ConnectionStart]) -> Reply:
    """A single-use consent link."""
    url = use_cases.start(
        call.store,
        call.tools.onboarding,
        provider=call.body.provider,
        connection_id=call.body.connection_id,
        by=call.caller.actor,
        now=call.tools.now(),
        random=call.tools.random,
    )
    return Reply(ConsentLinkAnswer(url=url), status=201, replay=ConsentLinkAnswer(url=None))


def sync_connection(call: Call[Any, None]) -> Reply:
    """Ask for a full reading."""
    connection_id = call.path["connection_id"]
    use_cases.sync(call.store, call.tools.queue(), connection_id, by=call.caller.actor, now=call.tools.now())
    runs = f"/v1/connections/{connection_id}/runs"
    return Reply(SyncAnswer(connection_id=connection_id, runs=runs), status=202, location=runs)


def disconnect(call: Call[Any, None]) -> Reply:
    """Begin to disconnect."""
    connection = queries.connection(call.store, call.path["connection_id"])
    call.check_revision(revision_etag(connection.rev))
    stored = use_cases.disconnect(call.store, connection, by=call.caller.actor, now=call.tools.now())
    location = f"/v1/connections/{stored.id}"
    return Reply(_answer(stored), status=202, etag=revision_etag(stored.rev), location=location)


ROUTES = (
    Route(
        method="GET",
        path="/v1/connections",
        operation="listConnections",
        tag="Connections",
        summary="All connections",
        description="Which organisations are connected, and whether each works.",
        handler=list_connections,
        scope="read",
        query=PageQuery,
        answer=ConnectionList,
    ),
    Route(
        method="POST",
        path="/v1/connections",
        operation="startConnection",
        tag="Connections",
        summary="Start connecting an organisation, or repairing a connection",
        description="Answers a link that works once, at which an administrator gives consent.",
        handler=start_connection,
        scope="admin",
        body=ConnectionStart,
        answer=ConsentLinkAnswer,
        status=201,
        located=False,
        problems=("not_found", "conflict"),
    ),
    Route(
        method="GET",
        path="/v1/connections/{connection_id}",
        operation="getConnection",
        tag="Connections",
        summary="One connection",
        description="State, permissions, and what to do where it needs attention.",
        handler=get_connection,
        scope="read",
        answer=ConnectionAnswer,
        etag=True,
    ),
    Route(
        method="DELETE",
        path="/v1/connections/{connection_id}",
        operation="disconnect",
        tag="Connections",
        summary="Disconnect an organisation",
        description="Gives access back: schedules, push channels and secrets go, the token is revoked.",
        handler=disconnect,
        scope="admin",
        answer=ConnectionAnswer,
        status=202,
        if_match=True,
        etag=True,
        problems=("conflict",),
    ),
    Route(
        method="POST",
        path="/v1/connections/{connection_id}/sync",
        operation="syncConnection",
        tag="Connections",
        summary="Read everything now",
        description="Puts a full reading on the queue; one that runs already goes on.",
        handler=sync_connection,
        scope="write",
        answer=SyncAnswer,
        status=202,
        problems=("conflict",),
    ),
)
