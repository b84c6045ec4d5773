"""App passwords: passwords that work without a second factor, for mail, calendars and contacts.

They take one call an account, as grants do. To leave the pace of a night to grants, an account is asked for
them in one night of four weeks; the nights are spread evenly, and what was found stays known in between.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from lantern.connectors.google.api import GoogleApi, segment
from lantern.connectors.google.normalize import MalformedError, label
from lantern.connectors.halt import Halt
from lantern.connectors.resolution import CallError
from lantern.domain import ids
from lantern.domain.inventory import App, ObservedGrant

NIGHTS: Final = 28
SCOPE: Final = "password:app"
_PREFIX: Final = "asp:"
_USERS: Final = "/admin/directory/v1/users"


def is_turn(native_id: str, day: date) -> bool:
    """Whether this is the night on which an account is asked for its app passwords."""
    place = int.from_bytes(hashlib.sha256(native_id.encode()).digest()[:4], "big") % NIGHTS
    return day.toordinal() % NIGHTS == place


def is_password(client_id: str) -> bool:
    """Whether a client id is one that we gave to an app password."""
    return client_id.startswith(_PREFIX)


def read(api: GoogleApi, native_id: str, halt: Halt) -> tuple[ObservedGrant, ...]:
    """The app passwords of an account: one grant for each name that its owner gave one.

    Raises:
        CallError: Google did not answer as documented.
        MalformedError: a part has not the documented shape.
    """
    found: dict[str, ObservedGrant] = {}
    for row in _rows(api, native_id, halt):
        client = client_of(row)
        name = label(row["name"]) if isinstance(row.get("name"), str) else ""
        app = App(ids.app_id("google", client), "google", client, name or "App password", "password")
        known = found.get(client)
        made = max(filter(None, (_made(row), known.granted_on if known else None)), default=None)
        found[client] = ObservedGrant(app, frozenset({SCOPE}), made, "password")
    return tuple(found.values())


def delete(api: GoogleApi, native_id: str, client_id: str, halt: Halt) -> bool:
    """Delete every app password of this name; False where there is none.

    Raises:
        CallError: Google did not answer as documented.
        MalformedError: a part has not the documented shape.
    """
    codes = [row["codeId"] for row in _rows(api, native_id, halt) if client_of(row) == client_id]
    for code in codes:
        try:
            api.send("DELETE", f"{_USERS}/{segment(native_id)}/asps/{segment(str(code))}", halt)
        except CallError as error:
            if error.reason != "not_found":
                raise
    return bool(codes)


def client_of(row: Mapping[str, Any]) -> str:
    """The client id of an app password: its name alone, so that those of one tool are one app."""
    name = row.get("name")
    return _PREFIX + (label(name).casefold() if isinstance(name, str) else "")


def _rows(api: GoogleApi, native_id: str, halt: Halt) -> list[Mapping[str, Any]]:
    body = api.get(f"{_USERS}/{segment(native_id)}/asps", "admin#directory#aspList", halt)
    items = body.get("items", [])
    if not isinstance(items, list):
        raise MalformedError("items is not a list")
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("codeId"), int | str):
            raise MalformedError("an app password without code")
    return items


def _made(row: Mapping[str, Any]) -> date | None:
    """The day it was made. "Unix time": seconds by its name, milliseconds in recorded answers."""
    text = str(row.get("creationTime", ""))
    if not text.isascii() or not text.isdigit() or len(text) > 13 or int(text) == 0:
        return None
    seconds = int(text) / 1000 if len(text) > 11 else int(text)
    return datetime.fromtimestamp(seconds, UTC).date()
