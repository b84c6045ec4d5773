"""What holds for any text: an answer, the same one, whatever the order and the spaces."""

import random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lantern.domain.identification import AppFacts, Identification, identify
from lantern.services.catalog import Catalog
from lantern.services.domains import registrable_domain
from scripts.build.compile_catalog import read_rows

_ANY = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_DOMAINS = st.lists(
    st.sampled_from(
        ["openai.com", "https://slack.com/x", "foo.ai", "x.github.io", "claude.ai", "zz.example.org"]
    )
    | st.text(max_size=40),
    max_size=5,
)


def _ask(catalog: Catalog, name: str, **facts) -> Identification:
    return identify(AppFacts("google", "", name, **facts), catalog, registrable_domain)


@_ANY
@given(
    name=st.text(max_size=300),
    publisher=st.none() | st.text(max_size=60),
    domains=_DOMAINS,
    scopes=st.frozensets(st.text(max_size=30), max_size=3),
)
def test_any_text_gets_one_answer(catalog: Catalog, name, publisher, domains, scopes) -> None:
    facts = {"publisher": publisher, "domains": tuple(domains), "scopes": scopes}
    found = _ask(catalog, name, **facts)
    assert 0 <= found.confidence <= 0.99
    assert (found.verdict == "unknown") == (found.basis == "")
    assert found.verdict == "unknown" or (found.evidence and found.confidence >= 0.5)
    assert found == _ask(catalog, name, **facts)


@_ANY
@given(name=st.text(max_size=60), domains=_DOMAINS, seed=st.integers(0, 99))
def test_the_order_of_domains_does_not_matter(catalog: Catalog, name, domains, seed) -> None:
    shuffled = random.Random(seed).sample(domains, len(domains))
    assert _ask(catalog, name, domains=tuple(domains)) == _ask(catalog, name, domains=tuple(shuffled))


@_ANY
@given(
    parts=st.lists(st.text("abAI .-é", min_size=1, max_size=9), max_size=4),
    gap=st.sampled_from([" ", "  ", "\t", "\u00a0"]),
)
# "A - é A": a later part that is said to be the maker, with the spaces doubled inside it.
@example(parts=["A", "-", "é", "A"], gap=" ")
@example(parts=["Notes", "by", "Read", "AI"], gap="\t")
def test_spaces_do_not_matter(catalog: Catalog, parts, gap) -> None:
    assert _ask(catalog, " ".join(parts)) == _ask(catalog, f" {gap}".join(parts) + gap)


def test_case_and_invisible_letters_do_not_matter_for_listed_names(catalog: Catalog) -> None:
    for row in random.Random(3).sample(read_rows(), 200):
        name = row.product.name
        plain = _ask(catalog, name)
        for written in (name.upper(), name.lower(), f"\u200b{name}", f"{name}™".replace("™", " ")):
            assert _ask(catalog, written).verdict == plain.verdict, written


@pytest.mark.parametrize(
    "name",
    ["", " ", "\x00", "\u202eTPGtahC", "A" * 100_000, "q." * 5_000, "(" * 3_000, "ai " * 2_000, "🤖" * 500,
     "\ud800", "<script>alert(1)</script>", "'; DROP TABLE product;--", "%s%n{0}", "ﷺ" * 200, "\u0300" * 999],
)  # fmt: skip
def test_hostile_names_are_answered_quickly(catalog: Catalog, name: str) -> None:
    assert _ask(catalog, name, publisher=name, domains=(name, name)).product is None
