"""Checking a playbook page and compiling it. Needs pydantic; nothing at run time imports it."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import time
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from lantern.domain.errors import LanternError
from lantern.domain.jobs import Guards, JobKind
from lantern.domain.playbooks.machine import walk
from lantern.domain.playbooks.model import (
    ACTS_ON,
    ANSWERS,
    DAYS,
    END,
    FORMAT,
    Playbook,
    Step,
    StepKind,
    Subject,
    TargetKind,
    Window,
)

_ID: Final = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
Name = Annotated[str, StringConstraints(pattern=_ID, max_length=60)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=200)]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=20, max_length=2_000)]
NudgeWord = Literal[
    "still_need", "what_for", "use_instead", "delete_account", "fewer_scopes", "acknowledge", "rotate"
]
_WAITS: Final = frozenset({"nudge", "wait", "approve", "verify"})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class GuardsPage(_Strict):
    """Brakes: at most so many targets, so many percent of the accounts; more than so many need approval."""

    max_targets: Annotated[int, Field(ge=1, le=1_000)]
    max_percent: Annotated[float, Field(gt=0, le=100)] | None = None
    approve_above: Annotated[int, Field(ge=0, le=1_000)]


class WindowPage(_Strict):
    """When acts may begin, as `hh:mm`, by the clocks of a time zone."""

    days: Annotated[list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Field(min_length=1)]
    start: Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    end: Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    time_zone: str = "UTC"


class StepPage(_Strict):
    """One step. Where an answer is not named in `answers`, the next step follows."""

    id: Name
    do: StepKind
    about: Line
    days: Annotated[float, Field(gt=0, le=365)] | None = None
    nudge: NudgeWord | None = None
    act: str | None = None
    says: str = ""
    answers: dict[str, Name] = Field(default_factory=dict)
    only: list[TargetKind] = Field(default_factory=list)


class TestPage(_Strict):
    """One way through: what each step comes to, and the steps that are passed."""

    name: Line
    target: TargetKind
    answers: dict[str, str] = Field(default_factory=dict)
    expect: list[str]


class PlaybookPage(_Strict):
    """A playbook as a product page."""

    id: Name
    title: Line
    about: Prose
    gathers: Annotated[list[Subject], Field(min_length=1)]
    guards: GuardsPage
    window: WindowPage | None = None
    steps: Annotated[list[StepPage], Field(min_length=1, max_length=20)]
    responds_to: list[Name] = Field(default_factory=list)
    watch_days: Annotated[int, Field(ge=1, le=365)] = 30
    if_returns: Name | None = None
    max_open: Annotated[int, Field(ge=1, le=100)] = 10
    tests: Annotated[list[TestPage], Field(min_length=2)]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one page."""

    source: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.source}: {self.path}: {self.message}"


