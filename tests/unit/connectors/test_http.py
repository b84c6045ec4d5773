"""The HTTP client against a real server that misbehaves as told."""

import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lantern.connectors.calls import Budget, Heeded, Limits, Request, RetryPolicy, error_codes, next_link
from lantern.connectors.halt import Halt
from lantern.connectors.http import HaltedError, HttpClient, new_session
from lantern.connectors.limiter import Limiter
from lantern.connectors.protocol import Deadline, Quota
from lantern.connectors.resolution import CallError, ErrorResolution, Row, StatusTable

REFUSED = ErrorResolution("rate_limited", "rate_limited", "slow down", retry=True, refusal="yes")
FAILED = ErrorResolution("transient", "provider_error", "failed", retry=True)
STALE = ErrorResolution("transient", "provider_error", "stale", retry=True, stale_token=True)
TABLE = StatusTable(
    rows=(Row(401, 401, STALE), Row(429, 429, REFUSED), Row(500, 599, FAILED)),
    otherwise=ErrorResolution("system", "provider_error", "no"),
)
SECRET = "1//canary-refresh-token"


class Wall:
    """Waiting costs nothing and is counted."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


class Script:
    """What the server answers, in turn; the last answer repeats."""

    def __init__(self, *answers: tuple[int, bytes, dict[str, str]]) -> None:
        self.answers = list(answers)
        self.seen: list[tuple[str, str, dict[str, str]]] = []

    def take(self) -> tuple[int, bytes, dict[str, str]]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def serve() -> Iterator[Any]:
    servers = []

    def start(*answers: tuple[int, bytes, dict[str, str]]) -> tuple[str, Script]:
        script = Script(*answers)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                script.seen.append((self.command, self.path, dict(self.headers)))
                status, body, headers = script.take()
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                if "Content-Length" in headers:
                    self.close_connection = True

            do_POST = do_GET  # noqa: N815 - set by http.server

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/x", script

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def ok(value: Any = None) -> tuple[int, bytes, dict[str, str]]:
    return 200, json.dumps(value or {"fine": True}).encode(), {}


@pytest.fixture
def made() -> Iterator[Any]:
    sessions = []

    def make(**more: Any) -> tuple[HttpClient, Wall]:
        clock = Wall()
        session = new_session()
        sessions.append(session)
        settings = {"limiters": {}, "random": lambda: 1.0, **more}
        return HttpClient(session, TABLE, clock=clock, **settings), clock

    yield make
    for session in sessions:
        session.close()


def get(client: HttpClient, url: str, clock: Wall, **more: Any) -> Any:
    return client.call(Request("GET", url, **more), Halt(clock)).body


def test_a_refusal_under_status_200_is_judged_by_the_table(serve: Any, made: Any) -> None:
    table = StatusTable(
        rows=(Row(200, 200, FAILED, frozenset({"busy"})),),
        otherwise=ErrorResolution("system", "provider_error", "no"),
    )

    def refused(body: Any) -> frozenset[str] | None:
        return frozenset({body["error"]}) if not body["ok"] else None

    busy, good, odd = ({"ok": False, "error": "busy"}, {"ok": True}, {"ok": False, "error": "odd"})
    url, script = serve(ok(busy), ok(good), ok(odd))
    client, clock = made(refused=refused)
    client._table = table
    assert get(client, url, clock) == good
    assert len(script.seen) == 2
    with pytest.raises(CallError) as caught:
        get(client, url, clock)
    assert (caught.value.status, caught.value.codes, len(script.seen)) == (200, {"odd"}, 3)


def test_failures_are_tried_again_with_growing_jittered_waits(serve: Any, made: Any) -> None:
    url, script = serve((500, b"", {}), (502, b"<html>", {}), ok())
    client, clock = made()
    assert get(client, url, clock) == {"fine": True}
    assert clock.at == pytest.approx(1.0 + 2.0)
    assert len(script.seen) == 3


def test_insistence_has_an_end(serve: Any, made: Any) -> None:
    url, script = serve((500, b"", {}))
    client, clock = made()
    with pytest.raises(CallError) as caught:
        get(client, url, clock)
    assert (caught.value.kind, caught.value.status, len(script.seen)) == ("transient", 500, 4)


def test_waiting_has_a_budget(serve: Any, made: Any) -> None:
    url, script = serve((500, b"", {"Retry-After": "20"}))
    client, clock = made(retry=RetryPolicy(attempts=100, budget_s=50))
    with pytest.raises(CallError):
        get(client, url, clock)
    assert clock.at == 40
    assert len(script.seen) == 3


@pytest.mark.parametrize(
    ("value", "seconds"), [("17", 17.0), ("Mon, 23 Nov 2026 12:00:45 GMT", 45.0), ("soon", 1.0), ("-5", 1.0)]
)
def test_retry_after_in_both_forms(serve: Any, made: Any, value: str, seconds: float) -> None:
    url, _ = serve((500, b"", {"Retry-After": value}), ok())
    client, clock = made()
    get(client, url, clock)
    assert clock.at == pytest.approx(seconds)


def test_a_wait_beyond_the_budget_is_told_to_the_caller(serve: Any, made: Any) -> None:
    url, _ = serve((429, b"", {"Retry-After": "3600"}))
    client, clock = made()
    with pytest.raises(CallError) as caught:
        get(client, url, clock)
    assert (caught.value.kind, caught.value.retry_after_s, clock.at) == ("rate_limited", 3600.0, 0.0)


@pytest.mark.parametrize("status", [400, 404, 418, 301, 302])
def test_what_will_not_change_is_not_asked_twice(serve: Any, made: Any, status: int) -> None:
    url, script = serve((status, b"{}", {"Location": "http://127.0.0.1:1/elsewhere"}))
    client, clock = made()
    with pytest.raises(CallError) as caught:
        get(client, url, clock)
    assert (caught.value.kind, len(script.seen)) == ("system", 1)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, b'{"half":', {}), "malformed"),
        ((200, b"<html>", {}), "malformed"),
        ((200, b'{"a": 1}', {"Content-Length": "4000"}), "malformed"),
        ((200, b"[" * 200_000, {}), "malformed"),
        ((0, b"", {}), "provider_error"),
    ],
)
def test_broken_answers_are_transient_and_never_values(
    serve: Any, made: Any, answer: tuple[int, bytes, dict[str, str]], reason: str
) -> None:
    url, script = serve(answer)
    client, clock = made()
    with pytest.raises(CallError) as caught:
        get(client, url, clock)
    assert (caught.value.kind, caught.value.reason) == ("transient", reason)
    assert len(script.seen) == 4


def test_answers_have_a_largest_size(serve: Any, made: Any) -> None:
    url, script = serve((200, b'"' + b"a" * 100_000 + b'"', {}))
    client, clock = made(limits=Limits(body_bytes=65_536))
    with pytest.raises(CallError) as caught:
        get(client, url, clock)
    assert (caught.value.kind, caught.value.reason, len(script.seen)) == ("system", "malformed", 1)


def test_silence_is_a_timeout(made: Any) -> None:
    class Mute(BaseHTTPRequestHandler):
        def handle(self) -> None:
            over.wait(10)

    over = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mute)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    client, clock = made(limits=Limits(read_s=0.05), retry=RetryPolicy(attempts=2))
    try:
        with pytest.raises(CallError) as caught:
            get(client, f"http://127.0.0.1:{server.server_port}/", clock)
        assert (caught.value.kind, caught.value.reason) == ("transient", "timeout")
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def test_nobody_there_is_transient(made: Any) -> None:
    client, clock = made(limits=Limits(connect_s=0.5))
    with pytest.raises(CallError) as caught:
        get(client, "http://127.0.0.1:1/", clock)
    assert caught.value.kind == "transient"


class Auth:
    def __init__(self) -> None:
        self.number, self.refused = 1, []

    def header(self, halt: Halt) -> str:
        return f"Bearer {self.number}"

    def rejected(self, header: str) -> None:
        self.refused.append(header)
        self.number += 1


def test_a_refused_token_is_replaced(serve: Any, made: Any) -> None:
    url, script = serve((401, b"{}", {}), ok())
    auth = Auth()
    client, clock = made(auth=auth)
    get(client, url, clock)
    assert [headers["Authorization"] for _, _, headers in script.seen] == ["Bearer 1", "Bearer 2"]
    assert auth.refused == ["Bearer 1"]
    get(client, url, clock, authorised=False)
    assert "Authorization" not in script.seen[-1][2]


def test_a_refusal_for_lack_of_quota_slows_the_limiter_down(serve: Any, made: Any) -> None:
    url, script = serve((429, b"", {}), (429, b"", {}), ok())
    client, clock = made()
    limiter = Limiter(Quota("q", 2400, 60.0), clock, lambda: 0.5)
    before = limiter.rate
    client._limiters = {"q": limiter}
    get(client, url, clock, quotas=("q",))
    assert limiter.rate < before
    assert (limiter.tally.sent, limiter.tally.refused, len(script.seen)) == (3, 2, 3)


def test_being_told_to_stop_is_not_an_answer(serve: Any, made: Any) -> None:
    url, script = serve((500, b"", {"Retry-After": "30"}))
    client, clock = made()
    with pytest.raises(HaltedError):
        client.call(Request("GET", url), Halt(clock, Deadline(clock, 10.0)))
    assert len(script.seen) == 1
    assert clock.at < 11


def test_cookies_are_not_kept(serve: Any, made: Any) -> None:
    url, script = serve((200, b"{}", {"Set-Cookie": "a=b"}), ok())
    client, clock = made()
    get(client, url, clock)
    get(client, url, clock)
    assert "Cookie" not in script.seen[-1][2]


def test_secrets_do_not_leak(serve: Any, made: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url, _ = serve((400, json.dumps({"error": {"message": SECRET}}).encode(), {}))
    client, clock = made()
    request = Request("POST", url, form={"token": SECRET}, params={})
    with pytest.raises(CallError) as caught:
        client.call(request, Halt(clock))
    for down in (url, "http://127.0.0.1:1/"):
        with pytest.raises(CallError) as again:
            client.call(Request("GET", down, params={"token": "plain"}), Halt(clock))
        assert "plain" not in f"{again.value!r} {again.value.detail} {again.value.__cause__}"
    texts = [
        repr(request),
        repr(caught.value),
        caught.value.detail,
        *(r.getMessage() for r in caplog.records),
    ]
    assert not [text for text in texts if SECRET in text]


@pytest.mark.parametrize(
    "link", ["/next?page=2", "https://api.example/v1?after=3", "https://API.example:443/v1"]
)
def test_next_links_of_the_same_host_are_followed(link: str) -> None:
    assert next_link("https://api.example/v1/users", link).startswith("https://")


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/v1",
        "http://api.example/v1",
        "https://api.example:8443/v1",
        "//evil.example/",
        "https://api.example@evil.example/",
        "https://api.example.evil.example/",
        "https://api.example:bad/",
        "file:///etc/passwd",
    ],
)
def test_next_links_to_elsewhere_are_refused(link: str) -> None:
    with pytest.raises(CallError) as caught:
        next_link("https://api.example/v1/users", link)
    assert caught.value.kind == "system"


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({"error": "invalid_grant"}, {"invalid_grant"}),
        (
            {
                "error": {
                    "status": "PERMISSION_DENIED",
                    "errors": [{"reason": "rateLimitExceeded"}, "odd"],
                    "details": [{"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}, {"reason": 3}],
                }
            },
            {"PERMISSION_DENIED", "rateLimitExceeded", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"},
        ),
        ({"error": 7}, set()),
        ({"error": "the token ya29.secret of jo@example.com"}, set()),
        (
            {"error": {"status": "jo@example.com", "errors": [{"reason": "x" * 65}, {"reason": "ok.word"}]}},
            {"ok.word"},
        ),
        ([], set()),
        (None, set()),
        ([{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests"}], {"REQUEST_LIMIT_EXCEEDED"}),
        ([{"errorCode": "not a word"}, "x", None, {"errorCode": 7}, {"errorCode": "B"}], {"B"}),
    ],
)
def test_error_codes_of_all_shapes(body: Any, codes: set[str]) -> None:
    assert error_codes(body) == codes


class Signer:
    """Signs each request, and keeps what answers say."""

    def __init__(self) -> None:
        self.heard_of: list[str] = []
        self.rejections: list[str] = []

    def headers(self, request: Request, halt: Halt) -> dict[str, str]:
        return {"Authorization": "Proof token", "Proof": f"{request.method} {len(self.heard_of)}"}

    def heard(self, request: Request, headers: Any) -> None:
        self.heard_of.append(headers.get("Nonce", ""))

    def rejected(self, header: str) -> None:
        self.rejections.append(header)


def test_headers_can_be_made_for_each_request_and_learn_from_every_answer(serve: Any, made: Any) -> None:
    url, script = serve((401, b"{}", {"Nonce": "n1"}), (200, b"{}", {"Nonce": "n2"}))
    signer = Signer()
    client, clock = made(auth=signer)
    get(client, url, clock)
    assert [headers["Proof"] for _, _, headers in script.seen] == ["GET 0", "GET 1"]
    assert {headers["Authorization"] for _, _, headers in script.seen} == {"Proof token"}
    assert (signer.heard_of, signer.rejections) == (["n1", "n2"], ["Proof token"])
    get(client, url, clock, authorised=False)
    assert "Authorization" not in script.seen[-1][2]
    assert len(signer.heard_of) == 2


def test_the_pace_follows_what_answers_say_of_the_quota(serve: Any, made: Any) -> None:
    def budget(headers: Any) -> Budget | None:
        return Budget(int(headers["Most"]), 60.0, int(headers["Left"]), 30.0) if "Most" in headers else None

    url, script = serve(
        (200, b"{}", {"Most": "600", "Left": "9"}), (429, b"{}", {"Most": "600", "Left": "0"}), ok()
    )
    quota = Quota("q", 60, 60.0)
    clock = Wall()
    limiter = Limiter(quota, clock, lambda: 0.0)
    session = new_session()
    client = HttpClient(
        session, TABLE, clock=clock, random=lambda: 0.0, limiters={"q": limiter}, budget=budget
    )
    get(client, url, clock, quotas=("q",))
    assert limiter.rate == pytest.approx(0.96 * 600 / 60)
    get(client, url, clock, quotas=("q",))
    assert clock.at >= 30.0  # none were left until then
    assert len(script.seen) == 3
    session.close()


def test_headers_may_decide_what_a_refusal_is_and_how_long_to_wait(serve: Any) -> None:
    """Some providers say only in headers that a quota is used up, and until when."""
    base, script = serve((403, b"{}", {"x-left": "0", "x-until": "40"}), (403, b"{}", {"x-left": "9"}))
    forbidden = ErrorResolution("config", "forbidden", "no")
    table = StatusTable((Row(403, 403, REFUSED, frozenset({"spent"})), Row(403, 403, forbidden)), FAILED)

    def heed(status: int, headers: Any, said: frozenset[str], now: datetime) -> Heeded:
        assert (status, said, now.year) == (403, frozenset(), 2026)
        spent = headers.get("X-Left") == "0"
        return Heeded(frozenset({"spent"}), float(headers["X-Until"])) if spent else Heeded()

    wall, session = Wall(), new_session()
    client = HttpClient(
        session,
        table,
        clock=wall,
        random=lambda: 0.0,
        limiters={},
        heed=heed,
        headers={"X-Version": "7", "Accept": "application/vnd.some+json"},
    )
    with pytest.raises(CallError) as caught:
        client.call(Request("GET", base), Halt(wall))
    assert caught.value.resolution is forbidden  # after the wait, a refusal of another sort
    assert wall.at >= 40
    assert [seen[2]["X-Version"] for seen in script.seen] == ["7", "7"]
    assert {seen[2]["Accept"] for seen in script.seen} == {"application/vnd.some+json"}
    session.close()
