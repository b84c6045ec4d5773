"""Routes as data, and what a handler is called with."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel

from lantern.domain.apikeys import Scope
from lantern.domain.errors import NotFoundError
from lantern.runtime.api.tools import Tools
from lantern.runtime.api.validation import Question
from lantern.runtime.cursors import Listing
from lantern.runtime.preconditions import check_match
from lantern.runtime.problems import ProblemError
from lantern.store.tenant import TenantStore

Method = Literal["GET", "POST", "PUT", "DELETE"]
Q = TypeVar("Q")
B = TypeVar("B")

_GENERAL_ID: Final = r"[A-Za-z0-9_.-]{1,80}"
ID_SHAPES: Final[Mapping[str, str]] = {
    "app_id": r"app_[0-9a-v]{13}",
    "principal_id": r"pri_[0-9a-v]{16}",
    "person_id": r"per_[0-9a-v]{16}",
    "grant_id": r"gr_[0-9a-v]{16}\.[0-9a-v]{13}",
}
"""Ids whose shape is known. What cannot be an id is answered like an id that is not there."""


class NoQuery(Question):
    """An operation without parameters."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as the authorizer said; nothing of it comes from path, body or header."""

    tenant_id: str
    key_id: str
    scopes: frozenset[Scope]
    suspended: bool

    @property
    def actor(self) -> str:
        """How the audit log names the caller."""
        return f"key:{self.key_id}"


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """One request, checked: what a handler gets."""

    operation: str
    caller: Caller
    path: Mapping[str, str]
    query: Q
    body: B
    if_match: str | None
    tools: Tools

    @property
    def store(self) -> TenantStore:
        """The caller's tenant, and no other."""
        return self.tools.open_store(self.caller.tenant_id)

    def check_revision(self, etag: str) -> None:
        """Refuse unless `If-Match` names the current `etag` (or `*`).

        Raises:
            ProblemError: `precondition_failed`.
        """
        check_match(self.if_match, etag)

    def listing(self) -> Listing:
        """The question this call asks, for binding cursors."""
        filters = dict(self.path)
        if isinstance(self.query, BaseModel):
            asked = self.query.model_dump(mode="json", exclude={"cursor", "limit"}, exclude_none=True)
            filters |= {name: str(value) for name, value in asked.items()}
        return Listing(self.caller.tenant_id, self.operation, filters)

    def position(self, cursor: str | None) -> str | None:
        """The position inside the cursor the client sent; None without one."""
        return None if cursor is None else self.tools.cursors().open(self.listing(), cursor)

    def cursor(self, position: str | None) -> str | None:
        """The cursor to answer with; None at the end."""
        return None if position is None else self.tools.cursors().seal(self.listing(), position)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a tenant's for people, and the headers it needs, its content type among them."""

    text: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers.

    `page` is for people: it is answered instead of the body. `replay` replaces the body wherever the answer
    is kept for an idempotency key: an answer with a secret is given once and never stored.
    """

    body: BaseModel | None = None
    status: int = 200
    etag: str | None = None
    location: str | None = None
    replay: BaseModel | None = None
    page: Page | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation of the API.

    `if_match`: the client must say which revision it read. `etag`: the answer carries one.
    `upload`: media types of a body that is a file and is handed on as bytes.
    `page`: it also answers HTML, where that is asked for.
    `dry_run`: asked only to plan, it answers 200 and stores nothing.
    `located`: what it makes or begins (201, 202) has an address, told as `Location`.
    `problems`: codes beyond those that every operation of its kind may answer with.
    """

    method: Method
    path: str
    operation: str
    tag: str
    summary: str
    description: str
    handler: Callable[[Call[Any, Any]], Reply]
    scope: Scope
    query: type[BaseModel] = NoQuery
    body: type[BaseModel] | None = None
    upload: tuple[str, ...] = ()
    answer: type[BaseModel] | None = None
    status: int = 200
    dry_run: bool = False
    page: bool = False
    if_match: bool = False
    etag: bool = False
    located: bool = True
    problems: tuple[str, ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the path parameters, in order."""
        return tuple(re.findall(r"{(\w+)}", self.path))


@dataclass(frozen=True, slots=True)
class PublicPage:
    """A page and the headers it needs."""

    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicRoute:
    """A page about the API itself: a GET without a key, without input, the same for everybody."""

    path: str
    operation: str
    summary: str
    description: str
    media_type: str
    render: Callable[[], PublicPage]


@dataclass(frozen=True)
class Router:
    """Finds the route of a request."""

    routes: Sequence[Route]
    public: Sequence[PublicRoute] = ()

    @cached_property
    def _table(self) -> list[tuple[re.Pattern[str], Route]]:
        return [(re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", r.path)), r) for r in self.routes]

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and its path parameters.

        Raises:
            NotFoundError: no such path, or a parameter that cannot be an id.
            ProblemError: `method_not_allowed`.
        """
        found = [(route, m.groupdict()) for pattern, route in self._table if (m := pattern.fullmatch(path))]
        if not found:
            raise ProblemError("not_found", "There is no such path; see /docs.")
        for route, parameters in found:
            if route.method == method:
                _check_shapes(parameters)
                return route, parameters
        allow = ", ".join(sorted({route.method for route, _ in found}))
        raise ProblemError("method_not_allowed", f"This path answers {allow}.", headers={"Allow": allow})


def _check_shapes(parameters: Mapping[str, str]) -> None:
    for name, value in parameters.items():
        if not re.fullmatch(ID_SHAPES.get(name, _GENERAL_ID), value):
            raise NotFoundError(name.removesuffix("_id"), value)
