"""Domain-wide delegation: apps that may act as anyone, as far as the audit log tells.

Google lists no delegations; the log tells who gave and took back which within 180 days. So the
organisation's own bundle holds what was given, loses only what the log says was taken back, and otherwise
stays as it is known.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from lantern.connectors.google.directory import Owner
from lantern.connectors.google.normalize import ORGANISATION, Event, delegations, label
from lantern.connectors.google.seen import Pages
from lantern.connectors.protocol import Delegation
from lantern.domain import ids
from lantern.domain.inventory import App, Observation, ObservedGrant, Principal

RETENTION: Final = timedelta(days=180)
EVENTS: Final = ("AUTHORIZE_API_CLIENT_ACCESS", "REMOVE_API_CLIENT_ACCESS")


def principal(owner: Owner) -> Principal:
    """The organisation as an account: whatever may act as anyone holds its grant here."""
    identifier = ids.principal_id("google", owner.organisation_id, ORGANISATION)
    return Principal(
        id=identifier,
        connection_id=owner.connection_id,
        native_id=ORGANISATION,
        kind="organisation",
        status="active",
        person_id=ids.person_id(identifier),
        name="Everyone in the organisation",
    )


def read(pages: Pages, now: datetime) -> tuple[Delegation, ...]:
    """What the log says was delegated and taken back, oldest first; `pages` is asked for events by name.

    Raises:
        CallError: Google did not answer as documented.
        HaltedError: told to stop.
    """
    found: list[Event] = []
    for name in EVENTS:
        for page in pages(name, now - RETENTION, now):
            found += page
    return delegations(found)


def observation(owner: Owner, told: Sequence[Delegation]) -> Observation:
    """The organisation's bundle: what stands delegated by the log's last word, and what was taken back."""
    last = _last(told)
    given = tuple(_grant(one) for one in last if not one.removed)
    ended = frozenset(ids.app_id("google", one.client_id) for one in last if one.removed)
    return Observation(principal(owner), given, sources=frozenset(), ended=ended)


def _last(told: Iterable[Delegation]) -> list[Delegation]:
    last = {one.client_id: one for one in sorted(told, key=lambda one: one.at)}
    return [last[client] for client in sorted(last)]


def _grant(one: Delegation) -> ObservedGrant:
    app = App(
        ids.app_id("google", one.client_id), "google", one.client_id, label(one.client_id), "integration"
    )
    return ObservedGrant(app, one.scopes, one.at.date(), "application")
