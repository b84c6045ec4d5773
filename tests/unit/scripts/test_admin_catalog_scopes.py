"""`catalog scopes` answers line by line, says what is wrong with a line, and goes on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scripts.admin_cli.catalog_scopes import app

ROOT = Path(__file__).resolve().parents[3]
DRIVE = "https://www.googleapis.com/auth/drive.readonly"


def run(*arguments: str, stdin: bytes | str = "") -> tuple[int, list[dict[str, object]], str]:
    ran = CliRunner(env={"COLUMNS": "240"}).invoke(app, list(arguments), input=stdin)
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    return ran.exit_code, [json.loads(line) for line in ran.stdout.splitlines()], ran.stderr


def test_each_line_is_answered_in_order() -> None:
    asked = [{"scope": DRIVE}, {"scope": "openid"}, {"scope": "who.knows"}]
    lines = "".join(json.dumps(one) + "\n" for one in asked)
    code, answers, _ = run("--provider", "google", "--jsonl", stdin=lines)
    assert code == 0
    assert answers[0] == {
        "scope": DRIVE,
        "type": None,
        "provider": "google",
        "data_class": "files",
        "access": "read",
        "severity": "high",
        "label": "restricted",
        "sentence": "Read every file in the person's Drive",
        "known": True,
        "source": "table",
    }
    assert [one["scope"] for one in answers] == [one["scope"] for one in asked]
    assert (answers[2]["known"], answers[2]["source"], answers[2]["severity"]) == (False, "unknown", "high")


def test_type_and_consent_decide_whom_it_reaches() -> None:
    lines = "\n".join(
        json.dumps({"scope": "Mail.Read", **how})
        for how in (
            {"type": "application"},
            {"type": "Delegated"},
            {"type": "delegated", "consent": "AllPrincipals"},
            {"type": "Role"},
            {"type": None},
        )
    )
    code, answers, _ = run("--provider", "entra", "--jsonl", stdin=lines)
    assert code == 0
    assert [one["severity"] for one in answers] == ["critical", "high", "critical", "critical", "critical"]
    assert [one["type"] for one in answers] == ["application", "delegated", "delegated", "application", None]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"scope": 7}', "scope: "),
        (b'{"scope": "  "}', "scope: "),
        (b"{}", "scope: "),
        (b'{"scope": "a", "type": "both"}', "type: "),
        (b'{"scope": "a", "type": 1}', "type: "),
        (b'{"scope": "a", "consent": "some"}', "consent: "),
        (b'{"scope": "' + b"x" * 70_000 + b'"}', "longer than"),
        (b"[" * 60_000, "not JSON"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_goes_on(line: bytes, said: str) -> None:
    stdin = b'{"scope": "Mail.Send"}\n\n' + line + b'\n{"scope": "Mail.Read"}'
    code, answers, err = run("--provider", "entra", "--jsonl", stdin=stdin)
    assert code == 1
    assert [one.get("scope") for one in answers] == ["Mail.Send", None, "Mail.Read"]
    assert set(answers[1]) == {"line", "error"}
    assert answers[1]["line"] == 3
    assert said in str(answers[1]["error"])
    assert err.startswith("1 of the lines")


def test_words_of_other_providers_for_the_type_are_let_through() -> None:
    code, answers, _ = run("--provider", "slack", "--jsonl", stdin='{"scope": "chat:write", "type": "bot"}')
    assert (code, answers[0]["access"]) == (0, "send")


def test_a_provider_without_a_table_and_another_form_are_refused() -> None:
    code, answers, err = run("--provider", "nobody", "--jsonl")
    assert (code, answers) == (2, [])
    assert "salesforce, slack, zoom" in err
    code, answers, err = run("--provider", "google")
    assert (code, answers) == (2, [])
    assert "--jsonl" in err


def test_it_works_from_the_command_line_without_the_cloud() -> None:
    program = (
        "import runpy, sys\n"
        "sys.argv = ['admin.py', 'catalog', 'scopes', '--provider', 'okta', '--jsonl']\n"
        "try:\n"
        "    runpy.run_path('scripts/admin.py', run_name='__main__')\n"
        "finally:\n"
        "    print([name for name in ('boto3', 'botocore') if name in sys.modules], file=sys.stderr)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith("AWS")},
        input=b'{"scope": "okta.users.manage"}\n',
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["severity"] == "critical"
    assert ran.stderr.strip() == b"[]"
