"""Questions to employees: ask, look, take back."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from lantern.domain import nudges
from lantern.domain.errors import NotFoundError
from lantern.domain.nudges import Nudge, NudgeAnswer, NudgeKind, NudgeState, Silence, Unasked
from lantern.runtime.api.paging import ListOf, PageQuery
from lantern.runtime.api.routing import ID_SHAPES, Call, Reply, Route
from lantern.runtime.api.validation import Answer, Strict, choice_error
from lantern.runtime.preconditions import revision_etag
from lantern.services.people.nudges import create_nudge, withdraw_nudge

_APP = f"^{ID_SHAPES['app_id']}$"


class NudgeBody(Strict):
    """Whom to ask what."""

    kind: NudgeKind = Field(description="The question.")
    principal_id: str = Field(
        pattern=f"^{ID_SHAPES['principal_id']}$", description="The account; its bearer is asked."
    )
    app_id: str | None = Field(
        None, pattern=_APP, description="The tool; every kind but `acknowledge` has one."
    )
    alternative_app_id: str | None = Field(
        None, pattern=_APP, description="The app to use instead, for `use_instead`."
    )
    silence: Silence | None = Field(
        None, description="What silence does; without it what the kind says: `revoke` for `still_need` only."
    )
    days: int | None = Field(
        None, ge=1, le=60, description="How long it may be answered; by default the tenant's setting."
    )
    note: str = Field("", max_length=nudges.LONGEST_REASON, description="A sentence of yours, shown as such.")

    @model_validator(mode="after")
    def _about_something(self) -> Self:
        if (self.kind == "acknowledge") != (self.app_id is None):
            raise choice_error(("app_id",), "Send app_id with every kind but acknowledge.")
        if (self.kind == "use_instead") != (self.alternative_app_id is not None):
            raise choice_error(
                ("alternative_app_id",), "Send alternative_app_id with use_instead, and with no other kind."
            )
        return self


class NudgeAnswerBody(Answer):
    """One question to one person."""

    id: str
    person_id: str
    principal_id: str
    app_id: str | None
    kind: NudgeKind
    state: NudgeState
    silence: Silence = Field(description="What silence does.")
    origin: str = Field(description="Who asks.")
    alternative_app_id: str | None
    note: str
    created_at: datetime
    sent_at: datetime | None
    sent_via: str | None = Field(description="The channel that took it; null while none has.")
    due_at: datetime | None = Field(description="When silence counts; null until it is sent.")
    answer: NudgeAnswer | None
    reason: str
    answered_at: datetime | None
    answered_via: str | None
    verified: bool | None = Field(
        description="Whether what the person said has become true, by reading again; null where not known."
    )
    exception_id: str | None
    job_id: str | None


class AskedAnswer(Answer):
    """What came of asking."""

    nudge: NudgeAnswerBody | None
    created: bool = Field(description="False where the same question is open already.")
    refused: Unasked | None = Field(description="Why nobody is asked.")
    because: str | None = Field(description="The same in a sentence, with who decides instead.")


class NudgeList(ListOf[NudgeAnswerBody]):
    """Questions."""


class NudgeQuery(PageQuery):
    """Which questions."""

    state: Literal["open", "closed"] = Field(
        "open", description="Open ones, the next due first; or closed ones, the latest first."
    )


def nudge_answer(nudge: Nudge) -> NudgeAnswerBody:
    """A question as the API shows it."""
    return NudgeAnswerBody(
        id=nudge.id,
        person_id=nudge.person_id,
        principal_id=nudge.principal_id,
        app_id=nudge.app_id or None,
        kind=nudge.kind,
        state=nudge.state,
        silence=nudge.silence,
        origin=nudge.origin,
        alternative_app_id=nudge.alternative,
        note=nudge.note,
        created_at=nudge.created_at,
        sent_at=nudge.sent_at,
        sent_via=nudge.sent_via,
        due_at=nudge.due,
        answer=nudge.answer,
        reason=nudge.reason,
        answered_at=nudge.answered_at,
        answered_via=nudge.answered_via,
        verified=nudge.verified,
        exception_id=nudge.exception_id,
        job_id=nudge.job_id,
    )


def ask(call: Call[Any, NudgeBody]) -> Reply:
    """Ask somebody."""
    body = call.body
    if body.alternative_app_id is not None and call.store.apps.get_facts(body.alternative_app_id) is None:
        raise NotFoundError("app", body.alternative_app_id)
    asked = create_nudge(
        call.store,
        kind=body.kind,
        principal_id=body.principal_id,
        app_id=body.app_id or "",
        origin=call.caller.actor,
        by=call.caller.actor,
        now=call.tools.now(),
        random=call.tools.random,
        silence=body.silence,
        days=body.days,
        alternative=body.alternative_app_id,
        note=body.note,
    )
    return Reply(
        AskedAnswer(
            nudge=nudge_answer(asked.nudge) if asked.nudge else None,
            created=asked.created,
            refused=asked.refused,
            because=nudges.UNASKED[asked.refused] if asked.refused else None,
        )
    )


def list_nudges(call: Call[NudgeQuery, None]) -> Reply:
    """Questions."""
    asked = call.query
    page = call.store.nudges.page(asked.state, asked.limit, call.position(asked.cursor))
    rows = [nudge_answer(one) for one in page.items]
    return Reply(NudgeList(data=rows, next_cursor=call.cursor(page.cursor)))


def _get(call: Call[Any, Any]) -> Nudge:
    found = call.store.nudges.get(call.path["nudge_id"])
    if found is None:
        raise NotFoundError("nudge", call.path["nudge_id"])
    return found


def get_nudge(call: Call[Any, None]) -> Reply:
    """One question."""
    nudge = _get(call)
    return Reply(nudge_answer(nudge), etag=revision_etag(nudge.rev))


def withdraw(call: Call[Any, None]) -> Reply:
    """Take a question back."""
    nudge = _get(call)
    call.check_revision(revision_etag(nudge.rev))
    after = withdraw_nudge(call.store, nudge.id, by=call.caller.actor, now=call.tools.now())
    return Reply(nudge_answer(after), etag=revision_etag(after.rev))


ROUTES = (
    Route(
        method="POST",
        path="/v1/nudges",
        operation="createNudge",
        tag="People",
        summary="Nudge somebody about a tool",
        description=(
            "A nudge is a question to an employee, by Slack or e-mail, which says in plain words what the "
            "tool can reach. One of a kind about a tool is open to a person at a time, and nobody gets more "
            "a week than the tenant set: it waits then. Leavers, shared and service accounts are never "
            "asked; the answer says why in `refused`."
        ),
        handler=ask,
        scope="remediate",
        body=NudgeBody,
        answer=AskedAnswer,
        problems=("not_found", "conflict"),
    ),
    Route(
        method="GET",
        path="/v1/nudges",
        operation="listNudges",
        tag="People",
        summary="Nudges",
        description="Questions to employees, with their answers and what came of them.",
        handler=list_nudges,
        scope="read",
        query=NudgeQuery,
        answer=NudgeList,
    ),
    Route(
        method="GET",
        path="/v1/nudges/{nudge_id}",
        operation="getNudge",
        tag="People",
        summary="One nudge",
        description="Whom it was asked, when silence counts, and the answer.",
        handler=get_nudge,
        scope="read",
        answer=NudgeAnswerBody,
        etag=True,
    ),
    Route(
        method="POST",
        path="/v1/nudges/{nudge_id}/withdraw",
        operation="withdrawNudge",
        tag="People",
        summary="Withdraw a nudge",
        description="Its page says that it has ended; nothing follows.",
        handler=withdraw,
        scope="remediate",
        answer=NudgeAnswerBody,
        if_match=True,
        etag=True,
        problems=("conflict",),
    ),
)
