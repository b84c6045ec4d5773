"""What is kept of a request that carries an idempotency key."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The answer to a finished request; `body` is None for an answer without one."""

    status: int
    body: str | None
    etag: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is stored for an idempotency key: which request, and its answer once there is one.

    `claim` is a fresh id: it tells two equal requests apart that arrive at the same instant.
    """

    fingerprint: str
    answer: KeptAnswer | None
    claim: str
