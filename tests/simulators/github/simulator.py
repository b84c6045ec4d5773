"""`GithubSimulator`: all parts wired together, as a context manager."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.simulators.google.clock import Clock
from tests.simulators.google.counters import Counters
from tests.simulators.google.faults import Fault, Faults
from tests.simulators.google.identity import Signer
from tests.simulators.google.server import Dispatcher, Router, Server
from tests.simulators.google.wire import Request, Response, json_response

from .access import Access, Rates
from .app import OurApp
from .control import Control, http_control
from .model import App, OrgSpec
from .orgs import Orgs
from .persist import Keeper
from .wire import GithubError
from .world import World

WANTED = {
    "metadata": "read",
    "members": "read",
    "organization_administration": "write",
    "organization_personal_access_tokens": "write",
    "organization_personal_access_token_requests": "read",
    "organization_copilot_seat_management": "write",
}
"""The permissions that our app asks for."""


@dataclass(frozen=True, slots=True)
class AppSpec:
    """Our app's registration."""

    app_id: int = 100_001
    slug: str = "lantern-security"
    client_id: str = "Iv23simulated"
    client_secret: str = "simulated-client-secret"
    redirect_uri: str = "http://127.0.0.1:9/connect/github/callback"
    permissions: dict[str, str] = field(default_factory=lambda: dict(WANTED))


APP = AppSpec()


class _Fault(Fault):
    def response(self) -> Response:
        """As a broken part of GitHub answers: its own body, which describes no endpoint."""
        if self.html:
            return Fault.response(self)  # a dataclass with slots has no zero-argument super
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        error = GithubError(self.status, self.message or "Server Error", headers=headers)
        return error.response()


class _Faults(Faults):
    rule = _Fault


class _Dispatcher(Dispatcher):
    def place(self, request: Request) -> str:
        """Lists differ by their query."""
        query = "&".join(f"{key}={value}" for key, value in request.query.items())
        return f"{request.path}?{query}" if query else request.path

    def handle(self, request: Request) -> Response:
        """As the base does, with GitHub's own 404."""
        if self._router.find(request.method, request.path) is None:
            return GithubError(404, "Not Found").response()
        return super().handle(request)


