"""What our app asks for itself, and how people come to install it."""

import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.simulators.google.wire import Request, Response, html_response, json_response, redirect

from .access import HOUR, Access, Token
from .hooks import Hooks
from .model import iso
from .orgs import membership
from .wire import DOCS, GithubError, base_of, not_found, number, paged
from .world import World

CODE_LIFE_S = 600
PERSON_LIFE_S = 8 * HOUR


@dataclass(slots=True)
class Decision:
    """What the person in front of the installation page does.

    `action`: `install`, `request` (asks an owner), or `update`. `installation_id` forges the callback's.
    """

    login: str | None = None
    organisation: str | None = None
    action: str = "install"
    installation_id: int | None = None


class OurApp:
    """Handlers for statements of our app, and pages for people."""

    def __init__(self, world: World, access: Access, spec: Any) -> None:
        self._world = world
        self._access = access
        self._spec = spec
        self.redirect_uri: str = spec.redirect_uri
        self._codes: dict[str, tuple[int, float]] = {}
        self.decision: Decision | None = None

    def installation(self, request: Request, identifier: str) -> Response:
        """GET /app/installations/{installation_id}."""
        made = self._world.installations.get(int(identifier) if identifier.isdigit() else 0)
        if made is None or made.app_id != self._world.ours.id:
            raise not_found(f"{DOCS}/apps/apps#get-an-installation-for-the-authenticated-app")
        return json_response(self._world.installation(made))

    def token(self, request: Request, identifier: str) -> Response:
        """POST /app/installations/{installation_id}/access_tokens."""
        made = self._world.installations.get(int(identifier) if identifier.isdigit() else 0)
        page = f"{DOCS}/apps/apps#create-an-installation-access-token-for-an-app"
        if made is None or made.app_id != self._world.ours.id:
            raise not_found(page)
        if made.suspended_at is not None:
            raise GithubError(403, "This installation has been suspended", page=page)
        token = self._access.issue("ghs", made.id, HOUR, permissions=dict(made.permissions))
        body = {
            "token": token.text,
            "expires_at": iso(token.expires_at),
            "permissions": made.permissions,
            "repository_selection": made.selection,
        }
        return json_response(body, 201)

    def uninstall(self, request: Request, identifier: str) -> Response:
        """DELETE /app/installations/{installation_id}."""
        made = self._world.installations.get(int(identifier) if identifier.isdigit() else 0)
        if made is None or made.app_id != self._world.ours.id:
            raise not_found(f"{DOCS}/apps/apps#delete-an-installation-for-the-authenticated-app")
        self._world.uninstall(self._world.orgs[made.account_id], made)
        return Response(204)

    def deliveries(self, request: Request) -> Response:
        """GET /app/hook/deliveries: the newest first; `cursor` says where to go on."""
        self._world.hooks.forget()
        wanted = request.query.get("status")
        rows = [Hooks.item(row) for row in reversed(self._world.hooks.sent) if _is(row, wanted)]
        size, cursor = number(request, "per_page", 30, 100), request.query.get("cursor", "")
        at = next((i for i, row in enumerate(rows) if str(row["id"]) == cursor), 0)
        part = rows[at : at + size]
        headers = {}
        if at + size < len(rows):
            query = urlencode({**request.query, "cursor": rows[at + size]["id"]})
            headers["Link"] = f'<{base_of(request)}/app/hook/deliveries?{query}>; rel="next"'
        return json_response(part, headers=headers)

    def delivery(self, request: Request, identifier: str) -> Response:
        """GET /app/hook/deliveries/{delivery_id}."""
        for row in self._world.hooks.sent:
            if str(row["id"]) == identifier:
                sent = {"headers": {"X-GitHub-Event": row["event"]}, "payload": row["payload"]}
                answer = {"headers": {}, "payload": ""}
                return json_response({**Hooks.item(row), "request": sent, "response": answer})
        raise not_found()

    # -- people ----------------------------------------------------------------------------------

    def show(self, request: Request, slug: str) -> Response:
        """GET /apps/{slug}/installations/new."""
        if slug != self._world.ours.slug:
            return html_response("<h1>404</h1>", 404)
        if self.decision is not None:
            return self._decided(self.decision, request.query.get("state", ""))
        options = "".join(f"<option>{org.login}</option>" for org in self._world.orgs.values())
        page = (
            f"<h1>Install {self._world.ours.name}</h1><form method=post><select name=organisation>{options}"
            f"</select><button>Install</button></form>"
        )
        return html_response(page)

    def decide(self, request: Request, slug: str) -> Response:
        """POST of that page: the first owner installs."""
        chosen = Decision(organisation=request.form().get("organisation"))
        return self._decided(chosen, request.query.get("state", ""))

    def _decided(self, decision: Decision, state: str) -> Response:
        org = self._world.need(decision.organisation)
        owner = next(user for user, role in org.members.items() if role == "admin")
        person = self._world.person(decision.login).id if decision.login else owner
        query: dict[str, str] = {"setup_action": decision.action}
        if decision.action != "request":
            made = self._world.our_installation(org)
            if org.members.get(person) == "admin":
                made = self._world.install(org, self._world.ours)
            named = decision.installation_id or (made.id if made else 0)
            query |= {"code": self.code(person), "installation_id": str(named)}
        if state:
            query["state"] = state
        return redirect(f"{self.redirect_uri}?{urlencode(query)}")

    def code(self, user_id: int) -> str:
        """A code that a person's browser carries back."""
        text = secrets.token_hex(10)
        self._codes[text] = (user_id, self._world.clock.now() + CODE_LIFE_S)
        return text

    def trade(self, request: Request) -> Response:
        """POST /login/oauth/access_token; refusals are answered with 200."""
        form, spec = request.form(), self._spec
        if (form.get("client_id"), form.get("client_secret")) != (spec.client_id, spec.client_secret):
            return json_response({"error": "incorrect_client_credentials", "error_description": "no"})
        user_id, until = self._codes.pop(form.get("code", ""), (0, 0.0))
        if until <= self._world.clock.now():
            return json_response(
                {"error": "bad_verification_code", "error_description": "incorrect or expired"}
            )
        token = self._access.issue("ghu", 0, PERSON_LIFE_S, user_id=user_id)
        more = {
            "expires_in": PERSON_LIFE_S,
            "refresh_token": "ghr_unused",
            "scope": "",
            "token_type": "bearer",
        }
        return json_response({"access_token": token.text, **more})

    def me(self, request: Request, token: Token) -> Response:
        """GET /user."""
        user = self._world.people[token.user_id or 0]
        return json_response({**user.simple(), "name": user.name, "email": user.email})

    def reachable(self, request: Request, token: Token) -> Response:
        """GET /user/installations: those of our app that the person has to do with."""
        mine = [
            self._world.installation(one)
            for one in self._world.installations.values()
            if one.app_id == self._world.ours.id and self._near(one.account_id, token.user_id or 0)
        ]
        return paged(request, mine, "/user/installations", under=("installations", "total_count"))

    def my_membership(self, request: Request, token: Token, key: str) -> Response:
        """GET /user/memberships/orgs/{org}."""
        org = self._world.org(key)
        if org is None:
            raise not_found()
        return json_response(membership(self._world, org, str(token.user_id)))

    def _near(self, account_id: int, user_id: int) -> bool:
        org = self._world.orgs.get(account_id)
        return account_id == user_id or (org is not None and user_id in (*org.members, *org.outside))


def _is(row: dict[str, Any], wanted: str | None) -> bool:
    good = 200 <= row["status_code"] < 400
    return row["status_code"] != 0 and (wanted is None or good == (wanted == "success"))
