"""A web hook receiver for tests: remembers what was posted, answers as told."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(slots=True, frozen=True)
class Posted:
    """One delivery as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Listens on a free port of 127.0.0.1. `statuses` are answered in turn, then 200."""

    def __init__(self, statuses: tuple[int, ...] = ()) -> None:
        self.posted: list[Posted] = []
        self._statuses = list(statuses)
        self._arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status = receiver._take(
                    Posted(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                )
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/webhooks/google"
        kwargs = {"poll_interval": 0.05}
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs=kwargs, daemon=True)

    def _take(self, posted: Posted) -> int:
        with self._arrived:
            self.posted.append(posted)
            self._arrived.notify_all()
            return self._statuses.pop(0) if self._statuses else 200

    def refuse(self, *statuses: int) -> None:
        """Answer the next deliveries so."""
        with self._arrived:
            self._statuses += statuses

    def wait(self, count: int, timeout_s: float = 10.0) -> list[Posted]:
        """The deliveries once there are at least `count`; fails when they do not come."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.posted) >= count, timeout_s), self.posted
            return list(self.posted)

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
