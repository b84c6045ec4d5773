"""A fair share per API key: fixed windows of a minute, and the headers that tell clients about them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lantern.runtime.problems import ProblemError

WINDOW_S: Final = 60


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a key's window."""

    limit: int
    remaining: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        """`RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers)."""
        return {
            "RateLimit-Policy": f'"key";q={self.limit};w={WINDOW_S}',
            "RateLimit": f'"key";r={self.remaining};t={self.reset_s}',
        }


def spend(count: Callable[[str, int], int], key_id: str, limit: int, now: datetime) -> Allowance:
    """Count one request of a key.

    Args:
        count: adds one to (key, window) and answers with the sum; the window is its start in epoch
            minutes.
        key_id: whose request.
        limit: requests a minute.
        now: current time.

    Raises:
        ProblemError: `rate_limited`, with `Retry-After` at the end of the window.
    """
    epoch_s = int(now.timestamp())
    used = count(key_id, epoch_s // WINDOW_S)
    reset_s = WINDOW_S - epoch_s % WINDOW_S
    allowance = Allowance(limit, max(0, limit - used), reset_s)
    if used > limit:
        raise ProblemError(
            "rate_limited",
            f"This key may make {limit} requests a minute; go on in {reset_s} seconds.",
            headers={**allowance.headers(), "Retry-After": str(reset_s)},
        )
    return allowance
