"""What an event of the audit log says about whose access changed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lantern.connectors.github.normalize import ORGANISATION, MalformedError

_ABOUT_ALL: Final = (
    "integration_installation.",
    "org.oauth_app_access_",
    "org.rename",
    "org.transfer",
)
_ABOUT_ONE: Final = (
    "copilot.cfb_seat_",
    "org.add_member",
    "org.add_outside_collaborator",
    "org.remove_member",
    "org.remove_outside_collaborator",
    "org.update_member",
    "org_credential_authorization.",
    "personal_access_token.access_",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One event that tells something: whom it is about (by id, or by login where the log gives no id)."""

    key: str
    name: str
    at: datetime
    native_id: str | None
    login: str | None


def entry(row: Mapping[str, Any]) -> Entry | None:
    """An event of the log, if it says that somebody's access may have changed.

    Raises:
        MalformedError: it has not the documented shape.
    """
    name, key = row.get("action"), row.get("_document_id")
    ms = row.get("@timestamp", row.get("created_at"))
    if not isinstance(name, str) or not isinstance(key, str) or not isinstance(ms, int):
        raise MalformedError("an event without action, id or time")
    at = datetime.fromtimestamp(ms / 1000, UTC)
    if name.startswith(_ABOUT_ALL):
        return Entry(key, name, at, ORGANISATION, None)
    if not name.startswith(_ABOUT_ONE):
        return None
    # The person is `user`; where there is none, the one who did it did it to themselves.
    for who in ("user", "actor"):
        identifier, login = row.get(f"{who}_id"), row.get(who)
        if isinstance(identifier, int) and not isinstance(identifier, bool):
            return Entry(key, name, at, str(identifier), None)
        if isinstance(login, str) and login:
            return Entry(key, name, at, None, login)
    return None
