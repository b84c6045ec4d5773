"""Slack's signature and what its messages hint at."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lantern.connectors.pushing import Known, PushRequest, Receipt
from lantern.connectors.slack import push

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


EXAMPLE = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskX"
    b"aIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)


def test_the_signature_of_slacks_own_example() -> None:
    """docs.slack.dev, "Verifying requests from Slack"."""
    wanted = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert push.signature(SECRET, "1531420618", EXAMPLE) == wanted


def receive(body: Any) -> Receipt:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    stamp = str(int(NOW.timestamp()))
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": push.signature(SECRET, stamp, raw)}
    known = Known(lambda _: pytest.fail("no channel"), lambda: SECRET)
    return push.receive(PushRequest("POST", headers, {}, raw), known, NOW)


def test_a_command_is_read_and_acknowledged() -> None:
    """The same example: whose workspace, who, and where to answer; a repetition is known as one."""
    stamp = str(int(NOW.timestamp()))
    answers = []
    for _ in range(2):
        headers = {
            "x-slack-request-timestamp": stamp,
            "x-slack-signature": push.signature(SECRET, stamp, EXAMPLE),
        }
        known = Known(lambda _: pytest.fail("no channel"), lambda: SECRET, "commands")
        answers.append(push.receive(PushRequest("POST", headers, {}, EXAMPLE), known, NOW))
    first, second = answers
    assert (first.status, first.content_type) == (200, "application/json")
    assert json.loads(first.body)["response_type"] == "ephemeral"
    (reply,) = first.replies
    assert (reply.organisation_id, reply.command, dict(reply.said)["user"]) == (
        "T1DC2JH3J",
        True,
        "U2CERLKJA",
    )
    assert dict(reply.said)["back"].startswith("https://hooks.slack.com/commands/T1DC2JH3J/")
    assert reply.message_id == second.replies[0].message_id


def event(kind: str, **more: Any) -> dict[str, Any]:
    envelope = {k: more.pop(k) for k in ("authorizations", "enterprise_id") if k in more}
    return {
        "type": "event_callback",
        "team_id": "T1",
        "api_app_id": "A1",
        "event_id": "Ev1",
        "event": {"type": kind, **more},
        **envelope,
    }


def told(body: dict[str, Any]) -> list[tuple[str | None, str | None, str]]:
    return [(t.organisation_id, h.native_id, h.event_id or "") for t in receive(body).told for h in t.hints]


WHOLE = [{"enterprise_id": "E1", "team_id": "T1", "is_enterprise_install": True}]
PART = [{"enterprise_id": "E1", "team_id": "T1", "is_enterprise_install": False}]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (event("team_join", user={"id": "U1"}, authorizations=PART), [("T1", "U1", "Ev1")]),
        (event("user_change", user={"id": "U1"}, authorizations=WHOLE), [("E1", "U1", "Ev1")]),
        (
            event(
                "user_change",
                user={"id": "U1", "enterprise_user": {"id": "W1", "enterprise_id": "E1"}},
                authorizations=WHOLE,
            ),
            [("E1", "W1", "Ev1")],
        ),
        (event("app_uninstalled"), [("T1", None, "Ev1")]),
        (event("tokens_revoked", tokens={}, enterprise_id="E1"), [("E1", None, "Ev1"), ("T1", None, "Ev1")]),
        (event("app_requested", authorizations=WHOLE, app_request={}), [("E1", "E1", "Ev1")]),
        (event("message", user="U1"), []),
        (event("team_join", user={}), []),
    ],
)
def test_what_an_event_hints_at(
    body: dict[str, Any], wanted: list[tuple[str | None, str | None, str]]
) -> None:
    assert told(body) == wanted


def test_the_challenge_is_given_back_as_plain_text() -> None:
    receipt = receive({"type": "url_verification", "challenge": "<b>3eZ</b>", "token": "x"})
    assert (receipt.status, receipt.body, receipt.told) == (200, "<b>3eZ</b>", ())
    assert receipt.content_type.startswith("text/plain")


def test_a_limited_hour_makes_us_read_the_feed() -> None:
    body = {"type": "app_rate_limited", "team_id": "T1", "minute_rate_limited": 1518467820}
    (one,) = receive(body).told
    assert (one.organisation_id, one.message_id, one.hints[0].native_id) == ("T1", "rate#T1#1518467820", None)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"type": "event_callback"}',
        b'{"type": "event_callback", "event": {"type": "team_join"}}',
        b'{"type": "url_verification"}',
        json.dumps({"type": "url_verification", "challenge": "x" * 1001}).encode(),
    ],
)  # fmt: skip
def test_what_is_signed_and_makes_no_sense_is_not_asked_for_again(body: bytes) -> None:
    receipt = receive(body)
    assert (receipt.status, receipt.headers, receipt.told) == (400, {"X-Slack-No-Retry": "1"}, ())


def test_a_kind_we_never_asked_for_is_taken_and_dropped() -> None:
    assert receive({"type": "block_actions"}) == Receipt()
