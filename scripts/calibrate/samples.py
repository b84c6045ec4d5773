"""What the model learns from: every catalog entry as an app nobody has listed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from lantern.domain.catalog import Kind
from lantern.domain.weak_signals import features
from lantern.services.domains import registrable_domain
from scripts.build.compile_catalog import Row

View = Literal["name", "both", "domain", "own_app"]

# An ordinary product with AI features is no AI app, but no clear example of an ordinary one either.
_WEIGHTS: Final[dict[Kind, float]] = {"ai": 1.0, "not_ai": 1.0, "embedded_ai": 0.6}
_DOMAIN_ALONE: Final = 0.5
# What organisations call their own apps: plain words, whatever they mean elsewhere.
_OWN_APPS: Final = Path(__file__).with_name("own_apps.txt")
_OWN_APP: Final = 2.0


@dataclass(frozen=True, slots=True)
class Sample:
    """An entry seen in one way. `group` is the entry, so that folds never share one."""

    group: int
    view: View
    kind: Kind
    weight: float
    features: frozenset[str]


def samples(rows: Iterable[Row]) -> list[Sample]:
    """Return every entry by its name, by name and first domain, and by the domain alone; then own apps."""
    made: list[Sample] = []
    for group, row in enumerate(rows):
        product = row.product
        weight = _WEIGHTS[product.kind]
        made.append(Sample(group, "name", product.kind, weight, features(product.name, None)))
        domain = registrable_domain(product.domains[0]) if product.domains else None
        if domain and not product.hosts_others:
            made.append(Sample(group, "both", product.kind, weight, features(product.name, domain)))
            alone = features("", domain)
            made.append(Sample(group, "domain", product.kind, weight * _DOMAIN_ALONE, alone))
    for group, name in enumerate(_OWN_APPS.read_text(encoding="utf-8").splitlines(), start=1):
        made.append(Sample(-group, "own_app", "not_ai", _OWN_APP, features(name, None)))
    return made
