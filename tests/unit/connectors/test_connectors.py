"""What is said of connectors, to customers and to the API, is what their manifests hold."""

from pathlib import Path

import pytest

from lantern.connectors import manifests
from lantern.services import connectors

DOCS = Path(__file__).resolve().parents[3] / "docs" / "connectors"
PROVIDERS = manifests.providers()


def test_every_provider_that_can_consent_has_a_connector() -> None:
    assert set(PROVIDERS) == {"entra", "github", "google", "okta", "salesforce", "slack"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_administrator_reads_of_every_permission_what_it_is_for(provider: str) -> None:
    text = (DOCS / f"{provider}.md").read_text(encoding="utf-8")
    named = [need.scope.rpartition("/")[2] for need in manifests.manifest(provider).scopes]
    assert [name for name in named if name not in text] == []
    for heading in ("permission", "see", "disconnect", "limit"):
        assert heading in text.lower(), heading


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_act_and_feature_names_its_permissions(provider: str) -> None:
    manifest, facts = manifests.manifest(provider), connectors.connector(provider)
    known = {need.scope for need in manifest.scopes}
    for act in facts.acts:
        assert set(act.permissions) <= known, act.kind
    asked = {need.scope for need in manifest.scopes if need.required}
    told = {name for feature in facts.features if feature.required for name in feature.permissions}
    assert asked <= told
    for feature in facts.features:
        assert len(feature.permissions) == len(feature.lost)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_touches_everybody_says_so(provider: str) -> None:
    for kind in ("disable_app", "restrict_app", "uninstall_app"):
        fact = manifests.manifest(provider).acts.get(kind)
        assert fact is None or fact.everyone, kind
