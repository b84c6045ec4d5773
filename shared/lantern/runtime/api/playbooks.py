"""Playbooks: what this release does about findings, step by step."""

from typing import Any

from pydantic import Field

from lantern.domain.jobs import JobKind
from lantern.domain.playbooks.model import Playbook, StepKind
from lantern.runtime.api.paging import ListOf, PageQuery, page_of
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer


class StepAnswer(Answer):
    """One step of a playbook."""

    id: str
    kind: StepKind
    about: str
    act: JobKind | None
    nudge: str | None
    days: float = Field(description="How long it waits at most.")
    next: str = Field(description="The step that follows; `end` is none.")
    answers: dict[str, str] = Field(description="Where an answer leads elsewhere.")


class GuardsAnswer(Answer):
    """Brakes; null is none."""

    max_targets: int | None
    max_percent: float | None = Field(description="Of the accounts of a connection.")
    approve_above: int | None = Field(description="More targets than this need an approval.")


class WindowAnswer(Answer):
    """When acts may begin."""

    days: list[str]
    start: str
    end: str
    time_zone: str


class PlaybookAnswer(Answer):
    """A playbook, as this release ships it."""

    id: str
    version: str
    title: str
    about: str
    gathers: list[str] = Field(description="What a run gathers of what it is about.")
    guards: GuardsAnswer
    window: WindowAnswer | None
    responds_to: list[str] = Field(description="What rules call it in `respond`, beside its id.")
    watch_days: int = Field(description="For how long revoked access is watched for its return.")
    if_returns: str | None = Field(description="The playbook that is proposed when it does.")
    steps: list[StepAnswer]


class PlaybookList(ListOf[PlaybookAnswer]):
    """Playbooks."""


def _playbook(book: Playbook) -> PlaybookAnswer:
    guards, window = book.guards, book.window
    return PlaybookAnswer(
        id=book.id,
        version=book.version,
        title=book.title,
        about=book.about,
        gathers=list(book.gathers),
        guards=GuardsAnswer(
            max_targets=guards.max_targets,
            max_percent=guards.max_percent,
            approve_above=guards.approve_above,
        ),
        window=None
        if window is None
        else WindowAnswer(
            days=list(window.days),
            start=f"{window.start:%H:%M}",
            end=f"{window.end:%H:%M}",
            time_zone=window.time_zone,
        ),
        responds_to=list(book.responds_to),
        watch_days=book.watch_days,
        if_returns=book.if_returns,
        steps=[
            StepAnswer(
                id=one.id,
                kind=one.kind,
                about=one.about,
                act=one.act,
                nudge=one.nudge,
                days=one.days,
                next=one.next,
                answers=dict(one.goes),
            )
            for one in book.steps
        ],
    )


def list_playbooks(call: Call[PageQuery, None]) -> Reply:
    """Playbooks, in the order of their ids."""
    rows, cursor = page_of(call, call.tools.reference.books.books, lambda one: (one.id,))
    return Reply(PlaybookList(data=[_playbook(one) for one in rows], next_cursor=cursor))


def get_playbook(call: Call[Any, None]) -> Reply:
    """One playbook."""
    return Reply(_playbook(call.tools.reference.books.get(call.path["playbook_id"])))


ROUTES = (
    Route(
        method="GET",
        path="/v1/playbooks",
        operation="listPlaybooks",
        tag="Playbooks",
        summary="Playbooks",
        description="What this release does about findings, step by step, with its brakes.",
        handler=list_playbooks,
        scope="read",
        query=PageQuery,
        answer=PlaybookList,
    ),
    Route(
        method="GET",
        path="/v1/playbooks/{playbook_id}",
        operation="getPlaybook",
        tag="Playbooks",
        summary="One playbook",
        description="Its steps, where each answer leads, and its brakes.",
        handler=get_playbook,
        scope="read",
        answer=PlaybookAnswer,
    ),
)
