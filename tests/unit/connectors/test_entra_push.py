"""What may arrive at the address of a subscription, and what is believed."""

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lantern.connectors.entra.push import receive
from lantern.connectors.pushing import (
    CHANNEL_LOST,
    Known,
    KnownChannel,
    PushRefusedError,
    PushRequest,
    Receipt,
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SECRET = "whk_" + "s" * 40
HASH = hashlib.sha256(SECRET.encode()).hexdigest()
CHANNEL = KnownChannel("chn_1", HASH, NOW + timedelta(days=20))


def item(secret: Any = SECRET, user: str = "u1", **more: Any) -> dict[str, Any]:
    data = {
        "@odata.type": "#Microsoft.Graph.User",
        "id": user,
        "eventTime": "2026-11-23T08:59:59Z",
        "sequenceNumber": 7,
    }
    row = {"subscriptionId": "sub-1", "clientState": secret, "changeType": "updated",
           "resource": f"Users/{user}",
           "tenantId": "t", "resourceData": data}  # fmt: skip
    return {key: value for key, value in {**row, **more}.items() if value is not ...}


def post(
    *items: Any, body: bytes | None = None, channel: KnownChannel | None = CHANNEL, now: datetime = NOW,
    query: dict[str, str] | None = None, method: str = "POST", **more: Any,
) -> Receipt:  # fmt: skip
    raw = json.dumps({"value": list(items), **more}).encode() if body is None else body
    known = Known(lambda _: channel, lambda: "", "chn_1")
    return receive(PushRequest(method, {}, query or {}, raw), known, now)


def refusal(*items: Any, **how: Any) -> str:
    with pytest.raises(PushRefusedError) as caught:
        post(*items, **how)
    return caught.value.reason


def accounts(receipt: Receipt) -> list[str | None]:
    return [hint.native_id for told in receipt.told for hint in told.hints]


def test_a_good_message_is_accepted_and_names_the_account():
    receipt = post(item())
    assert (receipt.status, receipt.body, accounts(receipt)) == (202, "", ["u1"])


@pytest.mark.parametrize(
    "secret",
    [
        SECRET[:-1] + "t",
        SECRET[:-1],
        SECRET + "s",
        SECRET.upper(),
        "",
        ...,
        None,
        7,
        [SECRET],
        {"a": 1},
        HASH,
    ],
)
def test_another_secret_is_not_believed(secret: Any):
    assert refusal(item(secret)) == "bad_token"


def test_every_bit_of_the_secret_counts():
    for position in range(len(SECRET)):
        flipped = SECRET[:position] + chr(ord(SECRET[position]) ^ 1) + SECRET[position + 1 :]
        assert refusal(item(flipped)) == "bad_token"


def test_a_secret_given_twice_counts_once_and_must_be_right():
    # JSON lets a name occur twice, and the last counts.
    raw = json.dumps({"value": [item()]}).replace(
        '"clientState"', f'"clientState": "{SECRET}", "clientState"', 1
    )
    assert accounts(post(body=raw.encode())) == ["u1"]
    wrong = raw.replace(
        f'"clientState": "{SECRET}", "clientState": "{SECRET}"',
        f'"clientState": "{SECRET}", "clientState": "x"',
    )
    assert refusal(body=wrong.encode()) == "bad_token"


def test_items_of_other_subscriptions_and_tenants_are_left_out():
    mixed = post(item("other", "stranger"), item(user="u1"), item(user="u2"), item(None, "x"))
    assert accounts(mixed) == ["u1", "u2"]
    assert refusal(item("other", "a"), item("another", "b")) == "bad_token"


def test_a_known_subscription_must_be_the_one_that_is_named():
    known = KnownChannel("chn_1", HASH, CHANNEL.expires_at, resource_id="sub-1")
    assert accounts(post(item(), channel=known)) == ["u1"]
    assert refusal(item(subscriptionId="sub-2"), channel=known) == "bad_token"


def test_channels_that_are_unknown_or_over():
    assert refusal(item(), channel=None) == "unknown_channel"
    ended = KnownChannel("chn_1", HASH, NOW - timedelta(minutes=6))
    assert refusal(item(), channel=ended) == "expired"
    assert refusal(item("wrong"), channel=ended) == "bad_token", "a stranger learns nothing of the channel"
    late = KnownChannel("chn_1", HASH, NOW - timedelta(minutes=4))
    assert accounts(post(item(), channel=late)) == ["u1"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"{",
        b'{"value": []}',
        b'{"value": {}}',
        b'{"value": [7]}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_is_no_message(body: bytes):
    assert refusal(body=body) == "malformed"


def test_a_message_over_a_megabyte_is_not_parsed():
    raw = json.dumps({"value": [item()], "x": "y" * 1_000_000}).encode()
    assert refusal(body=raw) == "too_large"


def test_messages_with_resource_data_are_none_of_ours_whatever_their_tokens_say():
    assert refusal(item(), validationTokens=["eyJhbGciOiJub25lIn0.e30."]) == "malformed"
    assert accounts(post(item(), validationTokens=[])) == ["u1"]


def test_the_handshake_is_echoed_as_plain_text_for_our_channels_only():
    token = "Validation: <script>alert(1)</script> & more"
    receipt = post(body=b"", query={"validationToken": token})
    assert (receipt.status, receipt.body, receipt.content_type) == (200, token, "text/plain; charset=utf-8")
    assert receipt.told == ()
    assert refusal(body=b"", query={"validationToken": token}, channel=None) == "unknown_channel"
    assert refusal(body=b"", query={"validationToken": token}, method="GET") == "malformed"
    assert refusal(body=b"", query={"validationToken": ""}) == "malformed"
    assert refusal(body=b"", query={"validationToken": "a\r\nb"}) == "malformed"
    assert refusal(body=b"", query={"validationToken": "a" * 2001}) == "malformed"
    ended = KnownChannel("chn_1", HASH, NOW - timedelta(hours=1))
    assert refusal(body=b"", query={"validationToken": token}, channel=ended) == "expired"


def test_lifecycle_events():
    removed = post(item(lifecycleEvent="subscriptionRemoved", changeType=...)).told[0].hints[0]
    assert (removed.event, removed.native_id) == (CHANNEL_LOST, None)
    due = post(item(lifecycleEvent="reauthorizationRequired", changeType=...)).told[0].hints[0]
    assert (due.event, due.native_id) == ("lifecycle", None)
    assert refusal(item("wrong", lifecycleEvent="subscriptionRemoved")) == "bad_token"


def key(receipt: Receipt) -> str | None:
    return receipt.told[0].hints[0].event_id


def test_a_replay_is_known_and_a_later_change_is_not_taken_for_one():
    first = key(post(item()))
    assert first == key(post(item(), now=NOW + timedelta(hours=3)))
    later = item()
    later["resourceData"]["sequenceNumber"] = 8
    assert key(post(later)) != first
    assert SECRET not in str(first)
    plain = item(resourceData={"id": "u1"})
    assert key(post(plain)) == key(post(plain, now=NOW + timedelta(seconds=20)))
    assert key(post(plain)) != key(post(plain, now=NOW + timedelta(minutes=10)))


def test_an_item_without_an_account_has_changes_read():
    for data in (..., None, {}, {"id": 7}, {"id": "x" * 65}):
        assert accounts(post(item(resourceData=data))) == [None]


def test_it_imports_no_more_than_the_standard_library():
    code = (
        "import sys; import lantern.connectors.entra.push;"
        "print([m for m in ('requests','jwt','pydantic','pynamodb','boto3','msgspec') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
