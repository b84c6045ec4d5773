"""A customer's script: the API with a key, nothing else."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import requests

from scripts.demo.waiting import DemoFailedError

_TIMEOUT_S: Final = 60


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its body and, where there is one, its ETag."""

    body: dict[str, Any]
    etag: str | None


class Api:
    """Calls of one key."""

    def __init__(self, base_url: str, key: str) -> None:
        self.base_url = base_url
        self.key = key
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {key}"

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """`GET`; the body."""
        return self.call("GET", path, query=query).body

    def text(self, path: str, **query: Any) -> str:
        """`GET` of a page; its text."""
        return self._send("GET", path, query, None, {}).text

    def all(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every row of a list, page by page."""
        cursor: str | None = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = self.get(path, limit=100, **query, **more)
            yield from page["data"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        etag: str | None = None,
    ) -> Reply:
        """Any request; a repeated one is answered again, not done again.

        Raises:
            DemoFailedError: an answer that is not a success.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        if etag is not None:
            headers["If-Match"] = etag
        response = self._send(method, path, query, body, headers)
        return Reply(response.json(), response.headers.get("ETag"))

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None,
        body: dict[str, Any] | None,
        headers: dict[str, str],
    ) -> requests.Response:
        try:
            response = self._session.request(
                method, f"{self.base_url}{path}", params=query, json=body, headers=headers, timeout=_TIMEOUT_S
            )
        except requests.RequestException as error:
            raise DemoFailedError(f"{method} {path}: no answer ({type(error).__name__})") from None
        if not response.ok:
            raise DemoFailedError(f"{method} {path} answered {response.status_code}: {response.text[:400]}")
        return response
