"""The REST API of organisations and accounts, as an installation's token sees it."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.simulators.google.wire import Request, Response, json_response

from .access import Token
from .model import Credential, Org, Pat, Seat, account, iso
from .wire import DOCS, GithubError, base_of, not_found, number, paged, unprocessable
from .world import World

COPILOT = f"{DOCS}/copilot/copilot-user-management"
SEATS = f"{COPILOT}#list-all-copilot-seat-assignments-for-an-organization"
SSO = f"{DOCS}/orgs/orgs#list-saml-sso-authorizations-for-an-organization"
CURSOR_LIFE_S = 3600


class Orgs:
    """Handlers; all take the caller's token first."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.slow_revocation = 0

    def _org(self, token: Token, key: str) -> Org:
        org = self._world.org(key)
        made = self._world.installations.get(token.installation_id)
        if org is None or made is None or made.account_id != org.id:
            raise not_found()
        return org

    def members(self, request: Request, token: Token, key: str) -> Response:
        """GET /orgs/{org}/members."""
        org, role = self._org(token, key), request.query.get("role", "all")
        rows = [self._world.people[u].simple() for u, held in org.members.items() if role in ("all", held)]
        return paged(request, rows, f"/organizations/{org.id}/members")

    def outside(self, request: Request, token: Token, key: str) -> Response:
        """GET /orgs/{org}/outside_collaborators."""
        org = self._org(token, key)
        rows = [self._world.people[u].simple() for u in org.outside]
        return paged(request, rows, f"/organizations/{org.id}/outside_collaborators")

    def membership(self, request: Request, token: Token, key: str, login: str) -> Response:
        """GET /orgs/{org}/memberships/{username}."""
        return json_response(membership(self._world, self._org(token, key), login))

    def installations(self, request: Request, token: Token, key: str) -> Response:
        """GET /orgs/{org}/installations."""
        org = self._org(token, key)
        rows = [self._world.installation(one) for one in self._world.installed(org)]
        path = f"/organizations/{org.id}/installations"
        return paged(request, rows, path, under=("installations", "total_count"))

    def user(self, request: Request, token: Token, key: str) -> Response:
        """GET /user/{account_id} and /users/{username}."""
        found = self._world.user(key)
        if found is None:
            raise not_found(f"{DOCS}/users/users#get-a-user")
        now = iso(self._world.clock.now())
        blank = dict.fromkeys(("company", "blog", "location", "hireable", "bio"))
        counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
        more = {"name": found.name, "email": found.email, "created_at": now, "updated_at": now}
        return json_response({**found.simple(), **blank, **counts, **more})

    def app(self, request: Request, token: Token, slug: str) -> Response:
        """GET /apps/{app_slug}."""
        app = next((one for one in self._world.apps.values() if one.slug == slug and one.public), None)
        if app is None:
            raise not_found(f"{DOCS}/apps/apps#get-an-app")
        now = iso(self._world.clock.now())
        body = {
            "id": app.id,
            "node_id": f"A_{app.id}",
            "slug": app.slug,
            "owner": account(app.id + 70_000, app.owner, "Organization"),
            "name": app.name,
            "description": None,
            "external_url": app.home,
            "html_url": f"https://github.com/apps/{app.slug}",
            "created_at": now,
            "updated_at": now,
            "permissions": app.permissions,
            "events": [],
        }
        return json_response(body)

    def graphql(self, request: Request, token: Token) -> Response:
        """POST /graphql: the one query that Lantern asks."""
        body = request.json()
        asked, given = str(body.get("query")), body.get("variables") or {}
        if "organizationVerifiedDomainEmails" not in asked or len(given.get("ids", ())) > 100:
            return json_response({"errors": [{"type": "undefinedField", "message": "no such query"}]})
        org, nodes = self._org(token, str(given.get("org"))), []
        for node in given["ids"]:
            user = self._world.user(str(node).removeprefix("N_"))
            mails = [
                mail
                for mail in (user.emails if user and user.id in org.members else ())
                if mail.partition("@")[2].lower() in org.domains
            ]
            nodes.append(user and {"databaseId": user.id, "organizationVerifiedDomainEmails": mails})
        return json_response({"data": {"nodes": nodes}})

    # -- Copilot ---------------------------------------------------------------------------------

    def seats(self, request: Request, token: Token, key: str) -> Response:
        """GET /orgs/{org}/copilot/billing/seats."""
        org = self._copilot(token, key)
        rows = [self._seat(one) for one in org.seats.values()]
        path = f"/organizations/{org.id}/copilot/billing/seats"
        return paged(request, rows, path, under=("seats", "total_seats"), default=50)

    def seat(self, request: Request, token: Token, key: str, login: str) -> Response:
        """GET /orgs/{org}/members/{username}/copilot."""
        org, user = self._copilot(token, key), self._world.user(login)
        if user is None or user.id not in org.seats:
            raise not_found(f"{COPILOT}#get-copilot-seat-assignment-details-for-a-user")
        return json_response(self._seat(org.seats[user.id]))

    def unseat(self, request: Request, token: Token, key: str) -> Response:
        """DELETE /orgs/{org}/copilot/billing/selected_users."""
        org, names = self._copilot(token, key), request.json().get("selected_usernames")
        users = [self._world.user(str(name)) for name in names or ()]
        if not users or any(u is None or u.id not in org.members for u in users):
            raise unprocessable("selected_usernames")
        held = [org.seats[u.id] for u in users if u and u.id in org.seats]
        if any(one.team for one in held):
            raise unprocessable("a user's seat cannot be cancelled because it was assigned via a team")
        ends = datetime.fromtimestamp(self._world.clock.now(), UTC) + timedelta(days=20)
        fresh = [one for one in held if one.ends is None]
        for one in fresh:
            one.ends = ends.strftime("%Y-%m-%d")
            self._world.note(org, "copilot.cfb_seat_cancelled_by_staff", one.user_id)
        return json_response({"seats_cancelled": len(fresh)})

    def _copilot(self, token: Token, key: str) -> Org:
        org = self._org(token, key)
        if not org.copilot:
            raise not_found(SEATS)
        return org

    def _seat(self, one: Seat) -> dict[str, Any]:
        return {
            "created_at": iso(one.created_at),
            "pending_cancellation_date": one.ends,
            "last_activity_at": iso(one.last_activity_at),
            "last_activity_editor": "vscode/1.99.0/copilot/1.300.0" if one.last_activity_at else None,
            "plan_type": "business",
            "assignee": self._world.people[one.user_id].simple(),
            "assigning_team": {"id": 1, "name": one.team, "slug": "team"} if one.team else None,
        }

    # -- credentials and tokens ------------------------------------------------------------------

    def credentials(self, request: Request, token: Token, key: str) -> Response:
        """GET /orgs/{org}/credential-authorizations."""
        org, login = self._sso(token, key), request.query.get("login")
        wanted = self._world.user(login) if login else None
        rows = [
            self._credential(one)
            for one in org.credentials.values()
            if not login or (wanted is not None and one.user_id == wanted.id)
        ]
        return paged(request, rows, f"/organizations/{org.id}/credential-authorizations")

    def deauthorise(self, request: Request, token: Token, key: str, identifier: str) -> Response:
        """DELETE /orgs/{org}/credential-authorizations/{credential_id}."""
        if not self._world.deauthorise(self._sso(token, key), int(identifier)):
            raise not_found(SSO)
        return Response(204)

    def _sso(self, token: Token, key: str) -> Org:
        org = self._org(token, key)
        if not org.ghec:
            raise not_found(SSO)
        return org

    def _credential(self, one: Credential) -> dict[str, Any]:
        row: dict[str, Any] = {
            "login": self._world.people[one.user_id].login,
            "credential_id": one.id,
            "credential_type": one.type,
            "credential_authorized_at": iso(one.authorised_at),
            "credential_accessed_at": iso(one.accessed_at),
            "authorized_credential_id": one.id + 7,
        }
        if one.type == "SSH key":
            return {
                **row,
                "fingerprint": f"SHA256:{one.id:x}",
                "authorized_credential_title": one.note or "key",
            }
        more = {"authorized_credential_note": one.note, "authorized_credential_expires_at": None}
        return {**row, "token_last_eight": f"{one.id:08x}"[-8:], "scopes": one.scopes, **more}

    def pats(self, request: Request, token: Token, key: str) -> Response:
        """GET /orgs/{org}/personal-access-tokens."""
        org = self._org(token, key)
        for one in list(org.pats.values()):
            one.dying = max(0, one.dying - 1)
            if one.dying == 1:
                self._world.revoke_pat(org, one.id)
        rows = [self._pat(one) for one in org.pats.values()]
        return paged(request, rows, f"/organizations/{org.id}/personal-access-tokens")

    def revoke_pat(self, request: Request, token: Token, key: str, identifier: str) -> Response:
        """POST /orgs/{org}/personal-access-tokens/{pat_id}."""
        org = self._org(token, key)
        if request.json().get("action") != "revoke":
            raise unprocessable("action")
        if int(identifier) not in org.pats:
            raise not_found(f"{DOCS}/orgs/personal-access-tokens")
        if self.slow_revocation:
            org.pats[int(identifier)].dying = self.slow_revocation + 1
            return json_response({}, 202)
        self._world.revoke_pat(org, int(identifier))
        return Response(204)

    def _pat(self, one: Pat) -> dict[str, Any]:
        now = self._world.clock.now()
        return {
            "id": one.id,
            "owner": self._world.people[one.user_id].simple(),
            "repository_selection": "all",
            "repositories_url": "https://api.github.com/",
            "permissions": one.permissions,
            "access_granted_at": iso(one.granted_at),
            "token_id": one.id + 3,
            "token_name": one.name,
            "token_expired": one.expires_at is not None and one.expires_at <= now,
            "token_expires_at": iso(one.expires_at),
            "token_last_used_at": iso(one.last_used_at),
        }

    # -- audit log -------------------------------------------------------------------------------

    def audit(self, request: Request, token: Token, key: str) -> Response:
        """GET /orgs/{org}/audit-log: cursors that are opaque and expire."""
        org = self._org(token, key)
        if not org.ghec:
            raise not_found(f"{DOCS}/orgs/orgs#get-the-audit-log-for-an-organization")
        size = number(request, "per_page", 30, 100)
        since, at = _since(request.query.get("phrase", "")), 0
        rows = [row for row in org.audit if row["@timestamp"] / 1000 >= since]
        if request.query.get("order", "desc") == "desc":
            rows.reverse()
        if after := request.query.get("after"):
            at = self._place(after)
        part = rows[at : at + (max(1, size // 2) if request.half_page else size)]
        if at + len(part) >= len(rows):
            return json_response(part)
        place = base64.urlsafe_b64encode(
            json.dumps([at + len(part), self._world.clock.now()]).encode()
        ).decode()
        kept = "&".join(f"{k}={_quoted(v)}" for k, v in request.query.items() if k not in ("after", "before"))
        url = f"{base_of(request)}/organizations/{org.id}/audit-log?{kept}&after={place}&before="
        return json_response(part, headers={"Link": f'<{url}>; rel="next"'})

    def _place(self, after: str) -> int:
        try:
            at, made = json.loads(base64.urlsafe_b64decode(after))
        except ValueError:
            raise GithubError(400, "cursor is not valid") from None
        if made + CURSOR_LIFE_S < self._world.clock.now():
            raise GithubError(422, "cursor has expired")
        return int(at)


def membership(world: World, org: Org, login: str) -> dict[str, Any]:
    """An `Org Membership`."""
    user = world.user(login)
    if user is None or (user.id not in org.members and user.id not in org.pending):
        raise not_found(f"{DOCS}/orgs/members#get-organization-membership-for-a-user")
    state = "active" if user.id in org.members else "pending"
    role = org.members.get(user.id, "member")
    url = f"https://api.github.com/orgs/{org.login}"
    return {
        "url": f"{url}/memberships/{user.login}",
        "state": state,
        "role": role,
        "organization_url": url,
        "organization": org.simple(),
        "user": user.simple(),
    }


def _since(phrase: str) -> float:
    for word in phrase.split():
        if word.startswith("created:>="):
            return datetime.fromisoformat(word.removeprefix("created:>=")).timestamp()
    return 0.0


def _quoted(value: str) -> str:
    from urllib.parse import quote

    return quote(value, safe="")


Handler = Callable[..., Response]