class PlaybooksInvalidError(LanternError):
    """Pages that do not compile; `problems` has them all."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def compile_page(raw: Any, source: str) -> Playbook:
    """Check one page, walk its tests, and return the playbook.

    Raises:
        PlaybooksInvalidError: with every problem found.
    """
    try:
        page = PlaybookPage.model_validate(raw)
    except ValidationError as error:
        found = [
            Problem(source, ".".join(map(str, one["loc"])) or "page", one["msg"])
            for one in error.errors(include_url=False, include_input=False)
        ]
        raise PlaybooksInvalidError(found) from error
    problems = [Problem(source, path, message) for path, message in (*_of_steps(page), *_of_window(page))]
    if problems:
        raise PlaybooksInvalidError(problems)
    book = _book(page)
    problems = [Problem(source, path, message) for path, message in _of_tests(book, page)]
    if problems:
        raise PlaybooksInvalidError(problems)
    return book


def compile_set(books: Sequence[Playbook]) -> dict[str, Any]:
    """The file that `load_playbooks` reads.

    Raises:
        PlaybooksInvalidError: an id used twice, a word answered twice, or a playbook named that is not there.
    """
    problems, ids, words = [], set[str](), dict[str, str]()
    for one in books:
        if one.id in ids:
            problems.append(Problem("playbooks", one.id, "the id is used twice"))
        ids.add(one.id)
        for word in one.responds_to:
            if word in words:
                problems.append(Problem("playbooks", one.id, f"{words[word]} answers {word} already"))
            words[word] = one.id
    problems += [
        Problem("playbooks", one.id, f"if_returns: there is no playbook {one.if_returns}")
        for one in books
        if one.if_returns is not None and one.if_returns not in ids
    ]
    if problems:
        raise PlaybooksInvalidError(problems)
    rows = [msgspec.to_builtins(one) for one in sorted(books, key=lambda one: one.id)]
    return {"format": FORMAT, "playbooks": rows}


def page_schema() -> dict[str, Any]:
    """JSON Schema of a page, for editors."""
    return PlaybookPage.model_json_schema()


def _of_steps(page: PlaybookPage) -> Iterator[tuple[str, str]]:
    """Faults of steps: every way leads forward, and each says what its kind needs."""
    order = [one.id for one in page.steps]
    for at, one in enumerate(page.steps):
        path = f"steps.{at}"
        if one.id == END or order.count(one.id) > 1:
            yield f"{path}.id", f"{one.id} is used twice, or is the word for the end"
        later = [*order[at + 1 :], END]
        for answer, goes in one.answers.items():
            if answer not in ANSWERS[one.do]:
                yield (
                    f"{path}.answers",
                    f"{one.do} comes to {', '.join(ANSWERS[one.do]) or 'nothing'}, not {answer}",
                )
            if goes not in later:
                yield f"{path}.answers.{answer}", f"{goes} does not come later; use one of {', '.join(later)}"
        yield from ((f"{path}.{field}", message) for field, message in _needs(one))


def _needs(one: StepPage) -> Iterator[tuple[str, str]]:
    if (one.days is not None) != (one.do in _WAITS):
        yield "days", f"{', '.join(sorted(_WAITS))} say how many days; others do not wait"
    if (one.nudge is not None) != (one.do == "nudge"):
        yield "nudge", "a nudge says which question it asks, and nothing else does"
    if (one.act is not None) != (one.do == "act") or (one.act is not None and one.act not in ACTS_ON):
        yield "act", f"an act is one of {', '.join(ACTS_ON)}, and nothing else has one"
    if bool(one.says) != (one.do in {"notify", "ticket"}):
        yield "says", "notify and ticket have words, and nothing else does"


def _of_window(page: PlaybookPage) -> Iterator[tuple[str, str]]:
    if page.window is None:
        return
    if page.window.start >= page.window.end:
        yield "window", "it ends after it starts, on the same day"
    try:
        ZoneInfo(page.window.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield "window.time_zone", f"{page.window.time_zone} is no time zone, such as Europe/Berlin"


def _of_tests(book: Playbook, page: PlaybookPage) -> Iterator[tuple[str, str]]:
    passed: set[str] = set()
    for at, test in enumerate(page.tests):
        path = f"tests.{at} ({test.name})"
        for step_id, answer in test.answers.items():
            kind = next((one.kind for one in book.steps if one.id == step_id), None)
            if kind is None or answer not in ANSWERS[kind]:
                yield path, f"{step_id} does not come to {answer}"
                return
        way = walk(book, test.target, test.answers)
        passed |= set(way)
        if list(way) != test.expect:
            yield path, f"passes {', '.join(way) or 'nothing'}, not {', '.join(test.expect) or 'nothing'}"
    for one in book.steps:
        if one.id not in passed:
            yield "tests", f"no test passes {one.id}"


def _book(page: PlaybookPage) -> Playbook:
    following = [*(one.id for one in page.steps[1:]), END]
    steps = tuple(_step(one, after) for one, after in zip(page.steps, following, strict=True))
    window = None
    if page.window is not None:
        days = tuple(day for day in DAYS if day in page.window.days)
        start, end = time.fromisoformat(page.window.start), time.fromisoformat(page.window.end)
        window = Window(days, start, end, page.window.time_zone)
    guards = Guards(page.guards.max_targets, page.guards.max_percent, page.guards.approve_above)
    book = Playbook(
        id=page.id,
        version="",
        title=page.title,
        about=" ".join(page.about.split()),
        gathers=tuple(page.gathers),
        steps=steps,
        guards=guards,
        window=window,
        responds_to=tuple(page.responds_to),
        watch_days=page.watch_days,
        if_returns=page.if_returns,
        max_open=page.max_open,
    )
    canonical = json.dumps(msgspec.to_builtins(book), sort_keys=True, separators=(",", ":"))
    return replace(book, version=hashlib.sha256(canonical.encode()).hexdigest()[:16])


def _step(one: StepPage, following: str) -> Step:
    acts: dict[str, JobKind] = {word: word for word in ACTS_ON}
    return Step(
        id=one.id,
        kind=one.do,
        about=one.about,
        next=following,
        days=one.days or 0,
        act=acts[one.act] if one.act else None,
        nudge=one.nudge,
        says=" ".join(one.says.split()),
        goes=one.answers,
        only=tuple(one.only),
    )
