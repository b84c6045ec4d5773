"""Okta's event hooks: what is believed, what is refused, and what the web hook must not import."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lantern.connectors.okta.push import receive, secret_hash
from lantern.connectors.pushing import BODY_LIMIT, Known, KnownChannel, PushRefusedError, PushRequest, Receipt

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECRET = "whk_0123456789abcdef"
CHANNEL = KnownChannel("chn_1", secret_hash(SECRET), NOW + timedelta(days=3650), "who1")


def event(kind: str, uuid: str = "u1", **changes: Any) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "published": "2026-11-23T11:59:58.120Z",
        "eventType": kind,
        "actor": {"id": "00uadmin", "type": "User", "alternateId": "admin@example.com"},
        "outcome": {"result": "SUCCESS"},
        "target": [{"id": "00ujo", "type": "User", "alternateId": "Jo@Example.com"}],
        "authenticationContext": {"externalSessionId": "102abc"},
        **changes,
    }


def consent(uuid: str = "u2", **detail: Any) -> dict[str, Any]:
    target = {"id": "oag1", "type": "ConsentGrant", "displayName": "files.read", "detailEntry": detail}
    system = {"id": "system", "type": "SystemPrincipal", "alternateId": "system@okta.com"}
    return event("app.oauth2.as.consent.grant", uuid, target=[target], actor=system)


def body(*events: Any) -> bytes:
    return json.dumps({"eventType": "com.okta.event_hook", "data": {"events": list(events)}}).encode()


def told(
    raw: bytes,
    *,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    channel_id: str = CHANNEL.id,
    now: datetime = NOW,
) -> Receipt:
    given = {"x-lantern-hook-secret": SECRET} if headers is None else headers
    known = Known(
        lambda i: CHANNEL if i == CHANNEL.id else None, lambda: pytest.fail("Okta signs nothing"), channel_id
    )
    return receive(PushRequest(method, given, {}, raw), known, now)


def refused(*args: Any, **more: Any) -> str:
    with pytest.raises(PushRefusedError) as caught:
        told(*args, **more)
    return caught.value.reason


def test_a_batch_names_every_account_and_each_event_by_its_own_id() -> None:
    raw = body(
        event("application.user_membership.add"),
        consent(publicclientapp="client-1", user="00usam"),
        consent("u3", publicclientapp="client-1"),
        event("user.lifecycle.suspend", "u4"),
        event("user.lifecycle.delete.initiated", "u5"),
        event("app.oauth2.admin.consent.grant", "u6", target=[]),
        event("app.oauth2.as.consent.grant", "u7", outcome={"result": "FAILURE"}),
        event("user.session.start", "u8"),
    )
    (found,) = told(raw).told
    assert found.organisation_id is None
    assert [(h.native_id, h.email, h.event_id) for h in found.hints] == [
        ("00ujo", None, "u1"),
        ("00usam", None, "u2"),
        # Nobody is named: it makes the log be read, which finds out by the session.
        (None, None, "u3"),
        # About the account itself: by login, so that it is asked for anew.
        (None, "Jo@Example.com", "u4"),
        ("00ujo", None, "u5"),
        ("application", None, "u6"),
    ]
    assert found.hints[1].granted_at == {"client-1": datetime(2026, 11, 23, 11, 59, 58, 120_000, tzinfo=UTC)}


def test_the_secret_decides_and_nothing_else() -> None:
    raw = body(event("application.user_membership.add"))
    assert told(raw).status == 200
    flipped = "".join(chr(ord(c) ^ 1) if n == 7 else c for n, c in enumerate(SECRET))
    for given in ({"x-lantern-hook-secret": flipped}, {"x-lantern-hook-secret": SECRET + "0"}, {}):
        assert refused(raw, headers=given) == "bad_token"
    # Doubled headers do not get here at all (`services.push`); another header is no secret.
    assert refused(raw, headers={"authorization": SECRET}) == "bad_token"
    assert refused(raw, channel_id="chn_2") == "unknown_channel"
    assert refused(raw, channel_id="") == "unknown_channel"
    assert refused(raw, headers={}, channel_id="chn_2") == "unknown_channel"
    assert refused(raw, now=NOW + timedelta(days=3651)) == "expired"
    assert refused(raw, method="PUT") == "malformed"


def test_the_same_message_again_has_the_same_ids() -> None:
    raw = body(event("application.user_membership.add"))
    assert told(raw) == told(raw)
    assert told(raw).told[0].message_id != told(body(event("user.lifecycle.create"))).told[0].message_id


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"data": {}}',
        b'{"data": {"events": {}}}',
        b'{"data": {"events": [1]}}',
        b"[" * 100_000,
        body(event("x", published="yesterday")),
        body({"eventType": "x"}),
        b"\xff\xfe",
    ],
)
def test_what_cannot_be_read_is_malformed(raw: bytes) -> None:
    assert refused(raw) == "malformed"
    flipped = bytes([body(event("x"))[0] ^ 1]) + body(event("x"))[1:]
    assert refused(flipped) == "malformed"


def test_a_message_of_unreasonable_size_is_not_read() -> None:
    assert refused(b" " * (BODY_LIMIT + 1)) == "too_large"


def test_a_new_hook_is_verified_by_giving_the_challenge_back_as_json() -> None:
    answer = told(b"", method="GET", headers={"x-okta-verification-challenge": 'a"<b>'})
    assert (answer.status, answer.content_type, answer.told) == (200, "application/json", ())
    assert json.loads(answer.body) == {"verification": 'a"<b>'}
    assert refused(b"", method="GET", headers={}) == "malformed"
    for bad in ("x" * 600, "a\nb"):
        assert refused(b"", method="GET", headers={"x-okta-verification-challenge": bad}) == "malformed"
    # Nobody else's address gives anything back.
    challenge = {"x-okta-verification-challenge": "abc"}
    assert refused(b"", method="GET", headers=challenge, channel_id="chn_2") == "unknown_channel"


def test_the_web_hook_imports_nothing_heavy() -> None:
    code = (
        "import sys, lantern.connectors.okta.push;"
        "print([m for m in ('requests', 'jwt', 'cryptography', 'boto3', 'pydantic') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
