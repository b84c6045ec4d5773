"""The methods of the Web API that Lantern calls, and the audit log."""

from collections.abc import Callable, Iterable
from typing import Any

from tests.simulators.google.wire import Request, Response, json_response

from .access import Gate
from .model import App, Token
from .users import resource
from .wire import SlackError, ok
from .world import World

Handler = Callable[[Request], Response]
MOST_AUDIT = 9999


class WebApi:
    """Answers `/api/{method}` and `/audit/v1/logs`."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._world: World = gate.world

    def methods(self) -> dict[str, Handler]:
        """Handlers by method."""
        return {
            "auth.test": self.auth_test,
            "auth.revoke": self.auth_revoke,
            "auth.teams.list": self.auth_teams,
            "team.info": self.team_info,
            "team.integrationLogs": self.integration_logs,
            "users.list": self.users_list,
            "users.info": self.users_info,
            "users.lookupByEmail": self.users_lookup,
            "admin.apps.approved.list": lambda r: self.listed(r, "approved"),
            "admin.apps.restricted.list": lambda r: self.listed(r, "restricted"),
            "admin.apps.requests.list": self.requested,
            "admin.apps.approve": lambda r: self.decide(r, "approved"),
            "admin.apps.restrict": lambda r: self.decide(r, "restricted"),
            "admin.apps.uninstall": self.uninstall,
            "admin.apps.mcp.servers.list": self.mcp_servers,
            "admin.apps.mcp.servers.permissions.list": self.mcp_permissions,
            "admin.functions.list": self.functions,
            "admin.workflows.search": self.workflows,
        }

    # -- ourselves --------------------------------------------------------------------------------

    def auth_test(self, request: Request) -> Response:
        with self._world.lock:
            token, _ = self._gate.enter(request, "auth.test")
            world, whole = self._world, not token.team
            team = next(iter(world.teams.values())) if whole else world.teams[token.team]
            answer: dict[str, Any] = {
                "url": f"https://{team.domain}.{'enterprise.' if whole else ''}slack.com/",
                "team": world.name if whole else team.name,
                "team_id": world.enterprise_id if whole else team.id,
                "user": world.members[token.user].name,
                "user_id": token.user if token.kind == "user" else "U0LANTERN00",
                "is_enterprise_install": whole,
            }
            if world.enterprise_id:
                answer["enterprise_id"] = world.enterprise_id
            return ok({"X-OAuth-Scopes": ",".join(sorted(token.scopes))}, **answer)

    def auth_revoke(self, request: Request) -> Response:
        with self._world.lock:
            token, arguments = self._gate.enter(request, "auth.revoke")
            if arguments.get("test") not in (None, "", "0", "false"):
                return ok(revoked=False)
            self.revoke(token)
            return ok(revoked=True)

    def revoke(self, token: Token) -> None:
        """End a token; the last one of the app uninstalls it."""
        token.revoked = True
        kind = "bot" if token.kind == "bot" else "oauth"
        self._world.tell({"type": "tokens_revoked", "tokens": {kind: [token.user]}}, token.team)
        if not self._gate.tokens.living(token.client_id):
            self._world.tell({"type": "app_uninstalled"}, token.team)

    def auth_teams(self, request: Request) -> Response:
        with self._world.lock:
            token, arguments = self._gate.enter(request, "auth.teams.list")
            teams = [t for t in self._world.teams.values() if token.team in ("", t.id)]
            found = [{"id": t.id, "name": t.name} for t in teams]
            rows, following = self._gate.page(request, found, arguments, "teams", default=100, most=1000)
            return ok(teams=rows, response_metadata=following)

    def team_info(self, request: Request) -> Response:
        with self._world.lock:
            token, arguments = self._gate.enter(request, "team.info", "team:read")
            team = self._world.teams[self._team(token, arguments, "team")]
            return ok(team={"id": team.id, "name": team.name, "domain": team.domain})

    # -- people -----------------------------------------------------------------------------------

    def _team(self, token: Token, arguments: dict[str, str], name: str = "team_id") -> str:
        """The workspace of a call; a token of the organisation must name it."""
        if token.team:
            return token.team
        if not arguments.get(name):
            raise SlackError("missing_argument")
        if arguments[name] not in self._world.teams:
            raise SlackError("team_not_found")
        return arguments[name]

    def users_list(self, request: Request) -> Response:
        with self._world.lock:
            token, arguments = self._gate.enter(request, "users.list", "users:read")
            team = self._team(token, arguments)
            people = self._world.in_team(team)
            what = f"users-{team}"
            rows, following = self._gate.page(request, people, arguments, what, default=1000, most=1000)
            email = "users:read.email" in token.scopes
            members = [resource(self._world, one, email=email) for one in rows]
            now = int(self._world.clock.now())
            return ok(members=members, cache_ts=now, response_metadata=following)

    def users_info(self, request: Request) -> Response:
        with self._world.lock:
            token, arguments = self._gate.enter(request, "users.info", "users:read")
            member = self._world.members.get(arguments.get("user", ""))
            if member is None:
                raise SlackError("user_not_found")
            if token.team and token.team not in member.teams:
                raise SlackError("user_not_visible")
            return ok(user=resource(self._world, member, email="users:read.email" in token.scopes))

    def users_lookup(self, request: Request) -> Response:
        with self._world.lock:
            _, arguments = self._gate.enter(request, "users.lookupByEmail", "users:read.email")
            wanted = arguments.get("email", "").lower()
            for member in self._world.members.values():
                if member.email == wanted and wanted and not member.deleted:
                    return ok(user=resource(self._world, member, email=True))
            raise SlackError("users_not_found")

    # -- logs -------------------------------------------------------------------------------------

    def integration_logs(self, request: Request) -> Response:
        with self._world.lock:
            token, arguments = self._gate.enter(
                request, "team.integrationLogs", "admin", kinds="user", plans="pro enterprise"
            )
            self._team(token, arguments)
            member = self._world.members[token.user]
            if not (member.admin or member.owner):
                raise SlackError("not_an_admin")
            names = ("app_id", "service_id", "change_type")
            wanted = {name: arguments[name] for name in names if arguments.get(name)}
            log = self._world.log
            rows = [row for row in log if all(str(row.get(k, "")) == v for k, v in wanted.items())]
            order = sorted(enumerate(rows), key=lambda pair: (int(pair[1]["date"]), pair[0]), reverse=True)
            count, page = int(arguments.get("count") or 100), int(arguments.get("page") or 1)
            if not 1 <= count <= 1000 or page < 1:
                raise SlackError("invalid_arguments")
            if request.half_page:
                count = max(1, count // 2)
            found = [row for _, row in order][(page - 1) * count : page * count]
            pages = max(1, -(-len(rows) // count))
            return ok(logs=found, paging={"count": count, "total": len(rows), "page": page, "pages": pages})

    def audit(self, request: Request) -> Response:
        """`GET /audit/v1/logs`. It answers no `ok`, and refuses with the status of HTTP."""
        with self._world.lock:
            token, arguments = self._gate.enter(
                request, "audit", "auditlogs:read", kinds="user", plans="enterprise"
            )
            if token.team or not self._world.members[token.user].org_owner:
                raise SlackError("not_authorized_owner", 403)
            actions = set(filter(None, arguments.get("action", "").split(",")))
            if len(actions) > 30:
                raise SlackError("invalid_arguments", 400)
            low, high = float(arguments.get("oldest") or 0), float(arguments.get("latest") or 1e12)
            about, actor = arguments.get("entity"), arguments.get("actor")

            def fits(row: dict[str, Any]) -> bool:
                thing = row["entity"][row["entity"]["type"]]["id"]
                return (
                    (not actions or row["action"] in actions)
                    and low <= row["date_create"] <= high
                    and about in (None, "", thing)
                    and actor in (None, "", row["actor"]["user"]["id"])
                )

            rows = [pair for pair in enumerate(self._world.audit) if fits(pair[1])]
            rows.sort(key=lambda pair: (pair[1]["date_create"], pair[0]), reverse=True)
            page, following = self._gate.page(
                request, [row for _, row in rows], arguments, "audit", default=1000, most=MOST_AUDIT
            )
            return json_response({"entries": page, "response_metadata": following})

    # -- apps -------------------------------------------------------------------------------------

    def _place(self, arguments: dict[str, str]) -> str:
        """Exactly one of `enterprise_id` and `team_id`."""
        enterprise, team = arguments.get("enterprise_id"), arguments.get("team_id")
        if bool(enterprise) == bool(team):
            raise SlackError("no_team_or_enterprise_provided" if not enterprise else "too_many_ids_provided")
        if enterprise and enterprise != self._world.enterprise_id:
            raise SlackError("enterprise_not_found")
        if team and team not in self._world.teams:
            raise SlackError("team_not_found")
        return enterprise or team or ""

    def listed(self, request: Request, policy: str) -> Response:
        with self._world.lock:
            method = f"admin.apps.{policy}.list"
            token, arguments = self._gate.enter(
                request, method, "admin.apps:read", kinds="user", plans="enterprise"
            )
            self._gate.org_token(token)
            place = self._place(arguments)
            found = [
                {
                    "app": _app(self._world.apps[p.app]),
                    "scopes": _scopes(self._world.apps[p.app]),
                    "date_updated": int(p.at),
                    "last_resolved_by": {"actor_id": p.by, "actor_type": "user"},
                }
                for p in self._world.policies
                if (p.policy, p.place) == (policy, place)
                # Certified ones alone, or none of them (reference page, argument `certified`).
                and self._world.apps[p.app].certified is (arguments.get("certified") == "true")
            ]
            rows, following = self._gate.page(request, found, arguments, policy, default=100, most=1000)
            return ok(**{f"{policy}_apps": rows}, response_metadata=following)

    def requested(self, request: Request) -> Response:
        with self._world.lock:
            token, arguments = self._gate.enter(
                request, "admin.apps.requests.list", "admin.apps:read", kinds="user", plans="enterprise"
            )
            self._gate.org_token(token)
            place = self._place(arguments)
            found = [
                {
                    "id": ask.id,
                    "app": _app(self._world.apps[ask.app]),
                    "user": {"id": ask.user, "email": self._world.members[ask.user].email},
                    "team": {"id": ask.team},
                    "scopes": _scopes(self._world.apps[ask.app]),
                    "message": ask.message,
                    "date_created": int(ask.at),
                    "previous_resolution": None,
                    "is_user_app_collaborator": False,
                }
                for ask in self._world.asks
                if place == ask.team
                and (arguments.get("certified") == "true" or not self._world.apps[ask.app].certified)
            ]
            rows, following = self._gate.page(request, found, arguments, "requests", default=100, most=1000)
            return ok(app_requests=rows, response_metadata=following)

    def _acting(self, request: Request, method: str) -> tuple[Token, dict[str, str], App]:
        token, arguments = self._gate.enter(
            request, method, "admin.apps:write", kinds="user", plans="enterprise"
        )
        self._gate.org_token(token)
        app = self._world.apps.get(arguments.get("app_id", ""))
        if app is None:
            raise SlackError("app_not_found" if method.endswith("uninstall") else "invalid_app_id")
        return token, arguments, app

    def decide(self, request: Request, policy: str) -> Response:
        with self._world.lock:
            method = "admin.apps.approve" if policy == "approved" else "admin.apps.restrict"
            token, arguments, app = self._acting(request, method)
            self._world.decide(policy, app.id, self._place(arguments), token.user)
            return ok()

    def uninstall(self, request: Request) -> Response:
        with self._world.lock:
            token, arguments, app = self._acting(request, "admin.apps.uninstall")
            enterprise, teams = arguments.get("enterprise_id"), arguments.get("team_ids")
            if bool(enterprise) == bool(teams):
                raise SlackError("invalid_arguments")
            if app.id == self._gate.client(token).app_id:
                raise SlackError("can_not_uninstall")
            for team in (teams or "").split(",") if teams else [None]:
                if team and any(i.team == "" for i in self._world.installed(app.id)):
                    raise SlackError("must_revoke_access")
                self._world.uninstall(app.id, token.user, team)
            return ok()

    def mcp_servers(self, request: Request) -> Response:
        with self._world.lock:
            token, arguments = self._gate.enter(
                request, "admin.apps.mcp.servers.list", "admin.apps:read", kinds="user", plans="enterprise"
            )
            self._gate.org_token(token)
            found = [
                {"server_id": s.id, "server_name": s.name, "url": s.url, "app_id": s.app}
                for s in self._world.mcp.values()
            ]
            rows, following = self._gate.page(request, found, arguments, "mcp", default=100, most=1000)
            return ok(servers=rows, response_metadata=following)

    def mcp_permissions(self, request: Request) -> Response:
        with self._world.lock:
            method = "admin.apps.mcp.servers.permissions.list"
            token, arguments = self._gate.enter(
                request, method, "admin.apps:read", kinds="user", plans="enterprise"
            )
            self._gate.org_token(token)
            found = [
                {
                    "server_id": s.id, "server_name": s.name, "url": s.url, "permission_type": s.allowed,
                    "is_inherited": False, "user_ids": s.users, "usergroup_ids": [],
                }
                for s in self._world.mcp.values()
                if s.app == arguments.get("app_id")
            ]  # fmt: skip
            return ok(servers=found)

    def functions(self, request: Request) -> Response:
        with self._world.lock:
            token, arguments = self._gate.enter(
                request, "admin.functions.list", "admin.workflows:read", kinds="user", plans="enterprise"
            )
            self._gate.org_token(token)
            apps = arguments.get("app_ids", "").split(",")
            if not 1 <= len(apps) <= 50:
                raise SlackError("invalid_arguments")
            found = [
                {"id": f.id, "callback_id": f.title.lower(), "title": f.title, "app_id": f.app, "type": "app"}
                for f in self._world.functions
                if f.app in apps
            ]
            rows, following = self._gate.page(request, found, arguments, "functions", default=100, most=1000)
            return ok(functions=rows, response_metadata=following)

    def workflows(self, request: Request) -> Response:
        with self._world.lock:
            token, arguments = self._gate.enter(
                request, "admin.workflows.search", "admin.workflows:read", kinds="user", plans="enterprise"
            )
            self._gate.org_token(token)
            found = [
                {
                    "id": w.id, "title": w.title, "description": "", "app_id": "",
                    "source": "workflow_builder",
                    "is_published": True, "collaborators": [w.by], "last_updated_by": w.by,
                    "date_updated": int(w.at), "team_id": min(self._world.teams),
                    "steps": [{"id": f"{n}", "function_id": f, "inputs": {}} for n, f in enumerate(w.steps)],
                }
                for w in self._world.workflows
            ]  # fmt: skip
            rows, following = self._gate.page(request, found, arguments, "workflows", default=20, most=50)
            return ok(workflows=rows, total_found=len(found), response_metadata=following)


def _app(app: App) -> dict[str, Any]:
    return {
        "id": app.id, "name": app.name, "description": "", "app_homepage_url": app.homepage,
        "privacy_policy_url": f"{app.homepage}/privacy" if app.homepage else "", "help_url": "",
        "app_directory_url": f"https://slack.com/apps/{app.id}", "is_internal": app.internal,
        "is_app_directory_approved": app.listed,
        "developer_type": "internal" if app.internal else "third_party",
        "additional_info": "",
    }  # fmt: skip


def _scopes(app: App) -> list[dict[str, Any]]:
    def rows(names: Iterable[str], kind: str) -> list[dict[str, Any]]:
        return [
            {"name": n, "description": n, "is_sensitive": "history" in n, "token_type": kind} for n in names
        ]

    return [*rows(app.bot_scopes, "bot"), *rows(app.user_scopes, "user")]
