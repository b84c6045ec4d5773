"""`assess`: reads what it is given, says what it could not, and ends with the right code."""

import gzip
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scripts.admin_cli.assess.command import app
from tests.unit.imports.samples import GAM, USERS

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "docs" / "examples"
HOSTILE = (
    "user,clientId,displayText,anonymous,nativeApp,userKey,scopes\n"
    'a@x.example,1.apps.googleusercontent.com,"<img src=x onerror=alert(1)> ChatGPT",,,1,{drive}\n'
    'a@x.example,2.apps.googleusercontent.com,"=HYPERLINK(""http://evil"",""Claude AI"")",,,1,{drive}\n'
    'b@x.example,3.apps.googleusercontent.com,"AI \u202egnp.exe\u202c \x1b[31mred",,,2,{drive}\n'
    '"<b>eve</b>@x.example",4.apps.googleusercontent.com,"AI writer\r\nSet-Cookie: x",,,3,evil<script>\n'
).format(drive="https://www.googleapis.com/auth/drive")


def run(*arguments: object, stdin: bytes | str = "") -> tuple[int, str, str]:
    ran = CliRunner(env={"COLUMNS": "200"}).invoke(
        app, [*map(str, arguments), "--as-of", "2026-03-31"], input=stdin
    )
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    return ran.exit_code, ran.stdout, ran.stderr


def parsed(*arguments: object, stdin: bytes | str = "") -> tuple[int, Any]:
    code, out, _ = run(*arguments, "--json", stdin=stdin)
    return code, json.loads(out)


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_example_shows_what_the_documentation_says() -> None:
    code, out, err = run(EXAMPLES / "tokens.csv", EXAMPLES / "users.csv")
    assert (code, err) == (0, "")
    for title in (
        "Riskiest AI apps",
        "What AI can reach",
        "Findings",
        "Automations",
        "People who left",
        "do not say",
    ):
        assert title in out
    assert "█" in out


def test_json_holds_everything() -> None:
    code, found = parsed(EXAMPLES / "tokens.csv")
    assert code == 0
    assert found["as_of"] == "2026-03-31"
    assert found["counts"]["apps"] == len(found["apps"])
    first = found["apps"][0]
    assert {"name", "risk", "level", "reasons", "factors", "people", "reach", "why", "verdict"} <= set(first)
    assert found["bad_rows"] == []
    assert sum(one["findings"] for one in found["rules"]) == len(found["findings"])


def test_several_files_are_one_organisation() -> None:
    code, found = parsed(*sorted((EXAMPLES / "graph").glob("*.json")))
    assert code == 0
    assert [one["format"] for one in found["sources"]] == ["graph"] * 4
    assert {app["name"] for app in found["apps"]} == {"ChatGPT", "Fireflies.ai", "Mail digest bot"}
    _, users = parsed(EXAMPLES / "tokens.csv", EXAMPLES / "users.csv")
    assert users["counts"]["people"] == parsed(EXAMPLES / "tokens.csv")[1]["counts"]["people"]
    assert users["counts"]["leavers"] > 0


def test_standard_input_and_gzip(tmp_path: Path) -> None:
    plain = parsed(put(tmp_path, "t.csv", GAM))[1]["apps"]
    assert parsed("-", stdin=GAM)[1]["apps"] == plain
    assert parsed(put(tmp_path, "t.csv.gz", gzip.compress(GAM.encode())))[1]["apps"] == plain
    assert parsed("-", stdin=gzip.compress(GAM.encode()))[1]["apps"] == plain


def test_bad_rows_are_named_and_do_not_stop_the_rest(tmp_path: Path) -> None:
    faulty = GAM + "".join(f",c{n},Tool,,,,openid\n" for n in range(25))
    path = put(tmp_path, "t.csv", faulty)
    code, out, err = run(path)
    assert code == 1
    assert "Riskiest AI apps" in out
    assert "25 rows could not be used" in err
    assert "t.csv, line 4: the column user is empty" in err
    assert "15 more: --json lists them" in err
    code, found = parsed(path)
    assert code == 1
    assert len(found["bad_rows"]) == found["counts"]["bad_rows"] == 25
    assert found["bad_rows"][0] == {"file": "t.csv", "line": 4, "reason": "the column user is empty"}


def test_a_file_that_is_not_recognised_does_not_stop_the_others(tmp_path: Path) -> None:
    good, other = put(tmp_path, "t.csv", GAM), put(tmp_path, "x.csv", "hello,world\n1,2\n")
    code, out, err = run(good, other, tmp_path / "gone.csv")
    assert code == 1
    assert "Riskiest AI apps" in out
    assert "x.csv: The first line is 'hello,world'. Expected one of: GAM tokens CSV" in err
    assert "gone.csv: The file cannot be opened" in err


@pytest.mark.parametrize("content", ["", "hello\n", "{}", "user,clientId,displayText,scopes\n"])
def test_nothing_readable(tmp_path: Path, content: str) -> None:
    path = put(tmp_path, "x", content)
    code, out, err = run(path)
    assert (code, out) == (2, "")
    assert "Nothing could be read." in err
    code, found = parsed(path)
    assert code == 2
    assert found["error"]["message"] == "Nothing could be read."


def test_a_cut_off_file_is_said(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv.gz", gzip.compress(GAM.encode() * 3_000)[:-30])
    code, _, err = run(path)
    assert code == 1
    assert "cut off" in err


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [("--provider", "gogle", "not known"), ("--html", "/nowhere/at/all.html", "cannot be written")],
)
def test_options_that_make_no_sense(tmp_path: Path, option: str, value: str, word: str) -> None:
    code, _, err = run(put(tmp_path, "t.csv", GAM), option, value)
    assert code == 2
    assert word in err


