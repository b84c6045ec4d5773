"""`catalog identify`: one app, and a stream of them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scripts.admin_cli.app import app
from scripts.admin_cli.app_lines import MAX_LINE, LineError, read_line
from scripts.build import checkout


def _stream(*lines: object) -> tuple[int, list[dict]]:
    raw = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    ran = CliRunner().invoke(app, ["catalog", "identify", "--jsonl"], input=raw)
    return ran.exit_code, [json.loads(line) for line in ran.stdout.splitlines()]


def test_a_stream_is_answered_line_by_line() -> None:
    code, answers = _stream(
        {"id": "x1", "name": "ChatGPT", "provider": "google"},
        {"name": "Fathom", "domain": "https://fathom.video/login", "extra": 1},
        {"redirect_uris": ["https://app.fireflies.ai/cb"], "scopes": "openid email", "publisher": None},
        {"client_id": "e0476654-c1d5-430b-ab80-70cbd947616a", "provider": "Microsoft"},
        {},
    )
    assert code == 0
    assert [one["verdict"] for one in answers] == ["ai", "ai", "ai", "ai", "unknown"]
    assert [one["line"] for one in answers] == [1, 2, 3, 4, 5]
    assert answers[0]["id"] == "x1"
    assert set(answers[1]) == {"line", "verdict", "confidence", "vendor", "product", "category", "evidence"}
    assert (answers[1]["vendor"], answers[3]["product"]) == ("Fathom Video", "ChatGPT")
    assert all(isinstance(said, str) for one in answers for said in one["evidence"])


def test_bad_lines_are_named_and_stop_nothing() -> None:
    code, answers = _stream(
        {"name": 3},
        b"{oops",
        b"\xff\xfe",
        ["a"],
        {"domains": ["a.com", 4]},
        {"provider": "myspace"},
        b"",
        {"name": "ChatGPT"},
        b"[" * 5_000,
    )
    assert code == 1
    said = [one.get("error") for one in answers]
    assert said[0] == "line 1: name: expected text, got a number"
    assert said[1].startswith("line 2: line: no JSON")
    assert said[2].startswith("line 3: line: no JSON")
    assert said[3] == "line 4: line: expected an object, got a list"
    assert said[4] == "line 5: domains[1]: expected text, got a number"
    assert said[5].startswith("line 6: provider: is none of chrome, entra")
    assert (answers[6]["line"], answers[6]["verdict"]) == (8, "ai")
    assert said[7].startswith("line 9: line: ")


def test_a_line_without_end_is_refused_and_skipped() -> None:
    code, answers = _stream(b'{"name": "' + b"x" * (MAX_LINE + 9) + b'"}', {"name": "Slack"})
    assert (code, len(answers)) == (1, 2)
    assert "longer than" in answers[0]["error"]
    assert answers[1]["line"] == 2


@pytest.mark.parametrize("field", ["domain", "homepage", "redirect_uris", "reply_urls"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_addresses_may_be_text_or_lists(field: str, *, wrapped: bool) -> None:
    value = ["openai.com"] if wrapped else "openai.com"
    assert read_line(json.dumps({field: value}).encode()).facts.domains == ("openai.com",)
    with pytest.raises(LineError, match=field):
        read_line(json.dumps({field: {"a": 1}}).encode())


def test_one_app_for_people_and_programs() -> None:
    ran = CliRunner().invoke(app, ["catalog", "identify", "Otter.ai", "--json"])
    assert json.loads(ran.stdout)["verdict"] == "ai"
    ran = CliRunner().invoke(app, ["catalog", "identify", "Nameless", "--domain", "slack.com"])
    assert "Slack" in ran.stdout
    assert CliRunner().invoke(app, ["catalog", "identify"]).exit_code == 2


def test_knowledge_is_compiled_once_and_again_when_its_sources_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, home = tmp_path / "log", tmp_path / "home"
    script = f"import sys; open({str(log)!r}, 'a').write('x'); open(sys.argv[1] + '/catalog.sqlite', 'w')"
    monkeypatch.setattr(checkout, "_COMPILE", script)
    first = checkout.shipped_catalog(home)
    assert first.exists()
    assert checkout.shipped_catalog(home) == first
    assert log.read_text() == "x"
    for number in range(1, 6):
        monkeypatch.setattr(checkout, "_revision", lambda number=number: f"{number:016x}")
        assert checkout.shipped_catalog(home) != first
    assert log.read_text() == "x" * 6
    assert len(list(home.iterdir())) == 3


def test_what_is_compiled_depends_on_every_source(monkeypatch: pytest.MonkeyPatch) -> None:
    before = checkout._revision()
    real = Path.read_bytes
    for name in ("ai_meeting.yaml", "calibration.json", "compile_catalog.py", "catalog_listing.py"):

        def changed(path: Path, name: str = name) -> bytes:
            return real(path) + b"#" if path.name == name else real(path)

        monkeypatch.setattr(Path, "read_bytes", changed)
        assert checkout._revision() != before, name
        monkeypatch.setattr(Path, "read_bytes", real)
