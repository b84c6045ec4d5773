"""What changed and what was used, as far as Salesforce keeps it without a paid add-on.

New tokens are found by `CreatedDate`. Where an organisation does not let that be filtered, sign-ins of apps
stand in: every new consent signs in. A token that is gone leaves no trace: full runs find those.

Use: `LoginHistory` has every sign-in of an app for six months, a token the last of its uses. Neither tells
single calls of a week.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HaltedError
from lantern.connectors.protocol import ChangePage, Consent, Hint, HistoryPage, Use
from lantern.connectors.resolution import CallError
from lantern.connectors.salesforce import normalize, soql
from lantern.connectors.salesforce.api import SalesforceApi
from lantern.connectors.salesforce.held import Tokens
from lantern.connectors.salesforce.normalize import SignIn, Token

log = logging.getLogger(__name__)

OVERLAP: Final = timedelta(minutes=10)
LONGEST: Final = timedelta(days=7)
"""A poll that comes after a longer silence looks back so far; full runs have seen what lies before."""
MOST_ACCOUNTS: Final = 200
_REMEMBERED: Final = 4_000
_BAD_REQUEST: Final = 400


@dataclass(frozen=True, slots=True)
class Cursor:
    """Read to `at`; `seen` are digests of what was told within the overlap."""

    at: datetime
    seen: frozenset[str] = frozenset()

    def dump(self) -> str:
        """As text."""
        return json.dumps({"at": self.at.isoformat(), "seen": sorted(self.seen)}, separators=(",", ":"))

    @staticmethod
    def load(text: str) -> "Cursor":
        """From text.

        Raises:
            ValueError: it is none of ours.
        """
        try:
            raw = json.loads(text)
            at = datetime.fromisoformat(raw["at"])
            seen = frozenset(raw["seen"])
        except (KeyError, TypeError, ValueError):
            raise ValueError("not a cursor") from None
        if at.tzinfo is None or not all(isinstance(one, str) for one in seen):
            raise ValueError("not a cursor")
        return Cursor(at, seen)


def changes(
    api: SalesforceApi, tokens: Tokens, text: str | None, now: datetime, halt: Halt
) -> Iterator[ChangePage]:
    """What changed from a cursor to `now`, in one page.

    Raises:
        CallError: Salesforce did not answer as documented.
        ValueError: the cursor is none of ours.
    """
    cursor = Cursor.load(text) if text else Cursor(now)
    if halt.passed() or cursor.at > now:  # a clock may have gone back
        return
    since = max(cursor.at, now - LONGEST) - OVERLAP
    try:
        found = [*_changed_accounts(api, since, halt), *_consents(api, tokens, since, now, halt)]
    except HaltedError:
        return
    fresh = [hint for hint in found if hint.event_id not in cursor.seen]
    seen = frozenset([hint.event_id for hint in found if hint.event_id][-_REMEMBERED:])
    yield ChangePage(
        hints=_folded(fresh), delegations=(), cursor=Cursor(now, seen).dump(), events=len(found), last=True
    )


def _changed_accounts(api: SalesforceApi, since: datetime, halt: Halt) -> list[Hint]:
    """Accounts to ask for anew, leavers first; those of a mass update beyond are left to the nightly run."""
    found = []
    rows = sorted(api.rows(soql.users_changed(since), halt), key=lambda row: row.get("IsActive") is not False)
    for row in rows[:MOST_ACCOUNTS]:
        native_id, at = row.get("Id"), row.get("LastModifiedDate")
        if not isinstance(native_id, str):
            raise CallError(GARBLED, detail="User: no id")
        user = normalize.canonical(native_id)
        key = _digest("user", user, str(at))
        found.append(Hint(native_id=user, event="user_changed", event_id=key, account=True))
    return found


def _consents(api: SalesforceApi, tokens: Tokens, since: datetime, now: datetime, halt: Halt) -> list[Hint]:
    try:
        created = tokens.between("CreatedDate", since, now + OVERLAP, halt)
    except CallError as error:
        if error.status != _BAD_REQUEST:
            raise
        log.info("salesforce: tokens cannot be filtered by date here, sign-ins stand in")
        return [
            Hint(
                native_id=one.native_id,
                event="sign_in",
                event_id=_digest("in", one.native_id, one.at.isoformat()),
            )
            for one in _sign_ins(api, since, now + OVERLAP, halt)
            if one.succeeded
        ]
    return [_consent(one) for one in created]


def _consent(one: Token) -> Hint:
    return Hint(
        native_id=one.native_id,
        granted_at={one.client_id: one.created} if one.created else {},
        event="authorize",
        event_id=_digest("token", one.native_id, one.client_id, str(one.created)),
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _folded(hints: Iterable[Hint]) -> tuple[Hint, ...]:
    """One hint per account, with all the dates."""
    found: dict[str, Hint] = {}
    for hint in hints:
        known = found.get(hint.native_id or "")
        dates = dict(known.granted_at) if known else {}
        for client, at in hint.granted_at.items():
            dates[client] = max(at, dates.get(client, at))
        found[hint.native_id or ""] = replace(
            hint, granted_at=dates, account=hint.account or bool(known and known.account)
        )
    return tuple(found.values())


def history(
    api: SalesforceApi, tokens: Tokens, since: datetime, until: datetime, halt: Halt
) -> Iterator[HistoryPage]:
    """The use of `[since, until)`, in one page.

    Raises:
        CallError: Salesforce did not answer as documented.
    """
    if halt.passed():
        return
    try:
        used = tokens.between("LastUsedDate", since, until, halt)
        created = _created(tokens, since, until, halt)
        signed_in = [one for one in _sign_ins(api, since, until, halt) if one.succeeded]
        known = _clients(api, halt) if signed_in else {}
    except HaltedError:
        return
    count = UseCount()
    for one in signed_in:
        count.sign_in(one, known)
    for token in used:
        count.token(token)
    given = {
        (one.native_id, one.client_id, one.created)
        for one in (*created, *used)
        if one.created and since <= one.created < until
    }
    yield HistoryPage(
        uses=count.all(),
        consents=tuple(Consent(user, client, at) for user, client, at in sorted(given)),
        delegations=(),
        events=len(signed_in) + len(used),
        last=True,
    )


def _created(tokens: Tokens, since: datetime, until: datetime, halt: Halt) -> tuple[Token, ...]:
    try:
        return tokens.between("CreatedDate", since, until, halt)
    except CallError as error:
        if error.status != _BAD_REQUEST:
            raise
        return ()  # tokens that were used in the window tell theirs; full runs date the others


def _sign_ins(api: SalesforceApi, since: datetime, until: datetime, halt: Halt) -> list[SignIn]:
    try:
        return [
            one
            for row in api.rows(soql.sign_ins(since, until), halt)
            if (one := normalize.sign_in(row)) is not None
        ]
    except normalize.MalformedError as error:
        raise CallError(GARBLED, detail=f"LoginHistory: {error}") from None


def _clients(api: SalesforceApi, halt: Halt) -> dict[str, str | None]:
    try:
        return normalize.clients_by_label(api.rows(soql.MENU, halt))
    except normalize.MalformedError as error:
        raise CallError(GARBLED, detail=f"AppMenuItem: {error}") from None


class UseCount:
    """Use by account and app: sign-ins, and at least one where a token says that it was used.

    `UseCount` of a token counts calls of all its life: beside sign-ins it would make a week look busy in
    which somebody gave access anew.
    """

    def __init__(self) -> None:
        self._signed: dict[tuple[str, str], int] = {}
        self._last: dict[tuple[str, str], datetime] = {}

    def sign_in(self, one: SignIn, known: dict[str, str | None]) -> None:
        """Count a sign-in; a name that several installed apps have says nothing of either."""
        name = normalize.label(one.application)
        client = known.get(name, normalize.client_of(None, one.application))
        if client is None:
            return
        key = (one.native_id, client)
        self._signed[key] = self._signed.get(key, 0) + 1
        self._seen(key, one.at)

    def token(self, one: Token) -> None:
        """Take in a token that was used last in the window."""
        if one.last_used is not None:
            self._seen((one.native_id, one.client_id), one.last_used)

    def _seen(self, key: tuple[str, str], at: datetime) -> None:
        self._last[key] = max(at, self._last.get(key, at))

    def all(self) -> tuple[Use, ...]:
        """Everything counted."""
        return tuple(
            Use(*key, max(1, self._signed.get(key, 0)), at) for key, at in sorted(self._last.items())
        )
