import io
import json
import logging
import random
from collections.abc import Iterator

import pytest

from lantern.domain import apikeys
from lantern.runtime import observability

KEY = apikeys.issue("dev", random.Random(1).randbytes).text
CANARIES = {
    "our key": KEY,
    "google access token": "ya29.a0AfB_byC-secret",
    "google refresh token": "1//0gLongRefreshTokenOfGoogle-abc",
    "google client secret": "GOCSPX-abcdefgh",
    "slack": "xoxb-123-456-abc",
    "github": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "jwt": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "aws": "ASIAABCDEFGHIJKLMNOP",
    "header": "Bearer abcdefghijklmnop",
    "mail": "jane.doe+x@customer.example",
}


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Where logs go, with the process's logging put back afterwards."""
    root = logging.getLogger("lantern")
    before = (root.handlers, root.level, root.propagate)
    logger = observability.attach("test")
    stream = io.StringIO()
    streams = [handler.setStream(stream) for handler in logger.handlers]
    yield stream
    for handler, old in zip(logger.handlers, streams, strict=True):
        handler.setStream(old)
    root.handlers, root.level, root.propagate = before[0], before[1], before[2]


@pytest.mark.parametrize("secret", CANARIES.values(), ids=CANARIES)
def test_no_secret_leaves_by_any_way(lines: io.StringIO, secret: str) -> None:
    log = logging.getLogger("lantern.services.somewhere")
    log.warning("text %s", secret)
    log.warning("extra", extra={"note": secret, "deep": {"list": [secret, {"a": secret}]}})
    try:
        raise ValueError(f"provider said {secret}")
    except ValueError:
        log.exception("failed with %r", secret)
    output = lines.getvalue()
    assert secret not in output
    assert len([json.loads(line) for line in output.splitlines()]) == 3


@pytest.mark.parametrize(
    "name",
    ["client_secret", "password", "Authorization", "set-cookie", "refresh_token", "code", "code_verifier"],
)
def test_what_is_named_like_a_secret_is_one(lines: io.StringIO, name: str) -> None:
    logging.getLogger("lantern").error("x", extra={"request": {name: "plain-looking"}})
    assert "plain-looking" not in lines.getvalue()
    assert name in lines.getvalue()


def test_hostile_names_make_no_lines_and_turn_no_text(lines: io.StringIO) -> None:
    logging.getLogger("lantern").warning("app %s", 'a\r\n{"level":"FORGED"}\u202egpj\u2028b' + "x" * 10_000)
    (line,) = lines.getvalue().splitlines()
    assert json.loads(line)["level"] == "WARNING"
    assert "\u202e" not in json.loads(line)["message"]
    assert len(line) < 4_000


def test_facts_stay_readable(lines: io.StringIO) -> None:
    logging.getLogger("lantern").warning(
        "read %d of %d", 3, 4, extra={"run": "run_1", "ok": True, "left": None}
    )
    line = json.loads(lines.getvalue())
    assert (line["message"], line["run"], line["ok"], line["service"]) == (
        "read 3 of 4",
        "run_1",
        True,
        "test",
    )


def test_attaching_twice_logs_once(lines: io.StringIO) -> None:
    observability.attach("test")
    logging.getLogger("lantern").warning("once")
    assert len(lines.getvalue().splitlines()) == 1


def test_a_metric_is_one_embedded_line(capsys: pytest.CaptureFixture[str]) -> None:
    observability.count("requests", 2, status="2xx")
    line = json.loads(capsys.readouterr().out)
    assert (line["requests"], line["status"]) == ([2.0], "2xx")
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Lantern"
