"""What changed and what was used: delta feeds, the audit log, and the log of sign-ins.

The delta feeds say that a grant, an account or an app is not as it was; the audit log says when consents
were given and is what knows of roles. The reports have 5 requests in 10 seconds, so nothing of them is asked
for twice.
"""

import base64
import binascii
import logging
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from lantern.connectors.entra import audit as audits
from lantern.connectors.entra import cursor as cursors
from lantern.connectors.entra.api import HEAVY, REPORT, GraphApi, Item, Page
from lantern.connectors.entra.cursor import Cursor
from lantern.connectors.entra.directory import Services
from lantern.connectors.entra.normalize import EVERYBODY, THEMSELVES, MalformedError, instant, label
from lantern.connectors.entra.subscriptions import TEND_EVERY, Subscriptions
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HaltedError
from lantern.connectors.protocol import ChangePage, Consent, Hint, HistoryPage, Use
from lantern.connectors.resolution import CallError
from lantern.connectors.traffic import Traffic, country, network

log = logging.getLogger(__name__)

GRANTS: Final = "/oauth2PermissionGrants/delta"
USERS: Final = "/users/delta"
APPS: Final = "/servicePrincipals/delta"
_SELECTED: Final[Mapping[str, str]] = {
    GRANTS: "",
    USERS: "&$select=id,userPrincipalName,mail,accountEnabled,userType,displayName",
    APPS: "&$select=id,appId,displayName,accountEnabled",
}
_PAGE: Final = "999"
_SIGN_INS_PAGE: Final = "1000"
_API_LIMIT: Final = 40
_CORE: Final = "loggedByService eq 'Core Directory'"