def test_a_day_that_is_none(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, [str(put(tmp_path, "t.csv", GAM)), "--as-of", "soon"])
    assert ran.exit_code == 2
    assert "is no date" in ran.stderr


def test_hostile_names_are_inert_on_a_terminal(tmp_path: Path) -> None:
    code, out, err = run(put(tmp_path, "\x1b[31mt.csv", HOSTILE))
    assert code == 0
    for char in ("\x1b", "\u202e", "\u202c", "\r", "\x00"):
        assert char not in out + err
    assert "\nSet-Cookie" not in out
    _, found = parsed(put(tmp_path, "t.csv", HOSTILE))
    assert "\u202e" not in json.dumps(found)  # written as an escape


def test_the_verb_starts_without_a_cloud_library(tmp_path: Path) -> None:
    script = (
        "import runpy, sys\nsys.argv = ['admin.py', 'assess', sys.argv[1], '--json']\n"
        "try: runpy.run_path('scripts/admin.py', run_name='__main__')\nexcept SystemExit: pass\n"
        "slow = {'boto3', 'botocore', 'pynamodb', 'moto', 'requests'} & set(sys.modules)\n"
        "print(sorted(slow), file=sys.stderr)"
    )
    path = put(tmp_path, "t.csv", GAM)
    ran = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stderr.strip() == "[]"


_WATCH = """
import resource, subprocess, sys
command = [sys.executable, "scripts/admin.py", "assess", *sys.argv[1:]]
code = subprocess.run(command, stdout=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _peak(path: Path, *options: str) -> float:
    """Peak memory of a run of its own, in MB."""
    ran = subprocess.run(
        [sys.executable, "-c", _WATCH, str(path), *options], cwd=ROOT, capture_output=True, text=True,
        check=True, env={**os.environ, "COLUMNS": "120"},
    )  # fmt: skip
    code, peak = ran.stdout.split()
    assert code == "0", ran.stderr
    return int(peak) / (1024 if sys.platform != "darwin" else 1024 * 1024)


SETS = [
    "openid",
    "https://www.googleapis.com/auth/drive",
    "https://www.googleapis.com/auth/gmail.readonly openid",
]
NAMES = ["ChatGPT", "Claude", "Slack", "Zapier"]


def test_thirty_thousand_rows_stay_under_130_mb(tmp_path: Path) -> None:
    """Of which more than 80 are there without any rows."""
    _stays_small(tmp_path, 30_000, 130)


@pytest.mark.prove
def test_two_hundred_thousand_rows_stay_under_200_mb(tmp_path: Path) -> None:
    _stays_small(tmp_path, 200_000, 200)


def _stays_small(tmp_path: Path, count: int, megabytes: int) -> None:
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # the measure is there
    table, array = tmp_path / "big.csv", tmp_path / "big.json"
    with table.open("w") as rows, array.open("w") as items:
        rows.write(GAM.partition("\n")[0] + "\n")
        items.write('{"items": [')
        for n in range(count):
            name, scopes = NAMES[n % 4] if n % 3 else f"Tool {n % 3_000}", SETS[n % 7 % 3]
            rows.write(
                f"p{n // 20}@x.example,{n % 3_000}.apps.googleusercontent.com,{name},,,{n // 20},{scopes}\n"
            )
            one = {
                "userKey": str(n // 20),
                "clientId": f"{n % 3_000}.apps",
                "displayText": name,
                "scopes": scopes.split(),
            }
            items.write(("," if n else "") + json.dumps(one))
        items.write("]}")
    assert _peak(table, "--html", str(tmp_path / "r.html")) < megabytes
    assert _peak(array, "--json") < megabytes


def test_users_alone_are_people_without_apps(tmp_path: Path) -> None:
    code, found = parsed(put(tmp_path, "u.csv", USERS))
    assert code == 0
    assert (found["counts"]["people"], found["counts"]["apps"]) == (2, 0)


def test_a_log_shows_ai_that_nobody_consented_to(tmp_path: Path) -> None:
    lines = "".join(f"2026-03-30T10:00:00Z,p{n % 3}@x.example,{host},1000,5\n" for n, host in enumerate(
        ["chatgpt.com", "ws.chatgpt.com", "chatgpt.com", "gptwriter.ai", "www.some-shop.com", "1.2.3.4"]
    ))  # fmt: skip
    log = put(
        tmp_path,
        "proxy.csv",
        f"time,user,host,bytes_out,bytes_in\n{lines}2026-05-01T10:00:00Z,a,claude.ai,1,1\n",
    )
    tokens = put(tmp_path, "tokens.csv", GAM)
    code, found = parsed(log, tokens)
    assert code == 1
    assert [(one["line"], "not come yet" in one["reason"]) for one in found["bad_rows"]] == [(8, True)]
    chatgpt = [one for one in found["apps"] if one["provider"] == "web"]
    assert [(one["name"], one["verdict"], one["people"], one["severity"]) for one in chatgpt] == [
        ("ChatGPT", "ai", 3, "low")
    ]
    assert found["visits"]["kept"] == 3
    assert [(one["domain"], one["people"]) for one in found["candidates"]] == [("gptwriter.ai", 1)]
    assert not [one for one in found["unknown_scopes"] if one["scope"] == "web:visit"]
    _, out, _ = run(log)
    for said in (
        "Seen going to AI",
        "3,000",
        "In no catalog, and looks like AI",
        "gptwriter.ai",
        "1 elsewhere",
    ):
        assert said in out
    assert "some-shop" not in out, "where else people go is nobody's business"
