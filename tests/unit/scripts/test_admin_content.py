"""`content`: what customers see of their rules on the command line."""

import json
from pathlib import Path

import yaml
from typer.testing import CliRunner

from scripts.admin_cli.content import app
from scripts.build.compile_rules import PAGES, SCHEMA, page_lines, schema_text
from tests.unit.rules.support import page

RUN = CliRunner()


def written(folder: Path, **changes: object) -> Path:
    path = folder / "idle-grant.yaml"
    path.write_text(yaml.safe_dump(page(**changes), sort_keys=False))
    return path


def test_a_sound_page_is_told_so_and_its_tests_are_listed(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert "pages: 1, problems: 0" in RUN.invoke(app, ["validate", str(tmp_path)]).stdout
    ran = RUN.invoke(app, ["test", str(path), "--json"])
    told = json.loads(ran.stdout)
    assert [(one["name"], one["expect"], one["problem"]) for one in told["tests"]] == [
        ("idle", "true", None), ("used", "false", None), ("not read", "unknown", None),
    ]  # fmt: skip
    assert ran.exit_code == 0


def test_what_is_wrong_is_named_with_file_line_and_the_valid_words(tmp_path: Path) -> None:
    path = written(tmp_path, where={"all": [{"field": "app.nmae", "eq": "x"}]}, respond="nuke")
    ran = RUN.invoke(app, ["validate", str(path), "--json"])
    problems = {one["path"]: one for one in json.loads(ran.stdout)["problems"]}
    lines = path.read_text().splitlines()
    wrong = problems["where.all.0.field"]
    assert "app.nmae" in lines[wrong["line"] - 1]
    assert "app.name" in wrong["message"]
    assert "nuke" in lines[problems["respond"]["line"] - 1]
    assert ran.exit_code == 1
    shown = RUN.invoke(app, ["validate", str(path)])
    assert f"idle-grant.yaml:{wrong['line']}: rule idle-grant: where.all.0.field" in shown.output


def test_a_failing_test_is_shown_among_the_others(tmp_path: Path) -> None:
    tests = [*page()["tests"], {"name": "wrong", "given": {"activity": {"idle_days": 10}}, "expect": True}]
    ran = RUN.invoke(app, ["test", str(written(tmp_path, tests=tests)), "--json"])
    told = {one["name"]: one["problem"] for one in json.loads(ran.stdout)["tests"]}
    assert [name for name, problem in told.items() if problem] == ["wrong"]
    assert "activity.idle_days=10" in told["wrong"]
    assert ran.exit_code == 1


def test_a_rule_explains_itself_as_a_page(tmp_path: Path) -> None:
    shown = RUN.invoke(app, ["explain", "chain-of-access"]).stdout
    for word in ("Why it matters", "What to do", "How grave", "What you can set", "connections", "Tests"):
        assert word in shown
    told = json.loads(RUN.invoke(app, ["explain", str(written(tmp_path)), "--json"]).stdout)
    assert told["condition"] == "activity.idle_days is at least $days"
    for wrong in (
        ["explain", "no-such"],
        ["validate", str(tmp_path / "none")],
        ["test", str(tmp_path / "x")],
    ):
        assert RUN.invoke(app, wrong).exit_code == 2


def test_the_committed_schema_is_what_is_printed() -> None:
    assert RUN.invoke(app, ["schema"]).stdout == schema_text()
    assert SCHEMA.read_text() == schema_text(), "run: python -m scripts.build.compile_rules --docs"


def test_lines_are_found_in_pages_as_people_write_them() -> None:
    text = (PAGES / "chain-of-access.yaml").read_text()
    lines = page_lines(text)
    assert text.splitlines()[lines["where.all.1.field"] - 1].strip().startswith("- {field: app.chain_connec")
