"""Layers over the catalog: what they add, correct and take back, and that nothing else changes."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lantern.domain.catalog_schema import ProductEntry, listing_of, said_of
from lantern.domain.identification import AppFacts, identify
from lantern.domain.lookalike import lookalike
from lantern.domain.names import key, skeleton
from lantern.domain.overlay import OverlayCatalog, OverlayEntry
from lantern.services.catalog import Catalog
from lantern.services.domains import registrable_domain
from tests.support.catalogs import Nothing

AT = datetime(2026, 3, 1, tzinfo=UTC)


def entry(entry_id: str, replaces: str | None = None, **facts: Any) -> OverlayEntry:
    facts = {"category": "ai_assistant", "kind": "ai", **facts}
    listing = listing_of(replaces or entry_id, ProductEntry(**facts))
    return OverlayEntry(entry_id, listing, replaces, "", "key:a", AT)


def retraction(product_id: str) -> OverlayEntry:
    return OverlayEntry(f"no-{product_id}", None, product_id, "", "key:a", AT)


SLUGS = st.from_regex(r"[a-z]{2,8}(-[a-z0-9]{1,5})?", fullmatch=True)
NAMES = st.one_of(
    st.sampled_from(["ChatGPT", "Claude", "Notion", "Otter AI", "Slack", "OpenAI", "Zoom"]),
    st.text(min_size=1, max_size=20).filter(lambda text: bool(key(text)) and text.isprintable()),
)
DOMAINS = st.one_of(
    st.sampled_from(["chatgpt.com", "notion.so", "slack.com", "google.com"]),
    st.from_regex(r"[a-z]{1,8}\.(com|ai|io)", fullmatch=True),
)
KNOWN = ("chatgpt", "claude", "notion", "slack", "zoom", "grammarly")


@st.composite
def entries(draw: st.DrawFn) -> OverlayEntry:
    replaces = draw(st.one_of(st.none(), st.sampled_from(KNOWN)))
    entry_id = draw(SLUGS)
    if replaces and draw(st.booleans()):
        return replace(retraction(replaces), id=entry_id)
    return entry(
        entry_id,
        replaces,
        name=draw(NAMES),
        vendor=draw(st.one_of(st.none(), NAMES)),
        kind=draw(st.sampled_from(["ai", "embedded_ai", "not_ai"])),
        aliases=tuple(draw(st.lists(NAMES, max_size=2, unique_by=str.casefold))),
        domains=tuple(draw(st.lists(DOMAINS, max_size=2, unique=True))),
        ids=draw(st.dictionaries(st.sampled_from(["google", "chrome"]), st.tuples(SLUGS), max_size=1)),
        common=draw(st.booleans()),
        namesake=draw(st.booleans()),
        protected=draw(st.booleans()),
    )


LAYERS = st.lists(entries(), max_size=5, unique_by=(lambda e: e.id, lambda e: e.product_id))
QUICK = settings(
    max_examples=50,
    deadline=None,
    # Two layers that contradict themselves are thrown away, which is often when both are long.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


def answers(catalog: Any, layer: list[OverlayEntry]) -> Iterator[Any]:
    """Everything the catalog says about anything that the layer or the file could have a say in."""
    names = ["ChatGPT", "Claude", "Notion", "Otter", "Slack", "OpenAI", "Zoom", "Grammarly", "Nobody"]
    domains = ["chatgpt.com", "notion.so", "slack.com", "google.com", "zoom.us"]
    ids = [("google", "x")]
    products = list(KNOWN)
    for one in layer:
        products.append(one.product_id)
        if one.listing:
            names += [one.listing.product.name, one.listing.product.vendor, *one.listing.aliases]
            domains += one.listing.product.domains
            ids += [(p, i) for p, many in one.listing.ids.items() for i in many]
    yield [catalog.by_product(p) for p in products]
    yield [catalog.by_domain(d) for d in domains]
    yield [catalog.by_name(key(n)) for n in names]
    yield [catalog.by_id(*i) for i in ids]
    yield [catalog.brands_near(skeleton(n)) for n in names]


@QUICK
@given(LAYERS)
def test_a_layer_of_nothing_changes_nothing_and_neither_does_one_that_was_removed(
    catalog: Catalog, layer: list[OverlayEntry]
) -> None:
    assert list(answers(OverlayCatalog(catalog), layer)) == list(answers(catalog, layer))
    assert OverlayCatalog(catalog).revision == catalog.revision
    changed = OverlayCatalog(catalog, layer)
    assert (changed.revision != catalog.revision) == bool(layer)
    for gone in layer:
        left = [one for one in layer if one is not gone]
        assert OverlayCatalog(catalog, left).revision != changed.revision


@QUICK
@given(LAYERS, st.randoms(use_true_random=False))
def test_the_order_of_entries_does_not_matter(catalog: Catalog, layer: list[OverlayEntry], luck: Any) -> None:
    mixed = list(layer)
    luck.shuffle(mixed)
    one, other = OverlayCatalog(catalog, layer), OverlayCatalog(catalog, mixed)
    assert one.revision == other.revision
    assert list(answers(one, layer)) == list(answers(other, layer))


@QUICK
@given(LAYERS)
def test_an_entry_is_found_by_id_domain_name_and_look(catalog: Catalog, layer: list[OverlayEntry]) -> None:
    seen = OverlayCatalog(catalog, layer)
    for one in layer:
        if one.listing is None:
            assert seen.by_product(one.product_id) is None
            continue
        product = one.listing.product
        assert seen.by_product(one.product_id) == product
        assert seen.says(product.id)
        assert all(product in seen.by_domain(domain) for domain in product.domains)
        for name in (product.name, *one.listing.aliases):
            assert product in [hit.product for hit in seen.by_name(key(name)) if hit.strength == "exact"]
        for provider, many in one.listing.ids.items():
            owners = [e for e in layer if e.listing and many[0] in e.listing.ids.get(provider, ())]
            assert seen.by_id(provider, many[0].upper()) == min(
                (e.listing.product for e in owners if e.listing), key=lambda p: p.id
            )


@QUICK
@given(LAYERS)
def test_a_corrected_product_answers_by_its_old_facts_no_more(
    catalog: Catalog, layer: list[OverlayEntry]
) -> None:
    seen, said = OverlayCatalog(catalog, layer), {e.product_id: e for e in layer}
    for part in answers(seen, layer):
        for found in part:
            for one in found if isinstance(found, tuple) else (found,):
                product = getattr(one, "product", one)
                if product is not None and product.id in said:
                    listing = said[product.id].listing
                    assert listing is not None
                    assert product == listing.product


@QUICK
@given(LAYERS, LAYERS)
def test_a_tenant_wins_over_operators(
    catalog: Catalog, operators: list[OverlayEntry], tenant: list[OverlayEntry]
) -> None:
    seen = OverlayCatalog(OverlayCatalog(catalog, operators), tenant)
    for one in tenant:
        assert seen.by_product(one.product_id) == (one.listing.product if one.listing else None)
        for domain in one.listing.product.domains if one.listing else ():
            assert seen.by_domain(domain)[0].id in {e.product_id for e in tenant}


@QUICK
@given(entries())
def test_what_an_entry_says_comes_back_as_it_was_said(one: OverlayEntry) -> None:
    if one.listing is not None:
        again = ProductEntry.model_validate(said_of(one.listing))
        assert replace(listing_of(one.product_id, again), product=one.listing.product) == one.listing


def test_a_claimed_domain_is_the_layers_alone_a_kept_one_is_shared(catalog: Catalog) -> None:
    before = catalog.by_domain("openai.com")
    assert "openai-platform" in {p.id for p in before}
    claimed = OverlayCatalog(catalog, [entry("acme", name="Acme", domains=("openai.com",))])
    assert [p.id for p in claimed.by_domain("openai.com")] == ["acme"]
    corrected = entry("fix", "openai-platform", name="OpenAI", kind="not_ai", domains=("openai.com",))
    kept = OverlayCatalog(catalog, [corrected]).by_domain("openai.com")
    assert {p.id for p in kept} == {p.id for p in before}
    assert {p.kind for p in kept if p.id == "openai-platform"} == {"not_ai"}


def test_a_claimed_name_is_the_layers_alone_unless_it_is_a_namesake(catalog: Catalog) -> None:
    shipped = [hit.product.id for hit in catalog.by_name("claude")]
    assert shipped
    claimed = OverlayCatalog(catalog, [entry("acme", name="Claude", vendor="Acme")])
    assert [hit.product.id for hit in claimed.by_name("claude")] == ["acme"]
    humble = OverlayCatalog(catalog, [entry("acme", name="Claude", vendor="Acme", namesake=True)])
    assert {hit.product.id for hit in humble.by_name("claude")} == {"acme", *shipped}
    # The vendor of a product does not take the vendor's other products away.
    vendor = OverlayCatalog(catalog, [entry("acme", name="Acme Thing", vendor="OpenAI")])
    assert {hit.product.id for hit in catalog.by_name("openai")} < {
        hit.product.id for hit in vendor.by_name("openai")
    }


def test_identification_and_look_alikes_follow_the_layer(catalog: Catalog) -> None:
    def told(facts: AppFacts, *layer: OverlayEntry) -> Any:
        return identify(facts, OverlayCatalog(catalog, layer), registrable_domain)

    unknown = AppFacts(
        "google", "client-1", "Harbour Ledger", domains=("https://ledger.harbour-tools.com/x",)
    )
    assert told(unknown).verdict == "unknown"
    for facts in (
        {"ids": {"google": ("CLIENT-1",)}},
        {"domains": ("harbour-tools.com",)},
        {"aliases": ("Harbour Ledger",)},
    ):
        now = told(unknown, entry("ledger", name="Ledger Mind", **facts))
        assert (now.verdict, now.product_id) == ("ai", "ledger")
    chatgpt = AppFacts("google", "x", "ChatGPT")
    assert told(chatgpt).product_id == "chatgpt"
    assert told(chatgpt, retraction("chatgpt")).product_id != "chatgpt"
    brand = entry("harbour", name="Harbourline", protected=True, domains=("harbourline.example",))
    fake = AppFacts("google", "y", "Harbоurline")  # with a Cyrillic letter
    assert lookalike(fake, catalog, registrable_domain) is None
    found = lookalike(fake, OverlayCatalog(catalog, [brand]), registrable_domain)
    assert found is not None
    assert (found.product_id, found.kind) == ("harbour", "homoglyph")


@pytest.mark.parametrize(
    "name", ["", " ", "!!", "a\u202eb", "a\r\nb", "\x00", "\ud800", "x" * 81, "\u200b", "a\u0085b"]
)
def test_names_that_are_none_or_cannot_be_seen_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        ProductEntry(name=name, category="ai_agent", kind="ai")


def test_looking_up_stays_in_memory_under_a_full_layer(record_property: pytest.FixtureRequest) -> None:
    """Printed, not asserted against a clock: how long a look-up takes beside a thousand entries."""
    layer = [
        entry(f"p-{n}", name=f"Product {n}", domains=(f"p{n}.example",), ids={"google": (f"c{n}",)})
        for n in range(1_000)
    ]
    began = time.perf_counter()
    catalog = OverlayCatalog(Nothing(), layer)
    built = time.perf_counter()
    for n in range(1_000):
        assert catalog.by_id("google", f"c{n}")
        assert catalog.by_domain(f"p{n}.example")
        assert catalog.by_name(f"product{n}")
    looked = (time.perf_counter() - built) / 3_000
    record_property("build_ms", f"{(built - began) * 1000:.1f}")
    record_property("look_up_us", f"{looked * 1e6:.1f}")
