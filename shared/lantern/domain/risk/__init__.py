"""How risky an app or a grant is, 0-100, and why: pure functions of what is known about it.

Points add up over factors; each factor tells its points, weight, evidence and what would lower it. Unknown
facts count like a middling answer, never better than a good one. More scopes or holders never lower the
score, approval never raises it, and order never matters. docs/risk.md explains it.
"""

from lantern.domain.risk.exposure import reach
from lantern.domain.risk.grants import GrantInput, assess_grant, grant_scores
from lantern.domain.risk.model import (
    DEFAULT,
    LEVELS,
    WEIGHT_NAMES,
    AppStatus,
    Assessment,
    Factor,
    FactorGroup,
    RiskInput,
    RiskLevel,
    StoredWeights,
    Weights,
    level_of,
)
from lantern.domain.risk.scoring import assess, fingerprint, pack_shares, reweighed

__all__ = [
    "DEFAULT",
    "LEVELS",
    "WEIGHT_NAMES",
    "AppStatus",
    "Assessment",
    "Factor",
    "FactorGroup",
    "GrantInput",
    "RiskInput",
    "RiskLevel",
    "StoredWeights",
    "Weights",
    "assess",
    "assess_grant",
    "fingerprint",
    "grant_scores",
    "level_of",
    "pack_shares",
    "reach",
    "reweighed",
]
