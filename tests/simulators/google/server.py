"""The HTTP server: reads requests, routes them, applies faults, counts, and writes whole answers at once."""

import re
import socket
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .clock import Clock
from .consent import PageError
from .counters import Counters
from .faults import Fault, Faults
from .wire import ApiError, OAuthError, Request, Response, json_response

Handler = Callable[..., Response]
MAX_BODY = 4 << 20


class Router:
    """Method and path pattern to handler. `{x}` in a pattern takes one path segment, decoded."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], str, Handler]] = []

    def add(self, method: str, pattern: str, name: str, handler: Handler) -> None:
        """Register a handler under the name that counters use."""
        regex = re.compile(
            "/".join("([^/]+)" if part[:1] == "{" else re.escape(part) for part in pattern.split("/"))
        )
        self._routes.append((method, regex, name, handler))

    def find(self, method: str, path: str) -> tuple[str, Handler, list[str]] | None:
        """The route's name, its handler, and the variable parts of the path."""
        for verb, regex, name, handler in self._routes:
            found = regex.fullmatch(path) if verb == method else None
            if found is not None:
                return name, handler, [unquote(part) for part in found.groups()]
        return None


class DroppedError(Exception):
    """The connection shall be closed; `body` is what still goes out before (None: reset)."""

    def __init__(self, response: Response | None = None) -> None:
        super().__init__()
        self.response = response


class Dispatcher:
    """From request to response, faults included."""

    def __init__(self, router: Router, faults: Faults, counters: Counters, clock: Clock) -> None:
        self._router = router
        self._faults = faults
        self._counters = counters
        self._clock = clock

    def place(self, request: Request) -> str:
        """What a fault rule's `path` is searched in."""
        return request.path

    def handle(self, request: Request) -> Response:
        """Answer, or raise `DroppedError`."""
        route = self._router.find(request.method, request.path)
        if route is None:
            return ApiError(404, "notFound", f"No method {request.method} {request.path}").response()
        name, handler, parts = route
        if name == "control":
            return _guarded(handler, request, parts)[0]
        self._counters.begin(name)
        status, reason = 0, ""
        try:
            strikes = self._faults.striking(request.method, self.place(request))
            response, reason = self._run(handler, request, parts, strikes)
            status = response.status
            return response
        finally:
            self._counters.end(name, status, reason)

    def _run(
        self, handler: Handler, request: Request, parts: list[str], strikes: list[Fault]
    ) -> tuple[Response, str]:
        for fault in strikes:
            if fault.kind == "latency":
                self._clock.sleep(fault.seconds)
        early = next((f for f in strikes if f.kind in {"status", "outage"} and not f.after), None)
        if early is not None:
            return early.response(), f"fault:{early.kind}"
        if any(f.kind == "reset" and not f.after for f in strikes):
            raise DroppedError
        request.half_page = any(f.kind == "half_page" for f in strikes)
        response, reason = _guarded(handler, request, parts)
        return self._spoil(response, strikes, request), reason

    def _spoil(self, response: Response, strikes: list[Fault], request: Request) -> Response:
        unpaged = "/tokens" in request.path or "/asps" in request.path
        for fault in strikes:
            if fault.kind in {"status", "outage"}:
                return fault.response()
            if fault.kind == "reset":
                raise DroppedError
            if fault.kind == "truncate" and response.body:
                raise DroppedError(response)
            if fault.kind == "cut" or (fault.kind == "half_page" and unpaged):
                response.body = response.body[: len(response.body) // 2]
        return response


def _guarded(handler: Handler, request: Request, parts: list[str]) -> tuple[Response, str]:
    try:
        return handler(request, *parts), ""
    except ApiError as error:
        return error.response(), error.reason
    except OAuthError as error:
        return error.response(), str(error.payload["error"])
    except PageError as error:
        return error.response(), error.error


class _HttpHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "ESF"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = 120
    server: "Server"

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self.close_connection = True
            self._write(Response(413))
            return
        body = self.rfile.read(length) if length else b""
        parts = urlsplit(self.path)
        pairs = tuple(parse_qsl(parts.query, keep_blank_values=True))
        headers = {key.lower(): value for key, value in self.headers.items()}
        request = Request(self.command, parts.path, dict(pairs), headers, body, pairs=pairs)
        try:
            response = self.server.dispatcher.handle(request)
        except DroppedError as dropped:
            self._drop(dropped.response)
            return
        except Exception as error:
            self.server.errors.append(error)
            response = json_response({"error": {"code": 500, "message": f"simulator bug: {error!r}"}}, 500)
        self._write(response)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _serve  # noqa: N815 - names set by http.server

    def _head(self, response: Response) -> bytes:
        lines = [f"HTTP/1.1 {response.status} {self.responses.get(response.status, ('',))[0]}"]
        headers = {"Server": "ESF", "Date": self.date_time_string(), **response.headers}
        headers["Content-Length"] = str(len(response.body))
        if self.close_connection:
            headers["Connection"] = "close"
        lines += [f"{key}: {value}" for key, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _write(self, response: Response) -> None:
        if response.status == 204:
            response.body = b""
        try:
            self.wfile.write(self._head(response) + response.body)
        except OSError:
            self.close_connection = True

    def _drop(self, response: Response | None) -> None:
        self.close_connection = True
        if response is None:
            # A zero linger time makes close() send RST: the client sees a reset, not an end.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return
        self._write_half(response)

    def _write_half(self, response: Response) -> None:
        try:
            self.wfile.write(self._head(response) + response.body[: len(response.body) // 2])
        except OSError:
            self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Say nothing: tests read counters."""


class Server(ThreadingHTTPServer):
    """One thread per connection, on the loopback interface."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int, dispatcher: Dispatcher) -> None:
        super().__init__(("127.0.0.1", port), _HttpHandler)
        self.dispatcher = dispatcher
        self.errors: list[Exception] = []
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()

    def server_bind(self) -> None:
        """Bind without the reverse DNS look-up of http.server."""
        # A restart must get its port back while closed connections of the last run are still remembered.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection so that `close_all` can end it."""
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection. A reset must not be preceded by the orderly shutdown of the base class."""
        with self._guard:
            self._open.discard(request)
        if _resets(request):
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are their own affair."""

    def close_all(self) -> None:
        """End every open connection."""
        with self._guard:
            for connection in list(self._open):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue


def _resets(connection: socket.socket) -> bool:
    try:
        value = connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
    except OSError:
        return True
    return struct.unpack("ii", value)[0] == 1
