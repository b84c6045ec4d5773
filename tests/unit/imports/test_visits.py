"""A log, folded: what a host leads to, what is kept of it, and that memory does not grow with the log."""

import tracemalloc
from collections.abc import Iterator
from datetime import date
from functools import cache

import pytest

from lantern.connectors.imports.formats import read
from lantern.domain.exports.rows import AccountRow, GrantRow, VisitRow
from lantern.domain.visit_targets import Resolve, Target, resolver
from lantern.domain.visits import MAX_CANDIDATES, UNNAMED, Candidate, VisitCounts, Visits, joined
from lantern.services.catalog import Catalog
from lantern.services.domains import registrable_domain
from scripts.build.checkout import shipped_content

DAY = date(2026, 1, 5)


@cache
def shipped() -> Resolve:
    return resolver(Catalog(shipped_content() / "catalog.sqlite"), registrable_domain)


@pytest.mark.parametrize(
    ("host", "kind", "name"),
    [
        ("chatgpt.com", "product", "ChatGPT"),
        ("ws.chatgpt.com", "product", "ChatGPT"),
        ("gemini.google.com", "product", "Gemini"),
        ("mail.google.com", "product", "Gmail"),
        ("api.githubcopilot.com", "product", "GitHub Copilot"),
        ("www.google.com", "shared", ""),
        ("github.com", "shared", ""),
        ("someone.github.io", "elsewhere", ""),
        ("d111.cloudfront.net", "shared", ""),
        ("e1.a.akamaiedge.net", "shared", ""),
        ("openai-cdn.akamaized.net", "shared", ""),
        ("fonts.gstatic.com", "shared", ""),
        ("ai-writer.azurewebsites.net", "shared", ""),
        ("portal.azure.com", "ordinary", ""),
        ("192.0.2.7", "address", ""),
        ("2001:db8::1", "address", ""),
        ("intranet", "elsewhere", ""),
        ("acme-intranet.com", "elsewhere", ""),
        ("gptwriter.ai", "candidate", "gptwriter.ai"),
        ("app.super-ai-writer.io", "candidate", "super-ai-writer.io"),
        ("xn--80ak6aa92e.com", "elsewhere", ""),
        ("claude.some-unlisted-shop.com", "elsewhere", ""),
    ],
)
def test_where_a_host_leads(host: str, kind: str, name: str) -> None:
    found = shipped()(host)
    assert (found.kind, found.name) == (kind, name)
    assert bool(found.key) == (kind in ("product", "candidate"))
    assert bool(found.reasons) == (kind == "candidate")


def test_hosts_of_one_product_are_one_app_that_is_found_again_by_its_own_facts() -> None:
    one, other = shipped()("chatgpt.com"), shipped()("chat.openai.com")
    assert one == other
    assert "chatgpt.com" in one.domains


def fake(host: str) -> Target:
    if host.endswith(".ai"):
        return Target("product", host, host.upper(), (host,))
    if host.endswith(".cand"):
        return Target("candidate", host, host, (host,), 0.9, ("spelled like it",))
    return Target("elsewhere")


def folded(*rows: VisitRow) -> Visits:
    visits = Visits(fake, DAY)
    for row in rows:
        assert visits.add(row) is None
    return visits


def row(host: str, user: str | None = "ada@x.example", out: int | None = 1, day: date = DAY) -> VisitRow:
    return VisitRow(1, day, user, host, out, 2)


def test_lines_add_up_by_account_product_and_day() -> None:
    earlier = date(2026, 1, 4)
    visits = folded(
        row("a.ai"), row("a.ai", out=5), row("a.ai", "ADA@x.example", None), row("a.ai", day=earlier),
        row("b.ai", "ben"), row("a.ai", None), row("shop.com"),
    )  # fmt: skip
    assert {tuple(one) for one in visits.visits()} == {
        ("ada@x.example", "a.ai", DAY, 3, 6, 6),
        ("ada@x.example", "a.ai", earlier, 1, 1, 2),
        ("ben", "b.ai", DAY, 1, 1, 2),
        (UNNAMED, "a.ai", DAY, 1, 1, 2),
    }
    assert visits.counts == VisitCounts(kept=6, elsewhere=1, unnamed=1)
    assert (visits.first, visits.last, visits.sized) == (earlier, DAY, True)
    said = list(visits.rows())
    assert [one.kind for one in said if isinstance(one, AccountRow)] == ["shared"]
    ada = next(one for one in said if isinstance(one, GrantRow) and one.account == "ada@x.example")
    assert (ada.provider, ada.kind, ada.app_name, ada.last_used) == ("web", "web", "A.AI", DAY)
    assert [(one.name, one.people, one.events, one.bytes_out) for one in visits.going()] == [
        ("A.AI", 2, 5, 8), ("B.AI", 1, 1, 1),
    ]  # fmt: skip


def test_a_log_without_sizes_says_so() -> None:
    assert not folded(row("a.ai", out=None)).sized


def test_a_refused_line_is_no_visit_and_a_day_to_come_is_not_believed() -> None:
    visits = folded(VisitRow(1, DAY, "ada", "a.ai", 1, 1, blocked=True))
    assert visits.counts == VisitCounts(blocked=1)
    assert not list(visits.rows())
    assert visits.add(row("a.ai", day=date(2026, 1, 6))) is None, "clocks differ, and so do time zones"
    assert "not come yet" in str(visits.add(row("a.ai", day=date(2026, 1, 7))))
    assert visits.counts.kept == 1


def test_candidates_are_counted_and_bounded() -> None:
    visits = folded(row("x.cand"), row("x.cand", "ben"), row("x.cand", None), row("y.cand"))
    assert [(one.domain, one.events, one.people, one.bytes_out) for one in visits.candidates()] == [
        ("x.cand", 3, 2, 3), ("y.cand", 1, 1, 1),
    ]  # fmt: skip
    assert not list(visits.rows()), "what is no product is no app"
    many = folded(*(row(f"{n}.cand") for n in range(MAX_CANDIDATES + 5)))
    assert (many.counts.candidate, many.counts.elsewhere) == (MAX_CANDIDATES, 5)
    old = Candidate("x.cand", 0.9, ("r",), 10, 4, 7, 7)
    together = joined([old], many.candidates())
    assert (together[0], len(together)) == (old, 100)
    assert joined([old], [old])[0] == Candidate("x.cand", 0.9, ("r",), 20, 4, 14, 14)


def _log(lines: int) -> Iterator[bytes]:
    """A log of 300 people, 60 products and other hosts without end; made while it is read."""
    yield b"time,user,host,bytes_out\n"
    for start in range(0, lines, 500):
        yield "".join(
            f"2026-01-0{n % 5 + 1}T10:00:00Z,p{n % 300}@x.example,"
            f"{f'{n % 60}.ai' if n % 3 else f'host{n}.example.com'},{n}\n"
            for n in range(start, start + 500)
        ).encode()


def _peak(lines: int) -> int:
    visits = Visits(fake, DAY)
    tracemalloc.start()
    try:
        for one in read(_log(lines), subject="visits").rows:
            assert isinstance(one, VisitRow)
            visits.add(one)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_log() -> None:
    _peak(1_000)  # what is made once
    # Caches of hosts and users fill up to their bound within the first of these.
    short, long = _peak(15_000), _peak(45_000)
    assert long < short * 1.15, (short, long)
    assert long < 8_000_000
