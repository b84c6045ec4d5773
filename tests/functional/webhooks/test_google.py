"""What may arrive at Google's webhook, and what must happen."""

import base64
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session
from moto import mock_aws

from lantern.connectors.google.push import token_hash
from lantern.domain.errors import StorageError
from lantern.domain.work import Work
from lantern.services import push, web
from lantern.store.platform import ChannelRoute, PlatformStore, TenantEntry
from tests.functional.api.world import PLATFORM_TABLE, make_tables

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TENANT, OTHER = "a" * 20, "b" * 20
SECRET, OTHER_SECRET = "s" * 43, "t" * 43


class _Atomic:
    """DynamoDB decides one write of an item at a time; moto, in many threads, does not."""

    def __init__(self, client: Any) -> None:
        self._client, self._lock = client, threading.Lock()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def locked(**request: Any) -> Any:
            with self._lock:
                return call(**request)

        return locked


class World:
    def __init__(self) -> None:
        session = Session()
        session.set_credentials("test", "test")
        client = session.create_client("dynamodb", region_name="eu-central-1")
        make_tables(client)
        self.platform = PlatformStore(_Atomic(client), PLATFORM_TABLE)
        self.sent: list[Work] = []
        for tenant, channel, secret in ((TENANT, "chan-1", SECRET), (OTHER, "chan-2", OTHER_SECRET)):
            self.platform.put_tenant(TenantEntry(tenant, "T", "active", NOW))
            expires = NOW + timedelta(hours=6)
            route = ChannelRoute(channel, tenant, f"con_{channel}", token_hash(secret), expires)
            self.platform.put_channel(route)

    def post(self, event: dict[str, Any], now: datetime = NOW) -> int:
        receiver = push.Receiver(self.platform, self.sent.append, lambda: now, lambda _: pytest.fail("asked"))
        return push.handle(receiver, lambda: web.read(event)).status


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        yield World()


def _activity(account: str = "1001", name: str = "authorize", number: int = 1) -> dict[str, Any]:
    return {
        "kind": "admin#reports#activity",
        "id": {
            "time": "2026-11-23T08:59:58.123Z",
            "uniqueQualifier": str(-700 + number),
            "applicationName": "token",
            "customerId": "C01",
        },
        "actor": {"email": "someone@x.example", "profileId": account},
        "events": [
            {
                "type": "auth",
                "name": name,
                "parameters": [
                    {"name": "client_id", "value": "99-x.apps.googleusercontent.com"},
                    {"name": "scope", "multiValue": ["https://www.googleapis.com/auth/drive"]},
                ],
            }
        ],
    }


def _event(
    body: bytes | None = None,
    *,
    headers: dict[str, list[str] | None] | None = None,
    path_id: str = "chan-1",
    source: str = "google",
) -> dict[str, Any]:
    given: dict[str, list[str] | None] = {
        "X-Goog-Channel-ID": ["chan-1"],
        "X-Goog-Channel-Token": [SECRET],
        "X-Goog-Resource-ID": ["res-1"],
        "X-Goog-Resource-State": ["authorize"],
        "X-Goog-Message-Number": ["2"],
        **(headers or {}),
    }
    raw = json.dumps(_activity()).encode() if body is None else body
    return {
        "path": f"/webhooks/{source}/{path_id}",
        "pathParameters": {"source": source, "id": path_id},
        "multiValueHeaders": {name: values for name, values in given.items() if values is not None},
        "body": base64.b64encode(raw).decode(),
        "isBase64Encoded": True,
        "requestContext": {"requestId": "r-1"},
    }


@pytest.mark.parametrize(
    ("opened_for", "status", "sent"), [("google", 200, 1), ("", 200, 1), ("okta", 404, 0)]
)
def test_a_channel_takes_the_messages_of_its_own_provider(
    world: World, opened_for: str, status: int, sent: int
) -> None:
    """The right secret at another provider's address opens nothing; routes kept before do not say whose."""
    known = world.platform.get_channel("chan-1")
    assert known is not None
    world.platform.put_channel(replace(known, source=opened_for))
    assert world.post(_event(json.dumps(_activity()).encode())) == status
    assert len(world.sent) == sent


def test_a_good_message_names_the_account_to_read_again(world: World):
    assert world.post(_event()) == 200
    (work,) = world.sent
    assert (work.tenant_id, work.kind, work.connection_id, work.queue) == (
        TENANT, "bundle.read", "con_chan-1", "hints",
    )  # fmt: skip
    assert work.body["native_id"] == "1001"
    assert work.cause == "hint"
    assert "someone@x.example" not in repr(work)


