"""The evaluation: its files, its figures, and the floor below which it must not fall."""

import json
from collections import Counter
from pathlib import Path

import pytest

from lantern.domain.identification import Identification
from lantern.domain.names import key
from scripts.bench import catalog as bench
from scripts.build.compile_catalog import read_rows
from scripts.eval.cases import GROUPS, Case, CaseError, ambiguous_names, read_cases
from scripts.eval.catalogs import judge_of, known_in, without
from scripts.eval.measure import Outcome, calibration, facts, worst
from scripts.eval.plain_rule import plain_rule
from scripts.eval.report import as_data, as_text, measure


def test_the_set_is_large_and_says_nothing_twice() -> None:
    cases = read_cases()
    sizes = Counter(case.group for case in cases)
    assert sizes["best_known"] >= 300
    assert sizes["long_tail"] >= 900
    assert sizes["ordinary"] >= 1_200
    doubles = Counter((case.group, case.name, case.domain) for case in cases)
    assert [case for case, count in doubles.items() if count > 1] == []
    assert {case.truth for case in cases if case.group in {"best_known", "long_tail"}} == {"ai"}
    assert "ai" not in {case.truth for case in cases if case.group in {"ordinary", "hard_negatives"}}


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    for group in GROUPS:
        (tmp_path / f"{group}.tsv").write_text("A\ta.com\tai\nB\tb.com\tmaybe\n", encoding="utf-8")
    with pytest.raises(CaseError, match=r"best_known\.tsv: 2"):
        read_cases(tmp_path)


def test_the_plain_rule_reads_tokens() -> None:
    assert all(
        plain_rule(name, domain) for name, domain in [("Otter AI", None), ("GPT4All", None), ("X", "x.ai")]
    )
    assert not any(plain_rule(name, None) for name in ("Airbyte", "Air Canada", "Mailchimp", "Mumbai Metro"))


def _outcome(truth: str, verdict: str, confidence: float) -> Outcome:
    case = Case("ordinary", "Name", None, truth)  # type: ignore[arg-type]
    return Outcome(case, "name", Identification(verdict, confidence))  # type: ignore[arg-type]


def test_calibration_by_hand() -> None:
    outcomes = [_outcome("ai", "ai", 0.9)] * 9 + [
        _outcome("not_ai", "ai", 0.9),
        _outcome("ai", "unknown", 0.1),
    ]
    found = calibration(outcomes)
    assert [(one.count, round(one.right, 2)) for one in found.bins] == [(10, 0.9)]
    assert found.ece == pytest.approx(0.0)
    assert found.brier == pytest.approx(0.09)
    assert calibration([]).brier == 0
    assert worst(outcomes, 5) == [outcomes[9], outcomes[10]]


def test_views_show_what_they_say() -> None:
    case = Case("ordinary", "Slack", "slack.com", "not_ai")
    assert (facts(case, "name").domains, facts(case, "domain").name) == ((), "")
    assert facts(case, "name_and_domain").domains == ("slack.com",)


def test_worlds_take_away_what_they_say() -> None:
    rows, cases = read_rows(), read_cases()
    unlisted = known_in("unlisted", rows, cases)
    names = {key(case.name) for case in cases}
    assert not any(key(row.product.name) in names for row in unlisted)
    assert known_in("listed", rows, cases) == rows
    kept = known_in("ordinary_unlisted", rows, cases)
    assert sum(row.product.kind == "ai" for row in kept) == sum(row.product.kind == "ai" for row in rows)
    assert list(without(rows, [])) == rows


def test_apps_that_nobody_listed_are_found_better_than_by_the_plain_rule_and_seldom_wrongly() -> None:
    rows, cases = read_rows(), read_cases()
    with judge_of("unlisted", rows, cases) as judge:
        report = measure("unlisted", cases, judge, 5)
    lines = {(line.group, line.view): line for line in report.lines}
    for view in ("name_and_domain", "name", "domain"):
        assert lines["long_tail", view].found > lines["long_tail", view].plain_found
        assert lines["ordinary", view].false_alarms <= 0.01
    assert lines["long_tail", "name_and_domain"].found >= 0.5
    assert report.precision >= 0.97
    assert report.calibration.ece < 0.1
    assert "Worst misses" in "\n".join(as_text(report))
    assert json.loads(json.dumps(as_data(report)))["world"] == "unlisted"


def test_names_of_both_kinds_are_ambiguous() -> None:
    both = [Case("long_tail", "Stitch", "a.com", "ai"), Case("ordinary", "stitch", "b.com", "not_ai")]
    assert ambiguous_names(both) == {"stitch"}


def test_the_benchmark_measures_generated_rows(tmp_path: Path) -> None:
    rows = bench.generated(300)
    assert [row.product for row in rows] == [row.product for row in bench.generated(300)]
    found = bench.measure(rows, tmp_path / "catalog.sqlite")
    assert found.rows == 300
    assert min(found.open_ms, found.id_us, found.domain_us, found.identify_ms) > 0
    assert bench.dictionary_us(1_000) > 0
