"""Lantern's compiled knowledge, opened once per environment; it holds no tenant's data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from lantern.domain.facts import ScopeSetView
from lantern.domain.granting import GRANTS, Way
from lantern.domain.overlay import ProductCatalog
from lantern.domain.playbooks.loading import Playbooks
from lantern.domain.rules.model import RuleSet, load_rules
from lantern.domain.scopes import Grant, ScopeClass, administers, worst
from lantern.services.catalog import Catalog
from lantern.services.domains import registrable_domain
from lantern.services.playbooks_shipped import books_in
from lantern.services.reference import Reference
from lantern.services.scopes import Scopes


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Catalog, scope tables, rules and reference data: of one release, or with a tenant's own catalog."""

    catalog: ProductCatalog
    scopes: Scopes
    rules: RuleSet
    reference: Reference
    books: Playbooks = field(default_factory=Playbooks)

    def registrable(self, host: str) -> str | None:
        """The registrable domain of a host, by the public suffix list."""
        return registrable_domain(host)

    def classes(self, provider: str, held: Mapping[str, Grant]) -> tuple[ScopeClass, ...]:
        """What each scope reaches as it is held, in the order of their names."""
        return tuple(self.scopes.classify(provider, scope, held[scope]) for scope in sorted(held))

    def of_set(self, provider: str, scopes: frozenset[str], way: Way) -> tuple[ScopeClass, ...]:
        """What the scopes of a set reach that is held in one way."""
        return self.classes(provider, dict.fromkeys(scopes, GRANTS[way]))

    def view(self, provider: str, held: Mapping[str, Grant]) -> ScopeSetView:
        """Scopes as they are held, as rules see them."""
        classes = self.classes(provider, held)
        return ScopeSetView(
            scopes=frozenset(held),
            severity=worst(classes),
            data_classes=tuple(sorted({c.data_class for c in classes if c.data_class})),
            access=tuple(sorted({c.access for c in classes if c.access})),
            restricted=tuple(c.scope for c in classes if c.label == "restricted"),
            severities={c.scope: c.severity for c in classes if c.known},
            admin=worst(tuple(c for c in classes if administers(c))),
        )


@lru_cache(maxsize=2)
def load_knowledge(directory: Path) -> Knowledge:
    """Open the compiled knowledge in `directory`; the catalog is read at its first look-up."""
    return Knowledge(
        catalog=Catalog(directory / "catalog.sqlite"),
        scopes=Scopes(directory),
        rules=load_rules(directory / "rules.json"),
        reference=Reference(directory),
        books=books_in(directory),
    )
