"""What is done about it: a bulk revoke that a second person approves, and push that tells meanwhile."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from scripts.demo.api import Api
from scripts.demo.story import Inventory, Row
from scripts.demo.waiting import DemoFailedError, Patience
from scripts.instance.progress import Progress
from scripts.instance.simulator import Simulator

REVOKE_DEADLINE_S: Final = 120
PUSH_DEADLINE_S: Final = 60
CLOSE_DEADLINE_S: Final = 60
NEW_APP: Final = "Manus"
"""An AI tool of the catalog that nobody in the demo organisation holds yet."""
NEW_SCOPES: Final = (
    "openid",
    "https://www.googleapis.com/auth/userinfo.email",
    "https://www.googleapis.com/auth/drive.readonly",
)
_FEWEST, _MOST = 5, 40


@dataclass(frozen=True, slots=True)
class Revocation:
    """What the bulk revoke did; `refused` is the app whose revoke a brake forbade, with the brake.

    `closed` counts the findings about the app that closed by themselves.
    """

    app: Row
    plan: Row
    job: Row
    refused: tuple[str, str] | None
    closed: int
    seconds: float

    @property
    def revoked(self) -> int:
        """Grants that were taken away at the provider."""
        counts = self.job["counts"]
        return int(counts["applied"]) + int(counts["verified"])


@dataclass(frozen=True, slots=True)
class Caught:
    """The consent that push caught."""

    email: str
    finding: Row
    seconds: float


def act(api: Api, google: Simulator, found: Inventory, progress: Progress) -> tuple[Revocation, Caught]:
    """Revoke an app everywhere with a second person's approval; meanwhile somebody consents to a new one."""
    clock = Patience(lambda _text: None).clock
    with progress.step("dry run of a bulk revoke"):
        app, plan, refused = _choose(api, [app for app in found.ai_apps if app["provider"] == "google"])
    with progress.step(f"revoke {_short(app)} from {plan['targets']} people, approved by a second key"):
        started = clock()
        job_id = _request_and_approve(api, app)
    with progress.step(f"meanwhile somebody lets {NEW_APP} in; push tells") as report:
        caught = _catch(api, google, found, Patience(report))
    with progress.step("every revocation verified at Google") as report:
        job = Patience(report).until(
            "the revoke job to be done", REVOKE_DEADLINE_S, lambda: _finished(api, job_id)
        )
        took = clock() - started
        _gone_at_google(api, google, app)
    with progress.step(f"findings about {_short(app)} close by themselves") as report:
        closed = Patience(report).until("its findings to close", CLOSE_DEADLINE_S, lambda: _closed(api, app))
    return Revocation(app, plan, job, refused, closed, took), caught


def audit_is_sound(api: Api) -> int:
    """Have the whole audit log verified; returns the number of entries.

    Raises:
        DemoFailedError: an entry is not what was written.
    """
    cursor: str | None = None
    while True:
        answer = api.get("/v1/audit/verify", **({"cursor": cursor} if cursor else {}))
        if not answer["sound"]:
            raise DemoFailedError(f"the audit log breaks at entry {answer['first_bad_seq']}")
        cursor = answer["next_cursor"]
        if cursor is None:
            return int(answer["verified_through"])


def _choose(api: Api, apps: Iterable[Row]) -> tuple[Row, Row, tuple[str, str] | None]:
    """The riskiest AI app that the brakes let us revoke at once; and the first that they do not."""
    refused: tuple[str, str] | None = None
    for app in apps:
        if app["holders"] < _FEWEST:
            continue
        body = {"app_id": app["id"], "dry_run": True, "reason": "Not approved for company data"}
        plan = api.call("POST", "/v1/grants/revoke", body=body).body["plan"]
        if plan["refused_by"]:
            refused = refused or (_short(app), str(plan["refused_by"]))
        elif plan["targets"] <= _MOST:
            return app, plan, refused
    raise DemoFailedError("no AI app has few enough holders to be revoked at once")


def _request_and_approve(api: Api, app: Row) -> str:
    body = {"app_id": app["id"], "dry_run": False, "reason": "Not approved for company data"}
    job = api.call("POST", "/v1/grants/revoke", body=body).body
    if job["state"] != "awaiting_approval":
        raise DemoFailedError(f"the revoke should wait for a second person, but it is {job['state']}")
    second = api.call("POST", "/v1/keys", body={"name": "second person", "scopes": ["remediate"]}).body["key"]
    colleague = Api(api.base_url, second)
    waiting = colleague.call("GET", f"/v1/jobs/{job['id']}")
    colleague.call("POST", f"/v1/jobs/{job['id']}/approve", etag=waiting.etag)
    return str(job["id"])


def _finished(api: Api, job_id: str) -> tuple[Row | None, str]:
    job = api.get(f"/v1/jobs/{job_id}")
    counts = job["counts"]
    standing = f"{job['state']}: {counts['applied']} revoked, {counts['verified']} verified"
    if job["state"] in ("failed", "cancelled"):
        raise DemoFailedError(f"the revoke job ended as {job['state']}: {job['error'] or counts}")
    return (job if job["state"] == "done" else None), standing


def _gone_at_google(api: Api, google: Simulator, app: Row) -> None:
    """Ask the simulated Google itself, not Lantern, whether anybody still holds the app."""
    client_id = api.get(f"/v1/apps/{app['id']}")["client_id"]
    holders = [
        person["email"] for person in google.control("truth").values() if client_id in person["grants"]
    ]
    if holders:
        raise DemoFailedError(
            f"Lantern says that {_short(app)} is gone, but {len(holders)} people still hold it"
        )


def _closed(api: Api, app: Row) -> tuple[int | None, str]:
    about = [row for row in api.all("/v1/findings") if row["subject_id"] == app["id"]]
    left = sum(1 for row in about if row["status"] == "open")
    return (None if left else len(about)), f"{left} of {len(about)} open"


def _catch(api: Api, google: Simulator, found: Inventory, patience: Patience) -> Caught:
    known = {row["id"] for row in found.findings}
    person = next(
        user
        for user in reversed(google.control("users"))
        if user["state"] == "active" and not user["is_admin"]
    )
    started = patience.clock()
    google.control("grant", user=person["email"], app=NEW_APP, scopes=list(NEW_SCOPES))

    def look() -> tuple[Row | None, str]:
        fresh = [
            row for row in api.all("/v1/findings") if row["id"] not in known and NEW_APP in str(row["title"])
        ]
        return (fresh[0] if fresh else None), f"{patience.clock() - started:.0f} s"

    finding = patience.until(f"a finding about {NEW_APP}", PUSH_DEADLINE_S, look)
    return Caught(str(person["email"]), finding, patience.clock() - started)


def _short(app: Row) -> str:
    return str(app["name"])
