"""Apps that the audit log shows in use: sign-ins by SAML, and Gemini in Workspace.

Google lists neither who may sign in to a SAML app nor who uses Gemini: the log shows who did. So an app is
told as held (source `use`) by whoever used it in the last 30 days, and as no longer held only by a reading
of all those 30 days. Most nights read at most some pages, newest first, and add what they find; one night a
week reads on.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lantern.connectors.google.listing import Gathered, Listing
from lantern.connectors.google.normalize import Event, label
from lantern.connectors.http import HaltedError
from lantern.domain import ids
from lantern.domain.inventory import App, ObservedGrant

SAML: Final = "saml"
GEMINI: Final = "gemini_in_workspace_apps"
FEEDS: Final = (SAML, GEMINI)
"""Applications of the Reports API; the second can be listed, but not watched."""
WINDOW: Final = timedelta(days=30)
PAGES: Final = 20
"""Pages of a thousand events that a feed is read on most nights, at most: about 1 % of a night's calls of
10,000 people."""
PAGES_WEEKLY: Final = 1_000
GEMINI_SCOPE: Final = "workspace:gemini"
_SAML_PREFIX: Final = "saml:"
_EVENTS: Final = {SAML: "login_success", GEMINI: "feature_utilization"}

Pages = Callable[[str, datetime, datetime], Iterable[Sequence[Event]]]
"""The pages of a feed between two instants, newest first.

Raises:
    CallError: Google did not answer as documented.
    HaltedError: told to stop.
"""


@dataclass(frozen=True, slots=True)
class Used:
    """An app that an event shows in use, and by whom: an account's id, or else its address."""

    app: App
    scopes: frozenset[str]
    account: str


def used(event: Event) -> Used | None:
    """What a SAML sign-in or a use of Gemini says; None for any other event."""
    account = event.native_id or event.email
    if event.app not in _EVENTS or event.name != _EVENTS[event.app] or not account:
        return None
    if event.app == GEMINI:
        app = App(
            ids.app_id("google", GEMINI), "google", GEMINI, "Gemini in Workspace", "integration", "Google",
            ("gemini.google.com",),
        )  # fmt: skip
        return Used(app, frozenset({GEMINI_SCOPE}), account)
    name = label(event.first("application_name") or "")
    if not name:
        return None
    client = _SAML_PREFIX + name
    return Used(
        App(ids.app_id("google", client), "google", client, name, "sso"), frozenset({"openid"}), account
    )


def is_saml(client_id: str) -> bool:
    """Whether a client id is one that we gave to a SAML app."""
    return client_id.startswith(_SAML_PREFIX)


def reads_on(connection_id: str, now: datetime) -> bool:
    """Whether this is the night of the week on which this connection's feeds are read to their end."""
    return sum(connection_id.encode()) % 7 == now.weekday()


def read(pages: Pages, now: datetime, most: int) -> Listing:
    """Who used what in the last 30 days; complete if each feed ended within so many pages.

    Raises:
        CallError: Google did not answer as documented.
    """
    gathered, complete = Gathered(), True
    since = now - WINDOW
    for feed in FEEDS:
        try:
            complete = _feed(pages(feed, since, now), most, gathered) and complete
        except HaltedError:
            complete = False
            break
    return Listing(now, complete, gathered.grants)


def _feed(pages: Iterable[Sequence[Event]], most: int, gathered: Gathered) -> bool:
    for number, page in enumerate(pages, start=1):
        for event in page:
            one = used(event)
            if one:
                gathered.add(one.account, ObservedGrant(one.app, one.scopes, source="use"))
        if number > most:  # whether there was more is not known before it is asked for
            return False
    return True
