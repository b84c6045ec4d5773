"""Acts on a tenant: each done once however often it is asked for, then read again."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lantern.connectors.entra import grants, normalize
from lantern.connectors.entra.access import Reader, assigned_path, consents_path, held_path
from lantern.connectors.entra.api import GraphApi, segment
from lantern.connectors.entra.directory import Services
from lantern.connectors.entra.grants import Assignment, Consent, Service
from lantern.connectors.entra.manifest import APPS, MANIFEST, ROLES
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.protocol import Action, ActionKind, ActionResult
from lantern.connectors.resolution import CallError, ErrorResolution

_CONTRADICTION: Final = ErrorResolution(
    "transient", "provider_error", "Microsoft said that it is done, and still lists it.", retry=True
)
_PORTAL: Final = "https://entra.microsoft.com/#view/Microsoft_AAD_IAM/ManagedAppMenuBlade/~"
_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Acts:
    """What may be done in one tenant. `granted` are the permissions the consent holds."""

    api: GraphApi
    reader: Reader
    services: Services
    granted: frozenset[str]
    now: Callable[[], datetime]

    def act(self, action: Action, halt: Halt) -> ActionResult:
        """Do one act."""
        try:
            return self._act(action, halt)
        except CallError as error:
            if error.reason == "forbidden" and error.status == 403:
                return ActionResult("not_possible", None, error.user_message)
            raise

    def _act(self, action: Action, halt: Halt) -> ActionResult:
        verbs: Mapping[ActionKind, Callable[[], ActionResult]] = {
            "revoke_grant": lambda: self._revoke(action, None, halt),
            "revoke_scopes": lambda: self._revoke(action, action.scopes, halt),
            "disable_app": lambda: self._switch_app(action, halt, on=False),
            "enable_app": lambda: self._switch_app(action, halt, on=True),
            "disable_asset": lambda: self._disable_agent(action, halt),
            "end_sessions": lambda: self._end_sessions(action, halt),
        }
        verb = verbs.get(action.kind)
        return verb() if verb else ActionResult("not_possible", None, "Microsoft Entra ID has no such act.")

    # -- grants -------------------------------------------------------------------------------------

    def _revoke(self, action: Action, only: frozenset[str] | None, halt: Halt) -> ActionResult:
        """Take away what an app has of one principal, or some permissions of it."""
        app = self.services.by_app(action.client_id, halt)
        if app is None:
            return ActionResult("already_done", observed_present=False)
        consents, roles = self._held(action, app, halt)
        roles = [one for one in roles if only is None or self._says(one, only, halt)]
        blocked = self._by_hand(action, app, roles)
        if blocked and (not consents or action.native_id == normalize.THEMSELVES):
            return blocked
        done = sum([self._withdraw(one, only, halt) for one in consents])
        if not blocked:
            done += sum([self._unassign(one, halt) for one in roles])
        left_consents, left_roles = self._held(action, app, halt)
        present = self._present(left_consents, left_roles, only, halt)
        if blocked and present:
            return ActionResult("not_possible", present, blocked.detail, instructions=blocked.instructions)
        if done:
            return ActionResult("done", present, remaining_access_s=MANIFEST.access_token_lifetime_s)
        if present:
            raise CallError(_CONTRADICTION, detail="nothing to take away, and the list shows it")
        return ActionResult("already_done", present)

    def _held(self, action: Action, app: Service, halt: Halt) -> tuple[list[Consent], list[Assignment]]:
        """What an app has of a principal now: consents to it, and roles (its own, or of people in it)."""
        if action.native_id == normalize.EVERYBODY:
            path = f"/oauth2PermissionGrants?$filter=clientId eq '{app.id}'&$top=999"
            held = self.reader.consents(path, halt)
            return [one for one in held if one.client == app.id and one.principal is None], []
        if action.native_id == normalize.THEMSELVES:
            return [], self.reader.assignments(held_path(app.id), halt)
        try:
            held = self.reader.consents(consents_path(action.native_id), halt)
            roles = self.reader.assignments(assigned_path(action.native_id), halt)
        except CallError as error:
            if error.reason == "not_found" and self.reader.roster(halt).absent(action.native_id):
                return [], []
            raise
        return (
            [one for one in held if one.client == app.id and one.principal == action.native_id],
            [one for one in roles if one.resource == app.id],
        )

    def _present(
        self,
        consents: Iterable[Consent],
        roles: Iterable[Assignment],
        only: frozenset[str] | None,
        halt: Halt,
    ) -> bool:
        if only is None:
            return any(consents) or any(roles)
        return any(self._spoken(one, halt) & only for one in consents) or any(
            self._says(one, only, halt) for one in roles
        )

    def _spoken(self, one: Consent, halt: Halt) -> frozenset[str]:
        resource = self.services.resolve([one.resource], halt)[one.resource]
        return grants.spoken(resource, one.scopes)

    def _says(self, one: Assignment, only: frozenset[str], halt: Halt) -> bool:
        if one.kind != "ServicePrincipal":
            return grants.SIGN_IN in only
        resource = self.services.resolve([one.resource], halt)[one.resource]
        return grants.role_text(resource, one.role) in only

    def _withdraw(self, one: Consent, only: frozenset[str] | None, halt: Halt) -> bool:
        """Delete a consent, or narrow it; whether there was something to do."""
        path = f"/oauth2PermissionGrants/{segment(one.id)}"
        if only is None:
            return self._gone(lambda: self.api.send("DELETE", path, halt))
        resource = self.services.resolve([one.resource], halt)[one.resource]
        kept = [scope for scope in one.scopes if not grants.spoken(resource, [scope]) & only]
        if len(kept) == len(one.scopes):
            return False
        if not kept:
            return self._gone(lambda: self.api.send("DELETE", path, halt))
        return self._gone(lambda: self.api.send("PATCH", path, halt, json={"scope": " ".join(kept)}))

    def _unassign(self, one: Assignment, halt: Halt) -> bool:
        path = f"/servicePrincipals/{segment(one.resource)}/appRoleAssignedTo/{segment(one.id)}"
        return self._gone(lambda: self.api.send("DELETE", path, halt))

    @staticmethod
    def _gone(send: Callable[[], object]) -> bool:
        """Whether there was something to take away; the list, not a 404, says that it is gone."""
        try:
            send()
        except CallError as error:
            if error.reason == "not_found":
                return False
            raise
        return True

    def _by_hand(self, action: Action, app: Service, roles: list[Assignment]) -> ActionResult | None:
        """What only an administrator can take away: without the permission, or given through a group."""
        if not roles:
            return None
        page = f"{_PORTAL}/{{}}/objectId/{app.id}/appId/{app.app.client_id}"
        if action.native_id == normalize.THEMSELVES:
            if ROLES in self.granted:
                return None
            return _manual(
                f"Lantern may not take permissions from apps ({ROLES} was not granted).",
                f"Open {page.format('Permissions')}.",
                "Under Admin consent, choose Revoke permission beside each permission of type Application.",
            )
        groups = [one for one in roles if one.kind == "Group"]
        if ROLES in self.granted and not groups:
            return None
        why = (
            "The person may sign in as a member of a group."
            if groups
            else f"Lantern may not take people from apps ({ROLES} was not granted)."
        )
        return _manual(
            why,
            f"Open {page.format('Users')}.",
            "Take the person out of each group that is listed there."
            if groups
            else "Tick the person and choose Remove assignment.",
        )

    # -- apps, agents, sessions ---------------------------------------------------------------------

    def _switch_app(self, action: Action, halt: Halt, *, on: bool) -> ActionResult:
        """Let nobody sign in to an app, or let them again; `observed_present` says whether it is enabled."""
        app = self.services.by_app(action.client_id, halt)
        if app is None:
            detail = "The tenant has no such app."
            return ActionResult(
                "not_possible" if on else "already_done", observed_present=False, detail=detail
            )
        if app.enabled is on:
            return ActionResult("already_done", observed_present=on)
        if self.granted and APPS not in self.granted:
            page = f"{_PORTAL}/Properties/objectId/{app.id}/appId/{app.app.client_id}"
            return _manual(
                f"Lantern may not change apps ({APPS} was not granted).",
                f"Open {page}.",
                f"Set Enabled for users to sign-in to {'Yes' if on else 'No'} and save.",
            )
        path = f"/servicePrincipals/{segment(app.id)}"
        self.api.send("PATCH", path, halt, json={"accountEnabled": on})
        again = self.services.by_app(action.client_id, halt)
        remaining = None if on else MANIFEST.access_token_lifetime_s
        return ActionResult("done", bool(again and again.enabled), remaining_access_s=remaining)

    def _disable_agent(self, action: Action, halt: Halt) -> ActionResult:
        """Disable an agent identity; `observed_present` says whether it is enabled."""
        path = f"/servicePrincipals/{segment(action.asset_id)}"
        enabled = self._enabled(path, halt)
        if not enabled:
            return ActionResult("already_done", observed_present=False)
        body = {"@odata.type": "#microsoft.graph.agentIdentity", "accountEnabled": False}
        self.api.send("PATCH", path, halt, json=body)
        present = self._enabled(path, halt)
        return ActionResult("done", present, remaining_access_s=MANIFEST.access_token_lifetime_s)

    def _enabled(self, path: str, halt: Halt) -> bool:
        try:
            row = self.api.get(f"{path}?$select=id,accountEnabled", halt)
        except CallError as error:
            if error.reason == "not_found":
                return False
            raise
        return row.get("accountEnabled") is not False

    def _end_sessions(self, action: Action, halt: Halt) -> ActionResult:
        """Sign an account out everywhere. Guests are signed out by their own tenant only."""
        path = f"/users/{segment(action.native_id)}"
        begun = self.now()
        try:
            row = self.api.get(f"{path}?$select=id,userType", halt)
        except CallError as error:
            if error.reason == "not_found" and self.reader.roster(halt).absent(action.native_id):
                return ActionResult("already_done", observed_present=False)
            raise
        if row.get("userType") == "Guest":
            return _manual(
                "A guest's sessions belong to the guest's own organisation.",
                "Ask that organisation's administrator to end them, or take the guest's access to apps away.",
            )
        self.api.send("POST", f"{path}/revokeSignInSessions", halt)
        again = self.api.get(f"{path}?$select=id,signInSessionsValidFromDateTime", halt)
        try:
            valid_from = normalize.instant(again.get("signInSessionsValidFromDateTime"))
        except normalize.MalformedError as error:
            raise CallError(GARBLED, detail=f"users: {error}") from None
        ended = valid_from >= begun - _SKEW
        return ActionResult(
            "done",
            observed_present=not ended,
            detail="It takes minutes until every app notices.",
            remaining_access_s=MANIFEST.access_token_lifetime_s,
        )


def _manual(why: str, *steps: str) -> ActionResult:
    return ActionResult("not_possible", None, why, instructions=steps)
