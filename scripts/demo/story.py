"""What Lantern finds by itself after consent: accounts and grants, risks and findings, 180 days of use."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from scripts.demo.api import Api
from scripts.demo.consents import Consent
from scripts.demo.waiting import DemoFailedError, Patience
from scripts.instance.progress import Progress

READ_DEADLINE_S: Final = 480
HISTORY_DEADLINE_S: Final = 480
STALE_RULE: Final = "stale-grant"
TOP: Final = 8
"""Apps whose risk is explained."""
_CALM_S: Final = 1.5
"""Between two looks at whole lists: looking costs the machine that does the work."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """The first full reading of one connection; `seconds` are from its consent to the end of the reading."""

    connection_id: str
    provider: str
    title: str
    principals: int
    grants: int
    apps: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Inventory:
    """What Lantern found by itself. Times are seconds after the first consent.

    `reasons` says of the riskiest AI apps why they are (app id → the API's words).
    """

    readings: tuple[Reading, ...]
    apps: tuple[Row, ...]
    ai_apps: tuple[Row, ...]
    findings: tuple[Row, ...]
    reasons: dict[str, str]
    inventory_s: float
    first_finding_s: float

    @property
    def principals(self) -> int:
        """Accounts at all connections."""
        return sum(one.principals for one in self.readings)

    @property
    def grants(self) -> int:
        """Grants at all connections."""
        return sum(one.grants for one in self.readings)


@dataclass(frozen=True, slots=True)
class Past:
    """All findings once the past is read; `seconds` are from the first consent to the last unused grant."""

    findings: tuple[Row, ...]
    seconds: float


def watch(api: Api, consents: tuple[Consent, ...], progress: Progress) -> Inventory:
    """Wait until everything is read and judged; the past is still to come."""
    given = consents[0].given
    with progress.step(f"discovery: every account and every grant of {len(consents)} connections") as report:
        patience = Patience(report)
        connections = patience.until("the connections", 30, lambda: _connections(api, len(consents)))
        runs = patience.until(
            "the first full runs to be complete", READ_DEADLINE_S, lambda: _runs(api, connections)
        )
    with progress.step("identification, risk, findings") as report:
        Patience(report).until(
            "apps of every connection and findings",
            READ_DEADLINE_S,
            lambda: _judged(api, connections.values()),
            pause_s=_CALM_S,
        )
    apps, findings = tuple(api.all("/v1/apps")), tuple(api.all("/v1/findings"))
    ai_apps = tuple(api.all("/v1/apps", verdict="ai", sort="-risk"))
    seen = [_seconds(given, row["first_seen"]) for row in findings]
    return Inventory(
        readings=tuple(_readings(consents, connections, runs, apps)),
        apps=apps,
        ai_apps=ai_apps,
        findings=findings,
        reasons={app["id"]: _reasons(api, app["id"]) for app in ai_apps[:TOP]},
        inventory_s=max(_seconds(given, run["finished_at"]) for run in runs.values()),
        first_finding_s=min(seen),
    )


def remember(api: Api, consents: tuple[Consent, ...], found: Inventory, progress: Progress) -> Past:
    """Wait until the first connection's past is read and judged.

    Each provider tells its past at a pace of its own (Okta's log alone takes a minute): the others go on.
    """
    first = found.readings[0]
    with progress.step(f"180 days of use at {first.title}, newest first; unused grants") as report:
        Patience(report).until(
            "findings about unused grants",
            HISTORY_DEADLINE_S,
            _settled(api, first.connection_id),
            pause_s=_CALM_S,
        )
    findings = tuple(api.all("/v1/findings"))
    late = [row["first_seen"] for row in findings if row["rule_id"] == STALE_RULE]
    return Past(findings, _seconds(consents[0].given, max(late)))


def _connections(api: Api, wanted: int) -> tuple[dict[str, str] | None, str]:
    """Connection ids by provider, once there are as many as were consented to."""
    found = {str(row["provider"]): str(row["id"]) for row in api.get("/v1/connections")["data"]}
    return (found if len(found) == wanted else None), f"{len(found)} of {wanted} connected"


def _runs(api: Api, connections: dict[str, str]) -> tuple[dict[str, Row] | None, str]:
    """The first full run of each connection by provider, once all have ended."""
    done: dict[str, Row] = {}
    standing = []
    for provider, connection in connections.items():
        found = [r for r in api.get(f"/v1/connections/{connection}/runs")["data"] if r["kind"] == "full"]
        if not found:
            standing.append(f"{provider} waits")
            continue
        run, coverage = found[-1], found[-1]["coverage"]
        if run["state"] == "failed":
            raise DemoFailedError(f"the first run at {provider} failed: {run['error']} {run['remedy'] or ''}")
        if run["state"] in ("complete", "partial"):
            done[provider] = run
        else:
            standing.append(f"{provider} {coverage['read']} of {coverage['listed'] or '?'}")
    whole = len(done) == len(connections)
    return (done if whole else None), ", ".join([f"{len(done)} read", *sorted(standing)])


def _readings(
    consents: Iterable[Consent], connections: dict[str, str], runs: dict[str, Row], apps: tuple[Row, ...]
) -> Iterable[Reading]:
    held = Counter(connection for app in apps for connection in app["connections"])
    for one in consents:
        run, connection = runs[one.provider], connections[one.provider]
        yield Reading(
            connection, one.provider, one.title, run["counts"]["principals"], run["counts"]["grants"],
            held[connection], _seconds(one.given, run["finished_at"]),
        )  # fmt: skip


def by_rule(findings: tuple[Row, ...]) -> Counter[tuple[str, str]]:
    """How many findings of each rule and severity."""
    return Counter((row["rule_id"], row["severity"]) for row in findings)


def _judged(api: Api, connections: Collection[str]) -> tuple[bool | None, str]:
    """Whether apps of every connection are identified, and there are findings."""
    apps = list(api.all("/v1/apps"))
    seen = {connection for app in apps for connection in app["connections"]}
    findings = sum(1 for _ in api.all("/v1/findings"))
    standing = f"{len(apps)} apps of {len(seen)} connections, {findings} findings"
    return (True if findings and seen >= set(connections) else None), standing


def _settled(api: Api, connection: str) -> Callable[[], tuple[bool | None, str]]:
    """Looks whether a connection's past is judged: the run after reading it is done, and findings rest."""
    counts: list[int] = []

    def look() -> tuple[bool | None, str]:
        runs = api.get(f"/v1/connections/{connection}/runs")["data"]
        read = any(run["cause"] == "activity" and run["finished_at"] for run in runs)
        findings = list(api.all("/v1/findings"))
        late = sum(1 for row in findings if row["rule_id"] == STALE_RULE)
        counts.append(late)
        quiet = len(counts) > 2 and len(set(counts[-3:])) == 1
        standing = f"{len(findings)} findings, {late} about unused grants"
        return (True if read and late and quiet else None), standing

    return look


def _reasons(api: Api, app_id: str, most: int = 3) -> str:
    """The factors that weigh most in an app's risk; the first of a factor's reasons is the worst."""
    factors = api.get(f"/v1/apps/{app_id}/risk")["factors"]
    telling = sorted((f for f in factors if f["points"]), key=lambda f: -float(f["points"]))
    return "; ".join(str(f["evidence"]).partition(";")[0] for f in telling[:most])


def _seconds(given: datetime, at: str) -> float:
    return (datetime.fromisoformat(at) - given).total_seconds()
