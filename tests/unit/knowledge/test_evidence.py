"""Which evidence decides, on a small catalog made for the purpose."""

from collections.abc import Iterator

import pytest

from lantern.domain.addresses import hosts, resolve
from lantern.domain.identification import AppFacts, identify
from lantern.services.catalog import Catalog
from lantern.services.domains import registrable_domain
from scripts.build.compile_catalog import FILE_NAME, compile_to

_ORDINARY = """
category: test_ordinary
kind: not_ai
products:
  portly: {name: Portly, domains: [portly.com]}
  carbon: {name: Carbon, common: true, domains: [carbon.com]}
  tally-books: {name: Tally Books, vendor: Mixed, domains: [mixed.com]}
  forms: {name: Mixed Forms, vendor: Mixed, kind: embedded_ai, domains: [mixed.com]}
  granite-hr: {name: Granite, vendor: Granite HR, common: true, namesake: true, domains: [granitehr.com]}
  slate-crm: {name: Slate, vendor: Slate CRM, common: true, namesake: true, domains: [slatecrm.com]}
  hub: {name: Hub, vendor: Hubware, kind: embedded_ai, domains: [hub.dev]}
  host: {name: Hostico, hosts_others: true, domains: [hostico.com]}
  multi: {name: Multi, domains: [multi.co]}
"""
_AI = """
category: ai_test
kind: ai
products:
  zubromind: {name: Zubromind, vendor: Zubro Labs, protected: true, domains: [zubromind.com], aliases: [Quill]}
  scout-ai: {name: Scout AI, common: true, domains: [scoutai.dev]}
  pilot: {name: Pilot, vendor: Pilot Labs, common: true, domains: [pilotlabs.dev]}
  lexicon: {name: Lexicon AI, common: true, well_known: true, domains: [lexicon.art]}
  granite: {name: Granite, vendor: Granite AI, common: true, namesake: true, well_known: true, domains: [granite.ml]}
  slate: {name: Slate, vendor: Slate AI, common: true, namesake: true, domains: [slate.ml]}
  hub-agent: {name: Hub Agent, vendor: Hubware, domains: [hub.dev]}
  hub-writer: {name: Hubwriter, vendor: Hubware}
  plum: {name: Plum Art, domains: [plum.art]}
  otterly: {name: Otterly.ai, domains: [otterly.ai]}
  lab-one: {name: Lab One, vendor: Hidden Company, domains: [labone.net]}
"""  # noqa: E501 # one entry a line


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    folder = tmp_path_factory.mktemp("small")
    (folder / "a.yaml").write_text(_ORDINARY, encoding="utf-8")
    (folder / "b.yaml").write_text(_AI, encoding="utf-8")
    compile_to(folder / "out", folder)
    with Catalog(folder / "out" / FILE_NAME) as catalog:
        yield catalog


def _ask(catalog: Catalog, name: str = "", *domains: str, **facts):
    made = AppFacts(
        facts.pop("provider", "google"), facts.pop("client_id", ""), name, domains=domains, **facts
    )
    return identify(made, catalog, registrable_domain)


@pytest.mark.parametrize(
    ("name", "domains", "verdict", "product", "basis"),
    [
        ("Zubromind", (), "ai", "Zubromind", "name:exact:distinct"),
        ("Zubromind", ("app.zubromind.com",), "ai", "Zubromind", "domain:name"),
        ("Anything", ("app.zubromind.com",), "ai", "Zubromind", "domain"),
        ("Zubromind", ("customer.example.org",), "ai", "Zubromind", "name:exact:distinct:foreign"),
        ("Zubromind Sidebar Helper", (), "ai", "Zubromind", "name:prefix:distinct"),
        ("Quill", (), "ai", "Zubromind", "name:alias:distinct"),
        ("Otterly", (), "ai", "Otterly.ai", "name:derived:distinct"),
        ("Otterly.ai Notetaker", (), "ai", "Otterly.ai", "name:domain"),
        ("Lexicon", (), "ai", "Lexicon AI", "name:derived:famous"),
        ("Plum", (), "ai", "Plum Art", "name:derived:distinct"),
        ("", ("hub.dev",), "embedded_ai", "Hub", "domain:flagship"),
        ("Hub Agent", ("hub.dev",), "ai", "Hub Agent", "domain:name"),
        ("Hubwriter", ("hub.dev",), "ai", "Hubwriter", "domain:name"),
        ("Portly", (), "not_ai", "Portly", "name:exact:distinct"),
        ("Portly AI", (), "embedded_ai", "Portly", "name:ai_edition"),
        ("MultiOn", (), "unknown", None, ""),
        ("Scout", (), "unknown", None, ""),
        ("Hidden Company", (), "unknown", None, ""),
    ],
)
def test_the_strongest_evidence_decides(
    small: Catalog, name: str, domains: tuple[str, ...], verdict: str, product: str | None, basis: str
) -> None:
    found = _ask(small, name, *domains)
    assert (found.verdict, found.product, found.basis) == (verdict, product, basis), found.evidence


