"""The simulator's audit log: order, paging, lateness, duplicates, filters, a million events a day."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import requests

from tests.simulators.discovery import check
from tests.simulators.google import Clock, GoogleSimulator, OrgSpec
from tests.simulators.google.driver import CLIENT
from tests.simulators.google.scopes import AUDIT

NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


class Api:
    """The Reports API by plain HTTP, as an administrator."""

    def __init__(self, sim: GoogleSimulator) -> None:
        self.sim = sim
        sim.control.quota(enabled=False)

    def get(self, application: str = "token", user: str = "all", **query: Any) -> requests.Response:
        url = f"{self.sim.base_url}/admin/reports/v1/activity/users/{user}/applications/{application}"
        token = self.sim.control.issue_access_token(self.sim.org.admin.email, CLIENT.client_id, [AUDIT])
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(url, params=query, headers=headers, timeout=30)

    def pages(
        self, application: str = "token", user: str = "all", **query: Any
    ) -> Iterator[list[dict[str, Any]]]:
        while True:
            response = self.get(application, user, **query)
            response.raise_for_status()
            page = response.json()
            yield page.get("items", [])
            if "nextPageToken" not in page:
                return
            query["pageToken"] = page["nextPageToken"]

    def all(self, application: str = "token", user: str = "all", **query: Any) -> list[dict[str, Any]]:
        return [item for page in self.pages(application, user, **query) for item in page]


@pytest.fixture
def api() -> Iterator[Api]:
    spec = OrgSpec(employees=40, seed=9, events_per_user_day=5)
    with GoogleSimulator(spec, clock=Clock(NOON.timestamp(), running=False)) as sim:
        yield Api(sim)


def key(item: dict[str, Any]) -> tuple[str, int]:
    return item["id"]["time"], int(item["id"]["uniqueQualifier"])


def iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def test_newest_first_and_every_page_size_tells_the_same(api: Api) -> None:
    start = iso(NOON - timedelta(days=5))
    whole = api.all(startTime=start)
    assert len(whole) > 500
    assert all(key(a) > key(b) for a, b in pairwise(whole))
    assert api.all(startTime=start, maxResults=77) == whole
    assert {i["events"][0]["name"] for i in api.all(startTime=iso(NOON - timedelta(days=90)))} >= {
        "authorize",
        "activity",
    }


def test_time_range_is_kept(api: Api) -> None:
    start, end = NOON - timedelta(hours=30), NOON - timedelta(hours=20)
    found = api.all(startTime=iso(start), endTime=iso(end))
    assert found
    assert all(iso(start) <= i["id"]["time"] <= iso(end).replace("Z", ".999Z") for i in found)
    before = api.all(startTime=iso(NOON - timedelta(hours=40)))
    inside = [i for i in before if start <= datetime.fromisoformat(i["id"]["time"]) <= end]
    assert found == inside


@pytest.mark.parametrize(
    "query",
    [
        {"startTime": "yesterday"},
        {"startTime": "2026-13-01T00:00:00Z"},
        {"startTime": iso(NOON + timedelta(hours=1))},
        {"startTime": iso(NOON), "endTime": iso(NOON - timedelta(hours=1))},
        {"maxResults": "1001"},
        {"maxResults": "0"},
        {"pageToken": "A:bm9uc2Vuc2U="},
        {"filters": "client_id"},
    ],
)
def test_bad_queries_are_refused(api: Api, query: dict[str, str]) -> None:
    assert api.get(**query).status_code == 400


def test_unknown_things_are_refused(api: Api) -> None:
    assert api.get("no_such_application").status_code == 400
    assert api.get(user="nobody@nowhere.example").status_code == 400
    assert api.get("gmail").status_code == 400
    week = {"startTime": iso(NOON - timedelta(days=7)), "endTime": iso(NOON)}
    assert api.get("gmail", **week).status_code == 200
    page = api.get(maxResults=5).json()["nextPageToken"]
    assert api.get(maxResults=5, eventName="revoke", pageToken=page).status_code == 400


def test_history_ends_after_180_days(api: Api) -> None:
    oldest = min(item["id"]["time"] for item in api.all())
    assert NOON - timedelta(days=180) <= datetime.fromisoformat(oldest) < NOON - timedelta(days=178)


def test_a_users_deeds_and_an_events_kind_can_be_asked_for(api: Api) -> None:
    user = next(p for p in api.sim.control.users() if p["state"] == "active")
    mine = api.all(user=user["email"], startTime=iso(NOON - timedelta(days=20)))
    everything = api.all(startTime=iso(NOON - timedelta(days=20)))
    assert mine == [i for i in everything if i["actor"]["profileId"] == user["id"]]
    assert mine == api.all(user=user["id"], startTime=iso(NOON - timedelta(days=20)))
    uses = api.all(eventName="activity", startTime=iso(NOON - timedelta(days=20)))
    assert uses == [i for i in everything if i["events"][0]["name"] == "activity"]
    client = uses[0]["events"][0]["parameters"][0]["value"]
    found = api.all(startTime=iso(NOON - timedelta(days=20)), filters=f"client_id=={client}")
    assert found
    assert found == [i for i in everything if i["events"][0]["parameters"][0]["value"] == client]


def test_uses_belong_to_grants_that_stand_at_the_time(api: Api) -> None:
    control, org = api.sim.control, api.sim.org
    granted = {(u.id, g.client_id): g.granted_at for u in org.users for g in org.grants.held_by(u)}
    idle = {(s["user_id"], s["client_id"]): s["used_until"] for s in control.stale()}
    assert idle
    gone = {u.id: u.inactive_from for u in org.users if u.inactive_from is not None}
    seen = set()
    for item in api.all(eventName="activity"):
        when = datetime.fromisoformat(item["id"]["time"]).timestamp()
        pair = (item["actor"]["profileId"], item["events"][0]["parameters"][0]["value"])
        seen.add(pair)
        assert granted[pair] <= when <= idle.get(pair, when)
        assert when < gone.get(pair[0], when + 1)
    long_standing = {p for p, at in granted.items() if at < NOON.timestamp() - 60 * 86400} - set(idle)
    active = {p for p in long_standing if p[0] not in gone}
    assert len(active & seen) / len(active) > 0.99


def test_use_stops_with_the_grant_and_goes_on_while_time_passes(api: Api) -> None:
    control, org = api.sim.control, api.sim.org
    user = next(u for u in org.users if u.can_sign_in and u.index > 3)
    for grant in org.grants.held_by(user):
        assert control.revoke(user.email, grant.client_id)
    before = len(api.all(eventName="activity"))
    control.advance(86400)
    later = api.all(startTime=iso(NOON), eventName="activity")
    assert later
    assert before > len(later)
    assert not [i for i in later if i["actor"]["profileId"] == user.id]
    ended = api.all(user=user.id, eventName="revoke", startTime=iso(NOON))
    assert len(ended) > 3


def test_consents_are_audited_with_their_scopes(api: Api) -> None:
    control = api.sim.control
    user = control.users()[5]["email"]
    scopes = ["openid", "https://www.googleapis.com/auth/gmail.readonly"]
    made = control.grant(user, "Brand New Assistant", scopes=scopes)
    control.advance(1)
    wider = control.expand(user, made["client_id"], ["https://www.googleapis.com/auth/drive"])
    assert wider["scopes"] == [*scopes, "https://www.googleapis.com/auth/drive"]
    newest, first = api.get(eventName="authorize", maxResults=2).json()["items"]
    parameters = {p["name"]: p for p in first["events"][0]["parameters"]}
    assert first["events"][0]["type"] == "auth"
    assert parameters["app_name"]["value"] == "Brand New Assistant"
    assert parameters["scope"]["multiValue"] == scopes
    names = [m["parameter"][0]["value"] for m in parameters["scope_data"]["multiMessageValue"]]
    assert names == scopes
    assert parameters["num_response_bytes"]["intValue"] == "0"
    assert {p["name"]: p for p in newest["events"][0]["parameters"]}["scope"]["multiValue"] == wider["scopes"]


def test_late_activities_come_with_their_old_time(api: Api) -> None:
    control = api.sim.control
    user = control.users()[5]["email"]
    made = control.grant(user, "Slow News", lag_s=3600)
    query = {"eventName": "authorize", "startTime": iso(NOON - timedelta(minutes=1))}
    control.advance(3599)
    assert not api.all(**query)
    control.advance(2)
    (item,) = api.all(**query)
    assert datetime.fromisoformat(item["id"]["time"]) == NOON
    assert item["events"][0]["parameters"][0]["value"] == made["client_id"]
    start = iso(NOON - timedelta(hours=24))
    on_time = api.all(startTime=start)
    control.lag(late_fraction=0.5, late_max_s=7200, base_s=60)
    delayed = api.all(startTime=start)
    assert 0 < len(delayed) < len(on_time)
    assert {key(i) for i in delayed} < {key(i) for i in on_time}
    control.advance(2 * 3600 + 61)
    assert {key(i) for i in on_time} <= {key(i) for i in api.all(startTime=start)}


def test_a_listing_under_way_is_not_disturbed_by_news(api: Api) -> None:
    start = iso(NOON - timedelta(days=1))
    whole = api.all(startTime=start)
    pages = api.pages(startTime=start, maxResults=50)
    seen = list(next(pages))
    api.sim.control.grant(api.sim.control.users()[5]["email"], "In Between")
    api.sim.control.advance(60)
    for page in pages:
        seen += page
    assert seen == whole


def test_duplicates_are_listed_twice_even_across_pages(api: Api) -> None:
    start = iso(NOON - timedelta(days=2))
    once = api.all(startTime=start)
    api.sim.control.lag(duplicate_rate=0.3)
    for size in (1000, 3):
        twice = api.all(startTime=start, maxResults=size)
        assert 1.2 < len(twice) / len(once) < 1.4
        assert {key(i) for i in twice} == {key(i) for i in once}


def test_half_pages_lose_nothing(api: Api) -> None:
    start = iso(NOON - timedelta(days=2))
    whole = api.all(startTime=start, maxResults=100)
    api.sim.control.fault("half_page", path="/activity/", probability=0.5)
    assert api.all(startTime=start, maxResults=100) == whole


def test_delegation_and_logins_are_there(api: Api) -> None:
    api.sim.control.delegate("107400000000000000009", ["https://www.googleapis.com/auth/drive"])
    found = api.all("admin", eventName="AUTHORIZE_API_CLIENT_ACCESS")
    assert len(found) == 3
    parameters = {p["name"]: p for p in found[0]["events"][0]["parameters"]}
    assert parameters["API_CLIENT_NAME"]["value"] == "107400000000000000009"
    assert parameters["API_SCOPES"]["multiValue"] == ["https://www.googleapis.com/auth/drive"]
    logins = api.all("login")
    assert {i["events"][0]["name"] for i in logins} == {"login_success"}
    assert all(key(a) > key(b) for a, b in pairwise(logins))


def test_a_million_events_a_day_cost_nothing_until_read() -> None:
    spec = OrgSpec(employees=10_000, seed=1, grants_per_user=70, events_per_user_day=125)
    with GoogleSimulator(spec, clock=Clock(NOON.timestamp(), running=False)) as sim:
        assert sim.org.grants.generated == 700_000
        log, end = sim.org.log, int(NOON.timestamp() * 1000)
        hour = sum(1 for _ in log.entries("token", (end, 0), end - 3_600_000, "activity"))
        offered = sum(len(log._make_minute(end // 60_000 - m)) for m in range(0, 1440, 10)) * 10
        assert offered > 1_000_000
        assert hour > 50_000
        api = Api(sim)
        pages = api.pages(startTime=iso(NOON - timedelta(hours=1)))
        first = next(pages)
        second = next(pages)
        check("admin.reports_v1", "Activities", {"items": first[:50]})
        assert len(first) == len(second) == 1000
        assert key(first[-1]) > key(second[0])


def test_a_narrow_search_answers_short_pages_rather_than_scan_for_ever(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = next(u for u in api.sim.org.users if u.can_sign_in)
    whole = api.all(user=user.id)
    monkeypatch.setattr("tests.simulators.google.reports.SCAN_LIMIT", 500)
    pages = list(api.pages(user=user.id))
    assert len(pages) > 5
    assert [item for page in pages for item in page] == whole


def test_the_same_seed_tells_the_same_story() -> None:
    stories = []
    for seed in (5, 5, 6):
        spec = OrgSpec(employees=15, seed=seed, anchor=NOON.timestamp())
        with GoogleSimulator(spec, clock=Clock(NOON.timestamp(), running=False)) as sim:
            stories.append((Api(sim).all(startTime=iso(NOON - timedelta(days=9))), sim.control.truth()))
    assert stories[0] == stories[1]
    assert stories[0] != stories[2]
