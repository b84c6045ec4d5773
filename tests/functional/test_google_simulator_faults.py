"""Quotas, faults and counters of the simulator."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.simulators.google import Clock, GoogleSimulator, OrgSpec
from tests.simulators.google.driver import CLIENT
from tests.simulators.google.scopes import AUDIT, SECURITY, USER_R

SCOPES = [USER_R, SECURITY, AUDIT]


class Api:
    """The Admin SDK by plain HTTP, over one kept-alive connection."""

    def __init__(self, sim: GoogleSimulator, client_id: str = CLIENT.client_id) -> None:
        self.sim = sim
        self.session = requests.Session()
        token = sim.control.issue_access_token(sim.org.admin.email, client_id, SCOPES)
        self.session.headers["Authorization"] = f"Bearer {token}"
        self.user = next(u for u in sim.org.users if u.can_sign_in and not u.is_admin)

    def tokens(self, method: str = "GET", suffix: str = "") -> requests.Response:
        url = f"{self.sim.base_url}/admin/directory/v1/users/{self.user.id}/tokens{suffix}"
        return self.session.request(method, url, timeout=10)

    def activities(self, **query: str) -> requests.Response:
        url = f"{self.sim.base_url}/admin/reports/v1/activity/users/all/applications/token"
        return self.session.get(url, params=query, timeout=10)


@pytest.fixture
def sim() -> Iterator[GoogleSimulator]:
    clock = Clock(1_790_000_000.0, running=False)
    with GoogleSimulator(OrgSpec(employees=12, seed=4), clock=clock) as simulator:
        yield simulator


@pytest.fixture
def api(sim: GoogleSimulator) -> Iterator[Api]:
    made = Api(sim)
    with made.session:
        yield made


def counts(sim: GoogleSimulator, method: str = "directory.tokens.list") -> tuple[int, int, int]:
    row = sim.control.metrics()["methods"][method]
    return row["accepted"], row["refused"], row["failed"]


# -- quotas --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "status", "reason"),
    [
        ("429", 429, "rateLimitExceeded"),
        ("403_rateLimitExceeded", 403, "rateLimitExceeded"),
        ("403_quotaExceeded", 403, "quotaExceeded"),
        ("503", 503, "backendError"),
    ],
)
def test_a_minute_holds_so_many_queries(
    sim: GoogleSimulator, api: Api, shape: str, status: int, reason: str
) -> None:
    sim.control.quota(per_minute=5, refusal=shape)
    for _ in range(4):
        assert api.tokens().status_code == 200
    sim.control.advance(30)
    assert api.tokens().status_code == 200
    refused = api.tokens()
    assert refused.status_code == status
    assert refused.json()["error"]["errors"][0]["reason"] == reason
    sim.control.advance(29)
    assert api.tokens().status_code == status
    sim.control.advance(1)
    statuses = [api.tokens().status_code for _ in range(5)]
    assert statuses == [200] * 4 + [status], "the window slides: the fifth call is 30 seconds old"


def test_the_default_is_googles(sim: GoogleSimulator) -> None:
    settings = sim.control.quota()
    assert (settings["per_minute"], settings["filtered_per_minute"], settings["time_scale"]) == (
        2400,
        250,
        1.0,
    )


def test_filtered_listings_have_a_quota_of_their_own_answered_503(sim: GoogleSimulator, api: Api) -> None:
    sim.control.quota(filtered_per_minute=3)
    statuses = [api.activities(eventName="authorize", maxResults="1").status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 503, 503]
    assert api.activities(maxResults="1").status_code == 200, "unfiltered ones do not count there"
    assert counts(sim, "reports.activities.list") == (4, 0, 2)


def test_every_project_and_user_has_a_quota_of_its_own(sim: GoogleSimulator, api: Api) -> None:
    sim.control.quota(per_minute=1)
    assert [api.tokens().status_code for _ in range(2)] == [200, 429]
    other = Api(sim, "407400000077-other.apps.googleusercontent.com")
    with other.session:
        assert [other.tokens().status_code for _ in range(2)] == [200, 429]


def test_another_tool_takes_its_share_without_a_word(sim: GoogleSimulator, api: Api) -> None:
    sim.control.quota(per_minute=20)
    sim.control.other_tool(0.5)
    sim.control.advance(60)
    assert Counter(api.tokens().status_code for _ in range(20)) == {200: 10, 429: 10}
    sim.control.other_tool(0.0)
    sim.control.advance(60)
    assert Counter(api.tokens().status_code for _ in range(21)) == {200: 20, 429: 1}


def test_one_factor_scales_the_minute_and_the_service_time() -> None:
    with GoogleSimulator(OrgSpec(employees=10), clock=Clock()) as sim:
        sim.control.quota(per_minute=3, time_scale=120)
        sim.control.service_time(6.0)
        api = Api(sim)
        with api.session:
            begun = time.monotonic()
            assert [api.tokens().status_code for _ in range(3)] == [200] * 3
            assert time.monotonic() - begun >= 0.15, "6 s / 120, three times"
            assert sim.quotas.settings.window_s == 0.5


def test_refused_calls_count_only_when_told(sim: GoogleSimulator, api: Api) -> None:
    for count_refused, expected in ((False, 200), (True, 429)):
        sim.control.quota(per_minute=2, count_refused=count_refused)
        for _ in range(2):
            assert api.tokens().status_code == 200
        sim.control.advance(50)
        for _ in range(2):
            assert api.tokens().status_code == 429
        sim.control.advance(11)
        assert api.tokens().status_code == expected
        sim.control.advance(120)


# -- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503, 504])
def test_a_status_can_be_made_to_happen(sim: GoogleSimulator, api: Api, status: int) -> None:
    sim.control.fault("status", path="/tokens$", status=status, count=2, retry_after=7)
    for _ in range(2):
        failed = api.tokens()
        assert failed.status_code == failed.json()["error"]["code"] == status
        assert failed.headers["Retry-After"] == "7"
    assert api.tokens().status_code == 200
    assert sim.control.faults()[0]["hits"] == 2


def test_rules_name_path_method_and_number(sim: GoogleSimulator, api: Api) -> None:
    rule = sim.control.fault("status", path="/tokens", method="DELETE", status=500, html=True)
    assert api.tokens().status_code == 200
    failed = api.tokens("DELETE", "/x")
    assert (failed.status_code, failed.headers["Content-Type"]) == (500, "text/html; charset=UTF-8")
    sim.control.clear_faults(rule)
    assert api.tokens("DELETE", "/x").status_code == 404
    sim.control.fault("status", path="/tokens$", skip=2, count=1)
    assert [api.tokens().status_code for _ in range(4)] == [200, 200, 503, 200]
    with pytest.raises(ValueError, match="kind must be"):
        sim.control.fault("flood")


def test_the_same_seed_gives_the_same_faults(sim: GoogleSimulator, api: Api) -> None:
    runs = []
    for seed in (1, 1, 2):
        sim.control.clear_faults()
        sim.control.seed(seed)
        sim.control.fault("status", path="/tokens$", probability=0.5)
        runs.append([api.tokens().status_code for _ in range(30)])
    assert runs[0] == runs[1] != runs[2]
    assert set(runs[0]) == {200, 503}


def test_a_truncated_body_is_noticed_and_a_cut_one_is_no_json(sim: GoogleSimulator, api: Api) -> None:
    sim.control.fault("truncate", path="/tokens$", count=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        api.tokens()
    for kind in ("cut", "half_page"):
        sim.control.fault(kind, path="/tokens$", count=1)
        cut = api.tokens()
        assert cut.status_code == 200
        with pytest.raises(requests.exceptions.JSONDecodeError):
            cut.json()
    assert api.tokens().json()["items"]


def test_a_connection_can_be_reset(sim: GoogleSimulator, api: Api) -> None:
    assert api.tokens().ok
    sim.control.fault("reset", path="/tokens$", count=1)
    with pytest.raises(requests.exceptions.ConnectionError):
        api.tokens()
    assert api.tokens().ok
    assert sim.control.metrics()["methods"]["directory.tokens.list"]["statuses"] == {"200": 2, "0": 1}


@pytest.mark.parametrize("kind", ["status", "reset"])
def test_a_reply_can_be_lost_after_the_deed(sim: GoogleSimulator, api: Api, kind: str) -> None:
    client_id = sim.control.grants_of(api.user.id)[0]["client_id"]
    sim.control.fault(kind, path="/tokens/", method="DELETE", count=1, after=True)
    try:
        assert api.tokens("DELETE", f"/{client_id}").status_code == 503
    except requests.exceptions.ConnectionError:
        assert kind == "reset"
    assert client_id not in sim.control.truth()[api.user.id]["grants"]
    assert api.tokens("DELETE", f"/{client_id}").status_code == 404


def test_an_outage_has_a_beginning_and_an_end(sim: GoogleSimulator, api: Api) -> None:
    sim.control.outage(60, delay_s=10)
    assert api.tokens().status_code == 200
    sim.control.advance(10)
    assert api.tokens().status_code == 503
    assert requests.get(f"{sim.base_url}/oauth2/v3/certs", timeout=10).status_code == 200
    sim.control.advance(60)
    assert api.tokens().status_code == 200


def test_the_token_endpoint_can_fail_too(sim: GoogleSimulator) -> None:
    sim.control.fault("status", path="^/token$", status=500, count=1)
    assert requests.post(f"{sim.base_url}/token", timeout=10).status_code == 500
    assert requests.post(f"{sim.base_url}/token", timeout=10).json()["error"] == "unsupported_grant_type"


class Meeting(Clock):
    """A clock whose sleepers wait for one another: nobody goes on before all have come."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.barrier = threading.Barrier(size)

    def sleep(self, seconds: float) -> None:
        self.barrier.wait(20)


