"""`/auditLogs`: sign-ins (with a licence) and the directory's audits, newest first."""

from collections.abc import Callable
from datetime import datetime

from tests.simulators.google.wire import Request, Response

from .gate import Gate, licensed
from .model import Json
from .odata import Match, equals, filtered, options, paged
from .world import World

LIST = ("$top", "$filter", "$skiptoken")
RETENTION_S = {True: 30 * 86400, False: 7 * 86400}
NEEDED = "AuditLog.Read.All"


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _times(name: str) -> dict[str, Callable[[str], Match]]:
    return {rf"{name} ge (\S+)": _since, rf"{name} le (\S+)": _until}


def _since(text: str) -> Match:
    at = _at(text)
    return lambda row: row["_at"] >= at


def _until(text: str) -> Match:
    at = _at(text)
    return lambda row: row["_at"] <= at


class Reports:
    """Handlers."""

    def __init__(self, world: World, gate: Gate) -> None:
        self._world = world
        self._gate = gate
        self.base_url = ""

    def sign_ins(self, request: Request) -> Response:
        """`GET /auditLogs/signIns`: interactive ones."""
        caller = self._gate.enter(request, "signIns.list", NEEDED, report=True)
        licensed(caller.tenant)
        test = filtered(
            options(request, *LIST), {**_times("createdDateTime"), **equals("appId"), **equals("userId")}
        )
        with self._world.lock:
            rows = self._world.sign_ins(caller.tenant)
        return self._listed(request, rows, test, "signIn", p1=caller.tenant.p1)

    def audits(self, request: Request) -> Response:
        """`GET /auditLogs/directoryAudits`."""
        caller = self._gate.enter(request, "directoryAudits.list", NEEDED, report=True)
        forms = {**_times("activityDateTime"), **equals("activityDisplayName"), **equals("loggedByService")}
        test = filtered(options(request, *LIST), forms)
        rows = list(reversed(caller.tenant.audits))
        return self._listed(request, rows, test, "directoryAudit", p1=caller.tenant.p1)

    def _listed(self, request: Request, rows: list[Json], test: Match, entity: str, *, p1: bool) -> Response:
        now = self._world.clock.now()
        oldest = now - RETENTION_S[p1]
        kept = [row for row in rows if row["_at"] >= oldest and test(row)]
        return paged(request, self.base_url, kept, entity=entity, now=now, most=1000, usual=1000)
