"""The customer's own end of outgoing webhooks: a server that keeps what it is sent and verifies it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from standardwebhooks import Webhook, WebhookVerificationError

_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Post:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Takes everything with 204. `secret` is what the endpoint's answer showed, once it is known."""

    base_url: str
    secret: str = field(default="", repr=False)
    _posts: list[Post] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self, post: Post) -> None:
        """Keep a request."""
        with self._lock:
            self._posts.append(post)

    def events(self) -> list[dict[str, Any]]:
        """Every event whose signature is right, once each, as they came.

        Whoever receives webhooks does exactly this: verify with the library, then drop what came before.
        """
        verifier = Webhook(self.secret)
        found: dict[str, dict[str, Any]] = {}
        for post in self._all():
            try:
                event = verifier.verify(post.body, post.headers)
            except WebhookVerificationError:
                continue
            found.setdefault(post.headers["webhook-id"], event)
        return list(found.values())

    def forged(self) -> int:
        """How many requests had a signature that is not right."""
        verifier, wrong = Webhook(self.secret), 0
        for post in self._all():
            try:
                verifier.verify(post.body, post.headers)
            except WebhookVerificationError:
                wrong += 1
        return wrong

    def _all(self) -> list[Post]:
        with self._lock:
            return list(self._posts)


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """A receiver on this machine, by default on a free port, while it is needed."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kept.take(Post({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Requests are counted in the summary, not logged."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    kept = Receiver(f"http://127.0.0.1:{server.server_port}")
    serve = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _POLL_S}, daemon=True)
    serve.start()
    try:
        yield kept
    finally:
        server.shutdown()
        serve.join()
        server.server_close()