def test_sixty_slow_calls_are_served_at_once() -> None:
    with GoogleSimulator(OrgSpec(employees=10), clock=Meeting(60)) as sim:
        sim.control.service_time(0.5)
        api = Api(sim)
        headers = dict(api.session.headers)
        api.session.close()

        def call(_: int) -> int:
            url = f"{sim.base_url}/admin/directory/v1/users/{api.user.id}/tokens"
            return requests.get(url, headers=headers, timeout=30).status_code

        with ThreadPoolExecutor(60) as pool:
            assert list(pool.map(call, range(60))) == [200] * 60
        assert sim.control.metrics()["peak_in_flight"] == 60


class Noticing(Clock):
    """A clock that tells when somebody sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep = threading.Event()

    def sleep(self, seconds: float) -> None:
        self.asleep.set()
        super().sleep(seconds)


def test_latency_can_be_added_and_ends_with_the_simulator() -> None:
    clock = Noticing()
    simulator = GoogleSimulator(OrgSpec(employees=10), clock=clock).start()
    api = Api(simulator)
    simulator.control.fault("latency", path="/tokens$", seconds=300)
    outcome: list[object] = []

    def call() -> None:
        try:
            outcome.append(api.tokens().status_code)
        except requests.exceptions.RequestException as error:
            outcome.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    assert clock.asleep.wait(10)
    assert not outcome
    simulator.stop()
    thread.join(10)
    api.session.close()
    assert not thread.is_alive()
    assert len(outcome) == 1


# -- counters and the control endpoint -----------------------------------------------------------


def test_counters_tell_accepted_refused_and_failed(sim: GoogleSimulator, api: Api) -> None:
    sim.control.quota(per_minute=3)
    for _ in range(4):
        api.tokens()
    sim.control.fault("status", path="/tokens$", count=2)
    for _ in range(2):
        api.tokens()
    assert counts(sim) == (3, 1, 2)
    sim.control.reset_metrics()
    assert sim.control.metrics()["methods"] == {}


def test_control_works_over_http(sim: GoogleSimulator, api: Api) -> None:
    base = f"{sim.base_url}/_control"

    def call(name: str, **arguments: object) -> requests.Response:
        return requests.post(f"{base}/{name}", json=arguments, timeout=10)

    made = call("grant", user=api.user.email, app="Over The Wire", scopes=["openid"]).json()
    assert requests.get(f"{base}/truth", timeout=10).json()[api.user.id]["grants"][made["client_id"]] == [
        "openid"
    ]
    assert call("fault", kind="status", path="/tokens$", count=1).json() == 1
    assert api.tokens().status_code == 503
    assert call("quota", per_minute=10).json()["per_minute"] == 10
    assert call("advance", seconds=5).json() == 1_790_000_005.0
    for name, arguments, status in (
        ("no_such", {}, 404),
        ("_state", {"user": "x", "state": "active"}, 404),
        ("grant", {"nonsense": 1}, 400),
        ("revoke", {"user": "nobody@x.example", "client_id": "y"}, 400),
        ("quota", {"nonsense": 1}, 400),
    ):
        assert call(name, **arguments).status_code == status, name
    assert "control" not in sim.control.metrics()["methods"]
    assert call("reset").status_code == 200
    assert made["client_id"] not in sim.control.truth()[api.user.id]["grants"]
    assert api.tokens().status_code == 401
    assert sim.server.errors == []


def test_unknown_paths_and_huge_bodies(sim: GoogleSimulator) -> None:
    assert requests.get(f"{sim.base_url}/admin/directory/v1/nothing", timeout=10).status_code == 404
    assert requests.put(f"{sim.base_url}/token", timeout=10).status_code == 404
