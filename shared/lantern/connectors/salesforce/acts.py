"""Taking a grant away: every token of one account and app, by its delete token, which nothing else reads."""

from typing import Final

from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HttpClient
from lantern.connectors.protocol import Action, ActionResult
from lantern.connectors.resolution import CallError, ErrorResolution
from lantern.connectors.salesforce import soql
from lantern.connectors.salesforce.access import revoke
from lantern.connectors.salesforce.api import SalesforceApi
from lantern.connectors.salesforce.manifest import MANIFEST
from lantern.connectors.salesforce.normalize import BY_NAME

USAGE_PAGE: Final = "/lightning/setup/ConnectedAppsUsage/home"
_ROUNDS: Final = 3
_STAYS: Final = ErrorResolution(
    "transient", "provider_error", "Salesforce revoked tokens of this app and still lists some.", retry=True
)


def revoke_grant(api: SalesforceApi, http: HttpClient, action: Action, halt: Halt) -> ActionResult:
    """Revoke all tokens that an account gave to an app, then list them again.

    An account that uses the app meanwhile may be given more: these are revoked too.

    Raises:
        CallError: Salesforce did not answer as documented, or keeps listing tokens.
    """
    where = f"UserId = {soql.text(action.native_id)} AND {_of_app(action.client_id)}"
    address = api.link("/services/oauth2/revoke", halt)
    ended = False
    for _ in range(_ROUNDS):
        secrets = _delete_tokens(api, where, halt)
        if not secrets:
            break
        for secret in secrets:
            ended = revoke(http, address, secret, halt) or ended
    else:
        if _delete_tokens(api, where, halt):
            raise CallError(_STAYS, detail="tokens are listed after they were revoked")
    if not ended and _renamed(api, action, halt):
        return ActionResult(
            "not_possible",
            None,
            "The app was installed since this grant was read and has another id now: read it again.",
        )
    state = "done" if ended else "already_done"
    left = MANIFEST.access_token_lifetime_s if ended else None
    return ActionResult(
        "done" if state == "done" else "already_done", observed_present=False, remaining_access_s=left
    )


def _of_app(client_id: str) -> str:
    if client_id.startswith(BY_NAME):
        return f"AppMenuItemId = null AND AppName = {soql.text(client_id.removeprefix(BY_NAME))}"
    return f"AppMenuItemId = {soql.text(client_id)}"


def _renamed(api: SalesforceApi, action: Action, halt: Halt) -> bool:
    """Whether an app that was known by its name has an id by now: then nothing was revoked."""
    if not action.client_id.startswith(BY_NAME):
        return False
    name = soql.text(action.client_id.removeprefix(BY_NAME))
    where = f"UserId = {soql.text(action.native_id)} AND AppName = {name}"
    return bool(api.rows(soql.tokens(where, "UserId"), halt, urgent=True))


def _delete_tokens(api: SalesforceApi, where: str, halt: Halt) -> list[str]:
    """The delete tokens, for the moment of use: they are in no record and no log."""
    rows = api.rows(soql.tokens(where, "DeleteToken"), halt, urgent=True)
    found = [row.get("DeleteToken") for row in rows]
    if not all(isinstance(one, str) and one for one in found):
        raise CallError(GARBLED, detail="OauthToken: no delete token")
    return [str(one) for one in found]


def by_hand(api: SalesforceApi, action: Action, halt: Halt) -> ActionResult:
    """What no API does: blocking an app for everybody, and letting it back."""
    page = api.link(USAGE_PAGE, halt)
    steps = {
        "disable_app": (
            "Choose “Block” beside the app. Its sessions end at once, and nobody can sign in to it.",
        ),
        "restrict_app": (
            "Choose “Install” beside the app if it is not installed, then “Manage App Policies”, “Edit”.",
            "Set “Permitted Users” to “Admin approved users are pre-authorized”, save, and give the app to "
            "profiles or permission sets of those who may use it.",
        ),
        "enable_app": ("Choose “Unblock” beside the app.",),
        "approve_app": ("Choose “Install” beside the app.",),
        "uninstall_app": ("Choose “Uninstall” beside the app. It can come back unless it is blocked.",),
    }.get(action.kind)
    if steps is None:
        return ActionResult("not_possible", None, "Salesforce has nothing like this for connected apps.")
    return ActionResult(
        "not_possible",
        None,
        "Salesforce offers this in Setup only.",
        instructions=(f"Open {page} (Setup → Connected Apps OAuth Usage).", *steps),
    )
