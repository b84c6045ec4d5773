"""What happens in the simulated GitHub: every change is counted, logged and told to the web hook."""

import itertools
import threading
from typing import Any

from tests.simulators.google.clock import Clock

from .hooks import Hooks
from .model import FOREIGN, App, Credential, Installation, Org, OrgSpec, Pat, Seat, User, iso, make_up

TOKEN_APPS = {"OAuth app token": "sso-oauth-app-token", "GitHub app token": "sso-github-app-token"}


class World:
    """All organisations, accounts and apps. Methods that change something hold `lock`."""

    def __init__(self, clock: Clock, ours: App, specs: tuple[OrgSpec, ...]) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.ours = ours
        self.apps = {app.id: app for app in (ours, *FOREIGN)}
        self.people: dict[int, User] = {}
        self.orgs: dict[int, Org] = {}
        self.installations: dict[int, Installation] = {}
        self.changes: list[dict[str, Any]] = []
        self.hooks = Hooks(clock)
        self._numbers = itertools.count(5_000_000)
        for position, spec in enumerate(specs):
            domains = [f"{spec.login}.example"]
            org = Org(9_001 + position, spec.login, spec.ghec, spec.copilot, domains)
            self.orgs[org.id] = org
            make_up(org, self.people, spec, clock.now())
            for app in FOREIGN:
                self._put_installation(org, app)

    def number(self) -> int:
        """A fresh id."""
        return next(self._numbers)

    def count_from(self, number: int) -> None:
        """Go on counting after a restart."""
        self._numbers = itertools.count(number + 1)

    def _put_installation(self, org: Org, app: App) -> Installation:
        identifier = org.id * 100 + app.id % 100 if app.id < 1000 else self.number()
        made = Installation(identifier, app.id, org.id, dict(app.permissions), self.clock.now() - 90 * 86_400)
        self.installations[identifier] = made
        return made

    # -- finding ---------------------------------------------------------------------------------

    def org(self, key: str | None = None) -> Org | None:
        """An organisation by name or id; the first where none is named."""
        if key is None:
            return next(iter(self.orgs.values()))
        for one in self.orgs.values():
            if one.login.lower() == key.lower() or str(one.id) == key:
                return one
        return None

    def need(self, key: str | None) -> Org:
        """As `org`, for callers who know that it exists."""
        found = self.org(key)
        if found is None:
            raise ValueError(f"no organisation {key}")
        return found

    def user(self, key: str) -> User | None:
        """An account by login or id."""
        for one in self.people.values():
            if one.login.lower() == key.lower() or str(one.id) == key:
                return one
        return None

    def person(self, key: str) -> User:
        """As `user`, for callers who know that it exists."""
        found = self.user(key)
        if found is None:
            raise ValueError(f"no account {key}")
        return found

    def installed(self, org: Org) -> list[Installation]:
        """The apps of an organisation."""
        return sorted(
            (one for one in self.installations.values() if one.account_id == org.id), key=lambda one: one.id
        )

    def our_installation(self, org: Org) -> Installation | None:
        """The installation of our app, if there is one."""
        return next((one for one in self.installed(org) if one.app_id == self.ours.id), None)

    def may_act(self, installation_id: int) -> bool:
        """Whether an installation is there and not suspended: else its tokens are refused."""
        made = self.installations.get(installation_id)
        return made is not None and made.suspended_at is None

    def truth(self, key: str | None = None) -> dict[str, Any]:
        """What a perfect inventory would say: by native id the state and the grants (client: scopes)."""
        org = self.need(key)
        apps = {
            str(one.app_id): [f"{name}:{level}" for name, level in one.permissions.items()]
            for one in self.installed(org)
        }
        told: dict[str, Any] = {"organisation": {"state": "active", "grants": apps}}
        for identifier in (*org.members, *org.outside):
            told[str(identifier)] = {"state": "active", "grants": self._held(org, identifier)}
        return told

    def _held(self, org: Org, user_id: int) -> dict[str, list[str]]:
        held: dict[str, list[str]] = {"copilot": ["copilot"]} if org.copilot and user_id in org.seats else {}
        for one in org.credentials.values() if org.ghec else ():
            client = TOKEN_APPS.get(one.type)
            if one.user_id == user_id and client:
                held[client] = sorted({*held.get(client, ()), *one.scopes})
        return held

    # -- telling ---------------------------------------------------------------------------------

    def note(self, org: Org, action: str, user_id: int | None = None, **more: Any) -> None:
        """Count a change and write it into the audit log."""
        now = self.clock.now()
        user = self.people.get(user_id or 0)
        self.changes.append({"seq": len(self.changes) + 1, "action": action, "user": user_id, **more})
        actor = self.people[next(iter(org.members))]
        event = {
            "@timestamp": int(now * 1000),
            "created_at": int(now * 1000),
            "_document_id": f"doc-{org.id}-{len(org.audit)}",
            "action": action,
            "actor": actor.login,
            "actor_id": actor.id,
            "org": org.login,
            "org_id": org.id,
            **({"user": user.login, "user_id": user.id} if user else {}),
            **more,
        }
        org.audit.append(event)

    def tell(self, org: Org, event: str, payload: dict[str, Any]) -> None:
        """Deliver an event to our app, if the organisation has it."""
        ours = self.our_installation(org)
        if ours is None or ours.suspended_at is not None:
            return
        organisation = {"login": org.login, "id": org.id}
        sender = self.people[next(iter(org.members))].simple()
        body = {**payload, "organization": organisation, "installation": {"id": ours.id}, "sender": sender}
        self.hooks.send(event, body, ours.id)

    # -- people ----------------------------------------------------------------------------------

    def add_member(self, org: Org, login: str, role: str) -> User:
        """Somebody joins."""
        user = self.user(login) or User(self.number(), login, login)
        self.people[user.id] = user
        org.members[user.id] = role
        self.note(org, "org.add_member", user.id)
        membership = {"state": "active", "role": role, "user": user.simple()}
        self.tell(org, "organization", {"action": "member_added", "membership": membership})
        return user

    def remove_member(self, org: Org, user: User) -> None:
        """Somebody leaves, with everything they held here."""
        role = org.members.pop(user.id, "member")
        org.outside = [one for one in org.outside if one != user.id]
        org.seats.pop(user.id, None)
        org.credentials = {k: v for k, v in org.credentials.items() if v.user_id != user.id}
        org.pats = {k: v for k, v in org.pats.items() if v.user_id != user.id}
        self.note(org, "org.remove_member", user.id)
        membership = {"state": "active", "role": role, "user": user.simple()}
        self.tell(org, "organization", {"action": "member_removed", "membership": membership})

    # -- apps ------------------------------------------------------------------------------------

    def install(self, org: Org, app: App) -> Installation:
        """An owner installs an app."""
        known = next((one for one in self.installed(org) if one.app_id == app.id), None)
        if known is not None:
            known.permissions = dict(app.permissions)
            return known
        made = Installation(self.number(), app.id, org.id, dict(app.permissions), self.clock.now())
        self.installations[made.id] = made
        self.note(org, "integration_installation.create", name=app.name)
        if app.id == self.ours.id:
            self._tell_installation(org, made, "created")
        return made

    def uninstall(self, org: Org, made: Installation) -> None:
        """An owner uninstalls an app."""
        self.installations.pop(made.id, None)
        self.note(org, "integration_installation.destroy", name=self.apps[made.app_id].name)
        if made.app_id == self.ours.id:
            self._tell_installation(org, made, "deleted")

    def _tell_installation(self, org: Org, made: Installation, action: str) -> None:
        sender = self.people[next(iter(org.members))].simple()
        body = {
            "action": action,
            "installation": self.installation(made),
            "repositories": [],
            "sender": sender,
        }
        self.hooks.send("installation", body, made.id)

    def installation(self, made: Installation) -> dict[str, Any]:
        """An `Installation` resource."""
        org, app = self.orgs.get(made.account_id), self.apps[made.app_id]
        account = org.account() if org else self.people[made.account_id].simple()
        page = f"https://github.com/organizations/{account['login']}/settings/installations/{made.id}"
        return {
            "id": made.id,
            "account": account,
            "repository_selection": made.selection,
            "access_tokens_url": f"https://api.github.com/app/installations/{made.id}/access_tokens",
            "repositories_url": "https://api.github.com/installation/repositories",
            "html_url": page,
            "app_id": app.id,
            "app_slug": app.slug,
            "target_id": made.account_id,
            "target_type": account["type"],
            "permissions": made.permissions,
            "events": [],
            "created_at": iso(made.created_at),
            "updated_at": iso(made.created_at),
            "single_file_name": None,
            "has_multiple_single_files": False,
            "single_file_paths": [],
            "suspended_by": None,
            "suspended_at": iso(made.suspended_at),
        }

    # -- credentials, tokens, seats --------------------------------------------------------------

    def authorise(self, org: Org, user: User, kind: str, scopes: list[str]) -> Credential:
        """Somebody authorises a credential for single sign-on."""
        made = Credential(self.number(), user.id, kind, self.clock.now(), None, scopes)
        org.credentials[made.id] = made
        self.note(org, "org_credential_authorization.grant", user.id)
        return made

    def deauthorise(self, org: Org, identifier: int) -> bool:
        """An owner takes an authorisation away; False where there is none."""
        known = org.credentials.pop(identifier, None)
        if known is not None:
            self.note(org, "org_credential_authorization.revoke", known.user_id)
        return known is not None

    def create_pat(self, org: Org, user: User, name: str, permissions: dict[str, dict[str, str]]) -> Pat:
        """A fine-grained token is approved for the organisation."""
        made = Pat(self.number(), user.id, name, self.clock.now(), permissions)
        org.pats[made.id] = made
        self.note(org, "personal_access_token.access_granted", user.id)
        request = {"id": made.id, "owner": user.simple(), "permissions_result": permissions}
        self.tell(
            org,
            "personal_access_token_request",
            {"action": "approved", "personal_access_token_request": request},
        )
        return made

    def revoke_pat(self, org: Org, identifier: int) -> bool:
        """An owner revokes a token; False where there is none."""
        known = org.pats.pop(identifier, None)
        if known is not None:
            self.note(org, "personal_access_token.access_revoked", known.user_id)
        return known is not None

    def assign_seat(self, org: Org, user: User, team: str | None = None) -> Seat:
        """Somebody gets a Copilot seat."""
        org.seats[user.id] = Seat(user.id, self.clock.now(), team=team)
        self.note(org, "copilot.cfb_seat_added", user.id)
        return org.seats[user.id]

    def end_seat(self, org: Org, user: User) -> None:
        """A seat ends at once, as at the end of a billing cycle."""
        if org.seats.pop(user.id, None):
            self.note(org, "copilot.cfb_seat_cancelled", user.id)
