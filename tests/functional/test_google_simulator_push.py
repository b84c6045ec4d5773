"""Push channels of the simulator: sync, headers, filters, misbehaviour, expiry."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.simulators.discovery import check
from tests.simulators.google import Clock, GoogleSimulator, OrgSpec
from tests.simulators.google.driver import CLIENT
from tests.simulators.google.receiver import Posted, Receiver
from tests.simulators.google.scopes import AUDIT

START = 1_790_000_000.0


@pytest.fixture
def sim() -> Iterator[GoogleSimulator]:
    with GoogleSimulator(OrgSpec(employees=12, seed=2), clock=Clock(START)) as simulator:
        yield simulator


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as hook:
        yield hook


def post(sim: GoogleSimulator, path: str, body: dict[str, Any], user: str = "") -> requests.Response:
    token = sim.control.issue_access_token(user or sim.org.admin.email, CLIENT.client_id, [AUDIT])
    return requests.post(
        sim.base_url + path, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=10
    )


def watch(
    sim: GoogleSimulator, address: str, event: str = "", app: str = "token", **body: Any
) -> requests.Response:
    path = f"/admin/reports/v1/activity/users/all/applications/{app}/watch"
    channel = {"id": str(uuid.uuid4()), "type": "web_hook", "address": address, "token": "s3cret", **body}
    channel.setdefault("payload", True)
    return post(sim, path + (f"?eventName={event}" if event else ""), channel)


def employee(sim: GoogleSimulator) -> str:
    return next(u.email for u in sim.org.users if u.can_sign_in and not u.is_admin)


def test_sync_comes_first_and_then_the_activity(sim: GoogleSimulator, receiver: Receiver) -> None:
    channel = watch(sim, receiver.address, "authorize").json()
    check("admin.reports_v1", "Channel", channel)
    (sync,) = receiver.wait(1)
    assert sync.headers["x-goog-resource-state"] == "sync"
    assert sync.headers["x-goog-message-number"] == "1"
    assert sync.body == b""
    made = sim.control.grant(employee(sim), "Pushed App")
    sim.control.revoke(employee(sim), made["client_id"])
    _, news = receiver.wait(2)
    assert sim.control.settle()
    assert len(receiver.posted) == 2, "the channel asked for authorize only"
    assert news.path == "/webhooks/google"
    expected = {
        "x-goog-channel-id": channel["id"],
        "x-goog-channel-token": "s3cret",
        "x-goog-resource-id": channel["resourceId"],
        "x-goog-resource-uri": channel["resourceUri"],
        "x-goog-resource-state": "authorize",
        "x-goog-message-number": "2",
    }
    assert {name: news.headers[name] for name in expected} == expected
    assert news.headers["x-goog-channel-expiration"].endswith("GMT")
    activity = json.loads(news.body)
    check("admin.reports_v1", "Activity", activity)
    assert activity["events"][0]["parameters"][0] == {"name": "client_id", "value": made["client_id"]}


def test_what_is_pushed_is_what_is_listed(sim: GoogleSimulator, receiver: Receiver) -> None:
    watch(sim, receiver.address)
    sim.control.grant(employee(sim), "Slack Clone", lag_s=0)
    pushed = json.loads(receiver.wait(2)[1].body)
    log = sim.org.log
    newest = next(log.entries("token", (sim.clock.now_ms(), 1 << 63), 0, "authorize"))
    assert log.write(newest) == pushed


def test_no_payload_no_body_and_no_token_no_header(sim: GoogleSimulator, receiver: Receiver) -> None:
    watch(sim, receiver.address, payload=False, token=None)
    sim.control.grant(employee(sim), "Quiet App")
    news = receiver.wait(2)[1]
    assert news.body == b""
    assert "x-goog-channel-token" not in news.headers


def test_lifetimes_are_at_most_six_hours(sim: GoogleSimulator, receiver: Receiver) -> None:
    now = sim.control.now()
    for body, seconds in (
        ({}, 21600),
        ({"params": {"ttl": "600"}}, 600),
        ({"params": {"ttl": "999999"}}, 21600),
        ({"expiration": str(int((now + 1200) * 1000))}, 1200),
    ):
        expiration = int(watch(sim, receiver.address, **body).json()["expiration"]) / 1000
        assert abs(expiration - now - seconds) < 30
    assert watch(sim, receiver.address, expiration=str(int(now * 1000) - 1000)).status_code == 400
    assert watch(sim, receiver.address, params={"ttl": "soon"}).status_code == 400
    receiver.wait(4)
    assert len(sim.control.channels()) == 4
    sim.control.advance(601)
    sim.control.grant(employee(sim), "Later App")
    assert sim.control.settle()
    assert len(sim.control.channels()) == 3
    assert len(receiver.wait(7)) == 7


@pytest.mark.parametrize(
    "body",
    [
        {"address": "http://hooks.example/x"}, {"address": "ftp://127.0.0.1/x"}, {"address": None},
        {"type": "pubsub"}, {"id": "no spaces please"}, {"id": "x" * 65}, {"token": "x" * 257},
    ],
)  # fmt: skip
def test_bad_channels_are_refused(sim: GoogleSimulator, body: dict[str, Any]) -> None:
    refused = watch(sim, **{"address": "https://hooks.example/x", **body})
    assert refused.status_code == 400
    assert not sim.control.channels()


def test_only_some_applications_can_be_watched(sim: GoogleSimulator) -> None:
    assert watch(sim, "https://hooks.example/x", app="gmail").status_code == 400
    assert watch(sim, "https://hooks.example/x", app="gemini_in_workspace_apps").status_code == 400
    accepted = watch(sim, "https://hooks.example/x", app="admin")
    assert accepted.status_code == 200
    again = watch(sim, "https://hooks.example/x", app="admin", id=accepted.json()["id"])
    assert (again.status_code, again.json()["error"]["errors"][0]["reason"]) == (400, "channelIdNotUnique")


def test_stopping_needs_the_owner_and_the_resource(sim: GoogleSimulator, receiver: Receiver) -> None:
    channel = watch(sim, receiver.address).json()
    receiver.wait(1)
    stop = "/admin/reports_v1/channels/stop"
    admin, other = sim.org.admin.email, employee(sim)
    sim.control.set_admin(other)
    assert post(sim, stop, {"id": channel["id"], "resourceId": "wrong"}, user=admin).status_code == 404
    assert (
        post(sim, stop, {"id": "wrong", "resourceId": channel["resourceId"]}, user=admin).status_code == 404
    )
    body = {"id": channel["id"], "resourceId": channel["resourceId"]}
    assert post(sim, stop, body, user=other).status_code == 404
    assert post(sim, stop, body, user=admin).status_code == 204
    assert post(sim, stop, body, user=admin).status_code == 404
    sim.control.grant(employee(sim), "Unheard App")
    assert sim.control.settle()
    assert len(receiver.posted) == 1


def news(posted: list[Posted]) -> list[int]:
    numbers = [int(p.headers["x-goog-message-number"]) for p in posted]
    return [n for n in numbers if n != 1]


def test_deliveries_can_be_lost_doubled_and_reordered(sim: GoogleSimulator, receiver: Receiver) -> None:
    watch(sim, receiver.address, "authorize")
    receiver.wait(1)
    sim.control.push(duplicate_rate=0.5, drop_rate=0.3, reorder_s=0.3)
    for i in range(40):
        sim.control.grant(employee(sim), f"App {i}")
    assert sim.control.settle()
    numbers = news(receiver.posted)
    assert len(set(numbers)) < 40, "some were dropped"
    assert len(numbers) > len(set(numbers)), "some came twice"
    assert numbers != sorted(numbers), "some overtook others"
    dropped = [d for d in sim.control.deliveries() if d["outcome"] == "dropped"]
    assert len(dropped) + len(set(numbers)) == 40


def test_nothing_overtakes_the_sync_message(sim: GoogleSimulator) -> None:
    with Receiver(statuses=(503, 503)) as hook:
        sim.control.push(retry_s=0.05)
        watch(sim, hook.address, "authorize")
        sim.control.grant(employee(sim), "Early App")
        posted = hook.wait(4)
    assert [p.headers["x-goog-resource-state"] for p in posted] == ["sync"] * 3 + ["authorize"]


def test_failed_deliveries_are_repeated(sim: GoogleSimulator) -> None:
    with Receiver(statuses=(200, 503, 500, 200)) as hook:
        sim.control.push(retry_s=0.02)
        watch(sim, hook.address, "authorize")
        hook.wait(1)
        assert sim.control.settle()
        sim.control.grant(employee(sim), "Stubborn App")
        posted = hook.wait(4)
        assert len({p.body for p in posted[1:]}) == 1
        assert sim.control.settle()
    outcomes = [d["outcome"] for d in sim.control.deliveries()]
    assert outcomes == ["200", "503", "500", "200"]


def test_a_client_error_is_not_repeated_and_a_dead_receiver_is_given_up(sim: GoogleSimulator) -> None:
    sim.control.push(retry_s=0.01, attempts=3)
    with Receiver(statuses=(404,)) as hook:
        watch(sim, hook.address)
        hook.wait(1)
        assert sim.control.settle()
        address = hook.address
    sim.control.grant(employee(sim), "Nobody Listens")
    assert sim.control.settle()
    assert [d["outcome"] for d in sim.control.deliveries()] == ["404", *["unreachable"] * 3]
    assert address.startswith("http://127.0.0.1")


def test_paused_deliveries_wait(sim: GoogleSimulator, receiver: Receiver) -> None:
    watch(sim, receiver.address)
    receiver.wait(1)
    sim.control.push(paused=True)
    sim.control.grant(employee(sim), "Held Back")
    assert not sim.control.settle(0.2)
    assert len(receiver.posted) == 1
    sim.control.push(paused=False)
    receiver.wait(2)
