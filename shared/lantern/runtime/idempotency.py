"""`Idempotency-Key`: a POST repeated with the same key has one effect and one answer.

Not Powertools' decorator: that imports boto3 and half a second of cold start, keys its records by
function rather than by caller, and would store answers that hold a secret. Here a record lives among
the tenant's own keys, remembers which request it belongs to, and keeps what the route lets it keep.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from lantern.domain.errors import LanternError, StorageError
from lantern.domain.idempotency import Attempt, KeptAnswer
from lantern.runtime.problems import FieldError, ProblemError

LOCK_S: Final = 35
"""How long an unfinished request blocks its key: a little above the API function's timeout."""

KEEP_S: Final = 86_400
"""How long an answer is kept: 24 hours."""

_FORM: Final = re.compile(r"[\x21-\x7e]{1,200}")


class Attempts(Protocol):
    """Where attempts of one tenant are kept."""

    def begin(self, key: str, attempt: Attempt, now: datetime, lock_s: int) -> Attempt | None:
        """Claim `key`; None when `attempt` holds it now, else what does."""
        ...

    def finish(self, key: str, attempt: Attempt, now: datetime, keep_s: int) -> None:
        """Keep the answer."""
        ...

    def abandon(self, key: str) -> None:
        """Forget a claim whose request had no effect."""
        ...


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request as far as repeating it matters."""

    key: str
    caller: str
    method: str
    path: str
    body: bytes

    def storage_key(self) -> str:
        """Under which the attempt is kept: per caller, so that two keys of a tenant never collide."""
        return _digest(self.caller.encode(), self.key.encode())

    def fingerprint(self) -> str:
        """What makes it the same request."""
        return _digest(self.method.encode(), self.path.encode(), self.body)


def run_once(
    request: IdempotentRequest,
    attempts: Attempts,
    run: Callable[[], KeptAnswer],
    *,
    now: datetime,
    claim: str,
) -> KeptAnswer | None:
    """Run a request unless it ran before.

    Args:
        request: the request with its key.
        attempts: the tenant's attempts.
        run: does the work and answers with what may be kept.
        now: current time.
        claim: a fresh id.

    Returns:
        The kept answer of the earlier request, or None when `run` was called just now.

    Raises:
        ProblemError: the key has a wrong form, belongs to another request, or its request still runs.
    """
    if not _FORM.fullmatch(request.key):
        detail = "Send 1 to 200 visible ASCII characters, for example a UUID."
        field = FieldError(detail, parameter="Idempotency-Key")
        raise ProblemError("invalid_request", f"Idempotency-Key: {detail}", fields=(field,))
    key, fingerprint = request.storage_key(), request.fingerprint()
    earlier = attempts.begin(key, Attempt(fingerprint, None, claim), now, LOCK_S)
    if earlier is not None:
        return _replay(earlier, fingerprint)
    try:
        answer = run()
    except StorageError:
        # Nobody knows whether it was written: the claim stays until it expires by itself.
        raise
    except LanternError:
        # Refused: use-cases commit in one transaction, so nothing happened and the key is free again.
        attempts.abandon(key)
        raise
    attempts.finish(key, Attempt(fingerprint, answer, claim), now, KEEP_S)
    return None


def _replay(earlier: Attempt, fingerprint: str) -> KeptAnswer:
    if earlier.fingerprint != fingerprint:
        raise ProblemError("idempotency_key_reused", "Use a fresh Idempotency-Key for a different request.")
    if earlier.answer is None:
        raise ProblemError("request_in_progress", "Ask again shortly.", headers={"Retry-After": "1"})
    return earlier.answer


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:40]
