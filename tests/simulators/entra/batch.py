"""`POST /$batch`: up to 20 requests in one, each with a status of its own."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.simulators.google.server import Dispatcher, DroppedError
from tests.simulators.google.wire import Request, Response, json_response

from .gate import Gate
from .wire import bad

MOST = 20


class Batch:
    """Runs the requests one after the other, with all that may happen to them; a dropped one is missing."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.dispatcher: Dispatcher | None = None

    def handle(self, request: Request) -> Response:
        """The handler."""
        wanted = request.json().get("requests")
        if not isinstance(wanted, list) or not 1 <= len(wanted) <= MOST:
            raise bad(f"The batch must hold 1 to {MOST} requests.", "BadRequest")
        if len({str(one.get("id")) for one in wanted}) != len(wanted):
            raise bad("The ids of a batch must be unique.", "BadRequest")
        with self._gate.batch():
            answers = [answer for one in wanted if (answer := self._one(request, one)) is not None]
        answers.reverse()  # they come in any order
        return json_response({"responses": answers})

    def _one(self, outer: Request, wanted: dict[str, Any]) -> dict[str, Any] | None:
        parts = urlsplit(wanted["url"])
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        body = json.dumps(wanted["body"]).encode() if "body" in wanted else b""
        inner = Request(wanted["method"], f"/v1.0{parts.path}", query, outer.headers, body)
        assert self.dispatcher is not None
        try:
            response = self.dispatcher.handle(inner)
        except DroppedError:
            return None
        try:
            answer: Any = json.loads(response.body) if response.body else None
        except ValueError:
            answer = response.body.decode("utf-8", "replace")
        return {"id": wanted["id"], "status": response.status, "headers": response.headers, "body": answer}
