"""What judging an export looks things up in: catalog, permissions, rules and vendors of this checkout."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lantern.domain.abuse import KnownAbuse
from lantern.domain.rules.model import RuleSet, load_rules
from lantern.domain.scopes import Grant, ScopeClass
from lantern.domain.vendors import VendorProfile
from lantern.services.catalog import Catalog
from lantern.services.domains import registrable_domain
from lantern.services.reference import Reference
from lantern.services.scopes import Scopes
from scripts.build.checkout import shipped_content


@dataclass(frozen=True)
class ExportKnowledge:
    """What judgement looks things up in (see `lantern.domain.exports.judge.Knowledge`)."""

    directory: Path

    @cached_property
    def catalog(self) -> Catalog:
        """Products and vendors."""
        return Catalog(self.directory / "catalog.sqlite")

    @cached_property
    def scopes(self) -> Scopes:
        """Tables of permissions."""
        return Scopes(self.directory)

    @cached_property
    def rules(self) -> RuleSet:
        """The rules."""
        return load_rules(self.directory / "rules.json")

    def classify(self, provider: str, scope: str, grant: Grant) -> ScopeClass:
        """What a permission reaches."""
        return self.scopes.classify(provider, scope, grant)

    def registrable(self, host: str) -> str | None:
        """The registrable domain of a host."""
        return registrable_domain(host)

    @cached_property
    def reference(self) -> Reference:
        """Vendors, frameworks and reports of abuse."""
        return Reference(self.directory)

    def vendor(self, name: str | None) -> VendorProfile | None:
        """What is publicly known of a vendor."""
        return self.reference.vendor(name)

    def abuse_of(self, provider: str, client_id: str, name: str) -> KnownAbuse | None:
        """The public report that an app fits."""
        return self.reference.abuse.match(provider, client_id, name)


def knowledge() -> ExportKnowledge:
    """The knowledge of this checkout, compiled where that has not been done since it changed."""
    return ExportKnowledge(shipped_content())
