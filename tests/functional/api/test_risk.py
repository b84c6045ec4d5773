"""Risk through the API: overrides, weights, preview, posture, grants, vendors."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lantern.domain import ids
from lantern.domain.apps import AppSummary
from lantern.domain.identification import Identification
from lantern.domain.overlay import Publication, Published
from lantern.domain.posture import PostureDay
from lantern.domain.risk import RiskInput, Weights, assess, pack_shares
from lantern.domain.vendor_overlay import VendorEdit
from lantern.services.catalog_layers import KEEP_S
from lantern.services.risk import keep_posture
from lantern.store.apps import summary_part
from tests.functional.api.world import Client, Planted, World

UNTIL = "2026-04-01T00:00:00Z"
OVERRIDE = {"score": 5, "note": "sandboxed", "until": UNTIL}


def _audit(world: World, planted: Planted) -> list[str]:
    return [e.action for e in world.store(planted.tenant_id).audit.entries()][1:]


def _works(world: World, planted: Planted) -> list[Any]:
    return [w for _, w in world.store(planted.tenant_id).outbox.due(world.now.replace(year=2027))]


def test_people_set_a_risk_until_a_time(world: World, planted: Planted, api: Client) -> None:
    path = f"/v1/apps/{planted.app_id}"
    etag = api("GET", f"{path}/risk").headers["ETag"]
    given = api("PUT", f"{path}/risk-override", OVERRIDE, headers={"If-Match": etag})
    assert given.status == 200, given.text
    assert (given.json["score"], given.json["in_effect"], given.json["by"]) == (5, True, f"key:{api.key_id}")
    risk = api("GET", f"{path}/risk")
    assert risk.headers["ETag"] == given.headers["ETag"] != etag
    assert (risk.json["score"], risk.json["level"], risk.json["computed"]) == (5, "low", 71)
    assert risk.json["override"] == given.json
    assert api("GET", path).json["risk"] == 5
    assert [w.kind for w in _works(world, planted)] == ["score.app"]
    late = api("PUT", f"{path}/risk-override", OVERRIDE, headers={"If-Match": etag})
    assert late.status == 412
    world.now += timedelta(days=40)
    assert api("GET", path).json["risk"] == 71
    world.now -= timedelta(days=40)
    gone = api("DELETE", f"{path}/risk-override", headers={"If-Match": given.headers["ETag"]})
    assert (gone.status, gone.json["score"]) == (200, None)
    assert api("GET", f"{path}/risk").json["score"] == 71
    assert api("DELETE", f"{path}/risk-override", headers={"If-Match": "*"}).status == 404
    assert _audit(world, planted) == ["app.risk_overridden", "app.risk_override_removed"]


@pytest.mark.parametrize("until", ["2026-02-01T00:00:00Z", "2028-01-01T00:00:00Z"])
def test_a_risk_is_set_for_a_year_at_most(planted: Planted, api: Client, until: str) -> None:
    path = f"/v1/apps/{planted.app_id}/risk-override"
    answer = api("PUT", path, {**OVERRIDE, "until": until}, headers={"If-Match": "*"})
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, "/until")


@pytest.mark.parametrize("score", [-1, 101])
def test_a_risk_is_within_bounds(planted: Planted, api: Client, score: int) -> None:
    path = f"/v1/apps/{planted.app_id}/risk-override"
    answer = api("PUT", path, {**OVERRIDE, "score": score}, headers={"If-Match": "*"})
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, "/score")


def test_weights_are_set_on_a_revision_and_score_again(world: World, planted: Planted, api: Client) -> None:
    store = world.store(planted.tenant_id)
    connection = store.connections.list()[0]
    from dataclasses import replace

    store.connections.put(replace(connection, baseline_at=world.now))
    before = api("GET", "/v1/risk/weights")
    assert before.json["weights"] == before.json["defaults"]
    assert (before.json["by"], before.headers["ETag"]) == (None, '"0"')
    assert api("PUT", "/v1/risk/weights", {"weights": {}}).status == 428
    put = api("PUT", "/v1/risk/weights", {"weights": {"reach": 55.5}}, headers={"If-Match": '"0"'})
    assert put.status == 200, put.text
    assert put.json["weights"] == {**before.json["weights"], "reach": 55.5}
    assert api("GET", "/v1/risk/weights").json == put.json
    assert store.risk.weights() == Weights(reach=55.5)
    assert [(w.kind, w.connection_id) for w in _works(world, planted)] == [("score.run", connection.id)]
    assert _audit(world, planted) == ["risk.weights_set"]
    stale = api("PUT", "/v1/risk/weights", {"weights": {}}, headers={"If-Match": '"0"'})
    assert (stale.status, stale.headers["ETag"]) == (412, put.headers["ETag"])


@pytest.mark.parametrize(
    ("weights", "pointer"),
    [({"reach": -1}, "/weights/reach"), ({"reach": 101}, "/weights/reach"), ({"magic": 1}, "/weights/magic")],
)
def test_impossible_weights_are_named(api: Client, weights: dict[str, float], pointer: str) -> None:
    answer = api("POST", "/v1/risk/preview", {"weights": weights})
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, pointer)


def _listed(world: World, planted: Planted, count: int) -> list[AppSummary]:
    """Apps in the list as scoring writes them."""
    store, rows = world.store(planted.tenant_id), []
    for number in range(count):
        app_id = ids.app_id("google", f"listed-{number}")
        found = assess(RiskInput(Identification("ai", 0.9, "V", "P"), None, holders=number, org_size=50))
        rows.append(
            AppSummary(
                app_id, "google", f"App {number}", "oauth", "ai", 0.9, number + 1,
                risk=found.score, risk_level=found.level, shares=pack_shares(found),
            )
        )  # fmt: skip
    for part in {summary_part(row.app_id) for row in rows}:
        store.apps.put_summary_part(part, [row for row in rows if summary_part(row.app_id) == part])
    return rows


def test_a_preview_says_what_would_change_and_stores_nothing(
    world: World, planted: Planted, api: Client
) -> None:
    rows = _listed(world, planted, 6)
    world.counted()
    same = api("POST", "/v1/risk/preview", {"weights": {}})
    assert same.status == 200, same.text
    assert sum(world.counted().values()) == 1
    assert same.json["changes"] == []
    assert same.json["posture"] == same.json["new_posture"]
    body = api("POST", "/v1/risk/preview", {"weights": {"reach": 100}}).json
    assert {change["app_id"] for change in body["changes"]} == {row.app_id for row in rows}
    for row in rows:
        (change,) = [c for c in body["changes"] if c["app_id"] == row.app_id]
        found = assess(
            RiskInput(Identification("ai", 0.9, "V", "P"), None, holders=row.holders - 1, org_size=50),
            Weights(reach=100),
        )
        assert (change["new_score"], change["new_level"]) == (found.score, found.level)
    assert body["new_posture"]["score"] < body["posture"]["score"]
    assert _audit(world, planted) == []
    assert world.store(planted.tenant_id).risk.stored_weights() is None


def test_posture_is_kept_once_a_day_and_shown_with_its_drivers(
    world: World, planted: Planted, api: Client
) -> None:
    store = world.store(planted.tenant_id)
    assert keep_posture(store, world.now)
    world.counted()
    assert not keep_posture(store, world.now.replace(hour=23))
    assert world.counted() == {"GetItem": 1}
    assert not store.risk.keep_posture(PostureDay(world.now.date(), 1, 1))
    world.now += timedelta(days=1)
    assert keep_posture(store, world.now)
    body = api("GET", "/v1/posture").json
    assert [day["day"] for day in body["history"]] == ["2026-03-01", "2026-03-02"]
    assert body["history"][-1]["score"] == body["current"]["score"]
    assert body["current"]["apps"] == 1
    heaviest = body["current"]["drivers"][0]
    assert (heaviest["count"], heaviest["apps"]) == (1, [planted.app_id])
    assert len(api("GET", "/v1/posture", query={"days": 1}).json["history"]) == 1
    assert api("GET", "/v1/posture", query={"days": 401}).status == 400


def test_no_posture_is_kept_before_anything_was_assessed(world: World, planted: Planted) -> None:
    store = world.store(planted.tenant_id)
    store.apps.put_summary_part(summary_part(planted.app_id), [])
    assert not keep_posture(store, world.now)


def test_the_risk_of_a_grant_is_explained(planted: Planted, api: Client) -> None:
    query = {"connection_id": planted.connection_id}
    body = api("GET", f"/v1/grants/{planted.grant_id}/risk", query=query).json
    assert (body["grant_id"], body["app_id"]) == (planted.grant_id, planted.app_id)
    reach = next(one for one in body["factors"] if one["id"] == "reach")
    assert "Not known to Lantern" in reach["evidence"] or "mail" in reach["evidence"].lower()
    assert body["score"] == min(100, round(sum(one["points"] for one in body["factors"])))
    assert api("GET", f"/v1/grants/{planted.grant_id}/risk").status == 400


def test_a_vendor_has_each_fact_with_source_or_unknown(api: Client) -> None:
    body = api("GET", "/v1/vendors/openai").json
    facts = {one["id"]: one for one in body["facts"]}
    assert facts["trains_on_business_data"]["holds"] is False
    assert facts["trains_on_business_data"]["source"].startswith("https://")
    for one in facts.values():
        assert (one["holds"] is None) == (one["source"] is None) == (one["date"] is None)
    assert api("GET", "/v1/vendors/nobody").status == 404


def test_a_vendor_is_shown_as_operators_publish_it(world: World, api: Client) -> None:
    edit = VendorEdit(
        *("openai", "trains_on_business_data", "yes", "https://openai.com/terms", "2026-03-10"),
        *("no", "yes", "opr_x", world.now, 1),
    )
    line = Publication(1, "note", "opr_x", world.now)
    world.platform.catalog.publish(Published(1, (), (edit,)), line)
    world.seconds += KEEP_S
    body = api("GET", "/v1/vendors/openai").json
    (fact,) = (one for one in body["facts"] if one["id"] == "trains_on_business_data")
    assert (fact["holds"], fact["source"], fact["date"]) == (True, "https://openai.com/terms", "2026-03")
    # It is kept for some minutes.
    world.platform.catalog.publish(Published(2), replace(line, version=2))
    assert api("GET", "/v1/vendors/openai").json == body
    world.seconds += KEEP_S
    assert api("GET", "/v1/vendors/openai").json != body


def test_an_app_tells_for_which_frameworks_it_matters(planted: Planted, api: Client) -> None:
    body = api("GET", f"/v1/apps/{planted.app_id}/risk").json
    found = {one["framework"]: one for one in body["compliance"]}
    assert set(found) == {"gdpr", "hipaa", "soc2", "eu_ai_act", "nist_ai_rmf", "iso42001"}
    assert found["eu_ai_act"]["relevance"] == "yes"
    # What it reaches was not kept with this old assessment.
    assert found["gdpr"]["relevance"] == "possible"
    assert not any(reason["certain"] for reason in found["gdpr"]["reasons"] if reason["kind"] == "applies")
