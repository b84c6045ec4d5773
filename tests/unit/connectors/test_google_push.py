"""Push messages: what is believed, what is refused, and what the web hook must not import."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lantern.connectors.google.push import receive, token_hash
from lantern.connectors.pushing import BODY_LIMIT, Known, KnownChannel, PushRefusedError, PushRequest, Receipt

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CHANNEL = KnownChannel("channel-1", token_hash("s3cret"), NOW + timedelta(hours=1), "resource-1")


def headers(**changes: str | None) -> dict[str, str]:
    given: dict[str, str | None] = {
        "X-Goog-Channel-ID": "channel-1",
        "X-Goog-Channel-Token": "s3cret",
        "X-Goog-Resource-ID": "resource-1",
        "X-Goog-Resource-State": "authorize",
        "X-Goog-Message-Number": "7",
        "Content-Type": "application/json; utf-8",
    }
    given = {k.lower(): v for k, v in given.items()}
    given |= {f"x-goog-{k.replace('_', '-')}": v for k, v in changes.items()}
    return {k: v for k, v in given.items() if v is not None}


def activity(**changes: Any) -> dict[str, Any]:
    return {
        "kind": "admin#reports#activity",
        "id": {
            "time": "2026-11-23T11:59:58.120Z",
            "uniqueQualifier": "-5528671936245",
            "applicationName": "token",
            "customerId": "C1",
        },
        "actor": {"email": "Jo@Example.com", "profileId": "1234"},
        "events": [
            {
                "type": "auth",
                "name": "authorize",
                "parameters": [
                    {"name": "client_id", "value": "77.apps.googleusercontent.com"},
                    {"name": "scope", "multiValue": ["a", "b"]},
                    {"name": "num_response_bytes", "intValue": "12"},
                    {"name": "scope_data", "multiMessageValue": [{"parameter": []}]},
                ],
            }
        ],
        **changes,
    }


def known(find: Any = lambda i: CHANNEL if i == CHANNEL.id else None) -> Known:
    return Known(find, lambda: pytest.fail("Google signs nothing"), CHANNEL.id)


def check(body: Any = None, *, now: datetime = NOW, **changes: str | None) -> Receipt:
    raw = body if isinstance(body, bytes) else json.dumps(body or activity()).encode()
    return receive(PushRequest("POST", headers(**changes), {}, raw), known(), now)


def test_a_good_message_names_the_account_and_dates_the_consent() -> None:
    (told,) = check().told
    assert (told.organisation_id, told.message_id) == (None, "channel-1#7")
    (hint,) = told.hints
    assert (hint.native_id, hint.email, hint.event) == ("1234", "jo@example.com", "authorize")
    at = datetime(2026, 11, 23, 11, 59, 58, 120_000, tzinfo=UTC)
    assert hint.granted_at == {"77.apps.googleusercontent.com": at}
    assert hint.event_id == "token|2026-11-23T11:59:58.120Z|-5528671936245|0"


def test_reordered_json_is_the_same_event() -> None:
    body = json.dumps(activity(), sort_keys=True, indent=3).encode()
    assert check(body) == check()


def test_the_first_message_carries_nothing() -> None:
    assert check(b"", resource_state="sync", message_number="1") == Receipt()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"channel_id": None}, "unknown_channel"),
        ({"channel_id": "other"}, "unknown_channel"),
        ({"channel_token": None}, "bad_token"),
        ({"channel_token": ""}, "bad_token"),
        ({"channel_token": "s3cre"}, "bad_token"),
        ({"channel_token": "s3cret,s3cret"}, "bad_token"),
        ({"channel_token": "S3CRET"}, "bad_token"),
        ({"channel_token": "s\u00e9cret\udcff"}, "bad_token"),
        ({"resource_id": "resource-2"}, "bad_token"),
        ({"resource_id": None}, "bad_token"),
        ({"resource_state": None}, "malformed"),
        ({"message_number": "x"}, "malformed"),
        ({"message_number": "²"}, "malformed"),
        ({"message_number": "9" * 400}, "malformed"),
    ],
)
def test_headers_that_do_not_hold_are_refused(changes: dict[str, str | None], reason: str) -> None:
    with pytest.raises(PushRefusedError) as caught:
        check(**changes)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps({"items": 3}).encode(),
        json.dumps(activity(id={"time": "yesterday", "applicationName": "token"})).encode(),
        json.dumps(activity(events=[{"parameters": []}])).encode(),
        json.dumps(activity(events="none")).encode(),
    ],
)
def test_bodies_that_cannot_be_read_are_refused(body: bytes) -> None:
    with pytest.raises(PushRefusedError) as caught:
        check(body)
    assert caught.value.reason == "malformed"


def test_a_body_over_a_megabyte_is_refused_before_anything_is_looked_up() -> None:
    big = PushRequest("POST", headers(), {}, b"x" * (BODY_LIMIT + 1))
    with pytest.raises(PushRefusedError) as caught:
        receive(big, known(lambda _: pytest.fail("looked up")), NOW)
    assert caught.value.reason == "too_large"


def test_a_channel_lives_until_it_expires_and_a_little() -> None:
    assert check(now=CHANNEL.expires_at + timedelta(minutes=4)).told
    with pytest.raises(PushRefusedError) as caught:
        check(now=CHANNEL.expires_at + timedelta(minutes=6))
    assert caught.value.reason == "expired"


def test_the_stored_form_reveals_no_secret() -> None:
    assert "s3cret" not in repr(CHANNEL)
    assert CHANNEL.secret_sha256 not in repr(CHANNEL)


def test_the_web_hook_imports_nothing_heavy() -> None:
    """What a cold start of the web hook pays for: the standard library and our own pure modules."""
    code = "import sys, lantern.connectors.google.push; print('\\n'.join(sys.modules))"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": "shared"}
    ).stdout.split()
    outside = {name.partition(".")[0] for name in printed} - set(sys.stdlib_module_names)
    outside = {n for n in outside if not n.startswith(("_", "sitecustomize", "distutils-precedence"))}
    assert outside <= {"lantern"}, outside
    assert "lantern.connectors.http" not in printed
    assert "lantern.connectors.registry" not in printed
