"""Calls to Slack's Web API and Audit Logs API whose answers are what they claim to be."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from lantern.connectors.calls import Reply, Request, error_codes
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.limiter import Limiter
from lantern.connectors.registry import Io
from lantern.connectors.resolution import CallError, ErrorResolution, StatusTable
from lantern.connectors.slack.manifest import AUDIT_QUOTA, MANIFEST, STATUSES

Whose = Literal["bot", "user"]
"""Which of our two tokens makes the call: the app's own, or that of the person who installed it."""

NO_TOKEN: Final = ErrorResolution(
    "config", "forbidden", "Lantern was installed without the permissions of a person. Connect Slack again."
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What consent gave. `user` is empty where no permission of a person was granted.

    `enterprise` is the organisation's id for an installation on an Enterprise organisation, else empty;
    then the installation is that of the workspace `team`. `by` is the id of the person who installed.
    """

    bot: str = field(repr=False)
    user: str = field(repr=False)
    team: str
    enterprise: str
    by: str

    @property
    def organisation(self) -> str:
        """The id under which the connection is known."""
        return self.enterprise or self.team

    def dump(self) -> str:
        """As text, to be sealed."""
        names = ("bot", "user", "team", "enterprise", "by")
        return json.dumps({name: getattr(self, name) for name in names}, separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> "Tokens":
        """From a text of `dump`.

        Raises:
            ValueError: it is none.
        """
        value = json.loads(text)
        names = ("bot", "user", "team", "enterprise", "by")
        if not isinstance(value, dict) or not all(isinstance(value.get(name), str) for name in names):
            raise ValueError("not the tokens of a Slack installation")
        return cls(*(value[name] for name in names))


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token that lives until it is revoked; there is no other to fetch."""

    token: str = field(repr=False)

    def header(self, halt: Halt) -> str:  # noqa: ARG002 - nothing to wait for
        """The header to send."""
        return f"Bearer {self.token}"

    def rejected(self, header: str) -> None:
        """There is no other."""


def refused(body: Any) -> frozenset[str] | None:
    """The words of a 200 that is a refusal (`"ok": false`); None where it is none."""
    if isinstance(body, Mapping) and body.get("ok") is False:
        return error_codes(body)
    return None


def endpoints(io: Io) -> Mapping[str, str]:
    """Base addresses by name."""
    return {**MANIFEST.endpoints, **io.endpoints}


def client(
    io: Io, limiters: Mapping[str, Limiter], token: str | None, table: StatusTable = STATUSES
) -> HttpClient:
    """An HTTP client that speaks for one token (None: for nobody)."""
    return HttpClient(
        io.session,
        table,
        clock=io.clock,
        random=io.random,
        limiters=limiters,
        auth=Bearer(token) if token else None,
        refused=refused,
    )


def limiters_of(io: Io, tenant: str) -> Mapping[str, Limiter]:
    """One limiter per method."""
    return {quota.name: io.limiters.get("slack", tenant, quota) for quota in MANIFEST.quotas}


class SlackApi:
    """Slack for one installation. Safe for threads."""

    def __init__(self, io: Io, limiters: Mapping[str, Limiter], tokens: Tokens) -> None:
        at = endpoints(io)
        self._at = {name: address.rstrip("/") for name, address in at.items()}
        self._clients = {
            "bot": client(io, limiters, tokens.bot) if tokens.bot else None,
            "user": client(io, limiters, tokens.user) if tokens.user else None,
        }

    def get(
        self, method: str, halt: Halt, params: Mapping[str, str] | None = None, *, whose: Whose = "bot"
    ) -> Mapping[str, Any]:
        """Call a method that reads; the answer says `ok`.

        Raises:
            CallError: Slack refused, or what came is no answer of the Web API.
        """
        return _ok(self.reply(method, halt, params, whose=whose), method)

    def reply(
        self, method: str, halt: Halt, params: Mapping[str, str] | None = None, *, whose: Whose = "bot"
    ) -> Reply:
        """As `get`, with headers."""
        request = Request("GET", f"{self._at['api']}/{method}", params=params or {}, quotas=(method,))
        reply = self._client(whose).call(request, halt)
        _ok(reply, method)
        return reply

    def post(self, method: str, halt: Halt, form: Mapping[str, str], *, whose: Whose) -> Mapping[str, Any]:
        """Call a method that acts."""
        request = Request("POST", f"{self._at['api']}/{method}", form=form, quotas=(method,))
        return _ok(self._client(whose).call(request, halt), method)

    def page(
        self, method: str, key: str, halt: Halt, params: Mapping[str, str], *, whose: Whose = "bot"
    ) -> tuple[list[Any], str | None]:
        """One page of a listing by cursor: the rows under `key`, and the cursor of the next page."""
        body = self.get(method, halt, params, whose=whose)
        return rows(body, key), following(body)

    def pages(
        self, method: str, key: str, halt: Halt, params: Mapping[str, str], *, whose: Whose = "bot"
    ) -> Iterator[Any]:
        """All rows of a listing by cursor."""
        cursor: str | None = ""
        while cursor is not None:
            more = {"cursor": cursor} if cursor else {}
            found, cursor = self.page(method, key, halt, {**params, **more}, whose=whose)
            yield from found

    def audit(self, halt: Halt, params: Mapping[str, str]) -> tuple[list[Any], str | None]:
        """One page of the audit log, newest first, and the cursor of the next page."""
        request = Request("GET", f"{self._at['audit']}/logs", params=params, quotas=(AUDIT_QUOTA,))
        body = self._client("user").call(request, halt).body
        if not isinstance(body, Mapping):
            raise CallError(GARBLED, detail="audit log: no object")
        return rows(body, "entries"), following(body)

    def _client(self, whose: Whose) -> HttpClient:
        found = self._clients[whose]
        if found is None:
            raise CallError(NO_TOKEN, detail=f"no {whose} token")
        return found


def rows(body: Mapping[str, Any], key: str) -> list[Any]:
    """The rows of a listing; an answer without them is no empty listing.

    Raises:
        CallError: there are none.
    """
    found = body.get(key)
    if not isinstance(found, list):
        raise CallError(GARBLED, detail=f"an answer without {key}")
    return found


def following(body: Mapping[str, Any]) -> str | None:
    """The cursor of the next page; Slack sends an empty one with the last (docs, "Pagination")."""
    metadata = body.get("response_metadata")
    cursor = metadata.get("next_cursor") if isinstance(metadata, Mapping) else None
    if not isinstance(cursor, str | None):
        raise CallError(GARBLED, detail="next_cursor is no text")
    return cursor or None


def _ok(reply: Reply, method: str) -> Mapping[str, Any]:
    if not isinstance(reply.body, Mapping) or reply.body.get("ok") is not True:
        raise CallError(GARBLED, detail=f"{method}: not ok and not refused")
    return reply.body
