"""What can go wrong, in words that name who must act."""

from typing import Literal

ErrorKind = Literal["config", "rate_limited", "transient", "system"]
"""Who must act: the customer (`config`), time (`rate_limited`, `transient`) or us (`system`)."""


class LanternError(Exception):
    """Base of all errors Lantern raises on purpose."""


class InvalidInputError(LanternError):
    """Input that the caller can mend.

    Attributes:
        field: the offending field, a JSON pointer or parameter name.
        remedy: one sentence that says what to send instead.
    """

    def __init__(self, field: str, remedy: str) -> None:
        super().__init__(f"{field}: {remedy}")
        self.field = field
        self.remedy = remedy


class NotFoundError(LanternError):
    """No such thing in this tenant; the same answer for foreign and for random ids."""

    def __init__(self, what: str, identifier: str) -> None:
        super().__init__(f"no {what} {identifier}")
        self.what = what
        self.identifier = identifier


class ConflictError(LanternError):
    """The record changed since it was read, or its state does not allow this."""


class RevisionConflictError(ConflictError):
    """A conditional write met another revision than the one it was computed from: read again."""


class LeaseLostError(LanternError):
    """Another worker holds the chain now; this one must stop without writing."""


class TenantSuspendedError(LanternError):
    """The tenant is suspended: nothing runs for it until it is resumed."""


class ForbiddenError(LanternError):
    """The caller is known but may not do this."""


class ConnectorError(LanternError):
    """A provider did not do what was asked.

    Attributes:
        kind: who must act.
        user_message: for the customer; names no secret and no internal.
        detail: for operators; no secrets either.
        retry_after_s: seconds the provider asked us to wait; None where it did not say.
        status: HTTP status where there was one.
    """

    def __init__(
        self,
        kind: ErrorKind,
        user_message: str,
        *,
        detail: str = "",
        retry_after_s: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(user_message)
        self.kind = kind
        self.user_message = user_message
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.status = status


class StorageError(LanternError):
    """The store did not answer, so nothing is known of the operation: it may be tried again as it was."""
