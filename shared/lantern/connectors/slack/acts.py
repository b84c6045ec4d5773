"""Acts on apps: by API on an Enterprise organisation, else by instructions; verified by reading again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from lantern.connectors.halt import Halt
from lantern.connectors.protocol import Action, ActionResult, ActionState
from lantern.connectors.resolution import CallError
from lantern.connectors.slack.api import SlackApi
from lantern.connectors.slack.manifest import APPS, APPS_WRITE
from lantern.connectors.slack.snapshot import Lists, Policy, Snapshot

_BLOCKED: Final = frozenset({"can_not_uninstall", "must_revoke_access"})
_RULES: Final = "Slack's own page for app approval is off from the first decision made by API."
_NO_API: Final = "Slack offers no API for this on this plan or with this installation."


@dataclass(frozen=True, slots=True)
class Acting:
    """What an act needs. `address` is the workspace's, such as `https://acme.slack.com`."""

    api: SlackApi
    lists: Lists | None
    enterprise: str
    granted: frozenset[str]
    address: str

    @property
    def by_api(self) -> bool:
        """Whether Slack lets us act."""
        may = not self.granted or {APPS, APPS_WRITE} <= self.granted
        return self.lists is not None and may


def decide(acting: Acting, action: Action, halt: Halt) -> ActionResult:
    """Approve or restrict an app for the organisation; `observed_present` says whether it is let in."""
    wanted: Policy = "approved" if action.kind == "approve_app" else "restricted"
    if acting.lists is None or not acting.by_api:
        return ActionResult("not_possible", None, _NO_API, instructions=_by_hand(acting, action))
    if _on(acting.lists, wanted, action.client_id, halt):
        return ActionResult("already_done", wanted == "approved")
    method = "admin.apps.approve" if wanted == "approved" else "admin.apps.restrict"
    form = {"app_id": action.client_id, "enterprise_id": acting.enterprise}
    try:
        acting.api.post(method, halt, form, whose="user")
    except CallError as error:
        return _refused(acting, action, error)
    listed = _on(acting.lists, wanted, action.client_id, halt)
    return ActionResult("done", listed if wanted == "approved" else not listed, _RULES)


def uninstall(acting: Acting, action: Action, snapshot: Callable[[], Snapshot], halt: Halt) -> ActionResult:
    """Uninstall an app from the whole organisation, and say whether the log or a bot still shows it.

    It is asked for even where neither showed it before, and a log that still shows it proves nothing: it may
    be late. A bot that went proves the deed.
    """
    known = snapshot()
    before = installed(known, action.client_id, halt)
    if not acting.by_api:
        if before is False:
            return ActionResult("already_done", observed_present=False)
        return ActionResult("not_possible", before, _NO_API, instructions=_by_hand(acting, action))
    form = {"app_id": action.client_id, "enterprise_id": acting.enterprise}
    try:
        acting.api.post("admin.apps.uninstall", halt, form, whose="user")
    except CallError as error:
        if error.reason != "not_found":
            return _refused(acting, action, error)
        before = False
    state: ActionState = "already_done" if before is False else "done"
    again = snapshot()
    present = installed(again, action.client_id, halt)
    if present and action.client_id not in again.bots(halt):
        present = False if action.client_id in known.bots(halt) else None
    return ActionResult(state, present, remaining_access_s=0)


def revoke(
    acting: Acting, action: Action, snapshot: Snapshot, halt: Halt, organisation_id: str
) -> ActionResult:
    """Nobody but the person and the owners can take back one person's installation, and only by hand."""
    if action.native_id == organisation_id:
        present = installed(snapshot, action.client_id, halt)
    else:
        ledger = snapshot.ledger(halt)
        present = None if ledger is None else action.client_id in ledger.of(action.native_id)
    if present is False:
        return ActionResult("already_done", observed_present=False)
    return ActionResult("not_possible", present, _NO_API, instructions=_by_hand(acting, action))


def installed(snapshot: Snapshot, app_id: str, halt: Halt) -> bool | None:
    """Whether the log or a bot shows an app; None where there is no log, and a missing bot proves nothing."""
    if app_id in snapshot.bots(halt):
        return True
    ledger = snapshot.ledger(halt)
    return None if ledger is None else app_id in ledger.apps()


def _on(lists: Lists, policy: Policy, app_id: str, halt: Halt) -> bool:
    return any(placed.row.app.client_id == app_id for placed in lists.of_organisation(policy, halt))


def _refused(acting: Acting, action: Action, error: CallError) -> ActionResult:
    """What Slack forbids is done by hand; any other error is raised again."""
    blocked = bool(error.codes & _BLOCKED)
    if error.resolution.connection_wide or not (blocked or error.reason == "forbidden"):
        raise error
    detail = "Slack does not let this app be uninstalled by API." if blocked else error.user_message
    return ActionResult("not_possible", None, detail, instructions=_by_hand(acting, action))


def _by_hand(acting: Acting, action: Action) -> tuple[str, ...]:
    """The steps for the customer's administrator; ids may hold anything."""
    app = quote(action.client_id, safe="")
    page = f"{acting.address}/apps/{app}?tab=settings"
    manage = f"{acting.address}/apps/manage"
    last = "Lantern reads again within 15 minutes and sees that it is done."
    steps: tuple[str, ...]
    match action.kind:
        case "approve_app":
            steps = (f"Open {manage}/requests as an owner.", f"Approve the app {action.client_id}.")
        case "restrict_app":
            steps = (
                f"Open {manage}/settings as an owner and turn on app approval, if it is off.",
                f"Open {page} and choose Restrict app. What is installed stays until it is removed.",
            )
        case "uninstall_app":
            steps = (
                f"Open {page} as an owner.",
                "Choose Remove app and confirm. All its tokens end, and its bot is deactivated.",
            )
        case _:
            steps = (
                f"Open {page} as an owner.",
                f"Under Individual authorizations, choose Revoke next to the member {action.native_id}.",
                "If the member is not listed there, the app acts for the whole workspace: remove the app.",
            )
    return (*steps, last)