def test_the_first_message_of_a_channel_says_nothing(world: World):
    headers = {"X-Goog-Resource-State": ["sync"], "X-Goog-Message-Number": ["1"]}
    assert world.post(_event(b"", headers=headers)) == 200
    assert world.sent == []


def test_reordered_json_is_the_same_message(world: World):
    def reversed_(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: reversed_(value[key]) for key in reversed(value)}
        return [reversed_(item) for item in value] if isinstance(value, list) else value

    assert world.post(_event()) == 200
    shuffled = json.dumps(reversed_(_activity()), indent=3).encode()
    assert world.post(_event(shuffled, headers={"X-Goog-Message-Number": ["3"]})) == 200
    assert len(world.sent) == 1


def test_no_changed_bit_breaks_anything_or_reaches_another_tenant(world: World):
    raw = json.dumps(_activity()).encode()
    for position in range(0, len(raw) * 8, 13):
        changed = bytearray(raw)
        changed[position // 8] ^= 1 << position % 8
        assert world.post(_event(bytes(changed))) in (200, 400)
    assert {work.tenant_id for work in world.sent} <= {TENANT}
    assert {work.kind for work in world.sent} <= {"bundle.read", "connection.changes"}


@pytest.mark.parametrize(
    ("headers", "path_id", "status"),
    [
        ({"X-Goog-Channel-Token": None}, "chan-1", 401),
        ({"X-Goog-Channel-Token": [""]}, "chan-1", 401),
        ({"X-Goog-Channel-Token": [SECRET, SECRET]}, "chan-1", 401),
        ({"X-Goog-Channel-Token": [SECRET[:-1]]}, "chan-1", 401),
        ({"X-Goog-Channel-Token": [SECRET + "x"]}, "chan-1", 401),
        ({"X-Goog-Channel-Token": [SECRET.upper()]}, "chan-1", 401),
        ({"X-Goog-Channel-Token": [token_hash(SECRET)]}, "chan-1", 401),
        ({"X-Goog-Channel-Token": [OTHER_SECRET]}, "chan-1", 401),
        ({"X-Goog-Channel-ID": None}, "chan-1", 404),
        ({"X-Goog-Channel-ID": ["chan-9"]}, "chan-9", 404),
        ({"X-Goog-Channel-ID": ["chan-1", "chan-1"]}, "chan-1", 404),
        ({}, "chan-2", 404),
        ({"X-Goog-Channel-ID": ["chan-2"]}, "chan-2", 401),
        ({"X-Goog-Channel-ID": ["chan-2"]}, "chan-1", 404),
        ({"X-Goog-Message-Number": None}, "chan-1", 400),
        ({"X-Goog-Message-Number": ["-1"]}, "chan-1", 400),
        ({"X-Goog-Message-Number": ["9" * 40]}, "chan-1", 400),
        ({"X-Goog-Resource-State": None}, "chan-1", 400),
    ],
)
def test_a_message_not_of_this_channel_is_refused(world: World, headers: Any, path_id: str, status: int):
    assert world.post(_event(headers=headers, path_id=path_id)) == status
    assert world.sent == []


@pytest.mark.parametrize("source", ["Google", "nothing", "../google", "", "registry", "http"])
def test_there_is_no_other_source(world: World, source: str):
    assert world.post(_event(source=source)) == 404
    assert world.sent == []


def test_the_secret_of_a_channel_that_was_replaced_is_worth_nothing(world: World):
    route = world.platform.get_channel("chan-1")
    assert route is not None
    world.platform.put_channel(replace(route, secret_hash=token_hash("n" * 43)))
    assert world.post(_event()) == 401
    world.platform.delete_channel("chan-1")
    assert world.post(_event()) == 404


@pytest.mark.parametrize(
    ("after", "status"), [(timedelta(hours=6, seconds=299), 200), (timedelta(hours=6, seconds=301), 404)]
)
def test_a_channel_ends_five_minutes_after_it_expires(world: World, after: timedelta, status: int):
    assert world.post(_event(), NOW + after) == status


@pytest.mark.parametrize("size", [1_000_001, 3_000_000])
def test_a_body_over_a_megabyte_is_refused_unread(world: World, size: int):
    def never(_: str) -> None:
        raise AssertionError("looked up")

    world.platform.get_channel = never  # type: ignore[method-assign, assignment]
    assert world.post(_event(b"x" * size)) == 413


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b"[]", b"1", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"items": 1}']
)
def test_a_body_that_is_no_activity_does_nothing(world: World, body: bytes):
    assert world.post(_event(body)) in (200, 400)
    assert world.sent == []


