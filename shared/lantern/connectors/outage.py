"""When reading many accounts fails, is it the account or the provider?"""

from dataclasses import dataclass
from typing import Final

from lantern.connectors.protocol import Unread
from lantern.connectors.resolution import CallError, ErrorResolution
from lantern.domain.inventory import Observation, Principal

AFTER: Final = 25
PAUSE_S: Final = 120.0
_FAILED: Final = frozenset({"provider_error", "timeout", "rate_limited"})


@dataclass(slots=True)
class Outage:
    """Notices that nobody can be read, so that ten thousand accounts are not tried in vain.

    `name` is the provider's, for the customer.
    """

    name: str
    in_a_row: int = 0

    def watch(self, outcome: Observation | Unread) -> None:
        """Count failures without a success between them.

        Raises:
            CallError: there were 25; the provider is asked again two minutes later.
        """
        failed = isinstance(outcome, Unread) and outcome.reason in _FAILED
        self.in_a_row = self.in_a_row + 1 if failed else 0
        if self.in_a_row >= AFTER:
            said = f"{self.name} does not answer at the moment; Lantern tries again by itself."
            resolution = ErrorResolution("transient", "provider_error", said)
            raise CallError(resolution, detail="reads fail in a row", retry_after_s=PAUSE_S)


def unread(account: Principal, error: CallError) -> Unread:
    """The account, as one whose grants could not be read.

    Raises:
        CallError: `error`, where every other account would fail for the same reason.
    """
    if error.resolution.connection_wide:
        raise error
    return Unread(account, "provider_error" if error.reason == "not_found" else error.reason)
