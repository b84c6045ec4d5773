"""`GoogleSimulator`: all parts wired together, as a context manager."""

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType

from .access import Gate
from .chrome import Chrome
from .clock import Clock
from .consent import ConsentPage
from .control import Control
from .control_http import http_control
from .counters import Counters
from .directory import Directory
from .faults import Faults
from .gmail import Gmail
from .identity import Signer, openid_configuration
from .model import OAuthClient
from .oauth import OAuth
from .organisation import Organisation, OrgSpec
from .persist import Keeper
from .push import Pusher
from .quota import Quotas, QuotaSettings
from .reports import Reports
from .server import Dispatcher, Handler, Router, Server
from .tokens import Subject, TokenStore
from .wire import json_response
from .world import World


class GoogleSimulator:
    """A Google on this machine.

    Args:
        orgs: one or several organisations to generate; 250 employees when left out.
        clock: time for everything; real time when left out.
        port: TCP port on 127.0.0.1; 0 picks a free one.
        clients: the product's OAuth clients.
        quota: limits and `time_scale`.
        seed: of faults, latency and push misbehaviour.
        state: a file that keeps organisations, changes, tokens and channels over restarts.

    Use as a context manager: `base_url` is where every Google host is served; `control` does the rest.
    """

    def __init__(
        self,
        orgs: OrgSpec | Iterable[OrgSpec] | None = None,
        *,
        clock: Clock | None = None,
        port: int = 0,
        clients: Sequence[OAuthClient] = (),
        quota: QuotaSettings | None = None,
        seed: int = 0,
        state: Path | None = None,
    ) -> None:
        self.clock = clock or Clock()
        given = (OrgSpec(),) if orgs is None else (orgs,) if isinstance(orgs, OrgSpec) else tuple(orgs)
        self._keeper = Keeper(self, state) if state is not None else None
        kept = self._keeper.load() if self._keeper is not None else None
        self.world = World(self.clock, Keeper.specs(kept) if kept else given)
        self._given = given
        self._clients = tuple(clients)
        self._seed = seed
        self.tokens = TokenStore(self.clock)
        self.signer = Signer()
        self.quotas = Quotas(self.clock, quota)
        self.counters = Counters(self.clock)
        self.faults = Faults(self.clock, seed)
        self.pusher = Pusher(self.clock, seed)
        self.gate = Gate(self.world, self.tokens, self.quotas, seed)
        self.consent = ConsentPage(self.world, self.tokens)
        self.oauth = OAuth(self.world, self.tokens, self.signer)
        self.control = Control(self)
        self._wire()
        if kept is not None and self._keeper is not None:
            self._keeper.restore(kept)
        for client in self._clients:
            self.tokens.clients[client.client_id] = client
        self.server = Server(port, Dispatcher(self._router(), self.faults, self.counters, self.clock))
        self.base_url = f"http://127.0.0.1:{self.server.server_port}"
        self.oauth.base_url = self.base_url
        self._thread: threading.Thread | None = None

    def _wire(self) -> None:
        self.world.listeners.append(self.pusher.on_activity)
        self.world.revoked_listeners.append(self.tokens.end_refresh)
        if self._keeper is not None:
            self.world.listeners.append(self._keeper.on_activity)

    @property
    def org(self) -> Organisation:
        """The only organisation."""
        return self.world.org()

    def access_token(self, user: str, client_id: str, scopes: Sequence[str]) -> str:
        """A bearer token for a user, without consent."""
        with self.world.lock:
            org, found = self.world.need(user)
            subject = Subject(found.id, found.email, org.customer_id)
            return self.tokens.issue_access(subject, client_id, tuple(scopes))

    def start(self) -> "GoogleSimulator":
        """Serve in a thread."""
        self._thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, name="google", daemon=True
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
        self.pusher.stop()
        if self._keeper is not None:
            self._keeper.stop()

    def reset(self) -> None:
        """As new: same organisations, same clients."""
        with self.world.lock:
            self.world.orgs.clear()
            self.world.consumers.clear()
            for spec in self._given:
                self.world.add_org(spec)
            self.tokens.clients = {client.client_id: client for client in self._clients}
            self.tokens.service_accounts = {}
            self.tokens.codes, self.tokens.access, self.tokens.refresh = {}, {}, {}
            self.tokens.consented = set()
            self.consent.decision = None
        self.faults.clear()
        self.faults.reseed(self._seed)
        self.quotas.reset()
        self.counters.reset()
        self.pusher.channels = {}
        self.pusher.log.clear()

    def __enter__(self) -> "GoogleSimulator":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _router(self) -> Router:
        router = Router()
        directory = Directory(self.world, self.gate)
        reports = Reports(self.world, self.gate, self.pusher)
        users = "/admin/directory/v1/users"
        activity = "/admin/reports/v1/activity/users/{userKey}/applications/{applicationName}"
        add = router.add
        add("GET", f"{users}/{{userKey}}/tokens", "directory.tokens.list", directory.list_tokens)
        add("GET", f"{users}/{{userKey}}/tokens/{{clientId}}", "directory.tokens.get", directory.get_token)
        add(
            "DELETE",
            f"{users}/{{userKey}}/tokens/{{clientId}}",
            "directory.tokens.delete",
            directory.delete_token,
        )
        add("GET", f"{users}/{{userKey}}/asps", "directory.asps.list", directory.list_asps)
        add("DELETE", f"{users}/{{userKey}}/asps/{{codeId}}", "directory.asps.delete", directory.delete_asp)
        add("POST", f"{users}/{{userKey}}/signOut", "directory.users.signOut", directory.sign_out)
        add("POST", f"{users}/watch", "directory.users.watch", reports.watch_users)
        add("POST", "/admin/directory_v1/channels/stop", "directory.channels.stop", reports.stop_users)
        add("GET", users, "directory.users.list", directory.list_users)
        add("GET", f"{users}/{{userKey}}", "directory.users.get", directory.get_user)
        customer = "/admin/directory/v1/customers/{customerKey}"
        add("GET", customer, "directory.customers.get", directory.get_customer)
        add("GET", activity, "reports.activities.list", reports.list_activities)
        add("POST", f"{activity}/watch", "reports.activities.watch", reports.watch)
        add("POST", "/admin/reports_v1/channels/stop", "reports.channels.stop", reports.stop)
        self._chrome_and_mail(add)
        add("GET", "/o/oauth2/v2/auth", "oauth.auth", self.consent.show)
        add("POST", "/o/oauth2/v2/auth/decide", "oauth.decide", self.consent.decide)
        add("POST", "/token", "oauth.token", self.oauth.token)
        add("POST", "/revoke", "oauth.revoke", self.oauth.revoke)
        add("GET", "/tokeninfo", "oauth.tokeninfo", self.oauth.tokeninfo)
        add("GET", "/v1/userinfo", "oauth.userinfo", self.oauth.userinfo)
        add("GET", "/oauth2/v3/userinfo", "oauth.userinfo", self.oauth.userinfo)
        add("GET", "/oauth2/v3/certs", "oauth.certs", self.oauth.certs)
        configuration = "/.well-known/openid-configuration"
        add(
            "GET",
            configuration,
            "oauth.configuration",
            lambda _: json_response(openid_configuration(self.base_url)),
        )
        add("GET", "/_control/{name}", "control", http_control(self.control))
        add("POST", "/_control/{name}", "control", http_control(self.control))
        return router

    def _chrome_and_mail(self, add: Callable[[str, str, str, Handler], None]) -> None:
        chrome, gmail = Chrome(self.world, self.gate), Gmail(self.world, self.gate)
        customer, mailbox = "/v1/customers/{customer}", "/gmail/v1/users/{userId}"
        for path, name, handler in (
            (
                f"{customer}/reports:countInstalledApps",
                "customers.reports.countInstalledApps",
                chrome.count_apps,
            ),
            (
                f"{customer}/reports:findInstalledAppProfiles",
                "customers.reports.findInstalledAppProfiles",
                chrome.app_profiles,
            ),
            (f"{customer}/reports:findSaasUsage", "customers.reports.findSaasUsage", chrome.sites),
            (
                f"{customer}/reports:findSaasUsageProfiles",
                "customers.reports.findSaasUsageProfiles",
                chrome.visitors,
            ),
            (f"{customer}/apps/chrome/{{app}}", "customers.apps.chrome.get", chrome.app_details),
        ):
            add("GET", path, f"chrome.{name}", handler)
        add("GET", f"{mailbox}/profile", "gmail.users.getProfile", gmail.profile)
        add("GET", f"{mailbox}/history", "gmail.users.history.list", gmail.history)
        add("GET", f"{mailbox}/messages", "gmail.users.messages.list", gmail.messages)
        add("GET", f"{mailbox}/messages/{{id}}", "gmail.users.messages.get", gmail.message)
