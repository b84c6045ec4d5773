"""Grants: read them by app, principal or finding; revoke one or many."""

from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from lantern.domain.inventory import Confidence, GrantSource, confidence
from lantern.domain.jobs import Selector
from lantern.runtime.api.jobs import JobAnswer, job_answer
from lantern.runtime.api.paging import ListOf, PageQuery
from lantern.runtime.api.routing import ID_SHAPES, Call, Reply, Route
from lantern.runtime.api.validation import Answer, Question, Strict, choice_error
from lantern.runtime.preconditions import content_etag, revision_etag
from lantern.services import queries, queries_grants
from lantern.services.queries_grants import GrantRow

GrantId = Annotated[str, Field(pattern=f"^{ID_SHAPES['grant_id']}$")]
"""What cannot be an id is refused before it is looked for, and never repeated to the caller."""

_ID = r"^[A-Za-z0-9_.-]{1,80}$"


class GrantAnswer(Answer):
    """One app's access to one principal's data."""

    id: str
    principal_id: str
    connection_id: str | None
    email: str | None
    app_id: str
    app_name: str | None = Field(description="As the app calls itself: anybody may have chosen it.")
    scope_set: str | None = Field(description="Names the permissions: see /v1/scope-sets.")
    scopes: list[str] | None = Field(
        description="The permissions. Null where the listing does not carry them: ask for the scope set."
    )
    source: GrantSource | None = Field(
        description="What it rests on. Null where the listing does not carry it: ask with `connection_id`."
    )
    confidence: Confidence | None = Field(
        description="`low` where there is only a hint of it, as mail that says so: look before you act."
    )
    granted_on: date | None = Field(description="Null where no source dates it.")
    first_seen: date | None
    prior_scope_set: str | None = Field(description="What it held before it last grew.")
    expanded_on: date | None
    last_used: date | None = Field(description="Last day of seen use; null where none was seen or asked for.")
    use_known_from: datetime | None = Field(
        description="Since when every use was read: with `last_used` null, there was none since then."
    )


class GrantList(ListOf[GrantAnswer]):
    """Grants."""


class GrantQuery(PageQuery):
    """Whose grants: exactly one of app, principal or finding."""

    app_id: str | None = Field(None, pattern=f"^{ID_SHAPES['app_id']}$", description="Grants of this app.")
    principal_id: str | None = Field(
        None, pattern=f"^{ID_SHAPES['principal_id']}$", description="Grants of this account."
    )
    finding_id: str | None = Field(None, pattern=_ID, description="Grants that this finding is about.")
    connection_id: str | None = Field(
        None,
        pattern=_ID,
        description="At this connection; needed by app and by principal, tells more by finding.",
    )

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        names = ("app_id", "principal_id", "finding_id")
        if sum(getattr(self, name) is not None for name in names) != 1:
            raise choice_error(names, "Send exactly one of app_id, principal_id and finding_id.")
        if self.finding_id is None and self.connection_id is None:
            raise choice_error(("connection_id",), "Send connection_id too; GET /v1/connections lists them.")
        return self


class OneGrantQuery(Question):
    """Where the grant is."""

    connection_id: str | None = Field(
        None, pattern=_ID, description="Its connection: with it the answer has names and permissions too."
    )


class ScopeSetAnswer(Answer):
    """A set of permissions; it never changes."""

    id: str
    scopes: list[str]


class RevokeOne(Strict):
    """Revoke this grant."""

    reason: str = Field("", max_length=2_000, description="Why; it goes into the audit log.")
    dry_run: bool = Field(default=False, description="Plan only: nothing is revoked.")


class RevokeMany(Strict):
    """Which grants to revoke: exactly one of the four."""

    grant_ids: list[GrantId] | None = Field(None, min_length=1, max_length=1_000)
    app_id: str | None = Field(None, pattern=f"^{ID_SHAPES['app_id']}$")
    principal_id: str | None = Field(None, pattern=f"^{ID_SHAPES['principal_id']}$")
    finding_id: str | None = Field(None, pattern=_ID)
    connection_id: str | None = Field(None, pattern=_ID, description="Only at this connection.")
    reason: str = Field("", max_length=2_000, description="Why; it goes into the audit log.")
    dry_run: bool = Field(default=False, description="Plan only: nothing is revoked.")

    @model_validator(mode="after")
    def _one_selection(self) -> Self:
        names = ("grant_ids", "app_id", "principal_id", "finding_id")
        if sum(getattr(self, name) is not None for name in names) != 1:
            raise choice_error(names, "Send exactly one of grant_ids, app_id, principal_id and finding_id.")
        return self


def grant_answer(row: GrantRow) -> GrantAnswer:
    """A row as the API shows it."""
    return GrantAnswer(
        id=row.grant_id,
        principal_id=row.principal_id,
        connection_id=row.connection_id,
        email=row.email,
        app_id=row.app_id,
        app_name=row.app_name,
        scope_set=row.scope_set,
        scopes=None if row.scopes is None else sorted(row.scopes),
        source=row.source,
        confidence=None if row.source is None else confidence(row.source),
        granted_on=row.granted_on,
        first_seen=row.first_seen,
        prior_scope_set=row.prior_scope_set,
        expanded_on=row.expanded_on,
        last_used=row.last_used,
        use_known_from=row.use_known_from,
    )