def test_a_bare_ordinary_word_is_less_sure_than_a_name_of_its_own(small: Catalog) -> None:
    common, famous, distinct = (_ask(small, name).confidence for name in ("Pilot", "Lexicon", "Zubromind"))
    assert common < famous < distinct


@pytest.mark.parametrize("domain", ["pilot.com", "getpilot.com", "pilot-school.example.org"])
def test_an_ordinary_word_with_a_domain_of_its_own_is_somebody_else(small: Catalog, domain: str) -> None:
    assert _ask(small, "Pilot", domain).product is None


def test_a_namesake_is_told_by_fame_domain_or_publisher(small: Catalog) -> None:
    assert (_ask(small, "Granite").vendor, _ask(small, "Slate").verdict) == ("Granite AI", "unknown")
    assert "only a domain or an id would tell" in _ask(small, "Slate").evidence[-1].sentence
    assert _ask(small, "Slate", "slate.ml").vendor == "Slate AI"
    assert _ask(small, "Slate", "slatecrm.com").vendor == "Slate CRM"
    assert _ask(small, "Slate", publisher="Slate AI, Inc.").vendor == "Slate AI"
    assert _ask(small, "Granite", publisher="Granite HR GmbH").vendor == "Granite HR"


def test_a_strange_publisher_lowers_and_the_right_one_raises(small: Catalog) -> None:
    own, strange, none = (
        _ask(small, "Zubromind", publisher=one) for one in ("Zubro Labs OpCo, LLC", "Bob Smith", None)
    )
    assert own.basis == "name:publisher"
    assert strange.confidence < none.confidence
    assert "publisher" in strange.evidence[-1].sentence
    assert _ask(small, "Pilot", publisher="Bob Smith").verdict == "unknown"


def test_an_ai_edition_needs_the_name_to_be_that_vendors(small: Catalog) -> None:
    for found in (_ask(small, "Carbon AI"), _ask(small, "Portly AI", "portly.ai")):
        assert found.basis in {"signals", ""}
        assert found.product is None


def test_a_vendor_of_ordinary_products_is_no_riddle(small: Catalog) -> None:
    found = _ask(small, "Production client 7", "mixed.com")
    assert found.verdict in {"not_ai", "embedded_ai"}
    assert found.vendor == "Mixed"


def test_an_id_is_found_without_a_provider(catalog: Catalog) -> None:
    found = _ask(catalog, provider="", client_id="e0476654-c1d5-430b-ab80-70cbd947616a")
    assert (found.product, found.basis) == ("ChatGPT", "id")


@pytest.mark.parametrize(
    "address",
    ["foo.vercel.app", "https://x.github.io/a", "sites.google.com/view/x", "tenant.auth0.com",
     "d111.cloudfront.net", "x.okta.com", "https://abc.chromiumapp.org/cb", "shop.hostico.com",
     "localhost:3000", "10.0.0.1", "", "///", "[::1]"],
)  # fmt: skip
def test_addresses_of_strangers_identify_nobody(small: Catalog, address: str) -> None:
    assert resolve((address,), small, registrable_domain).own == ()
    assert _ask(small, "Class Schedule", address).verdict == "unknown"


def test_hosts_are_sorted_and_said_once() -> None:
    assert hosts(["https://B.com/x", "a.com", "b.com", "me@a.com", "nohost"]) == ("a.com", "b.com")


@pytest.mark.parametrize(("name", "readings"), [("Зубромайнд", 0), ("ПОРТЛИ", 1), ("Портли", 1)])
def test_names_are_transliterated(small: Catalog, name: str, readings: int) -> None:
    assert (_ask(small, name).product == "Portly") == bool(readings)
