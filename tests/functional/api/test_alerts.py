"""What an administrator sees of channels, and decisions about many findings, through the API."""

from dataclasses import replace

from lantern.domain.channel_health import ChannelHealth, given_up
from lantern.domain.messages import Address, Attempt, Message, delivery
from tests.functional.api.world import NOW, Client, Planted, World

URL = "https://prod.example.com/workflows/secret-of-the-workflow"


def test_a_broken_channel_says_so_what_to_do_and_what_became_of_each_message(
    world: World, planted: Planted, api: Client
) -> None:
    path = f"/v1/alerts/channels/{planted.channel_id}"
    assert api("GET", path).json["health"] == {
        "state": "untried", "since": None, "sent_at": None, "detail": "", "remedy": "", "next_at": None,
    }  # fmt: skip
    store = world.tools.open_store(planted.tenant_id)
    broken = given_up(ChannelHealth(planted.channel_id), "status_404", ["fnd_1"], NOW)
    made = delivery(
        Address("teams", "", planted.channel_id),
        Message("alert", "1 critical finding"),
        NOW,
        target_id=planted.channel_id,
        subject_id=planted.channel_id,
    )
    made = replace(
        made, state="failed", next_at=None, tries=1, attempts=(Attempt(NOW, "refused", 404, "status_404"),)
    )
    store.transact(NOW).put(store.alerts.health_op(broken), store.deliveries.op(made)).commit()
    (row,) = [r for r in api("GET", "/v1/alerts/channels").json["data"] if r["id"] == planted.channel_id]
    assert (row["health"]["state"], row["health"]["detail"]) == ("broken", "status_404")
    assert "workflow is gone" in row["health"]["remedy"]
    (sent,) = api("GET", f"{path}/deliveries").json["data"]
    assert (sent["id"], sent["state"], sent["attempts"][0]["status"]) == (made.id, "failed", 404)
    etag = api("GET", path).headers["ETag"]
    body = {"kind": "teams", "name": "n", "url": URL}
    changed = api("PUT", path, body, headers={"If-Match": etag})
    assert changed.json["health"]["state"] == "untried", "what was mended is not held against it"
    for where in (path, f"{path}/deliveries", "/v1/alerts/channels"):
        assert "secret-of-the-workflow" not in api("GET", where).text
    assert "secret-of-the-workflow" not in changed.text


def test_many_findings_are_decided_at_once(planted: Planted, api: Client) -> None:
    path, ask = "/v1/findings/decisions", {"finding_ids": [planted.finding_id], "read_at": NOW.isoformat()}
    missing = api("POST", path, {**ask, "decision": "snooze"})
    assert (missing.status, missing.json["errors"][0]["pointer"]) == (400, "/until")
    assert api("POST", path, {**ask, "decision": "resolve"}).json["errors"][0]["pointer"] == "/resolution"
    assert api("POST", path, {**ask, "decision": "feedback"}).json["errors"][0]["pointer"] == "/verdict"
    first = api("POST", path, {**ask, "decision": "acknowledge"})
    assert first.json["data"] == [
        {"finding_id": planted.finding_id, "outcome": "changed", "status": "acknowledged", "problem": ""}
    ]
    late = {**ask, "read_at": "2026-02-01T00:00:00Z", "decision": "acknowledge"}
    assert api("POST", path, late).json["data"][0]["outcome"] == "newer"
    excepted = {"decision": "exception", "reason": "r", "until": "2026-05-01T00:00:00Z"}
    assert api("POST", path, {**ask, **excepted}).json["data"][0]["status"] == "exception"
    refused = api("POST", path, {**ask, "decision": "acknowledge"}).json["data"][0]
    assert (refused["outcome"], "cannot be acknowledged" in refused["problem"]) == ("refused", True)
