"""What measuring taught identification: the weights of weak signals, and how often each evidence is right."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

MIN_CONFIDENCE = 0.5
MAX_CONFIDENCE = 0.99


@dataclass(frozen=True, slots=True)
class Calibration:
    """The numbers of `content/calibration.json`, written by `make calibrate`; docs/identification.md.

    `weights` and `intercept` make a score of the features an app shows; `scale` and `shift` turn the score
    into the probability that an uncatalogued app is AI. From `threshold` on it is called so. `confidences`
    tells for each kind of evidence how often a verdict that rests on it holds.
    """

    intercept: float = 0.0
    scale: float = 1.0
    shift: float = 0.0
    threshold: float = 1.0
    weights: Mapping[str, float] = field(default_factory=dict)
    confidences: Mapping[str, float] = field(default_factory=dict)

    def probability(self, score: float) -> float:
        """Return the probability that belongs to a score."""
        return logistic(self.scale * score + self.shift)

    def confidence(self, evidence: str) -> float:
        """Return how often a verdict resting on this kind of evidence holds."""
        return self.confidences.get(evidence, MIN_CONFIDENCE)


def logistic(value: float) -> float:
    """Return the logistic function, without overflow."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))
