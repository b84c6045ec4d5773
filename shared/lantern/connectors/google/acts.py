"""What can be done at Google, and for the rest the exact steps an administrator takes by hand.

Google offers no API that blocks an app or an extension, ends a person's assignment to a SAML app, or takes a
domain-wide delegation back (Cloud Identity Policy API: the settings of API controls are not mutable).
"""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from lantern.connectors.google import directory, normalize, passwords, seen
from lantern.connectors.google.api import GoogleApi, segment
from lantern.connectors.google.manifest import MANIFEST
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.protocol import Action, ActionResult
from lantern.connectors.resolution import CallError, ErrorResolution
from lantern.domain.mail_reading import PREFIX

CONSOLE: Final = "https://admin.google.com"
_CONTRADICTION: Final = ErrorResolution(
    "transient", "provider_error", "Google said that the grant does not exist, and lists it.", retry=True
)
_EXTENSION: Final = re.compile(r"[a-p]{32}")
_DOMAIN: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_OAUTH: Final = ".apps.googleusercontent.com"


def act(api: GoogleApi, action: Action, halt: Halt) -> ActionResult:
    """Do one act, or say how it is done by hand.

    Raises:
        CallError: Google did not answer as documented.
    """
    by_hand = instructions(action)
    if by_hand:
        return ActionResult("not_possible", None, "Google offers no API for this.", instructions=by_hand)
    verbs: dict[str, Callable[[GoogleApi, Action, Halt], ActionResult]] = {
        "revoke_grant": _delete_password if passwords.is_password(action.client_id) else _revoke,
        "end_sessions": _sign_out,
    }
    verb = verbs.get(action.kind)
    if verb is None:
        return ActionResult("not_possible", None, "Google knows no such act.")
    try:
        return verb(api, action, halt)
    except normalize.MalformedError as error:
        raise CallError(GARBLED, detail=f"google acts: {error}") from None
    except CallError as error:
        if error.reason == "forbidden" and not error.resolution.connection_wide:
            return ActionResult("not_possible", None, error.user_message)
        raise


def instructions(action: Action) -> tuple[str, ...]:
    """What an administrator does by hand; nothing where there is an API, or nothing to be done."""
    kind, client = action.kind, action.client_id
    app = _shown(client)
    if kind in ("disable_app", "restrict_app", "uninstall_app") and _EXTENSION.fullmatch(client):
        return _extension(client)
    if client.startswith(PREFIX):
        return _account(app.removeprefix(PREFIX)) if kind != "end_sessions" else ()
    if kind in ("disable_app", "restrict_app"):
        return _site(app) if _is_site(client) else _api_controls(app, kind)
    if kind != "revoke_grant":
        return ()
    return _delegation(app) if action.native_id == normalize.ORGANISATION else _held_by_person(client, app)


def _held_by_person(client: str, app: str) -> tuple[str, ...]:
    if _EXTENSION.fullmatch(client):
        return _extension(client)
    if seen.is_saml(client):
        return _saml(app.removeprefix("saml:"))
    if client == seen.GEMINI:
        return _GEMINI
    return _site(app) if _is_site(client) else ()


def _delegation(app: str) -> tuple[str, ...]:
    return (
        f"Open {CONSOLE}/ac/owl/domainwidedelegation (Security > Access and data control > API controls > "
        "Domain-wide delegation) as a super administrator.",
        f"Find the client ID {app} and choose Delete.",
        "Lantern sees the removal in the audit log and takes the access off the organisation.",
    )


def _saml(app: str) -> tuple[str, ...]:
    return (
        f"Open {CONSOLE}/ac/apps/unified (Apps > Web and mobile apps) as an administrator.",
        f"Choose {app}, then User access, and turn it off for the person's group or organisational unit.",
        "Deactivate the person's account in the app itself: it may let people in without Google.",
    )


_GEMINI: Final = (
    f"Open {CONSOLE} and go to Generative AI > Gemini for Workspace as an administrator.",
    "Turn the features off for the person's group or organisational unit.",
)


