"""`OktaSimulator`: all parts wired together, as a context manager."""

import pickle
import random
import threading
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace, TracebackType

from tests.simulators.google.clock import Clock
from tests.simulators.google.control_http import http_control
from tests.simulators.google.counters import Counters
from tests.simulators.google.server import Dispatcher, Router, Server
from tests.simulators.google.wire import ApiError, Request, Response

from .api import Api
from .auth import Auth
from .control import Control
from .hooks import Hooks
from .model import OrgSpec
from .quota import Quotas, QuotaSettings
from .syslog import SystemLog
from .wire import OktaFaults, ok
from .world import World

Handler = Callable[..., Response]


class OktaSimulator:
    """One Okta organisation on this machine.

    Args:
        spec: what to generate.
        clock: time for everything; real time when left out.
        port: TCP port on 127.0.0.1; 0 picks a free one.
        quota: limits.
        state: a file that keeps the organisation over restarts.
    """

    def __init__(
        self,
        spec: OrgSpec | None = None,
        *,
        clock: Clock | None = None,
        port: int = 0,
        quota: QuotaSettings | None = None,
        seed: int = 0,
        state: Path | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self._path = state
        kept = pickle.loads(state.read_bytes()) if state and state.exists() else None
        self.world = World(self.clock, spec or OrgSpec(), kept)
        self.auth = Auth(self.world.state, self.clock)
        self.quotas = Quotas(self.clock, quota)
        self.counters = Counters(self.clock)
        self.faults = OktaFaults(self.clock, seed)
        self.hooks = Hooks(self.world, lambda: self.base_url, seed)
        self.log = SystemLog(self.world, lambda: self.base_url)
        self.api = Api(self.world, lambda: self.base_url)
        self.control = Control(self)
        self.service_time = (0.0, 0.0)
        self.tokens = SimpleNamespace(access=self.auth.issued)
        self.home = ""
        self._rng = random.Random(seed)
        self.world.listeners.append(self.hooks.on_event)
        self.server = Server(port, Dispatcher(self._router(), self.faults, self.counters, self.clock))
        self.base_url = f"http://127.0.0.1:{self.server.server_port}"
        self.auth.base_url = self.base_url
        self._thread: threading.Thread | None = None

    def start(self) -> "OktaSimulator":
        """Serve in a thread."""
        self._thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, name="okta", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving, keep the state, end every thread."""
        self.clock.stop()
        if self._thread is not None:
            self.server.shutdown()
            self._thread.join()
        self.server.close_all()
        self.server.server_close()
        self.hooks.stop()
        self.save()

    def save(self) -> None:
        """Replace the state file."""
        if self._path is None:
            return
        with self.world.lock:
            raw = pickle.dumps(self.world.state)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".tmp")
        draft.touch(mode=0o600)
        draft.write_bytes(raw)
        draft.replace(self._path)

    def __enter__(self) -> "OktaSimulator":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _well_known(self, _: Request) -> Response:
        """Public: which organisation answers here, and its address at Okta (or `home`, a claim)."""
        state = self.world.state
        home = self.home or f"https://{state.spec.subdomain}.okta.com"
        return ok({"id": state.org_id, "pipeline": "idx", "_links": {"organization": {"href": home}}})

    def _served(self, scope: str, handler: Handler) -> Handler:
        """A handler behind the quota and the gates."""

        def run(request: Request, *parts: str) -> Response:
            headers = {"Date": formatdate(self.clock.now(), usegmt=True), "X-Okta-Request-Id": "aaaa"}
            try:
                headers |= self.quotas.begin(request.method, request.path)
            except ApiError as error:
                error.headers |= headers
                raise
            try:
                who = self.auth.admit(request, scope)
                parts = tuple(who if part == "me" else part for part in parts)
                self.clock.sleep(self._rng.uniform(*self.service_time))
                response = handler(request, *parts)
                if request.method != "GET":
                    self.save()
            except ApiError as error:
                error.headers |= {k: v for k, v in headers.items() if k not in error.headers}
                raise
            finally:
                self.quotas.end()
            response.headers |= headers
            return response

        return run

    def _router(self) -> Router:
        router, api = Router(), self.api

        def add(method: str, path: str, scope: str, handler: Handler) -> None:
            router.add(method, path, f"{method} {path}", self._served(scope, handler))

        user, app, hook = "/api/v1/users/{u}", "/api/v1/apps/{a}", "/api/v1/eventHooks/{h}"
        add("GET", "/api/v1/org", "okta.orgs.read", api.org)
        add("GET", "/api/v1/iam/assignees/users", "okta.roles.read", api.admins)
        add("GET", "/api/v1/users", "okta.users.read", api.users)
        add("GET", user, "okta.users.read", api.user)
        add("GET", f"{user}/roles", "okta.roles.read", api.roles)
        add("GET", f"{user}/grants", "okta.users.read", api.user_grants)
        add("DELETE", f"{user}/grants/{{g}}", "okta.users.manage", api.drop_user_grant)
        add("GET", f"{user}/clients/{{c}}/grants", "okta.users.read", api.client_grants)
        add("DELETE", f"{user}/clients/{{c}}/grants", "okta.users.manage", api.drop_client_grants)
        add("GET", f"{user}/clients/{{c}}/tokens", "okta.users.read", api.client_tokens)
        add("DELETE", f"{user}/clients/{{c}}/tokens", "okta.users.manage", api.drop_client_tokens)
        add("DELETE", f"{user}/sessions", "okta.users.manage", api.end_sessions)
        add("GET", "/api/v1/apps", "okta.apps.read", api.apps)
        add("GET", app, "okta.apps.read", api.app)
        add("POST", f"{app}/lifecycle/{{v}}", "okta.apps.manage", api.switch_app)
        add("GET", f"{app}/users", "okta.apps.read", api.app_users)
        add("GET", f"{app}/users/{{u}}", "okta.apps.read", api.app_user)
        add("DELETE", f"{app}/users/{{u}}", "okta.apps.manage", api.drop_app_user)
        add("GET", f"{app}/groups", "okta.apps.read", api.app_groups)
        add("GET", f"{app}/grants", "okta.appGrants.read", api.app_grants)
        add("DELETE", f"{app}/grants/{{g}}", "okta.appGrants.manage", api.drop_app_grant)
        add("GET", "/api/v1/api-tokens", "okta.apiTokens.read", api.api_tokens)
        add("GET", "/api/v1/api-tokens/{t}", "okta.apiTokens.read", api.api_token)
        add("DELETE", "/api/v1/api-tokens/{t}", "okta.apiTokens.manage", api.drop_api_token)
        services = "/integrations/api/v1/api-services"
        add("GET", services, "okta.oauthIntegrations.read", api.integrations)
        add("GET", f"{services}/{{s}}", "okta.oauthIntegrations.read", api.integration)
        agents = "/workload-principals/api/v1/ai-agents"
        add("GET", agents, "okta.aiAgents.read", api.agents)
        add("GET", f"{agents}/{{g}}", "okta.aiAgents.read", api.agent)
        add("POST", f"{agents}/{{g}}/lifecycle/deactivate", "okta.aiAgents.manage", api.stop_agent)
        add("GET", "/api/v1/logs", "okta.logs.read", self.log.get)
        add("GET", "/api/v1/eventHooks", "okta.eventHooks.read", self.hooks.list)
        add("POST", "/api/v1/eventHooks", "okta.eventHooks.manage", self.hooks.create)
        add("GET", hook, "okta.eventHooks.read", self.hooks.get)
        add("DELETE", hook, "okta.eventHooks.manage", self.hooks.delete)
        add("POST", f"{hook}/lifecycle/verify", "okta.eventHooks.manage", self.hooks.verify)
        add("POST", f"{hook}/lifecycle/{{v}}", "okta.eventHooks.manage", self.hooks.switch)
        router.add("POST", "/oauth2/v1/token", "oauth.token", self.auth.token)
        router.add("POST", "/oauth2/v1/revoke", "oauth.revoke", self.auth.revoke)
        router.add("GET", "/.well-known/okta-organization", "well-known", self._well_known)
        router.add("GET", "/_control/{name}", "control", http_control(self.control))
        router.add("POST", "/_control/{name}", "control", self._kept(http_control(self.control)))
        return router

    def _kept(self, handler: Handler) -> Handler:
        def run(request: Request, *parts: str) -> Response:
            response = handler(request, *parts)
            self.save()
            return response

        return run