def test_a_body_that_is_not_base64_is_refused(world: World):
    assert world.post({**_event(), "body": "%%%"}) == 400


def test_a_thousand_replays_at_once_have_one_effect(world: World):
    events = [_event(headers={"X-Goog-Message-Number": [str(number % 7 + 2)]}) for number in range(1_000)]
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(world.post, events))
    assert set(statuses) == {200}
    assert len(world.sent) == 1


def test_two_channels_that_overlap_have_one_effect(world: World):
    """While a channel is renewed, the old and the new one deliver the same event."""
    route = world.platform.get_channel("chan-1")
    assert route is not None
    world.platform.put_channel(replace(route, channel_id="chan-3"))
    assert world.post(_event()) == 200
    assert world.post(_event(headers={"X-Goog-Channel-ID": ["chan-3"]}, path_id="chan-3")) == 200
    assert len(world.sent) == 1


def test_one_event_at_two_tenants_has_one_effect_each(world: World):
    assert world.post(_event()) == 200
    headers = {"X-Goog-Channel-ID": ["chan-2"], "X-Goog-Channel-Token": [OTHER_SECRET]}
    assert world.post(_event(headers=headers, path_id="chan-2")) == 200
    assert [work.tenant_id for work in world.sent] == [TENANT, OTHER]


def test_different_events_are_all_heard(world: World):
    for number in range(5):
        assert world.post(_event(json.dumps(_activity(str(number), number=number)).encode())) == 200
    assert [work.body["native_id"] for work in world.sent] == list("01234")


@pytest.mark.parametrize("status", ["suspended", "deleting"])
def test_a_tenant_that_is_not_active_is_answered_and_dropped(world: World, status: Any):
    world.platform.put_tenant(TenantEntry(TENANT, "T", status, NOW))
    assert world.post(_event()) == 200
    assert world.sent == []


def test_trouble_of_ours_asks_for_a_repetition_and_tells_nothing(
    world: World, caplog: pytest.LogCaptureFixture
):
    def down(_: str) -> None:
        raise StorageError("canary")

    world.platform.get_channel = down  # type: ignore[method-assign, assignment]
    with caplog.at_level(logging.INFO):
        assert world.post(_event()) == 503
    assert "canary" not in caplog.text


def test_logs_hold_neither_secret_nor_address(world: World, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG, logger="lantern"):
        world.post(_event())
        world.post(_event(headers={"X-Goog-Channel-Token": ["wrong-canary"]}))
    text = repr([record.__dict__ for record in caplog.records if record.name.startswith("lantern")])
    for secret in (SECRET, "wrong-canary", "someone@x.example"):
        assert secret not in text


@pytest.mark.parametrize("function", ["webhooks", "dispatcher", "router"])
def test_functions_at_the_edge_import_nothing_heavy(function: str):
    """The whole path of a request is imported, the source's own module too; the process is a fresh one."""
    root = Path(__file__).resolve().parents[3]
    script = (
        f"import sys, functions.{function}.app as app\n"
        "import lantern.services.push as push, lantern.runtime.wiring_edges as edges\n"
        "import lantern.runtime.wiring_platform as platform\n"
        "push._module('google'); push._module('github'); platform.logging_once('test')\n"
        "if app.__name__.split('.')[1] == 'dispatcher': edges.dispatcher()\n"
        "else: edges.receiver(); edges.tenant_table()\n"
        "heavy = 'pydantic pynamodb boto3 requests stripe jinja2 jwt cryptography tldextract'.split()\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": f"{root / 'shared'}:{root}",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "PLATFORM_TABLE": "p",
        "TENANT_TABLE": "t",
        "HINTS_QUEUE_URL": "https://sqs/1/hints",
        "RUNS_QUEUE_URL": "https://sqs/1/runs",
        "WORKER_TIMEOUT_S": "60",
        "DISCOVERY_FUNCTION": "d",
        "SCORING_FUNCTION": "s",
        "REMEDIATION_FUNCTION": "r",
        "OUTREACH_FUNCTION": "o",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