@dataclass(frozen=True, slots=True)
class Feeds:
    """The feeds of one tenant. `audited`: whether the audit log may be read."""

    api: GraphApi
    services: Services
    subscriptions: Subscriptions
    audited: bool

    def changes(self, text: str | None, now: datetime, halt: Halt) -> Iterator[ChangePage]:
        """What changed from a cursor (`cursor.dump`) to `now`, a page at a time.

        Raises:
            CallError: Graph did not answer as documented.
            ValueError: the cursor is none of ours.
        """
        cursor = cursors.load(text) if text else cursors.start(now)
        try:
            for feed in _SELECTED:
                for page, after in self._delta(feed, cursor, halt):
                    cursor = after
                    yield _changed(cursor, _delta_hints(feed, page.items), len(page.items))
            if cursor.tended is None or now - cursor.tended >= TEND_EVERY:
                cursor = self._tended(cursor, now, halt)
            while self.audited and now > cursor.settled:  # a clock may have gone back
                hints, events, cursor, last = self._audited(cursor, now, halt)
                yield _changed(cursor, hints, events, last=last)
                if last:
                    return
            yield _changed(cursor, (), 0, last=True)
        except HaltedError:
            return

    def _tended(self, cursor: Cursor, now: datetime, halt: Halt) -> Cursor:
        """The cursor after subscriptions were looked after; what changed is read even where that fails."""
        try:
            self.subscriptions.tend(halt)
        except CallError as error:
            if error.resolution.connection_wide:
                raise
            log.warning("entra subscriptions not reauthorised: %s", error.reason)
            return cursor
        return replace(cursor, tended=now)

    # -- delta --------------------------------------------------------------------------------------

    def _delta(self, feed: str, cursor: Cursor, halt: Halt) -> Iterator[tuple[Page, Cursor]]:
        """The pages of one feed from where the cursor stands, each with the cursor after it."""
        link = cursor.links.get(feed) or _begin(feed)
        while True:
            try:
                page = self.api.page(link, halt, quotas=HEAVY)
            except CallError as error:
                if error.status != 410 or link.startswith(feed):
                    raise
                # What happened meanwhile is lost: consents are walked through anew, each holder read again.
                log.warning("entra delta: the link has expired, starting again", extra={"feed": feed})
                link = f"{feed}?" if feed == GRANTS else _begin(feed)
                continue
            link = page.following or page.delta or ""
            if not link:
                raise CallError(GARBLED, detail="delta: a page without a link")
            cursor = cursors.follow(cursor, feed, link)
            yield page, cursor
            if page.delta:
                return

    # -- the audit log ------------------------------------------------------------------------------

    def _audited(
        self, cursor: Cursor, now: datetime, halt: Halt
    ) -> tuple[tuple[Hint, ...], int, Cursor, bool]:
        """One stretch of the audit log: hints, events, the cursor after it, whether that is the present."""
        start, end = cursors.window(cursor, now)
        count, telling = 0, {}
        for events in self._audit_pages(start, end, halt):
            count += len(events)
            telling.update({one.id: one for one in events if audits.tells(one)})
        fresh = [one for one in telling.values() if cursors.digest(one.id) not in cursor.seen]
        hints = audits.hints(fresh, self._client_ids(fresh, halt))
        after = cursors.settle(cursor, end, now, [(one.id, one.at) for one in fresh])
        return hints, count, after, end >= now

    def _audit_pages(self, start: datetime, end: datetime, halt: Halt) -> Iterator[list[audits.Audit]]:
        between = f"activityDateTime ge {_rfc3339(start)} and activityDateTime le {_rfc3339(end)}"
        params = {"$filter": f"{between} and {_CORE}", "$top": _PAGE}
        page = self.api.page("/auditLogs/directoryAudits", halt, params=params, quotas=REPORT)
        while True:
            events, odd = audits.readable(page.items)
            if odd:
                log.warning("entra audits: %d events of an unknown shape left out", odd)
            yield events
            if not page.following:
                return
            page = self.api.page(page.following, halt, quotas=REPORT)

    def _client_ids(self, events: list[audits.Audit], halt: Halt) -> dict[str, str]:
        """App ids by object id, as far as the tenant still knows the apps that events name."""
        wanted = audits.clients(events)
        known = self.services.all(halt) if wanted else {}
        return {one: known[one].app.client_id for one in wanted if one in known}

    # -- the past -----------------------------------------------------------------------------------

    def history(self, since: datetime, until: datetime, halt: Halt) -> Iterator[HistoryPage]:
        """Sign-ins and consents of `[since, until)`, a page at a time. Only interactive sign-ins are told."""
        try:
            for events in self._audit_pages(since, until, halt):
                inside = [one for one in events if since <= one.at < until]
                yield HistoryPage((), self._consents(inside, halt), (), len(events), last=False)
            yield from self._sign_ins(since, until, halt)
        except HaltedError:
            return

    def _consents(self, events: list[audits.Audit], halt: Halt) -> tuple[Consent, ...]:
        client_of = self._client_ids([one for one in events if audits.tells(one)], halt)
        return tuple(
            Consent(one.principal or EVERYBODY, client_of[one.client], event.at)
            for event in events
            if audits.gives(event)
            for one in audits.given(event)
            if one.client in client_of
        )

    def _sign_ins(self, since: datetime, until: datetime, halt: Halt) -> Iterator[HistoryPage]:
        between = f"createdDateTime ge {_rfc3339(since)} and createdDateTime le {_rfc3339(until)}"
        params = {"$filter": between, "$top": _SIGN_INS_PAGE}
        page = self.api.page("/auditLogs/signIns", halt, params=params, quotas=REPORT)
        counted: set[str] = set()
        while True:
            yield _folded(page, since, until, counted)
            if not page.following:
                return
            page = self.api.page(page.following, halt, quotas=REPORT)


def _begin(feed: str) -> str:
    """Where a feed is begun at the present."""
    return f"{feed}?$deltatoken=latest{_SELECTED[feed]}"


def _changed(cursor: Cursor, hints: tuple[Hint, ...], events: int, *, last: bool = False) -> ChangePage:
    return ChangePage(hints, (), cursors.dump(cursor), events, last)