def _api_controls(app: str, kind: str) -> tuple[str, ...]:
    access = "Blocked" if kind == "disable_app" else "Limited (or Specific Google data)"
    return (
        f"Open {CONSOLE}/ac/owl/list?tab=configuredApps (Security > Access and data control > API controls > "
        "Manage app access) as a super administrator.",
        f"Choose Configure new app, search for the client ID {app}, and select it.",
        f"Choose the organisational units it shall hold for, then the access {access}, and confirm.",
        "Revoke the grants that people have given: the setting stops new access, and Lantern verifies each.",
    )


def _extension(client: str) -> tuple[str, ...]:
    return (
        f"Open {CONSOLE}/ac/chrome/apps/user (Devices > Chrome > Apps and extensions > Users and browsers).",
        f"Add the extension by its ID {client}, or find it in the list.",
        "Set its installation policy to Block: managed Chrome removes it at its next contact. To see it: "
        f"https://chromewebstore.google.com/detail/{client}",
    )


def _account(app: str) -> tuple[str, ...]:
    return (
        f"Mail said that there is an account with {app}: ask the person whether it is so, and whether it is "
        "needed. Google gives such an account nothing that could be taken back.",
        f"If not, have the person delete the account at {app}, and with it what was sent there.",
        f"To keep others out: {CONSOLE}/ac/chrome/settings/user (Devices > Chrome > Settings > Users and "
        "browsers), Content > URL blocking, the addresses of the service.",
    )


def _site(app: str) -> tuple[str, ...]:
    return (
        f"Open {CONSOLE}/ac/chrome/settings/user (Devices > Chrome > Settings > Users and browsers) as an "
        "administrator.",
        f"Under Content > URL blocking, add {app} for the organisational units it shall hold for.",
        "A visit leaves nothing to revoke: what was sent is deleted at the site, by whoever has the account.",
    )


def _is_site(client: str) -> bool:
    return bool(_DOMAIN.fullmatch(client)) and not client.endswith(_OAUTH)


def _shown(client: str) -> str:
    """A client id in a sentence for people: ids may hold anything."""
    clean = normalize.label(client)
    return clean if clean.isprintable() else quote(clean)


def _sign_out(api: GoogleApi, action: Action, halt: Halt) -> ActionResult:
    """End all web sessions; whether that ends access tokens is not documented."""
    try:
        api.send("POST", f"/admin/directory/v1/users/{segment(action.native_id)}/signOut", halt)
    except CallError as error:
        if error.reason != "not_found" or not directory.roster(api, halt).absent(action.native_id):
            raise
        return ActionResult("already_done", None, "The account does not exist any more.")
    return ActionResult(
        "done", None, "Web and device sessions are ended; apps keep the access they were granted."
    )


def _delete_password(api: GoogleApi, action: Action, halt: Halt) -> ActionResult:
    """Delete every app password of this name, then list them and say whether one is still there."""
    try:
        found = passwords.delete(api, action.native_id, action.client_id, halt)
        present = any(
            g.app.client_id == action.client_id for g in passwords.read(api, action.native_id, halt)
        )
    except CallError as error:
        if error.reason != "not_found" or not directory.roster(api, halt).absent(action.native_id):
            raise
        return ActionResult("already_done", observed_present=False)
    return ActionResult("done" if found else "already_done", present)


def _revoke(api: GoogleApi, action: Action, halt: Halt) -> ActionResult:
    """Revoke one grant, then list the account's grants and say whether it is still there.

    The listing, not a 404, says that it is gone.
    """
    found = directory.delete_token(api, action.native_id, action.client_id, halt)
    present = _holds(api, action, halt)
    if found:
        return ActionResult("done", present, remaining_access_s=MANIFEST.access_token_lifetime_s)
    if present:
        raise CallError(_CONTRADICTION, detail="delete said 404, list shows the grant")
    return ActionResult("already_done", present)


def _holds(api: GoogleApi, action: Action, halt: Halt) -> bool:
    try:
        answer = directory.tokens(api, action.native_id, halt)
        return any(g.app.client_id == action.client_id for g in normalize.grants(answer))
    except CallError as error:
        if error.reason == "not_found" and directory.roster(api, halt).absent(action.native_id):
            return False
        raise
