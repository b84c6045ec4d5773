"""What Lantern does at GitHub when told to: each act is done once and looked at afterwards."""

from collections.abc import Callable
from typing import Final

from lantern.connectors.github.api import GithubApi, segment
from lantern.connectors.github.keys import TOKEN_TYPES
from lantern.connectors.github.lists import Absent, Lists
from lantern.connectors.github.manifest import ADMINISTRATION_WRITE, SEATS, SEATS_WRITE, TOKENS_WRITE
from lantern.connectors.github.normalize import COPILOT, ORGANISATION, Installation, Seat
from lantern.connectors.github.reading import Reader
from lantern.connectors.halt import Halt
from lantern.connectors.protocol import Action, ActionResult
from lantern.connectors.resolution import CallError, ErrorResolution

_WITHIN_S: Final = 0  # GitHub refuses a revoked credential at once
_CONTRADICTION: Final = ErrorResolution(
    "transient", "provider_error", "GitHub said that this does not exist, and lists it.", retry=True
)


class Actor:
    """Acts on one organisation. `web` is the address people open."""

    def __init__(
        self, api: GithubApi, lists: Lists, reader: Reader, permissions: frozenset[str], web: str
    ) -> None:
        self._api = api
        self._lists = lists
        self._reader = reader
        self._permissions = permissions
        self._org = segment(lists.name)
        self._web = web

    def act(self, action: Action, halt: Halt) -> ActionResult:
        """Do one act, then read again and say what is there now.

        Raises:
            CallError: GitHub did not answer as documented; nothing is claimed.
        """
        match action.kind:
            case "uninstall_app":
                return self._uninstall(action.client_id, halt)
            case "delete_asset":
                return self._delete(action.asset_id, halt)
            case "revoke_grant":
                return self._revoke(action.native_id, action.client_id, halt)
            case _:
                return ActionResult("not_possible", None, "GitHub offers no such act.")

    def _revoke(self, native_id: str, client_id: str, halt: Halt) -> ActionResult:
        if native_id == ORGANISATION:
            return self._uninstall(client_id, halt)
        if client_id == COPILOT.client_id:
            return self._unseat(native_id, halt)
        if client_id in TOKEN_TYPES:
            return self._deauthorise(native_id, TOKEN_TYPES[client_id], halt)
        # Nobody holds anything else here.
        return ActionResult("already_done", observed_present=False)

    def _uninstall(self, client_id: str, halt: Halt) -> ActionResult:
        """Only the enterprise's own apps and owners in the browser may uninstall what others made."""
        found = self._installation(client_id, halt)
        if found is None:
            return ActionResult("already_done", observed_present=False)
        page = f"{self._web}/organizations/{self._org}/settings/installations/{found.id}"
        return ActionResult(
            "not_possible",
            observed_present=True,
            detail="GitHub lets only an owner of the organisation uninstall an app, in the browser.",
            instructions=(
                f"As an owner of the organisation, open {page}",
                f"Check that the page is about {found.slug}.",
                "Under Danger zone choose Uninstall (or Suspend, which keeps the settings), and confirm.",
                "Lantern notices within a day; start a run to see it at once.",
            ),
        )

    def _installation(self, client_id: str, halt: Halt) -> Installation | None:
        listed = self._lists.installations(halt).value
        return next((one for one in listed if str(one.app_id) == client_id), None)

    def _unseat(self, native_id: str, halt: Halt) -> ActionResult:
        if SEATS not in self._permissions or SEATS_WRITE not in self._permissions:
            return self._seat_by_hand("Lantern's app may not cancel Copilot seats.", present=None)
        before = self._seat(native_id, halt)
        if before is None:
            return ActionResult("already_done", observed_present=False)
        account = None if before.ends else self._reader.find(native_id, halt)
        if before.ends:
            return _ending(before)
        if account is None:
            return self._seat_by_hand("The account is not in the organisation any more.", present=True)
        try:
            path = f"/orgs/{self._org}/copilot/billing/selected_users"
            self._api.send("DELETE", path, halt, json={"selected_usernames": [account.name]})
        except CallError as error:
            if error.status != 422 and not _forbidden(error):
                raise
            given = f"through the team {before.team}" if before.team else "to all members"
            return self._seat_by_hand(f"The seat comes with what Copilot is given {given}.", present=True)
        after = self._seat(native_id, halt)
        return _ending(after) if after else ActionResult("done", observed_present=False)

    def _seat(self, native_id: str, halt: Halt) -> Seat | None:
        try:
            return self._lists.seats(halt).value.get(native_id)
        except Absent:
            return None

    def _seat_by_hand(self, why: str, *, present: bool | None) -> ActionResult:
        page = f"{self._web}/organizations/{self._org}/settings/copilot/seat_management"
        return ActionResult(
            "not_possible",
            present,
            why,
            instructions=(
                f"As an owner of the organisation, open {page}",
                "Remove the person, or the team that gives them the seat, from those who have access.",
            ),
        )

    def _deauthorise(self, native_id: str, kind: str, halt: Halt) -> ActionResult:
        """Take every authorised token of this type from a person."""
        if ADMINISTRATION_WRITE not in self._permissions:
            return self._sso_by_hand("Lantern's app may not revoke authorised credentials.")
        account = self._reader.find(native_id, halt)
        if account is None or not account.name:
            return ActionResult("already_done", observed_present=False)
        name = account.name

        def listed() -> list[int]:
            try:
                found = self._lists.credentials(halt, login=name).value
            except Absent:
                return []
            return [one.id for one in found if one.type == kind]

        before = listed()
        try:
            done = [self._delete_credential(one, halt) for one in before]
        except CallError as error:
            if _forbidden(error):
                return self._sso_by_hand(error.user_message)
            raise
        return _outcome(any(done), lambda: bool(listed()))

    def _delete_credential(self, identifier: int, halt: Halt) -> bool:
        """Take one credential's authorisation; False where there was none."""
        return self._gone_if_404(
            lambda: self._api.send(
                "DELETE", f"/orgs/{self._org}/credential-authorizations/{identifier}", halt
            )
        )

    def _sso_by_hand(self, why: str) -> ActionResult:
        page = f"{self._web}/orgs/{self._org}/people"
        return ActionResult(
            "not_possible",
            None,
            why,
            instructions=(
                f"As an owner of the organisation, open {page} and the person's page.",
                "Choose SSO identity linked, then Revoke beside each credential.",
            ),
        )

    def _delete(self, asset_id: str, halt: Halt) -> ActionResult:
        kind, _, text = asset_id.partition(":")
        if not text.isascii() or not text.isdigit() or kind not in ("pat", "sso"):
            return ActionResult("not_possible", None, "GitHub offers no way to delete this.")
        identifier = int(text)
        try:
            if kind == "sso":
                return self._delete_key(identifier, halt)
            return self._revoke_token(identifier, halt)
        except CallError as error:
            if not _forbidden(error):
                raise
            return self._token_by_hand(error.user_message)

    def _delete_key(self, identifier: int, halt: Halt) -> ActionResult:
        if ADMINISTRATION_WRITE not in self._permissions:
            return self._sso_by_hand("Lantern's app may not revoke authorised credentials.")
        done = self._delete_credential(identifier, halt)

        def present() -> bool:
            try:
                return any(one.id == identifier for one in self._lists.credentials(halt).value)
            except Absent:
                return False

        return _outcome(done, present)

    def _revoke_token(self, identifier: int, halt: Halt) -> ActionResult:
        if TOKENS_WRITE not in self._permissions:
            return self._token_by_hand("Lantern's app may not revoke personal access tokens.")
        path = f"/orgs/{self._org}/personal-access-tokens/{identifier}"
        status = 0

        def revoke() -> None:
            nonlocal status
            status = self._api.send("POST", path, halt, json={"action": "revoke"}).status

        done = self._gone_if_404(revoke)
        present = any(one.id == identifier for one in self._lists.personal_tokens(halt).value)
        if status == 202 and present:  # accepted, and carried out later
            return ActionResult("pending", observed_present=True, detail="GitHub revokes the token shortly.")
        return _outcome(done, lambda: present)

    def _token_by_hand(self, why: str) -> ActionResult:
        page = f"{self._web}/organizations/{self._org}/settings/personal-access-tokens/active"
        return ActionResult(
            "not_possible",
            None,
            why,
            instructions=(
                f"As an owner of the organisation, open {page}",
                "Open the token and choose Revoke.",
            ),
        )

    def _gone_if_404(self, send: Callable[[], object]) -> bool:
        """Whether something was there to be taken away."""
        try:
            send()
        except CallError as error:
            if error.reason != "not_found":
                raise
            return False
        return True


def _ending(seat: Seat) -> ActionResult:
    """A cancelled seat is there until the billing cycle ends."""
    if seat.ends is None:
        raise CallError(_CONTRADICTION, detail="seat cancelled, and listed as lasting")
    return ActionResult("pending", observed_present=True, detail=f"The seat ends on {seat.ends}.")


def _forbidden(error: CallError) -> bool:
    return error.reason == "forbidden" and not error.resolution.connection_wide


def _outcome(done: bool, look: Callable[[], bool]) -> ActionResult:  # noqa: FBT001 - what was done, not a mode
    """The listing, not a 404, says what is gone."""
    present = look()
    if not done and present:
        raise CallError(_CONTRADICTION, detail="delete said 404, list shows it")
    if not done:
        return ActionResult("already_done", observed_present=False)
    return ActionResult("done", present, remaining_access_s=_WITHIN_S)
