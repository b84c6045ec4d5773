"""The tenant's weights of risk, and its posture day by day."""

from datetime import UTC, date, datetime, time
from typing import Final

from lantern.domain.errors import RevisionConflictError
from lantern.domain.posture import PostureDay
from lantern.domain.risk import DEFAULT, StoredWeights, Weights
from lantern.store.documents import Doc, Documents, Put
from lantern.store.keys import ttl
from lantern.store.records import Records, Versioned

POSTURE_DAYS: Final = 400


class RiskRepository:
    """Weights and posture of a tenant."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys = documents.keys
        self._weights = Versioned(documents, "risk_weights", StoredWeights)
        self._days = Records(documents, "posture", PostureDay)

    def stored_weights(self, *, consistent: bool = False) -> StoredWeights | None:
        """The weights as set; None while the defaults hold."""
        return self._weights.get(self._keys.risk_weights(), consistent=consistent)

    def weights(self) -> Weights:
        """The weights that count now."""
        found = self.stored_weights()
        return found.weights() if found else DEFAULT

    def decode_weights(self, doc: Doc) -> StoredWeights:
        """The weights of an item."""
        return self._weights.decode(doc)

    def weights_op(self, weights: StoredWeights) -> Put:
        """The write of weights on `weights.rev`, for a transaction with its audit entry."""
        return self._weights.op(self._keys.risk_weights(), weights)

    def has_posture(self, day: date) -> bool:
        """Whether a day's posture is kept."""
        return self._days.get(self._keys.posture_day(day)) is not None

    def keep_posture(self, found: PostureDay) -> bool:
        """Keep a day's posture; False where that day's is kept already."""
        start = datetime.combine(found.day, time.min, tzinfo=UTC)
        doc = self._days.doc(self._keys.posture_day(found.day), found, ttl=ttl(start, POSTURE_DAYS))
        try:
            self._documents.put(doc, 0)
        except RevisionConflictError:
            return False
        return True

    def posture(self, since: date, until: date) -> tuple[PostureDay, ...]:
        """The kept days from `since` to `until`, both included, oldest first."""
        bounds = (self._keys.posture_day(since).sk, self._keys.posture_day(until).sk)
        return tuple(self._days.all(self._keys.posture_days(), between=bounds))
