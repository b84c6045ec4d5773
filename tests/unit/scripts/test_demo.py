"""The demo itself: it never hangs, reads pages and metrics right, and its summary says what happened."""

import base64
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto import mock_aws
from rich.console import Console
from standardwebhooks import Webhook

from scripts.demo import __main__ as demo
from scripts.demo import across, alarms, incident, leaving, overscoped, people, report, runs, story, units
from scripts.demo.across import Across
from scripts.demo.browser import Form
from scripts.demo.evidence import Evidence
from scripts.demo.plot import Plot
from scripts.demo.receiver import receiving
from scripts.demo.story import Inventory, Past, Reading
from scripts.demo.waiting import DemoFailedError, Patience, tail
from scripts.instance.progress import Progress
from tests.simulators.google import GoogleSimulator, OAuthClient, OrgSpec
from tests.simulators.google.driver import Consent

NOW = datetime(2026, 3, 14, tzinfo=UTC)


class Ticks:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_waiting_ends_and_says_what_it_waited_for() -> None:
    ticks, said = Ticks(), []
    patience = Patience(said.append, ticks, ticks.sleep)
    with pytest.raises(DemoFailedError, match=r"after 5 s waiting for a miracle \(last seen: nothing yet\)"):
        patience.until("a miracle", 5, lambda: (None, "nothing yet"))
    assert ticks.now < 6
    assert said


def test_waiting_returns_what_was_found() -> None:
    ticks = Ticks()
    looks = iter([(None, "0"), (None, "1"), ("there", "2")])
    assert Patience(lambda _: None, ticks, ticks.sleep).until("it", 5, lambda: next(looks)) == "there"


