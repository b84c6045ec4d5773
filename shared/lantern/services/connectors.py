"""What each connector can do and with which permission, read from the manifests."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lantern.connectors import manifests
from lantern.connectors.protocol import ActionKind, Feature, Manifest, ScopeNeed
from lantern.domain.inventory import Provider
from lantern.domain.tenancy import Connection

Onboarding = Literal["consent", "form"]


@dataclass(frozen=True, slots=True)
class FeatureFact:
    """One thing a connector does and what it takes; `lost` has a sentence for each permission.

    `apart`: no consent asks for it, an administrator gives it by hand where it is wanted.
    """

    feature: Feature
    permissions: tuple[str, ...]
    required: bool
    lost: tuple[str, ...]
    apart: bool = False


@dataclass(frozen=True, slots=True)
class ActSummary:
    """One kind of act, what it takes, whether it touches everybody, and how it is taken back."""

    kind: ActionKind
    permissions: tuple[str, ...]
    everyone: bool
    undo: str | None


@dataclass(frozen=True, slots=True)
class ConnectorFacts:
    """One provider."""

    provider: Provider
    title: str
    onboarding: Onboarding
    push: str | None
    features: tuple[FeatureFact, ...]
    acts: tuple[ActSummary, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """A permission that a connection lacks: which features suffer and what that means."""

    permission: str
    features: tuple[Feature, ...]
    lost: str


def all_connectors() -> tuple[ConnectorFacts, ...]:
    """Every provider there is a connector for, by name."""
    return tuple(connector(name) for name in manifests.providers())


def connector(provider: str) -> ConnectorFacts:
    """One provider.

    Raises:
        InvalidInputError: there is no such connector.
    """
    manifest = manifests.manifest(provider)
    return ConnectorFacts(
        provider=manifest.provider,
        title=manifest.title,
        onboarding="form" if manifest.form else "consent",
        push=manifest.push.kind if manifest.push else None,
        features=tuple(_feature(manifest, feature) for feature in sorted(manifest.features)),
        acts=tuple(
            ActSummary(kind, tuple(sorted(fact.scopes)), fact.everyone, fact.undo)
            for kind, fact in sorted(manifest.acts.items())
        ),
    )


def gaps(connection: Connection) -> tuple[Gap, ...]:
    """What a connection cannot do for want of a permission."""
    manifest = manifests.manifest(connection.provider)
    return tuple(
        Gap(need.scope, (need.feature, *need.also), sentence(need))
        for need in manifest.scopes
        if need.scope in connection.missing_scopes
    )


def sentence(need: ScopeNeed) -> str:
    """What is lost without a permission, as a sentence."""
    return f"{need.lost_without[:1].upper()}{need.lost_without[1:]}."


def _feature(manifest: Manifest, feature: Feature) -> FeatureFact:
    needs = [need for need in (*manifest.scopes, *manifest.apart) if need.serves(feature)]
    return FeatureFact(
        feature=feature,
        permissions=_names(needs),
        required=any(need.required for need in needs),
        apart=any(need in manifest.apart for need in needs),
        lost=tuple(sentence(need) for need in needs),
    )


def _names(needs: Iterable[ScopeNeed]) -> tuple[str, ...]:
    return tuple(need.scope for need in needs)
