"""Events of the System Log: whom they concern, what they say. The standard library only (see `push`)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lantern.connectors.okta.normalize import APPLICATION, MalformedError, first, inner, instant, text
from lantern.connectors.protocol import Consent, Hint
from lantern.connectors.traffic import Traffic, country, network

GRANTED: Final = frozenset({"app.oauth2.as.consent.grant", "app.oauth2.consent.grant"})
"""Consent at a custom and at the organisation's own authorization server."""
REVOKED: Final = ("app.oauth2.as.consent.revoke", "app.oauth2.consent.revoke")
"""What the names of revocations begin with; how it was revoked follows."""
BY_ADMIN: Final = frozenset({"app.oauth2.admin.consent.grant", "app.oauth2.admin.consent.revoke"})
ASSIGNED: Final = frozenset(
    f"application.user_membership.{verb}" for verb in ("add", "remove", "restore", "revoke")
)
ACCOUNT: Final = frozenset(
    f"user.lifecycle.{verb}"
    for verb in ("activate", "create", "deactivate", "reactivate", "suspend", "unsuspend")
)
DELETED: Final = frozenset({"user.lifecycle.delete.initiated", "user.lifecycle.delete.completed"})
SIGN_ON: Final = "user.authentication.sso"

WATCHED: Final = frozenset(GRANTED | BY_ADMIN | ASSIGNED | ACCOUNT | DELETED)
_NOBODY: Final = frozenset({"", "unknown"})


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `user_id` and `login` name the account it is about, as far as the event says.

    `client_id` is the app's client, where it names one, `app_id` Okta's own id of an app. `session` ties the
    events of one sign-in together. `network` and `country` are where whoever acted was.
    """

    uuid: str
    kind: str
    at: datetime
    ok: bool
    user_id: str | None
    login: str | None
    client_id: str | None
    app_id: str | None
    session: str | None
    network: str | None = None
    country: str | None = None

    @property
    def nameless(self) -> bool:
        """Whether a consent does not say whose it is (some flows run as `system@okta.com`)."""
        return self.kind in GRANTED and self.user_id is None

    @property
    def tells(self) -> bool:
        """Whether something may have changed because of it."""
        return self.ok and (self.kind in WATCHED or self.kind.startswith(REVOKED))


def event(row: Any) -> Event:
    """A `LogEvent`.

    Raises:
        MalformedError: it has not the documented shape.
    """
    if not isinstance(row, dict):
        raise MalformedError("an event is no object")
    kind, at = text(row, "eventType"), instant(row.get("published"))
    if at is None:
        raise MalformedError("an event without a time")
    targets = row.get("target")
    person, detail = first(targets, "User"), inner(first(targets, "ConsentGrant"), "detailEntry")
    actor = inner(row, "actor")
    by_person = actor if actor.get("type") == "User" and actor.get("alternateId") != "system@okta.com" else {}
    # Whoever acts is who it is about only where people act for themselves.
    own = by_person if kind in GRANTED or kind == SIGN_ON else {}
    client = inner(row, "client")
    return Event(
        uuid=text(row, "uuid"),
        kind=kind,
        at=at,
        ok=inner(row, "outcome").get("result") in ("SUCCESS", "ALLOW", None),
        user_id=_said(detail.get("user")) or _said(person.get("id")) or _said(own.get("id")),
        login=_said(person.get("alternateId")) or _said(own.get("alternateId")),
        client_id=_said(detail.get("publicclientapp")) or _said(first(targets, "PublicClientApp").get("id")),
        app_id=_said(first(targets, "AppInstance").get("id")),
        session=_said(inner(row, "authenticationContext").get("externalSessionId")),
        network=network(client.get("ipAddress"), inner(row, "securityContext").get("asNumber")),
        country=country(inner(client, "geographicalContext").get("country")),
    )


def _said(value: Any) -> str | None:
    return value if isinstance(value, str) and value not in _NOBODY else None


def hint(seen: Event) -> Hint | None:
    """What to read again; None where the event changes nothing. It names nobody where the event does not."""
    if not seen.tells:
        return None
    if seen.kind in BY_ADMIN:
        return Hint(native_id=APPLICATION, event=seen.kind, event_id=seen.uuid)
    if seen.kind in ACCOUNT:
        # By login: it is about the account itself, which must be asked for anew.
        return Hint(email=seen.login, event=seen.kind, event_id=seen.uuid)
    client = seen.client_id or seen.app_id
    dates = {client: seen.at} if seen.kind in GRANTED and client else {}
    return Hint(native_id=seen.user_id, granted_at=dates, event=seen.kind, event_id=seen.uuid)


def hints(events: Iterable[Event]) -> tuple[Hint, ...]:
    """One hint per account that these events name, with the dates of the consents it gave."""
    folded: dict[tuple[str | None, str | None], Hint] = {}
    for seen in sorted(events, key=lambda e: e.at):
        made = hint(seen)
        if made is None or (made.native_id is None and made.email is None):
            continue
        key = (made.native_id, made.email)
        known = folded.get(key)
        dates = {**known.granted_at, **made.granted_at} if known else made.granted_at
        folded[key] = Hint(made.email, made.native_id, dates, made.event, made.event_id)
    return tuple(folded.values())


def consents(events: Iterable[Event]) -> tuple[Consent, ...]:
    """Consents whose account and client are named."""
    return tuple(
        Consent(seen.user_id, seen.client_id, seen.at)
        for seen in events
        if seen.ok and seen.kind in GRANTED and seen.user_id and seen.client_id
    )


class UseCount:
    """Successful sign-ins, added up by account and app over many pages; `traffic` is where they came from.

    Args:
        clients: client ids by Okta's id of an app.
    """

    def __init__(self, clients: Mapping[str, str]) -> None:
        self._clients = clients
        self.found: dict[tuple[str, str], tuple[int, datetime]] = {}
        self.traffic = Traffic()

    def add(self, events: Iterable[Event]) -> None:
        """Count the sign-ins among these. That somebody asked to sign in is not yet that they did."""
        for seen in events:
            if seen.kind != SIGN_ON or not seen.ok or not seen.user_id or not seen.app_id:
                continue
            key = (seen.user_id, self._clients.get(seen.app_id, seen.app_id))
            count, last = self.found.get(key, (0, seen.at))
            self.found[key] = (count + 1, max(last, seen.at))
            self.traffic.add(key[1], seen.at.date(), net=seen.network, land=seen.country)