def test_the_tail_shows_what_went_wrong(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("INFO fine\nERROR broken\nINFO fine again\n")
    assert tail(log) == "ERROR broken"
    log.write_text("INFO a\nINFO b\n")
    assert tail(log) == "INFO a\nINFO b"
    assert "does not exist" in tail(tmp_path / "gone")


def test_the_consent_page_is_filled_in_as_it_suggests() -> None:
    with GoogleSimulator(
        OrgSpec(10), clients=[OAuthClient("c", "s", ("http://127.0.0.1:9/cb",))]
    ) as simulator:
        page = Consent(simulator.base_url, OAuthClient("c", "s", ("http://127.0.0.1:9/cb",))).ask()
        form = Form()
        form.feed(page.text)
        assert form.action == "/o/oauth2/v2/auth/decide"
        names = [name for name, _ in form.fields]
        assert {"ticket", "email", "scope"} <= set(names)
        assert dict(form.fields)["email"] == simulator.org.admin.email


def test_unticked_boxes_are_not_sent() -> None:
    form = Form()
    form.feed('<form action="/x"><input type="checkbox" name="a" value="1"><input name="b" value="2">')
    assert (form.action, form.fields) == ("/x", [("b", "2")])


def test_lists_send_what_is_selected_and_the_first_button_is_pressed() -> None:
    form = Form()
    form.feed(
        "<form><select name=a><option value=1>x</option><option value=2 selected>y</option></select>"
        "<select name=b><option>first</option><option>second</option></select>"
        "<textarea name=c></textarea><button name=d value=yes>Go</button><button name=d value=no>No</button>"
    )
    assert (form.action, form.fields) == ("", [("a", "2"), ("b", "first"), ("c", ""), ("d", "yes")])


def test_units_are_summed_over_functions() -> None:
    with mock_aws():
        cloudwatch = boto3.client(
            "cloudwatch", region_name="eu-central-1", aws_access_key_id="k", aws_secret_access_key="s"
        )
        now = datetime.now(UTC)
        assert units.used(cloudwatch, "ReadUnits", now, now) == {}
        for service, value in (("api", 2.5), ("discovery", 4.0), ("discovery", 1.0)):
            cloudwatch.put_metric_data(
                Namespace="Lantern",
                MetricData=[
                    {
                        "MetricName": "ReadUnits",
                        "Value": value,
                        "Timestamp": now,
                        "Dimensions": [{"Name": "service", "Value": service}],
                    }
                ],
            )
        assert units.used(cloudwatch, "ReadUnits", now, now) == {"api": 2.5, "discovery": 5.0}


def row(number: int, **more: Any) -> dict[str, Any]:
    base = {"id": f"app_{number}", "name": f"App {number}", "risk": 90 - number, "holders": 9}
    return {**base, "provider": "google", "vendor": None, "lookalike_of": None, "connections": [], **more}


def person(email: str, departed: bool = True, **accounts: str) -> dict[str, Any]:
    held = [
        {"connection_id": f"con_{p[0]}", "provider": p, "status": s, "grants": 1, "principal_id": f"pri_{p}",
         "email": email}
        for p, s in accounts.items()
    ]  # fmt: skip
    return {"id": f"per_{email}", "email": email, "departed": departed, "accounts": held}


def plot() -> Plot:
    who = person("holder@example.com", departed=False, google="active", slack="active")
    finding = {
        "id": "f1", "rule_id": overscoped.RULE, "title": "AI app Evil\x1b[2J can reach sensitive data",
        "severity": "critical",
    }  # fmt: skip
    struck = {
        "id": "inc_1", "vendor": "Evil\u202e", "people": 8, "grants": 9, "data": ["files", "mail"],
        "exposed_from": "2026-03-11T00:00:00+00:00", "exposed_until": None,
    }  # fmt: skip
    return Plot(
        overscoped.Story(
            who, finding, {"id": "run_1"}, "Could you?", "Your answer: Remove its access. It goes.",
            3600, 4.0, 1.0, 2.0, 3.0,
        ),
        leaving.Story(
            who, {"id": "run_2", "approved_by": "key:2", "targets": [{}] * 5},
            Counter(verified=2, applied=1, manual=2), Counter({"Google Workspace": 2}), 2, 5.0, 6.0,
        ),
        incident.Story(
            struck, {"id": "run_3", "approved_by": "key:2", "targets": [{}] * 9},
            Counter(verified=7, manual=2), Counter(slack=3, email=5),
            Counter(button=1, page=1), 7.0,
        ),
        (Evidence("incident", Path("3.html"), Path("3.json"), {"verified": 7}, 41),),
        3,
        20,
    )  # fmt: skip


def outcome(metered: bool = True) -> report.Outcome:
    findings = tuple(
        {"id": f"f{n}", "rule_id": rule, "severity": severity}
        for n, (rule, severity) in enumerate([("stale-grant", "low")] * 3 + [("look-alike-app", "critical")])
    )
    apps = (row(1, name="Evil\x1b[2J\u202e"), row(2))
    readings = (
        Reading("con_g", "google", "Google Workspace", 250, 3400, 2, 7.5),
        Reading("con_s", "slack", "Slack", 60, 36, 1, 2.0),
    )
    part = {"connection_id": "con_s", "people": 1, "departed": 0, "data": ["chat"]}
    vendor = {
        "vendor_id": "openai", "vendor": "OpenAI", "people": 9, "departed": 1, "chains": [],
        "connections": [{**part, "apps": [{"name": "Evil\x1b[2J", "everyone": True}]}],
    }  # fmt: skip
    return report.Outcome(
        found=Inventory(readings, apps, apps, findings, {a["id"]: "because" for a in apps}, 9, 12),
        past=Past(findings, 28),
        joined=Across(
            vendor,
            person("a@example.com", google="archived", slack="active"),
            ("a@example.com",),
            {"con_g": "Google Workspace", "con_s": "Slack"},
        ),
        plot=plot(),
        audit_entries=23,
        read_units={"api": 5.0, "scoring": 7.0} if metered else {},
        write_units={"api": 1.0},
        setup_seconds=4,
        total_seconds=40,
    )


def test_the_summary_holds_what_was_promised(tmp_path: Path) -> None:
    report.write(tmp_path / "demo" / "summary.json", report.summary(outcome()))
    written = json.loads((tmp_path / "demo" / "summary.json").read_text())
    promised = (
        "principals apps ai_apps grants findings revoked verified consent_to_findings_seconds "
        "push_to_finding_seconds read_units write_units total_seconds"
    )
    assert set(promised.split()) <= set(written)
    assert (written["revoked"], written["verified"], written["findings"]) == (10, 10, 4)
    assert written["over_scoped_app"]["remaining_access_s"] == 3600
    assert written["leaver"]["outcomes"] == {"verified": 2, "applied": 1, "manual": 2}
    assert written["vendor_incident"]["asked_to_rotate"] == {"slack": 3, "email": 5}
    assert written["alerts"] == {"messages_to_people": 3, "signed_events_verified": 20}
    assert written["evidence"] == [{"kind": "incident", "html": "3.html", "json": "3.json"}]
    assert (written["read_units"], written["write_units"]) == (12.0, 1.0)
    assert (written["principals"], written["grants"]) == (310, 3436)
    assert written["connections"]["slack"]["consent_to_inventory_seconds"] == 2.0
    assert written["vendor"] == {"id": "openai", "connections": 1, "people": 9, "departed": 1}
    assert written["findings_by_rule"]["stale-grant"] == {"low": 3}


def test_tables_are_inert_and_say_what_was_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    report.show(Console(width=120, markup=False), outcome(metered=False))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "not metered" in out
    assert "Your answer: Remove its access" in out
    assert "7 of 9 grants" in out
    assert "tokens may work 3600 s more" in out
    assert "OpenAI across 1 connections: 9 people, 1 of them left" in out
    assert "1 + all" in out
    assert "a@example.com left (1 people who left have open accounts)" in out


class Reads:
    """An API that answers reads as told, by path."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers

    def get(self, path: str, **_: Any) -> Any:
        return self.answers[path]

    def all(self, path: str, *, connection_id: str) -> Any:
        return iter(self.answers[f"{path} {connection_id}"])


def test_the_vendor_at_most_connections_is_shown() -> None:
    apps = [
        row(1, vendor="OpenAI", connections=["g", "s"], holders=5),
        row(2, vendor="OpenAI", connections=["o"], holders=5),
        row(3, vendor="Anysphere", connections=["g"], holders=90),
        row(4, vendor="Evil", connections=["g", "s", "o", "x"], lookalike_of="ChatGPT"),
        row(5, connections=["g", "s", "o", "x"]),
    ]
    api = Reads({"/v1/apps/app_2": {"vendor_id": "openai"}})
    assert across._widest(api, apps) == ("openai", {"g", "s", "o"})  # type: ignore[arg-type]
    with pytest.raises(DemoFailedError, match="no AI app"):
        across._widest(api, apps[4:])  # type: ignore[arg-type]


def test_only_who_left_and_stayed_somewhere_is_a_leaver() -> None:
    left = person("left@x", google="suspended", slack="active", github="active")
    less = person("less@x", google="deleted", slack="active")
    stays = person("stays@x", departed=False, google="active", slack="suspended")
    gone = person("gone@x", google="archived", slack="suspended")
    works = person("works@x", departed=False, google="active", slack="active")
    answers: dict[str, Any] = {f"/v1/persons/{p['id']}": p for p in (left, less, stays)}
    for connection in ("con_g", "con_s"):
        answers[f"/v1/principals {connection}"] = [
            {"person_id": p["id"], "status": a["status"]}
            for p in (less, gone, left, stays, works)
            for a in p["accounts"]
            if a["connection_id"] == connection
        ]
    found, standing = across._leavers(Reads(answers), {"con_g": "", "con_s": ""})  # type: ignore[arg-type]
    assert found is not None
    assert [p["email"] for p in found] == ["left@x", "less@x"]
    assert standing.startswith("2 people")


def test_the_vendor_that_is_struck_is_at_most_places_and_small() -> None:
    apps = [
        row(1, vendor="Big", connections=["g", "s", "o"], holders=90),
        row(2, vendor="Wide", connections=["g", "s"], holders=20),
        row(3, vendor="Small", connections=["g", "o"], holders=4),
        row(4, vendor="Small", connections=["o"], holders=5),
        row(5, vendor="Tiny", connections=["g", "s", "o"], holders=2),
        row(6, vendor="Evil", connections=["g", "s", "o"], holders=9, lookalike_of="ChatGPT"),
    ]
    answers: dict[str, Any] = {f"/v1/apps/app_{n}": {"vendor_id": apps[n - 1]["vendor"]} for n in range(1, 7)}
    for name, reached in (("Wide", 40), ("Small", 9), ("Tiny", 2)):
        answers[f"/v1/vendors/{name}/blast-radius"] = {"vendor": name, "people": reached}
    api: Any = Reads(answers)
    assert incident.choose(api, apps)["vendor"] == "Small"
    with pytest.raises(DemoFailedError, match="as many people"):
        incident.choose(api, apps[4:])


def test_a_part_is_played_by_somebody_free_who_fits() -> None:
    anna = person("anna@x", departed=False, google="active", slack="active")
    ben = person("ben@x", departed=False, google="active", slack="suspended")
    ben["accounts"] += [
        {**ben["accounts"][0], "provider": p, "grants": 2} for p in ("okta", "entra", "github", "x")
    ]
    assert people.account(ben, "slack") is None
    assert people.cast(iter([anna, ben]), "at work everywhere", leaving.fits) is ben
    with pytest.raises(DemoFailedError, match="nobody in the demo organisation is free"):
        people.cast(iter([anna]), "free", lambda _: True, (anna["id"],))


def test_a_run_is_counted_by_what_its_steps_came_to() -> None:
    def target(*marks: tuple[str, str]) -> dict[str, Any]:
        return {"trail": [{"step": step, "answer": answer} for step, answer in marks]}

    run = {
        "targets": [target(("approve", "approved"), ("revoke", "verified")), target(("approve", "approved"))]
    }
    assert runs.acted(run, ("revoke",)) == {"verified": 1}

    class Api:
        state = "running"

        def get(self, _path: str) -> dict[str, Any]:
            return {**run, "state": self.state, "playbook_id": "p", "error": "too many"}

    api: Any = Api()
    patience = Patience(lambda _: None)
    assert runs.until(api, patience, "run_1", "it", lambda _: True, ("revoke",))["state"] == "running"
    api.state = "failed"
    with pytest.raises(DemoFailedError, match="ended as failed: too many"):
        runs.until(api, patience, "run_1", "it", lambda _: True, ("revoke",))


def test_signed_events_are_told_from_others_and_kept_once() -> None:
    secret = "whsec_" + base64.b64encode(b"0" * 24).decode()
    with receiving() as receiver:
        receiver.secret = secret
        body, at = '{"type": "finding.opened", "data": {}}', datetime.now(UTC)
        for name, text in (("msg_1", body), ("msg_1", body), ("msg_2", body + " ")):
            headers = {
                "webhook-id": name,
                "webhook-timestamp": str(int(at.timestamp())),
                "webhook-signature": Webhook(secret).sign(name, at, body),
            }
            assert requests.post(receiver.base_url, data=text, headers=headers, timeout=5).status_code == 204
        assert [one["type"] for one in receiver.events()] == ["finding.opened"]
        assert receiver.forged() == 1


def test_a_message_is_read_as_its_reader_sees_it() -> None:
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "New"}},
        {"type": "section", "fields": [{"type": "plain_text", "text": "Manus"}]},
        {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Open"}}]},
    ]
    assert alarms.texts({"text": "Alert", "blocks": blocks}) == ["Alert", "New", "Manus", "Open"]


def test_judging_is_awaited_for_every_connection() -> None:
    class Lists:
        apps = ({"connections": ["g"]}, {"connections": ["g", "s"]})
        findings: tuple[dict[str, Any], ...] = ({},)

        def all(self, path: str) -> Any:
            return iter(self.apps if path == "/v1/apps" else self.findings)

    api: Any = Lists()
    assert story._judged(api, ["g", "s"]) == (True, "2 apps of 2 connections, 1 findings")
    assert story._judged(api, ["g", "s", "o"])[0] is None
    api.findings = ()
    assert story._judged(api, ["g"])[0] is None


def test_the_first_full_run_of_every_connection_is_awaited() -> None:
    def run(kind: str, state: str, number: int) -> dict[str, Any]:
        return {
            "kind": kind, "state": state, "id": number, "coverage": {"read": 3, "listed": None},
            "counts": {}, "error": "broken", "remedy": None,
        }  # fmt: skip

    path = "/v1/connections/{}/runs"
    answers = {path.format("g"): {"data": [run("full", "running", 2), run("full", "complete", 1)]}}
    answers[path.format("s")] = {"data": [run("changes", "complete", 3)]}
    answers[path.format("o")] = {"data": [run("full", "running", 4)]}
    connections = {"google": "g", "slack": "s", "okta": "o"}
    found, standing = story._runs(Reads(answers), connections)  # type: ignore[arg-type]
    assert (found, standing) == (None, "1 read, okta 3 of ?, slack waits")
    answers[path.format("o")] = answers[path.format("s")] = {"data": [run("full", "partial", 5)]}
    found, _ = story._runs(Reads(answers), connections)  # type: ignore[arg-type]
    assert found is not None
    assert {provider: one["id"] for provider, one in found.items()} == {"google": 1, "slack": 5, "okta": 5}
    answers[path.format("o")] = {"data": [run("full", "failed", 6)]}
    with pytest.raises(DemoFailedError, match="first run at okta failed: broken"):
        story._runs(Reads(answers), connections)  # type: ignore[arg-type]


def test_a_failure_shows_logs_stops_everything_and_exits_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped: list[Path] = []

    def fail(directory: Path, *_: Any) -> None:
        directory.mkdir()
        (directory / "ministack.log").write_text("ERROR the lease was lost\n")
        (directory / "okta.log").write_text("ERROR okta fell over\n")
        raise DemoFailedError("gave up after 60 s waiting for a finding")

    monkeypatch.setattr(demo, "DIRECTORY", tmp_path / "demo")
    monkeypatch.setattr(demo, "play", fail)
    monkeypatch.setattr(demo.instances, "down", stopped.append)
    assert demo.main([]) == 1
    err = capsys.readouterr().err
    assert "waiting for a finding" in err
    assert "the lease was lost" in err
    assert "okta fell over" in err
    assert "slack.log" not in err, "there is none"
    assert stopped == [tmp_path / "demo"]


def test_steps_are_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(Console(markup=False, highlight=False))
    with progress.step("first"):
        pass

    def stumble() -> None:
        with progress.step("second [red]") as tell:
            tell("half-way")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        stumble()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["✓", "✗"]
    assert "second [red]" in lines[1]


def test_steps_at_once_are_a_line_each_and_the_first_failure_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress(Console(markup=False, highlight=False))
    assert progress.together({"one": lambda: 1, "two": lambda: 2}) == [1, 2]

    def stumble() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        progress.together({"third": lambda: 3, "fourth": stumble})
    lines = sorted(line.rpartition("  ")[0] for line in capsys.readouterr().out.splitlines())
    assert lines == ["✓ one", "✓ third", "✓ two", "✗ fourth"]
