"""The Management API: people, apps, grants, tokens and agents, as documented in Okta's OpenAPI 5.1."""

import re
from collections.abc import Callable
from typing import Any

from tests.simulators.google.wire import Request, Response

from .model import App, Grant, User
from .syslog import predicate
from .wire import OktaError, forbidden, invalid, not_found, ok, page
from .world import World, iso

_BY_USER = re.compile(r'user\.id eq "([^"]+)"')


class Api:
    """Handlers; the gates and quotas stand before them (see `simulator`)."""

    def __init__(self, world: World, base: Callable[[], str]) -> None:
        self._world = world
        self._base = base

    @property
    def _state(self) -> Any:
        return self._world.state

    def _page(self, request: Request, rows: list[Any], default: int, most: int) -> Response:
        return page(self._base(), request, rows, default=default, most=most)

    # -- the organisation --------------------------------------------------------------------------

    def org(self, request: Request) -> Response:
        return ok(
            {
                "id": self._state.org_id,
                "companyName": self._state.spec.subdomain.title(),
                "subdomain": self._state.spec.subdomain,
                "status": "ACTIVE",
            }
        )

    def admins(self, request: Request) -> Response:
        rows = [{"id": u.id} for u in self._state.users.values() if u.role]
        return ok({"value": rows, "_links": {}})

    # -- people ------------------------------------------------------------------------------------

    def users(self, request: Request) -> Response:
        people = [self._state.users[key] for key in sorted(self._state.users)]
        if "filter" in request.query:
            keep = predicate(request.query["filter"])
            rows = [row for row in map(self._user, people) if keep(row)]
        else:
            rows = [self._user(user) for user in people if user.status != "DEPROVISIONED"]
        return self._page(request, rows, 200, 200)

    def user(self, request: Request, key: str) -> Response:
        return ok(self._user(self._world.user(key)))

    def roles(self, request: Request, key: str) -> Response:
        user = self._world.user(key)
        return ok([{"id": "ra1", "type": user.role, "status": "ACTIVE"}] if user.role else [])

    def user_grants(self, request: Request, key: str) -> Response:
        held = self._state.grants.get(self._world.user(key).id, {})
        return self._page(request, [self._grant(request, held[k]) for k in sorted(held)], 20, 200)

    def drop_user_grant(self, request: Request, key: str, grant: str) -> Response:
        user = self._world.user(key)
        found = self._state.grants.get(user.id, {}).get(grant)
        if found is None:
            raise not_found(grant, "OAuth2Grant")
        self._world.end_consent(user, found.client_id, [grant])
        return ok()

    def client_grants(self, request: Request, key: str, client: str) -> Response:
        held = self._state.grants.get(self._world.user(key).id, {})
        rows = [self._grant(request, held[k]) for k in sorted(held) if held[k].client_id == client]
        return self._page(request, rows, 20, 200)

    def drop_client_grants(self, request: Request, key: str, client: str) -> Response:
        self._world.end_consent(self._world.user(key), client)
        return ok()

    def client_tokens(self, request: Request, key: str, client: str) -> Response:
        user = self._world.user(key)
        held = client in self._state.refresh.get(user.id, set())
        rows = [{"id": f"oar{user.id[3:]}", "status": "ACTIVE", "clientId": client, "userId": user.id}]
        return self._page(request, rows if held else [], 20, 200)

    def drop_client_tokens(self, request: Request, key: str, client: str) -> Response:
        self._state.refresh.get(self._world.user(key).id, set()).discard(client)
        return ok()

    def end_sessions(self, request: Request, key: str) -> Response:
        user = self._world.user(key)
        user.sessions = 0
        if request.query.get("oauthTokens") == "true":
            self._state.refresh.pop(user.id, None)
        return ok()

    def _user(self, user: User) -> dict[str, Any]:
        return {
            "id": user.id,
            "status": user.status,
            "created": iso(user.created),
            "activated": iso(user.created),
            "lastLogin": iso(user.last_login) if user.last_login else None,
            "lastUpdated": iso(user.created),
            "profile": {
                "firstName": user.given,
                "lastName": user.family,
                "login": user.login,
                "email": user.login,
                "department": user.department,
                "mobilePhone": None,
                **({"managerId": user.manager} if user.manager else {}),
            },
            "credentials": {"provider": {"type": "OKTA", "name": "OKTA"}},
            "_links": {"self": {"href": f"{self._base()}/api/v1/users/{user.id}"}},
        }

    def _grant(self, request: Request, grant: Grant) -> dict[str, Any]:
        base = self._base()
        app = next((a for a in self._state.apps.values() if a.client_id == grant.client_id), None)
        title = app.label if app else grant.client_id
        row: dict[str, Any] = {
            "id": grant.id,
            "status": "ACTIVE",
            "scopeId": grant.scope_id,
            "clientId": grant.client_id,
            "userId": grant.user_id,
            "issuer": f"{base}/oauth2/{grant.server}" if grant.server else base,
            "created": iso(grant.created),
            "lastUpdated": iso(grant.created),
            "source": "END_USER",
            "_links": {
                "client": {"href": f"{base}/oauth2/v1/clients/{grant.client_id}", "title": title},
                "scope": {
                    "href": f"{base}/api/v1/authorizationServers/{grant.server}/scopes/{grant.scope_id}",
                    "title": grant.scope,
                },
            },
        }
        if request.query.get("expand") == "scope":
            row["_embedded"] = {
                "scope": {"id": grant.scope_id, "name": grant.scope, "description": grant.scope}
            }
        return row

    # -- apps --------------------------------------------------------------------------------------

    def apps(self, request: Request) -> Response:
        found = _BY_USER.fullmatch(request.query.get("filter", ""))
        apps = [self._state.apps[key] for key in sorted(self._state.apps)]
        if not found:
            if "filter" in request.query or "expand" in request.query:
                raise invalid("filter")
            return self._page(request, [self._app(app) for app in apps], 20, 200)
        user = self._world.user(found[1])
        if request.query.get("expand") not in (None, f"user/{user.id}"):
            raise invalid("expand: must name the user of the filter")
        rows = []
        for app in apps:
            made = self._world.assignment(user, app)
            if made:
                rows.append({**self._app(app), "_embedded": {"user": self._assigned(user, made)}})
        return self._page(request, rows, 20, 200)

    def app(self, request: Request, key: str) -> Response:
        return ok(self._app(self._app_by_id(key)))

    def switch_app(self, request: Request, key: str, verb: str) -> Response:
        app = self._app_by_id(key)
        if verb not in ("activate", "deactivate"):
            raise not_found(verb, "Lifecycle")
        app.status = "ACTIVE" if verb == "activate" else "INACTIVE"
        return ok({})

    def app_users(self, request: Request, key: str) -> Response:
        app = self._app_by_id(key)
        rows = []
        for user in self._world.assigned(app):
            made = self._world.assignment(user, app)
            if made:
                rows.append(self._assigned(user, made))
        return self._page(request, rows, 50, 500)

    def app_user(self, request: Request, key: str, user: str) -> Response:
        found = self._world.user(user)
        made = self._world.assignment(found, self._app_by_id(key))
        if made is None:
            raise not_found(user, "AppUser")
        return ok(self._assigned(found, made))

    def drop_app_user(self, request: Request, key: str, user: str) -> Response:
        app, found = self._app_by_id(key), self._world.user(user)
        made = self._world.assignment(found, app)
        if made is None:
            raise not_found(user, "AppUser")
        if made[0] == "GROUP":
            raise forbidden()
        self._world.assign(found, app, on=False)
        return ok()

    def app_groups(self, request: Request, key: str) -> Response:
        rows = [
            {
                "id": group,
                "priority": 0,
                "profile": {},
                "_embedded": {"group": {"id": group, "profile": {"name": self._state.groups[group]}}},
            }
            for group in sorted(self._app_by_id(key).groups)
        ]
        return self._page(request, rows, 20, 200)

    def app_grants(self, request: Request, key: str) -> Response:
        app = self._app_by_id(key)
        base = self._base()
        return ok(
            [
                {
                    "id": grant,
                    "status": "ACTIVE",
                    "created": iso(app.created or self._state.anchor),
                    "issuer": base,
                    "clientId": app.client_id,
                    "scopeId": scope,
                    "source": "ADMIN",
                    "_links": {"app": {"href": f"{base}/api/v1/apps/{app.id}", "title": app.label}},
                }
                for grant, scope in sorted(app.grants.items())
            ]
        )

    def drop_app_grant(self, request: Request, key: str, grant: str) -> Response:
        app = self._app_by_id(key)
        if app.grants.pop(grant, None) is None:
            raise not_found(grant, "OAuth2Grant")
        return ok()

    def _app_by_id(self, key: str) -> App:
        if key not in self._state.apps:
            raise not_found(key, "AppInstance")
        return self._state.apps[key]

    def _assigned(self, user: User, made: tuple[str, float]) -> dict[str, Any]:
        status = "SUSPENDED" if user.status == "SUSPENDED" and made[0] == "NEVER" else "ACTIVE"
        return {
            "id": user.id,
            "externalId": None,
            "created": iso(made[1]),
            "scope": made[0],
            "status": status,
            "credentials": {"userName": user.login},
            "profile": {},
        }

    def _app(self, app: App) -> dict[str, Any]:
        row: dict[str, Any] = {
            "id": app.id,
            "name": app.name,
            "label": app.label,
            "status": app.status,
            "created": iso(app.created or self._state.anchor),
            "signOnMode": app.mode,
            "features": [],
            "credentials": {"userNameTemplate": {"template": "${source.login}"}, "signing": {}},
            "settings": {"app": {}},
            "_links": {"users": {"href": f"{self._base()}/api/v1/apps/{app.id}/users"}},
        }
        if app.client_id:
            row["credentials"]["oauthClient"] = {"client_id": app.client_id, "autoKeyRotation": True}
            row["settings"]["oauthClient"] = {
                "client_uri": None,
                "redirect_uris": [app.redirect] if app.redirect else [],
                "application_type": "service" if app.service else "web",
                "grant_types": ["client_credentials"] if app.service else ["authorization_code"],
            }
        return row

    # -- tokens, integrations, agents --------------------------------------------------------------

    def api_tokens(self, request: Request) -> Response:
        return ok([self._api_token(row) for row in self._state.api_tokens.values()])

    def api_token(self, request: Request, key: str) -> Response:
        if key not in self._state.api_tokens:
            raise not_found(key, "Token")
        return ok(self._api_token(self._state.api_tokens[key]))

    def drop_api_token(self, request: Request, key: str) -> Response:
        if key == "current":
            value = request.headers.get("authorization", "").partition(" ")[2]
            key = self._state.token_values.get(value, key)
        if self._state.api_tokens.pop(key, None) is None:
            raise not_found(key, "Token")
        return ok()

    def _api_token(self, row: dict[str, Any]) -> dict[str, Any]:
        used = row["lastUpdated"]
        return {
            **row,
            "tokenWindow": None,
            "network": {"connection": "ANYWHERE"},
            "created": iso(row["created"]),
            "lastUpdated": iso(used),
            "expiresAt": iso(used + 30 * 86_400),
        }

    def integrations(self, request: Request) -> Response:
        rows = [{**row, "createdAt": iso(row["created"])} for row in self._state.integrations.values()]
        return self._page(
            request, [{k: v for k, v in row.items() if k != "created"} for row in rows], 50, 200
        )

    def integration(self, request: Request, key: str) -> Response:
        if key not in self._state.integrations:
            raise not_found(key, "APIServiceIntegration")
        row = self._state.integrations[key]
        return ok({**row, "created": iso(row["created"])})

    def agents(self, request: Request) -> Response:
        self._bought()
        rows = [{**row, "created": iso(row["created"])} for row in self._state.agents.values()]
        return ok({"data": rows, "_links": {"self": {"href": f"{self._base()}{request.path}"}}})

    def agent(self, request: Request, key: str) -> Response:
        self._bought()
        if key not in self._state.agents:
            raise not_found(key, "AIAgent")
        row = self._state.agents[key]
        return ok({**row, "created": iso(row["created"])})

    def stop_agent(self, request: Request, key: str) -> Response:
        self._bought()
        if key not in self._state.agents:
            raise not_found(key, "AIAgent")
        self._state.agents[key]["status"] = "INACTIVE"
        return ok({"id": "op1", "type": "ai-agent:Deactivate", "status": "COMPLETED"}, 202)

    def _bought(self) -> None:
        if not self._state.spec.agents:
            raise OktaError(403, "E0000015")
