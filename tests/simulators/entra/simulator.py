"""`EntraSimulator`: all parts wired together, as a context manager."""

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from tests.simulators.google.clock import Clock
from tests.simulators.google.control_http import http_control
from tests.simulators.google.counters import Counters
from tests.simulators.google.faults import Faults
from tests.simulators.google.server import Dispatcher, Router, Server

from .batch import Batch
from .control import Control
from .gate import Gate
from .graph import APPS, DIRECTORY, USERS, Graph
from .login import Login
from .model import AppRegistration
from .persist import Keeper
from .quota import Quotas, QuotaSettings
from .reports import Reports
from .subscriptions import Subscriptions
from .tokens import TokenStore
from .world import TenantSpec, World


class EntraSimulator:
    """A Microsoft on this machine; arguments as of the simulated Google.

    `base_url` is where login.microsoftonline.com (at the root) and graph.microsoft.com (under `/v1.0`) are
    served; `control` does the rest.
    """

    def __init__(
        self,
        tenants: TenantSpec | Iterable[TenantSpec] | None = None,
        *,
        clock: Clock | None = None,
        port: int = 0,
        apps: Sequence[AppRegistration] = (),
        quota: QuotaSettings | None = None,
        seed: int = 0,
        state: Path | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self._seed = seed
        self._keeper = Keeper(self, state) if state is not None else None
        kept = self._keeper.load() if self._keeper is not None else None
        given = (tenants,) if isinstance(tenants, TenantSpec) else tuple(tenants or (TenantSpec(),))
        self.world = World(self.clock, () if kept else given)
        self.tokens = TokenStore(self.clock)
        if kept is not None and self._keeper is not None:
            self._keeper.restore(kept)
        self.quotas = Quotas(self.clock, quota)
        self.counters = Counters(self.clock)
        self.faults = Faults(self.clock, seed)
        self.gate = Gate(self.world, self.tokens, self.quotas)
        self.graph = Graph(self.world, self.gate)
        self.reports = Reports(self.world, self.gate)
        self.subscriptions = Subscriptions(self.world, self.gate)
        self.login = Login(self.world, self.tokens)
        self.login.apps = {app.client_id: app for app in apps}
        self.control = Control(self)
        if self._keeper is not None:
            self.world.touched.append(self._keeper.touched)
        batch = Batch(self.gate)
        dispatcher = Dispatcher(self._router(batch), self.faults, self.counters, self.clock)
        batch.dispatcher = dispatcher
        self.server = Server(port, dispatcher)
        self.base_url = f"http://127.0.0.1:{self.server.server_port}"
        for part in (self.graph, self.reports, self.subscriptions, self.login):
            part.base_url = self.base_url
        self._thread: threading.Thread | None = None

    def start(self) -> "EntraSimulator":
        """Serve in a thread."""
        self._thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, name="entra", daemon=True
        )
        self._thread.start()
        if self._keeper is not None:
            self._keeper.start()
        return self

    def stop(self) -> None:
        """Stop serving, keep the state, end every thread."""
        self.clock.stop()
        if self._thread is not None:
            self.server.shutdown()
            self._thread.join()
        self.server.close_all()
        self.server.server_close()
        self.subscriptions.stop()
        if self._keeper is not None:
            self._keeper.stop()

    def __enter__(self) -> "EntraSimulator":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _router(self, batch: Batch) -> Router:
        router = Router()
        add, graph, v1 = router.add, self.graph, "/v1.0"
        sp = f"{v1}/servicePrincipals"
        add("POST", f"{v1}/$batch", "batch", batch.handle)
        add("GET", f"{v1}/organization", "organization", graph.organization)
        add("GET", f"{v1}/users", "users.list", graph.users)
        add("GET", f"{v1}/users/delta", "users.delta", graph.delta("users", "user", *USERS))
        add("GET", f"{v1}/users/{{id}}", "users.get", graph.user)
        add("GET", f"{v1}/users/{{id}}/oauth2PermissionGrants", "users.grants", graph.user_grants)
        add("GET", f"{v1}/users/{{id}}/appRoleAssignments", "users.roles", graph.user_roles)
        add(
            "GET",
            f"{v1}/users/{{id}}/transitiveMemberOf/microsoft.graph.directoryRole",
            "users.memberOf",
            graph.member_of,
        )
        add("POST", f"{v1}/users/{{id}}/revokeSignInSessions", "users.revokeSessions", graph.revoke_sessions)
        add("GET", f"{v1}/directory/deletedItems/microsoft.graph.user", "deleted.list", graph.deleted_users)
        add("GET", f"{v1}/directoryRoles", "directoryRoles.list", graph.directory_roles)
        add("GET", f"{v1}/directoryRoles/{{id}}/members", "directoryRoles.members", graph.role_members)
        add(
            "GET",
            f"{v1}/groups/{{id}}/transitiveMembers/microsoft.graph.user",
            "groups.members",
            graph.group_members,
        )
        add("GET", sp, "apps.list", graph.apps)
        add("GET", f"{sp}/delta", "apps.delta", graph.delta("apps", "servicePrincipal", *APPS))
        add("GET", f"{sp}/microsoft.graph.agentIdentity", "agents.list", graph.agents)
        add("GET", f"{sp}/{{id}}", "apps.get", graph.app)
        add("PATCH", f"{sp}/{{id}}", "apps.patch", graph.change_app)
        add("DELETE", f"{sp}/{{id}}", "apps.delete", graph.delete_app)
        add("GET", f"{sp}/{{id}}/appRoleAssignedTo", "apps.assigned", graph.assigned_to)
        add("DELETE", f"{sp}/{{id}}/appRoleAssignedTo/{{assignment}}", "roles.delete", graph.unassign)
        add("GET", f"{sp}/{{id}}/appRoleAssignments", "apps.roles", graph.app_roles)
        add(
            "GET",
            f"{sp}/{{id}}/microsoft.graph.agentIdentity/sponsors",
            "apps.sponsors",
            graph.people_of("sponsors"),
        )
        add("GET", f"{sp}/{{id}}/owners", "apps.owners", graph.people_of("owners"))
        grants = f"{v1}/oauth2PermissionGrants"
        add("GET", grants, "grants.list", graph.grants)
        add(
            "GET",
            f"{grants}/delta",
            "grants.delta",
            graph.delta("grants", "oAuth2PermissionGrant", DIRECTORY),
        )
        add("DELETE", f"{grants}/{{id}}", "grants.delete", graph.delete_grant)
        add("PATCH", f"{grants}/{{id}}", "grants.patch", graph.change_grant)
        add("GET", f"{v1}/auditLogs/signIns", "signIns.list", self.reports.sign_ins)
        add("GET", f"{v1}/auditLogs/directoryAudits", "directoryAudits.list", self.reports.audits)
        add("POST", f"{v1}/subscriptions", "subscriptions.create", self.subscriptions.create)
        add("GET", f"{v1}/subscriptions", "subscriptions.list", self.subscriptions.listed)
        add("DELETE", f"{v1}/subscriptions/{{id}}", "subscriptions.delete", self.subscriptions.delete)
        add(
            "POST",
            f"{v1}/subscriptions/{{id}}/reauthorize",
            "subscriptions.reauthorize",
            self.subscriptions.reauthorize,
        )
        add("GET", f"{v1}/{{segment}}", "apps.get", graph.app_by_id)
        add("GET", "/{tenant}/oauth2/v2.0/authorize", "login.authorize", self.login.authorize)
        add("POST", "/{tenant}/oauth2/v2.0/token", "login.token", self.login.token)
        add("GET", "/{tenant}/v2.0/adminconsent", "login.adminconsent", self.login.admin_consent)
        add("GET", "/{tenant}/discovery/v2.0/keys", "login.keys", self.login.keys)
        add("POST", "/_login/decide", "login.decide", self.login.decide)
        add("GET", "/_control/{name}", "control", http_control(self.control))
        add("POST", "/_control/{name}", "control", http_control(self.control))
        return router
