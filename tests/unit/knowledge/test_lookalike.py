"""Look-alikes are found; the vendor's own apps and honest names are not."""

import random

import pytest

from lantern.domain.identification import AppFacts
from lantern.domain.lookalike import lookalike
from lantern.services.catalog import Catalog
from lantern.services.domains import registrable_domain
from scripts.build.compile_catalog import Row, read_rows


def _lookalike(
    catalog: Catalog, name: str, *domains: str, client_id: str = "unknown-id", provider: str = "google"
):
    return lookalike(AppFacts(provider, client_id, name, domains=domains), catalog, registrable_domain)


@pytest.mark.parametrize(
    ("name", "brand", "kind"),
    [
        ("СhаtGРТ", "ChatGPT", "homoglyph"),
        ("Chat\u200bGPT", "ChatGPT", "homoglyph"),
        ("0penAI", "OpenAI", "homoglyph"),
        ("OpenAl", "OpenAI", "homoglyph"),
        ("Grarnmarly", "Grammarly", "homoglyph"),
        ("ChatGTP", "ChatGPT", "edit_distance"),
        ("Perplexlty", "Perplexity", "homoglyph"),
        ("Perplexty", "Perplexity", "edit_distance"),
        ("Antropic", "Anthropic", "edit_distance"),
        ("Micros0ft Teams", "Microsoft Teams", "homoglyph"),
        ("ChatGTP for Gmail", "ChatGPT", "edit_distance"),
        ("ChatGPT Official", "ChatGPT", "brand_suffix"),
        ("DeepSeek Premium Free", "DeepSeek", "brand_suffix"),
        ("Official ChatGPT", "ChatGPT", "brand_suffix"),
        ("Chat GPT - OpenAI Official", "ChatGPT", "brand_suffix"),
        ("Free Unlimited DeepSeek", "DeepSeek", "brand_suffix"),
        ("Verified OpenAI Login", "OpenAI", "brand_suffix"),
        ("Claude AI Official App", "Claude", "brand_suffix"),
    ],
)
def test_imitations(catalog: Catalog, name: str, brand: str, kind: str) -> None:
    found = _lookalike(catalog, name)
    assert found is not None
    assert (found.brand, found.kind) == (brand, kind)
    assert brand in found.sentence
    assert 0 < found.confidence < 1


@pytest.mark.parametrize(
    "name",
    ["ChatGPT", "OpenAI", "Claude", "Grammarly for Business", "Slack", "Notion Calendar", "Figma", "Clause",
     "Trellis",
     "Canvas LMS", "Zoom for Google Workspace", "Air Canada", "Mailchimp", "Open Air", "Box",
     "GPT for Sheets and Docs",
     "Canvas", "Crello", "Notions", "Asana", "GitHub", "Okta", "", "ЯндексДиск", "Яндекс Почта"],
)  # fmt: skip
def test_honest_names(catalog: Catalog, name: str) -> None:
    assert _lookalike(catalog, name) is None


def test_the_vendors_own_domain_or_id_clears(catalog: Catalog) -> None:
    assert _lookalike(catalog, "ChatGPT Official", "auth.openai.com") is None
    own = "e0476654-c1d5-430b-ab80-70cbd947616a"
    assert _lookalike(catalog, "ChatGPT Official", client_id=own, provider="entra") is None


@pytest.mark.parametrize(
    ("name", "domain", "kind"),
    [("ChatGPT", "chat.example.net", "foreign_domain"), ("Sign-in helper", "openai-login.com", "domain"),
     ("Helper", "chatgtp.com", "domain"), ("Google Drive", "sites.google.com/view/evil", "foreign_domain")],
)  # fmt: skip
def test_foreign_and_imitating_domains(catalog: Catalog, name: str, domain: str, kind: str) -> None:
    found = _lookalike(catalog, name, domain)
    assert found is not None
    assert found.kind == kind


def test_products_of_the_catalog_are_not_taken_for_imitations(catalog: Catalog) -> None:
    """A sample, always the same; all of the catalog is asked by `make prove`."""
    _no_imitations(catalog, random.Random(5).sample(read_rows(), 2_000))


@pytest.mark.prove
def test_no_product_of_the_catalog_is_taken_for_an_imitation(catalog: Catalog) -> None:
    _no_imitations(catalog, read_rows())


def _no_imitations(catalog: Catalog, rows: list[Row]) -> None:
    for row in rows:
        for name in row.names():
            assert _lookalike(catalog, name) is None, name
        for domain in row.product.domains:
            assert _lookalike(catalog, row.product.name, f"https://{domain}/x") is None, domain
