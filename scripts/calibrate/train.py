"""Fit the weights of weak signals: a sparse logistic regression, its scores turned into probabilities."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from lantern.domain.calibration import Calibration
from scripts.calibrate.samples import Sample

PRIOR: Final = 0.35
"""The share of AI apps among uncatalogued ones. It moves confidences, not the threshold."""
FALSE_ALARMS: Final = 0.008
"""The share of unlisted ordinary apps that weak signals may call AI; listed ones they never see."""
_STRENGTH: Final = 0.2
_RARE: Final = 4
_FOLDS: Final = 5
_SMALL: Final = 0.005
# A word or an ending explains itself; spelling is to speak only where they are silent. A larger value of a
# feature makes its weight cheaper for the penalty.
_VALUES: Final = {"w": 2.0, "tld": 2.0, "first": 1.5, "last": 1.5}
_EVEN: Final = 0.5


def fit(samples: Sequence[Sample]) -> Calibration:
    """Return the model of all samples; its probabilities and threshold come from cross-validation."""
    seen = {(one, sample.group) for sample in samples for one in sample.features}
    counts = Counter(one for one, _ in seen)
    names = sorted(one for one, count in counts.items() if count >= _RARE)
    matrix = _matrix(samples, names)
    labels = np.array([sample.kind == "ai" for sample in samples])
    weights = np.array([sample.weight for sample in samples])
    groups = np.array([sample.group for sample in samples])
    scores = np.zeros(len(samples))
    for train, test in GroupKFold(_FOLDS).split(matrix, labels, groups):
        model = _regression().fit(matrix[train], labels[train], sample_weight=weights[train])
        scores[test] = model.decision_function(matrix[test])
    scale, shift = _platt(scores, labels, samples)
    whole = _regression().fit(matrix, labels, sample_weight=weights)
    kept = {
        name: round(float(weight) * _value(name), 2)
        for name, weight in zip(names, whole.coef_[0], strict=True)
        if abs(weight) > _SMALL
    }
    probabilities = 1 / (1 + np.exp(-(scale * scores + shift)))
    return Calibration(
        intercept=round(float(whole.intercept_[0]), 3),
        scale=round(scale, 3),
        shift=round(shift, 3),
        threshold=_threshold(probabilities, samples),
        weights=kept,
    )


def _regression() -> LogisticRegression:
    return LogisticRegression(l1_ratio=1.0, C=_STRENGTH, solver="liblinear", max_iter=500, random_state=7)


def _matrix(samples: Sequence[Sample], names: Sequence[str]) -> csr_matrix:
    column = {name: at for at, name in enumerate(names)}
    indices: list[int] = []
    starts = [0]
    for sample in samples:
        indices += sorted(column[one] for one in sample.features if one in column)
        starts.append(len(indices))
    values = np.array([_value(names[at]) for at in indices])
    shape = (len(samples), len(names))
    return csr_matrix((values, np.array(indices, dtype=np.int32), np.array(starts, dtype=np.int32)), shape)


def _value(name: str) -> float:
    return _VALUES.get(name.partition(":")[0], 1.0)


def _platt(scores: np.ndarray, labels: np.ndarray, samples: Sequence[Sample]) -> tuple[float, float]:
    """Fit the probability on scores of entries unseen in training, at the share of AI apps in `PRIOR`."""
    used = np.array([sample.view in {"name", "both"} for sample in samples])
    share = labels[used].mean()
    balance = np.where(labels[used], PRIOR / share, (1 - PRIOR) / (1 - share))
    curve = LogisticRegression(C=1e6).fit(scores[used].reshape(-1, 1), labels[used], sample_weight=balance)
    return float(curve.coef_[0][0]), float(curve.intercept_[0])


def _threshold(probabilities: np.ndarray, samples: Sequence[Sample]) -> float:
    """Return the probability that no more than `FALSE_ALARMS` of the ordinary apps reach, in any view."""
    limits = [_EVEN]
    for view in ("name", "both"):
        chosen = [one.view == view and one.kind == "not_ai" for one in samples]
        limits.append(float(np.quantile(probabilities[np.array(chosen)], 1 - FALSE_ALARMS)))
    return round(max(limits), 3)
