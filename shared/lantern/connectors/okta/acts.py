"""Acts on an organisation: each done once, then looked at again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.okta import normalize
from lantern.connectors.okta.address import admin_console
from lantern.connectors.okta.api import OktaApi, segment
from lantern.connectors.okta.apps import APPS, Apps
from lantern.connectors.okta.assets import AGENTS_PATH, TOKENS_PATH
from lantern.connectors.okta.manifest import MANIFEST
from lantern.connectors.okta.normalize import APPLICATION, CataloguedApp, Consented, MalformedError
from lantern.connectors.protocol import Action, ActionKind, ActionResult
from lantern.connectors.resolution import CallError, ErrorResolution

_USERS: Final = "/api/v1/users"
_SCOPES: Final = {"expand": "scope", "limit": "200"}
_MOST_GROUPS: Final = 5
_LIFE_S: Final = MANIFEST.access_token_lifetime_s
_CONTRADICTION: Final = ErrorResolution(
    "transient", "provider_error", "Okta said that it does not exist, and lists it.", retry=True
)


@dataclass(frozen=True, slots=True)
class Acts:
    """Does acts. `own_client` is the client we act as: it is never acted on."""

    api: OktaApi
    apps: Apps
    own_client: str

    def do(self, action: Action, halt: Halt) -> ActionResult:
        """Do one act and say what is there now.

        A refusal for lack of rights is an answer too: it says what an administrator can do instead.
        """
        verbs: Mapping[ActionKind, Callable[[Action, Halt], ActionResult]] = {
            "revoke_grant": self._revoke_grant,
            "revoke_scopes": self._revoke_scopes,
            "disable_app": lambda act, stop: self._switch(act, stop, on=False),
            "enable_app": lambda act, stop: self._switch(act, stop, on=True),
            "end_sessions": self._end_sessions,
            "delete_asset": self._delete_token,
            "disable_asset": self._disable_agent,
        }
        verb = verbs.get(action.kind)
        if verb is None:
            return ActionResult("not_possible", None, "Okta offers nothing like it.")
        if action.client_id and action.client_id == self.own_client and action.kind != "enable_app":
            return ActionResult(
                "not_possible", None, "This is Lantern's own access: disconnect Okta in Lantern instead."
            )
        try:
            return verb(action, halt)
        except MalformedError as error:
            raise CallError(GARBLED, detail=f"act: {error}") from None
        except CallError as error:
            if error.reason == "forbidden" and not error.resolution.connection_wide:
                return ActionResult(
                    "not_possible", None, error.user_message, instructions=self._by_hand(action)
                )
            raise

    def _revoke_grant(self, action: Action, halt: Halt) -> ActionResult:
        if action.native_id == APPLICATION:
            return self._revoke_own(action, halt, only=None)
        removed = self._revoke_consent(action, halt)
        entry = self.apps.find(action.client_id, halt)
        unassigned, by_group = self._unassign(action, entry, halt) if entry else (False, False)
        if entry and by_group:
            return self._at_the_group(entry, removed or unassigned, halt)
        present = bool(self._scopes(action, halt)) or (
            entry is not None and self._assignment(action, entry, halt) is not None
        )
        return _outcome(removed or unassigned, present)

    def _revoke_consent(self, action: Action, halt: Halt) -> bool:
        """Take away the scopes a person gave a client, and its refresh tokens; whether Okta found any."""
        path, found = self._client_path(action), False
        for part in ("grants", "tokens"):
            if self._holds(action, part, halt):
                found = self.api.removed(f"{path}/{part}", halt) or found
        return found

    def _unassign(self, action: Action, entry: CataloguedApp, halt: Halt) -> tuple[bool, bool]:
        """Take a person's own assignment away; whether there was one, and whether a group's remains."""
        made = self._assignment(action, entry, halt)
        if made is None or made.group:
            return False, made is not None
        removed = self.api.removed(self._assignment_path(action, entry), halt)
        left = self._assignment(action, entry, halt)
        return removed, left is not None and left.group

    def _at_the_group(self, entry: CataloguedApp, acted: bool, halt: Halt) -> ActionResult:  # noqa: FBT001
        """What a group gives is taken at the group, from everybody in it: that is not ours to decide."""
        groups = self.apps.group_names(entry, halt)[:_MOST_GROUPS]
        named = ", ".join(groups) or "the group that gives the app"
        console = admin_console(self.api.base)
        detail = (
            "The app comes to this person by a group; unassigning it there touches everybody in the group."
        )
        if acted:
            detail = f"Consent and refresh tokens were taken away. {detail}"
        return ActionResult(
            "not_possible",
            observed_present=True,
            detail=detail,
            instructions=(
                f"Open the app's assignments: {console}/admin/app/instance/{entry.native_id}#tab-assignments",
                f"See which group assigns it to this person: {named}.",
                "Remove the person from that group, or the app from the group if nobody there needs it.",
            ),
        )

    def _revoke_scopes(self, action: Action, halt: Halt) -> ActionResult:
        if action.native_id == APPLICATION:
            return self._revoke_own(action, halt, only=action.scopes)
        mine = [one for one in self._scopes(action, halt) if one.scope in action.scopes]
        done = False
        for one in mine:
            path = f"{_USERS}/{segment(action.native_id)}/grants/{segment(one.grant_id)}"
            done = self.api.removed(path, halt) or done
        left = any(one.scope in action.scopes for one in self._scopes(action, halt))
        return _outcome(done, left)

    def _revoke_own(self, action: Action, halt: Halt, *, only: frozenset[str] | None) -> ActionResult:
        """Take Okta API scopes away from an app that acts by itself."""
        entry = self.apps.find(action.client_id, halt)
        if entry is None:
            return self._integration(action, halt)
        path = f"{APPS}/{segment(entry.native_id)}/grants"

        def held() -> list[Consented]:
            rows = normalize.consented(self.api.rows(path, halt))
            return [one for one in rows if only is None or one.scope in only]

        done = False
        for one in held():
            done = self.api.removed(f"{path}/{segment(one.grant_id)}", halt) or done
        return _outcome(done, bool(held()))

    def _integration(self, action: Action, halt: Halt) -> ActionResult:
        """A vendor's API service integration holds its scopes as a whole: it can only be removed, by hand."""
        if self.api.found(f"/integrations/api/v1/api-services/{segment(action.client_id)}", halt) is None:
            return ActionResult("already_done", observed_present=False)
        return ActionResult(
            "not_possible",
            observed_present=True,
            detail="Okta ties the permissions of an API service integration to the integration itself.",
            instructions=self._by_hand(action),
        )

    def _switch(self, action: Action, halt: Halt, *, on: bool) -> ActionResult:
        entry = self.apps.find(action.client_id, halt)
        row = self.api.found(f"{APPS}/{segment(entry.native_id)}", halt) if entry else None
        if entry is None or row is None:
            return ActionResult("not_possible" if on else "already_done", observed_present=False)
        wanted = "ACTIVE" if on else "INACTIVE"
        if row.get("status") == wanted:
            return ActionResult("already_done", observed_present=on)
        verb = "activate" if on else "deactivate"
        self.api.send("POST", f"{APPS}/{segment(entry.native_id)}/lifecycle/{verb}", halt)
        after = self.api.one(f"{APPS}/{segment(entry.native_id)}", halt)
        return ActionResult(
            "done", after.get("status") == "ACTIVE", remaining_access_s=None if on else _LIFE_S
        )

    def _end_sessions(self, action: Action, halt: Halt) -> ActionResult:
        path = f"{_USERS}/{segment(action.native_id)}/sessions"
        if not self.api.removed(path, halt, params={"oauthTokens": "true"}):
            return ActionResult("already_done", observed_present=False)
        # There is no call that lists them.
        return ActionResult(
            "done",
            None,
            "Apps that keep sessions of their own do not learn of it.",
            remaining_access_s=_LIFE_S,
        )

    def _delete_token(self, action: Action, halt: Halt) -> ActionResult:
        path = f"{TOKENS_PATH}/{segment(action.asset_id)}"
        found = self.api.removed(path, halt)
        present = self.api.found(path, halt) is not None
        return replace(_outcome(found, present), remaining_access_s=None)

    def _disable_agent(self, action: Action, halt: Halt) -> ActionResult:
        path = f"{AGENTS_PATH}/{segment(action.asset_id)}"
        row = self.api.found(path, halt)
        if row is None or row.get("status") != "ACTIVE":
            return ActionResult("already_done", observed_present=False)
        self.api.send("POST", f"{path}/lifecycle/deactivate", halt)
        after = self.api.found(path, halt)
        active = after is not None and after.get("status") == "ACTIVE"
        return ActionResult("pending" if active else "done", active, remaining_access_s=_LIFE_S)

    def _holds(self, action: Action, part: str, halt: Halt) -> bool:
        """Whether a client holds scopes (`grants`) or refresh tokens (`tokens`) of a person."""
        try:
            rows = list(self.api.rows(f"{self._client_path(action)}/{part}", halt))
        except CallError as error:
            if error.reason != "not_found":
                raise
            return False
        return any(row.get("status") != "REVOKED" for row in rows)

    def _scopes(self, action: Action, halt: Halt) -> tuple[Consented, ...]:
        """What a client holds of a person; nothing where Okta knows no such client of the person."""
        try:
            return normalize.consented(
                self.api.rows(f"{self._client_path(action)}/grants", halt, params=_SCOPES)
            )
        except CallError as error:
            if error.reason == "not_found":
                return ()
            raise

    def _client_path(self, action: Action) -> str:
        return f"{_USERS}/{segment(action.native_id)}/clients/{segment(action.client_id)}"

    def _assignment_path(self, action: Action, entry: CataloguedApp) -> str:
        return f"{APPS}/{segment(entry.native_id)}/users/{segment(action.native_id)}"

    def _assignment(self, action: Action, entry: CataloguedApp, halt: Halt) -> normalize.Assigned | None:
        row = self.api.found(self._assignment_path(action, entry), halt)
        return normalize.assigned(row) if row is not None else None

    def _by_hand(self, action: Action) -> tuple[str, ...]:
        """Where an administrator of the organisation does it."""
        console = admin_console(self.api.base)
        place = {
            "end_sessions": f"{console}/admin/user/profile/view/{segment(action.native_id)}",
            "delete_asset": f"{console}/admin/access/api/tokens",
            "disable_asset": f"{console}/admin/directory/ai-agents",
        }.get(action.kind, f"{console}/admin/apps/active")
        steps = {
            "revoke_grant": "Find the app; revoke the person's consent or assignment, or its API scopes.",
            "revoke_scopes": "Find the app; revoke these scopes for the person, or under Okta API Scopes.",
            "end_sessions": "Choose More Actions, Clear User Sessions, and tick the revocation of tokens.",
            "delete_asset": "Find the token and revoke it.",
            "disable_asset": "Find the agent and deactivate it.",
        }.get(action.kind, "Find the app and change its status.")
        return (f"Open {place}", steps)


def _outcome(done: bool, present: bool) -> ActionResult:  # noqa: FBT001 - two halves of one finding
    """What a removal came to: the listing, not a 404, says that something is gone.

    Raises:
        CallError: nothing was found to remove, and yet it is listed.
    """
    if present and not done:
        raise CallError(_CONTRADICTION, detail="delete said 404, list shows it")
    if done:
        return ActionResult("done", present, remaining_access_s=_LIFE_S)
    return ActionResult("already_done", present)
