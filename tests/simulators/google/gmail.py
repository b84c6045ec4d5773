"""Gmail API as far as headers go, under the `gmail.metadata` scope: profile, history, messages."""

import base64
import json
from typing import Any

from .access import Caller, Gate
from .extras import Mail, Mailbox
from .model import digest
from .scopes import AUTH
from .wire import ApiError, Request, Response, json_response
from .world import World

HISTORY_KEPT_S = 7 * 86400
"""History records are kept "at least one week" (Gmail guide "Synchronize clients"); here for just that."""
_WIDER = frozenset({AUTH + "gmail.readonly", AUTH + "gmail.modify", "https://mail.google.com/"})


class Gmail:
    """The Gmail methods; a mailbox is read by its owner alone, or in the owner's name."""

    def __init__(self, world: World, gate: Gate) -> None:
        self._world = world
        self._gate = gate

    def profile(self, request: Request, user: str) -> Response:
        """`users.getProfile`."""
        caller, box = self._box(request, user, "gmail.users.getProfile")
        answer = {
            "emailAddress": caller.user.email,
            "messagesTotal": len(box.mails),
            "threadsTotal": len(box.mails),
            "historyId": str(box.history),
        }
        return json_response(answer)

    def history(self, request: Request, user: str) -> Response:
        """`users.history.list`: 404 for a start that is too old."""
        _, box = self._box(request, user, "gmail.users.history.list")
        query = request.query
        start = query.get("startHistoryId", "")
        if not start.isdigit():
            raise _invalid("startHistoryId")
        with self._world.lock:
            self._forget(box)
            if int(start) < box.floor:
                raise ApiError(404, "notFound", "Requested entity was not found.", rpc=True)
            found = [
                {
                    "id": str(mail.history),
                    "messages": [{"id": mail.id, "threadId": mail.id}],
                    "messagesAdded": [
                        {"message": {"id": mail.id, "threadId": mail.id, "labelIds": list(mail.labels)}}
                    ],
                }
                for mail in box.mails
                if mail.history > int(start)
            ]
            answer = _page(request, found, "history")
            answer["historyId"] = str(box.history)
        return json_response(answer)

    def messages(self, request: Request, user: str) -> Response:
        """`users.messages.list`: no `q` under the metadata scope."""
        caller, box = self._box(request, user, "gmail.users.messages.list")
        if request.query.get("q") and not caller.token.scopes & _WIDER:
            raise ApiError(403, "forbidden", "Metadata scope does not support 'q' parameter", rpc=True)
        rows = [{"id": m.id, "threadId": m.id} for m in sorted(box.mails, key=lambda m: -m.at)]
        return json_response(_page(request, rows, "messages"))

    def message(self, request: Request, user: str, identifier: str) -> Response:
        """`users.messages.get`: neither `full` nor `raw` under the metadata scope."""
        caller, box = self._box(request, user, "gmail.users.messages.get")
        form = request.query.get("format", "full")
        if form in {"full", "raw"} and not caller.token.scopes & _WIDER:
            raise ApiError(403, "forbidden", f"Metadata scope doesn't allow format {form.upper()}", rpc=True)
        mail = next((m for m in box.mails if m.id == identifier), None)
        if mail is None:
            raise ApiError(404, "notFound", "Requested entity was not found.", rpc=True)
        wanted = [value for name, value in request.pairs if name == "metadataHeaders"]
        return json_response(_written(mail, wanted))

    def _box(self, request: Request, user: str, method: str) -> tuple[Caller, Mailbox]:
        caller = self._gate.admit(request, method, quota="mail")
        if user.lower() not in {"me", caller.user.email}:
            raise ApiError(403, "forbidden", f"Delegation denied for {caller.user.email}", rpc=True)
        with self._world.lock:
            return caller, caller.org.extras.mailboxes.setdefault(caller.user.id, Mailbox())

    def _forget(self, box: Mailbox) -> None:
        kept = self._world.clock.now() - HISTORY_KEPT_S
        old = [mail.history for mail in box.mails if mail.at < kept]
        box.floor = max(box.floor, *old) if old else box.floor


def _written(mail: Mail, wanted: list[str]) -> dict[str, Any]:
    names = {name.lower() for name in wanted}
    headers = [
        {"name": name, "value": value} for name, value in mail.headers if not names or name.lower() in names
    ]
    return {
        "id": mail.id,
        "threadId": mail.id,
        "labelIds": list(mail.labels),
        "historyId": str(mail.history),
        "internalDate": str(int(mail.at * 1000)),
        "payload": {"mimeType": "text/html", "headers": headers},
    }


def _page(request: Request, rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    try:
        size = int(request.query.get("maxResults", "100"))
    except ValueError:
        raise _invalid("maxResults") from None
    if not 1 <= size <= 500:
        raise _invalid("maxResults")
    start = 0
    asked = digest(request.path, request.query.get("startHistoryId", ""))[:12]
    if token := request.query.get("pageToken"):
        try:
            start, made_for = json.loads(base64.urlsafe_b64decode(token))
        except ValueError:
            raise _invalid("pageToken") from None
        if made_for != asked:
            raise _invalid("pageToken")
    answer: dict[str, Any] = {name: rows[start : start + size]} if rows else {}
    if start + size < len(rows):
        answer["nextPageToken"] = base64.urlsafe_b64encode(
            json.dumps([start + size, asked]).encode()
        ).decode()
    return answer


def _invalid(parameter: str) -> ApiError:
    return ApiError(400, "invalidArgument", f"Invalid {parameter}", rpc=True)