class GithubSimulator:
    """A GitHub on this machine.

    Args:
        orgs: one or several organisations to make up.
        app: our app's registration.
        clock: time for everything; real time when left out.
        port: TCP port on 127.0.0.1; 0 picks a free one.
        seed: of faults.
        state: a file that keeps everything over restarts.
    """

    def __init__(
        self,
        orgs: OrgSpec | Iterable[OrgSpec] | None = None,
        *,
        app: AppSpec = APP,
        clock: Clock | None = None,
        port: int = 0,
        seed: int = 0,
        state: Path | None = None,
    ) -> None:
        self.clock = clock or Clock()
        specs = (OrgSpec(),) if orgs is None else (orgs,) if isinstance(orgs, OrgSpec) else tuple(orgs)
        self.app = app
        self.signer = Signer()
        ours = App(
            app.app_id, app.slug, "Lantern", "lantern", "https://lantern.example", dict(app.permissions)
        )
        self.world = World(self.clock, ours, specs)
        self._keeper = Keeper(self, state) if state else None
        if self._keeper:
            self._keeper.load()
        self.rates = Rates(self.clock)
        self.tokens = Access(self.clock, self.rates, app, self.signer.key.public_key(), self.world.may_act)
        self.orgs = Orgs(self.world)
        self.ours = OurApp(self.world, self.tokens, app)
        self.counters = Counters(self.clock)
        self.faults = _Faults(self.clock, seed)
        self.control = Control(self)
        dispatcher = _Dispatcher(self._router(), self.faults, self.counters, self.clock)
        self.server = Server(port, dispatcher)
        self.base_url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread: threading.Thread | None = None

    def registration(self) -> dict[str, str]:
        """What our side must know of the app."""
        return {
            "client_id": self.app.client_id,
            "client_secret": self.app.client_secret,
            "app_id": str(self.app.app_id),
            "slug": self.app.slug,
            "private_key": (self.signer.key and self.signer.pem()) or "",
        }

    def changed(self) -> None:
        """Keep the state, if it is kept."""
        if self._keeper:
            self._keeper.save()

    def __enter__(self) -> "GithubSimulator":
        kwargs = {"poll_interval": 0.05}
        self._thread = threading.Thread(
            target=self.server.serve_forever, kwargs=kwargs, name="github", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clock.stop()
        if self._thread is not None:
            self.server.shutdown()
            self._thread.join()
        self.server.close_all()
        self.server.server_close()
        self.world.hooks.stop()
        self.changed()

    def _router(self) -> Router:
        router, orgs, ours = Router(), self.orgs, self.ours
        admin, seats = "organization_administration", "organization_copilot_seat_management"
        pats = "organization_personal_access_tokens"
        lists: list[tuple[str, str, str, Any, tuple[str, str]]] = [
            ("GET", "/members", "orgs.members", orgs.members, ("members", "read")),
            ("GET", "/outside_collaborators", "orgs.outside", orgs.outside, ("members", "read")),
            ("GET", "/memberships/{user}", "orgs.membership", orgs.membership, ("members", "read")),
            ("GET", "/installations", "orgs.installations", orgs.installations, (admin, "read")),
            ("GET", "/copilot/billing/seats", "copilot.seats", orgs.seats, (seats, "read")),
            ("GET", "/members/{user}/copilot", "copilot.seat", orgs.seat, (seats, "read")),
            ("DELETE", "/copilot/billing/selected_users", "copilot.unseat", orgs.unseat, (seats, "write")),
            ("GET", "/credential-authorizations", "orgs.credentials", orgs.credentials, (admin, "read")),
            (
                "DELETE",
                "/credential-authorizations/{id}",
                "orgs.deauthorise",
                orgs.deauthorise,
                (admin, "write"),
            ),
            ("GET", "/personal-access-tokens", "orgs.pats", orgs.pats, (pats, "read")),
            ("POST", "/personal-access-tokens/{id}", "orgs.revoke_pat", orgs.revoke_pat, (pats, "write")),
            ("GET", "/audit-log", "orgs.audit", orgs.audit, (admin, "read")),
        ]
        token, app = self.tokens.token, self.tokens.app
        for method, path, name, handler, need in lists:
            # Links name an organisation by its number, under another path.
            for root in ("/orgs/{org}", "/organizations/{org}"):
                router.add(method, root + path, name, self._locked(token(handler, need)))
        plain: list[tuple[str, str, str, Any]] = [
            ("GET", "/user/installations", "user.installations", token(ours.reachable, person=True)),
            (
                "GET",
                "/user/memberships/orgs/{org}",
                "user.membership",
                token(ours.my_membership, person=True),
            ),
            ("GET", "/user/{id}", "users.by_id", token(orgs.user)),
            ("GET", "/user", "user", token(ours.me, person=True)),
            ("GET", "/users/{login}", "users.by_login", token(orgs.user)),
            ("POST", "/graphql", "graphql", token(orgs.graphql, ("members", "read"))),
            ("GET", "/apps/{slug}", "apps.get", token(orgs.app)),
            ("GET", "/app/installations/{id}", "app.installation", app(ours.installation)),
            ("DELETE", "/app/installations/{id}", "app.uninstall", app(ours.uninstall)),
            ("POST", "/app/installations/{id}/access_tokens", "app.token", app(ours.token)),
            ("GET", "/app/hook/deliveries", "app.deliveries", app(ours.deliveries)),
            ("GET", "/app/hook/deliveries/{id}", "app.delivery", app(ours.delivery)),
            ("GET", "/apps/{slug}/installations/new", "web.install", ours.show),
            ("POST", "/apps/{slug}/installations/new", "web.install", ours.decide),
            ("POST", "/login/oauth/access_token", "oauth.token", ours.trade),
        ]
        for method, path, name, handler in plain:
            router.add(method, path, name, self._locked(handler))
        for method in ("GET", "POST"):
            router.add(method, "/_control/{name}", "control", http_control(self.control))
        return router

    def _locked(self, handler: Any) -> Any:
        def locked(request: Request, *parts: str) -> Response:
            with self.world.lock:
                response: Response = handler(request, *parts)
            if request.method != "GET":
                self.changed()
            return response

        return locked


__all__ = ["APP", "AppSpec", "GithubSimulator", "json_response"]