def list_grants(call: Call[GrantQuery, None]) -> Reply:
    """Grants of an app, a principal or a finding."""
    asked, after = call.query, call.position(call.query.cursor)
    if asked.finding_id is not None:
        page = queries_grants.by_finding(
            call.store, asked.finding_id, asked.connection_id, after, asked.limit
        )
    elif asked.app_id is not None:
        page = queries_grants.by_app(call.store, asked.connection_id or "", asked.app_id, after, asked.limit)
    else:
        page = queries_grants.by_principal(
            call.store, asked.connection_id or "", asked.principal_id or "", after, asked.limit
        )
    return Reply(
        GrantList(data=[grant_answer(row) for row in page.items], next_cursor=call.cursor(page.cursor))
    )


def _etag(row: GrantRow) -> str:
    # A grant has no revision of its own: its bundle's changes with every neighbour.
    return content_etag(f"{row.grant_id} {row.connection_id} {row.scope_set}".encode())


def get_grant(call: Call[OneGrantQuery, None]) -> Reply:
    """One grant."""
    row = queries_grants.one(call.store, call.path["grant_id"], call.query.connection_id)
    return Reply(grant_answer(row), etag=_etag(row))


def get_scope_set(call: Call[Any, None]) -> Reply:
    """The permissions of a scope set."""
    set_id = call.path["scope_set_id"]
    return Reply(ScopeSetAnswer(id=set_id, scopes=sorted(queries_grants.scope_set(call.store, set_id))))


def revoke_grant(call: Call[Any, RevokeOne]) -> Reply:
    """Ask for the revocation of one grant."""
    row = queries_grants.one(call.store, call.path["grant_id"])
    call.check_revision(_etag(row))
    selector = Selector(grant_ids=(row.grant_id,))
    return _request(call, selector, row.connection_id, reason=call.body.reason, dry_run=call.body.dry_run)


def revoke_grants(call: Call[Any, RevokeMany]) -> Reply:
    """Ask for the revocation of many grants."""
    body = call.body
    if body.connection_id is not None:
        queries.connection(call.store, body.connection_id)
    selector = Selector(
        app_id=body.app_id,
        principal_id=body.principal_id,
        finding_id=body.finding_id,
        grant_ids=tuple(body.grant_ids or ()),
    )
    return _request(call, selector, body.connection_id, reason=body.reason, dry_run=body.dry_run)


def _request(
    call: Call[Any, Any], selector: Selector, connection_id: str | None, *, reason: str, dry_run: bool
) -> Reply:
    job = call.tools.remediation.request_job(
        call.store,
        requested_by=call.caller.actor,
        selector=selector,
        connection_id=connection_id,
        reason=reason,
        dry_run=dry_run,
        now=call.tools.now(),
        random=call.tools.random,
    )
    if dry_run:
        return Reply(job_answer(job))
    return Reply(job_answer(job), status=202, etag=revision_etag(job.rev), location=f"/v1/jobs/{job.id}")


ROUTES = (
    Route(
        method="GET",
        path="/v1/grants",
        operation="listGrants",
        tag="Grants",
        summary="Grants of an app, an account or a finding",
        description="Exactly one of `app_id`, `principal_id` and `finding_id` says which.",
        handler=list_grants,
        scope="read",
        query=GrantQuery,
        answer=GrantList,
        problems=("not_found",),
    ),
    Route(
        method="POST",
        path="/v1/grants/revoke",
        operation="revokeGrants",
        tag="Grants",
        summary="Revoke many grants",
        description="Plans a job; brakes and approval apply. With `dry_run` it only says what would go.",
        handler=revoke_grants,
        scope="remediate",
        body=RevokeMany,
        answer=JobAnswer,
        status=202,
        dry_run=True,
        etag=True,
        problems=("not_found", "conflict"),
    ),
    Route(
        method="GET",
        path="/v1/grants/{grant_id}",
        operation="getGrant",
        tag="Grants",
        summary="One grant",
        description="The ETag changes with its permissions.",
        handler=get_grant,
        scope="read",
        query=OneGrantQuery,
        answer=GrantAnswer,
        etag=True,
    ),
    Route(
        method="POST",
        path="/v1/grants/{grant_id}/revoke",
        operation="revokeGrant",
        tag="Grants",
        summary="Revoke one grant",
        description="Plans a job that revokes and verifies. With `dry_run` it only says what would go.",
        handler=revoke_grant,
        scope="remediate",
        body=RevokeOne,
        answer=JobAnswer,
        status=202,
        dry_run=True,
        if_match=True,
        etag=True,
        problems=("conflict",),
    ),
    Route(
        method="GET",
        path="/v1/scope-sets/{scope_set_id}",
        operation="getScopeSet",
        tag="Grants",
        summary="The permissions of a scope set",
        description="Scope sets are named by their content: one never changes.",
        handler=get_scope_set,
        scope="read",
        answer=ScopeSetAnswer,
    ),
)
