"""Reading OAuth tokens past a table that stops at 2,500 rows without saying so.

Every question is counted first; what is too much is asked in halves: of the accounts, and for one account of
the time of last use. `LastUsedDate` can be filtered (Object Reference, `OauthToken`); of `CreatedDate` the
reference does not say so.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.resolution import CallError, ErrorResolution
from lantern.connectors.salesforce import normalize, soql
from lantern.connectors.salesforce.api import SalesforceApi
from lantern.connectors.salesforce.normalize import Token

SAFE: Final = 2_000
"""Rows that one question may have: 2,500 is where the table stops, and tokens may come while we ask."""
AT_ONCE: Final = 100
_SHORTEST: Final = timedelta(seconds=1)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_FAILS: Final = 10
_INCOMPLETE: Final = ErrorResolution(
    "transient", "provider_error", "Salesforce counted more tokens than it listed.", retry=True
)
_OUTAGE: Final = ErrorResolution(
    "transient", "provider_error", "Salesforce does not answer at the moment; Lantern tries again by itself."
)
_PAUSE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Held:
    """The tokens of some accounts, or why they could not be read."""

    accounts: tuple[str, ...]
    tokens: tuple[Token, ...] | CallError

    @property
    def of_one(self) -> bool:
        """Whether they are all one account's, or none at all."""
        return not isinstance(self.tokens, CallError) and len({one.native_id for one in self.tokens}) <= 1


class Tokens:
    """Reads `OauthToken` for one message."""

    def __init__(self, api: SalesforceApi, now: Callable[[], datetime]) -> None:
        self._api = api
        self._now = now
        self._fails = 0

    def of(self, accounts: Sequence[str], halt: Halt) -> Iterator[Held]:
        """The tokens of these accounts, in parts that are complete or failed; what failed is one account.

        Raises:
            CallError: what would fail for all of them.
            HaltedError: told to stop.
        """
        try:
            tokens = self._whole(accounts, halt)
        except CallError as error:
            self._failed(error)
            if len(accounts) == 1:
                yield Held(tuple(accounts), error)
                return
            tokens = None
        else:
            self._fails = 0
        if tokens is not None:
            yield Held(tuple(accounts), tokens)
            return
        half = len(accounts) // 2
        yield from self.of(accounts[:half], halt)
        yield from self.of(accounts[half:], halt)

    def _whole(self, accounts: Sequence[str], halt: Halt) -> tuple[Token, ...] | None:
        """All of them in one question; None where they are too many for it."""
        where = f"UserId IN {soql.among(accounts)}"
        counted = self._api.count(soql.counted(where), halt)
        if counted <= SAFE:
            return self._rows(where, counted, halt)
        if len(accounts) > 1:
            return None
        never = f"{where} AND LastUsedDate = null"
        unused = self._rows(never, self._api.count(soql.counted(never), halt), halt)
        return (*unused, *self.between("LastUsedDate", _EPOCH, self._now() + timedelta(days=1), halt, where))

    def between(
        self, field: str, since: datetime, until: datetime, halt: Halt, where: str = ""
    ) -> tuple[Token, ...]:
        """Tokens with a time in `[since, until)`.

        Raises:
            CallError: status 400 where this organisation does not let the field be filtered.
        """
        also = f"{where} AND " if where else ""
        asked = f"{also}{field} >= {soql.at(since)} AND {field} < {soql.at(until)}"
        counted = self._api.count(soql.counted(asked), halt)
        if counted <= SAFE:
            return self._rows(asked, counted, halt)
        if until - since <= _SHORTEST:
            raise CallError(_INCOMPLETE, detail="tokens: too many in one second")
        half = since + (until - since) / 2
        half = half.replace(microsecond=half.microsecond // 1000 * 1000)
        return (
            *self.between(field, since, half, halt, where),
            *self.between(field, half, until, halt, where),
        )

    def _rows(self, where: str, counted: int, halt: Halt) -> tuple[Token, ...]:
        if counted == 0:
            return ()
        rows = self._api.rows(soql.tokens(where), halt)
        if len(rows) < counted:
            # Some may have been revoked between the questions: ask once more before calling it a gap.
            counted = self._api.count(soql.counted(where), halt)
            rows = self._api.rows(soql.tokens(where), halt)
        if len(rows) < counted or len(rows) > SAFE:
            raise CallError(_INCOMPLETE, detail="tokens: fewer than counted")
        try:
            return tuple(normalize.token(row) for row in rows)
        except normalize.MalformedError as error:
            raise CallError(GARBLED, detail=f"OauthToken: {error}") from None

    def _failed(self, error: CallError) -> None:
        """Raise what concerns everybody: so says the error itself, or so many in a row."""
        if error.resolution.connection_wide:
            raise error
        self._fails += 1
        if self._fails >= _FAILS:
            raise CallError(_OUTAGE, detail="reads fail in a row", retry_after_s=_PAUSE_S)
