"""Calls to Google's APIs whose answers are what they claim to be."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

from lantern.connectors.calls import Admission, Reply, Request
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.resolution import CallError

QUERY = ("queries",)
FILTERED_QUERY = ("queries", "filtered")
CHROME_QUERY = ("chrome",)
MAIL_QUERY = ("mail", "mailboxes")


class GoogleApi:
    """One of Google's APIs at one base address."""

    def __init__(self, http: HttpClient, base: str) -> None:
        self._http = http
        self._base = base.rstrip("/")

    def admit(self, halt: Halt) -> Admission | None:
        """Wait for the right to send one query; None when told to stop."""
        return self._http.admit(QUERY, halt)

    def get(
        self,
        path: str,
        kind: str,
        halt: Halt,
        *,
        params: Mapping[str, str] | None = None,
        admission: Admission | None = None,
        quotas: tuple[str, ...] = QUERY,
    ) -> Mapping[str, Any]:
        """GET an object that says it is of `kind`.

        Without that, an answer cut down to `{}` would read as an empty list.

        Raises:
            CallError: anything else came.
        """
        request = Request("GET", self._base + path, params=params or {}, quotas=quotas)
        body = self._http.call(request, halt, admission).body
        if not isinstance(body, dict) or body.get("kind") != kind:
            raise CallError(GARBLED, detail=f"expected {kind}")
        return body

    def ask(
        self,
        path: str,
        halt: Halt,
        *,
        params: Mapping[str, str],
        quotas: tuple[str, ...],
        admission: Admission | None = None,
    ) -> Mapping[str, Any]:
        """GET an object of an API whose objects do not say of what kind they are (Chrome Management, Gmail).

        An empty object proves nothing there: whoever asks must look for what a complete answer has.

        Raises:
            CallError: no object came.
        """
        request = Request("GET", self._base + path, params=params, quotas=quotas)
        body = self._http.call(request, halt, admission).body
        if not isinstance(body, dict):
            raise CallError(GARBLED, detail="expected an object")
        return body

    def send(
        self,
        method: Literal["POST", "DELETE"],
        path: str,
        halt: Halt,
        *,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        quotas: tuple[str, ...] = QUERY,
    ) -> Reply:
        """POST or DELETE."""
        return self._http.call(
            Request(method, self._base + path, params=params or {}, json=json, quotas=quotas), halt
        )


def segment(value: str) -> str:
    """A value as one path segment; ids may hold anything."""
    return quote(value, safe="")
