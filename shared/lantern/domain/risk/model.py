"""What a risk is computed from, and what it looks like."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

from lantern.domain.abuse import KnownAbuse
from lantern.domain.identification import Identification
from lantern.domain.lookalike import LookAlike
from lantern.domain.scopes import ScopeClass
from lantern.domain.use_change import UseChange
from lantern.domain.vendors import VendorTrust

AppStatus = Literal["approved", "restricted", "under_review", "not_allowed", "unreviewed"]
RiskLevel = Literal["low", "medium", "high", "critical"]
FactorGroup = Literal["exposure", "trust", "use", "status"]

LEVELS: tuple[tuple[int, RiskLevel], ...] = ((70, "critical"), (45, "high"), (25, "medium"), (0, "low"))
NEW_DAYS = 30
WEEK = 7

# A share of 0-1, the evidence, and the remedy.
Judgement = tuple[float, str, str | None]


@dataclass(frozen=True, slots=True)
class RiskInput:
    """What is known about one app in one organisation. Counts are people; None is "not known".

    `scopes` is the union over all holders and connections, None where the provider does not tell scopes.
    `privileged_holders` are administrators among the holders; `stale_holders` hold a grant unused for long;
    `departed_holders` have left; `personal_holders` use an account that is not the organisation's;
    `shared_holders` are accounts of no single person;
    `connections` is at how many connections the app is seen; `age_days` counts from when it was first seen.
    `unused` are permissions that are held and never seen in use, None where use is not known.
    """

    identification: Identification
    scopes: tuple[ScopeClass, ...] | None
    holders: int
    org_size: int | None = None
    privileged_holders: int | None = None
    stale_holders: int | None = None
    departed_holders: int | None = None
    connections: int = 1
    verified_publisher: bool | None = None
    look_alike: LookAlike | None = None
    status: AppStatus = "unreviewed"
    age_days: int | None = None
    personal_holders: int | None = None
    shared_holders: int = 0
    vendor: VendorTrust | None = None
    abuse: KnownAbuse | None = None
    unused: tuple[ScopeClass, ...] | None = None
    use_change: UseChange | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """How many points each factor can give. A tenant may change them; 0 switches a factor off.

    Raises:
        ValueError: If a weight is negative or not a number.
    """

    reach: float = 40
    people: float = 12
    privileged: float = 8
    breadth: float = 4
    identity: float = 6
    publisher: float = 5
    look_alike: float = 38
    status: float = 8
    departed: float = 8
    stale: float = 6
    newness: float = 3
    training: float = 5
    assurance: float = 3
    incidents: float = 3
    ownership: float = 2
    abuse: float = 45
    personal: float = 4
    unused: float = 4
    anomaly: float = 3

    def __post_init__(self) -> None:
        for name in (one.name for one in fields(self)):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"weight {name} must be a number of 0 or more, not {value}")


WEIGHT_NAMES: tuple[str, ...] = tuple(one.name for one in fields(Weights))
"""The factors in the order in which their shares are packed: new ones come last."""

DEFAULT = Weights()


@dataclass(frozen=True, slots=True)
class StoredWeights:
    """Weights that a tenant set: factor → points. What is not named has its default."""

    values: Mapping[str, float]
    by: str
    at: datetime
    rev: int = 0

    def weights(self) -> Weights:
        """The weights to use; names of factors that are gone do nothing."""
        return Weights(**{name: self.values[name] for name in WEIGHT_NAMES if name in self.values})


@dataclass(frozen=True, slots=True)
class Factor:
    """One part of the score: `points` of at most `max_points`, which is the weight in points, and why.

    `evidence` is what was seen; `remedy` is what would lower it, None where nothing is to gain. `share` is
    the part of the weight that it gives, 0-1 in thousandths; `group` is what kind of reason it is.
    """

    id: str
    title: str
    points: float
    max_points: float
    weight: float
    evidence: str
    remedy: str | None
    share: float = 0.0
    group: FactorGroup = "exposure"


@dataclass(frozen=True, slots=True)
class Assessment:
    """A risk. `fingerprint` changes when the facts, the catalog entry, the vendor or the weights do."""

    score: int
    level: RiskLevel
    factors: tuple[Factor, ...]
    fingerprint: str


def level_of(score: int) -> RiskLevel:
    """Return the level of a score: critical from 70, high from 45, medium from 25, else low."""
    return next(level for least, level in LEVELS if score >= least)
