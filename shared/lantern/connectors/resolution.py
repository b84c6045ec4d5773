"""What a provider's answer means, as data: one table per provider instead of a ladder of ifs."""

from dataclasses import dataclass
from typing import Literal

from lantern.domain.errors import ConnectorError, ErrorKind

Reason = Literal["forbidden", "rate_limited", "provider_error", "timeout", "malformed", "not_found"]
"""Short stable word for a failed call; all but `not_found` are what `Unread.reason` may say."""

Refusal = Literal["no", "maybe", "yes"]


@dataclass(frozen=True, slots=True)
class ErrorResolution:
    """What to make of one kind of failure.

    Attributes:
        kind: who must act.
        reason: the stable word.
        user_message: what the customer is told.
        retry: whether asking again may help.
        refusal: whether it says that the quota is used up (the limiter slows down).
        stale_token: whether the access token must be fetched anew before asking again.
        connection_wide: whether every other call would fail for the same reason.
    """

    kind: ErrorKind
    reason: Reason
    user_message: str
    retry: bool = False
    refusal: Refusal = "no"
    stale_token: bool = False
    connection_wide: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a status table: HTTP statuses from `first` to `last`, and provider codes (empty: any)."""

    first: int
    last: int
    resolution: ErrorResolution
    codes: frozenset[str] = frozenset()

    def matches(self, status: int, codes: frozenset[str]) -> bool:
        """Whether this row speaks of such an answer."""
        return self.first <= status <= self.last and (not self.codes or bool(self.codes & codes))


@dataclass(frozen=True, slots=True)
class StatusTable:
    """First matching row wins; what no row matches is `otherwise`."""

    rows: tuple[Row, ...]
    otherwise: ErrorResolution

    def resolve(self, status: int, codes: frozenset[str]) -> ErrorResolution:
        """What an answer of this status with these provider codes means."""
        return next((row.resolution for row in self.rows if row.matches(status, codes)), self.otherwise)


class CallError(ConnectorError):
    """One call to a provider failed.

    Attributes:
        resolution: what the status table made of it.
        codes: the provider's own words for it.
    """

    def __init__(
        self,
        resolution: ErrorResolution,
        *,
        detail: str = "",
        status: int | None = None,
        codes: frozenset[str] = frozenset(),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(
            resolution.kind,
            resolution.user_message,
            detail=detail,
            status=status,
            retry_after_s=retry_after_s,
        )
        self.resolution = resolution
        self.codes = codes

    @property
    def reason(self) -> Reason:
        """Short stable word for what happened."""
        return self.resolution.reason