def _delta_hints(feed: str, items: tuple[Item, ...]) -> tuple[Hint, ...]:
    """What to read again. An item may be there several times, the last counts; order is kept."""
    rows = {item["id"]: item for item in items if isinstance(item.get("id"), str)}
    if feed == APPS:
        # An app that came, went, was renamed or disabled: the tenant's own two bundles name most of them.
        both = (EVERYBODY, THEMSELVES) if rows else ()
        return tuple(Hint(native_id=one, event="app changed") for one in both)
    if feed == GRANTS:
        holders = dict.fromkeys(holder for item in rows.values() if (holder := _holder(item)))
        return tuple(Hint(native_id=one, event="grant changed") for one in holders)
    return tuple(_account_hint(item) for item in rows.values())


def _account_hint(item: Item) -> Hint:
    return Hint(native_id=item["id"], event="account removed" if "@removed" in item else "account changed")


def _holder(item: Item) -> str | None:
    """Whose a changed grant is; of a removed one only the id is told, which holds three ids in one."""
    if item.get("consentType") == EVERYBODY:
        return EVERYBODY
    named = item.get("principalId")
    return named if isinstance(named, str) and named else holder_in(item["id"])


def holder_in(grant_id: str) -> str | None:
    """The account in a grant's id: base64 of client, resource and, but for everybody's, principal.

    Graph does not document this. It is good for a hint: were it wrong, an account is read in vain, and the
    audit log or the nightly run finds what was removed.
    """
    try:
        raw = base64.urlsafe_b64decode(grant_id + "=" * (-len(grant_id) % 4))
    except (ValueError, binascii.Error):
        return None
    if len(raw) == 32:
        return EVERYBODY
    return str(uuid.UUID(bytes_le=raw[32:])) if len(raw) == 48 else None


def _folded(page: Page, since: datetime, until: datetime, counted: set[str]) -> HistoryPage:
    """What a page of sign-ins says, each sign-in once; those that failed are no use."""
    uses: dict[tuple[str, str], Use] = {}
    apis: dict[str, set[str]] = {}
    traffic, odd = Traffic(), 0
    for row in page.items:
        try:
            seen = _sign_in(row)
        except MalformedError:
            odd += 1
            continue
        if seen is None or not since <= seen.last_at < until or row["id"] in counted:
            continue
        counted.add(row["id"])
        key, day = (seen.native_id, seen.client_id), seen.last_at.date()
        known = uses.get(key)
        if known:
            seen = replace(known, events=known.events + 1, last_at=max(known.last_at, seen.last_at))
        uses[key] = seen
        traffic.add(seen.client_id, day, net=network(row.get("ipAddress")), land=_country(row))
        if name := label(row.get("resourceDisplayName"))[:_API_LIMIT].casefold():
            apis.setdefault(seen.client_id, set()).add(name)
    if odd:
        log.warning("entra sign-ins: %d events of an unknown shape left out", odd)
    names = {client: frozenset(found) for client, found in apis.items()}
    return HistoryPage(
        tuple(uses.values()),
        (),
        (),
        len(page.items),
        last=page.following is None,
        apis=names,
        places=traffic.places(),
    )


def _country(row: Mapping[str, Any]) -> str | None:
    location = row.get("location")
    return country(location.get("countryOrRegion")) if isinstance(location, Mapping) else None


def _sign_in(row: Mapping[str, Any]) -> Use | None:
    if not isinstance(row.get("id"), str):
        raise MalformedError("id is missing")
    at = instant(row.get("createdDateTime"))
    status, user, client = row.get("status"), row.get("userId"), row.get("appId")
    if not isinstance(status, Mapping) or not isinstance(status.get("errorCode"), int):
        raise MalformedError("status is missing")
    if status["errorCode"] != 0 or not isinstance(user, str) or not isinstance(client, str):
        return None
    return Use(user, client, 1, at) if user and client else None


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
