"""The simulated organisation keeps Salesforce's rules: what it refuses, where it stops, what it remembers."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.contract.connectors.salesforce_rig import SalesforceRig, salesforce
from tests.simulators.salesforce import OrgSpec, SalesforceSimulator
from tests.simulators.salesforce.soql import MalformedQueryError, parse

Ask = Callable[..., requests.Response]


@pytest.fixture
def rig() -> Iterator[SalesforceRig]:
    with salesforce(employees=6) as made:
        yield made


def asker(rig: SalesforceRig) -> Ask:
    rig.connector.check()
    token = list(rig.simulator.sessions.access)[-1]
    base = f"{rig.simulator.base_url}/services/data/v62.0/query"

    def ask(soql: str = "", *, path: str = "", bearer: str = token) -> requests.Response:
        params = {"q": soql} if soql else {}
        address = rig.simulator.base_url + path if path else base
        return requests.get(address, params=params, headers={"Authorization": f"Bearer {bearer}"}, timeout=10)

    return ask


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT FIELDS(ALL) FROM User", "MALFORMED_QUERY"),
        ("SELECT Id FROM User WHERE Name LIKE 'a%'", "MALFORMED_QUERY"),
        ("SELECT Id FROM User WHERE Name = 'a' OR Name = 'b'", "MALFORMED_QUERY"),
        ("SELECT Id, FROM User", "MALFORMED_QUERY"),
        ("SELECT Id FROM User WHERE Name = 'o'neill'", "MALFORMED_QUERY"),
        ("DELETE FROM User", "MALFORMED_QUERY"),
        ("SELECT Scopes FROM OauthToken", "INVALID_FIELD"),
        ("SELECT Id FROM Account", "INVALID_TYPE"),
        ("SELECT UserId FROM LoginHistory WHERE Application = 'Gong'", "INVALID_FIELD"),
    ],
)
def test_other_queries_are_refused_with_their_codes(rig: SalesforceRig, soql: str, code: str) -> None:
    reply = asker(rig)(soql)
    assert reply.status_code == 400
    assert [row["errorCode"] for row in reply.json()] == [code]


def test_pages_cursors_sessions_and_the_stop(rig: SalesforceRig) -> None:
    ask, control = asker(rig), rig.simulator.control
    everybody = list(rig.truth())
    control.grant(everybody[0], "Busy", tokens=2_600)
    first = ask("SELECT UserId FROM OauthToken").json()
    assert (len(first["records"]), first["totalSize"], first["done"]) == (500, 2_500, False)
    seen, page = len(first["records"]), first
    while not page["done"]:
        page = ask(path=page["nextRecordsUrl"]).json()
        seen += len(page["records"])
    assert seen == 2_500
    assert ask("SELECT COUNT() FROM OauthToken").json()["totalSize"] > 2_600
    assert ask(path=first["nextRecordsUrl"]).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"  # used once
    stale = ask("SELECT UserId FROM OauthToken").json()["nextRecordsUrl"]
    control.advance(901)
    assert ask(path=stale).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"
    refused = ask("SELECT Id FROM User", bearer="nobody")
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    used, limit = (
        ask("SELECT Id FROM User").headers["Sforce-Limit-Info"].removeprefix("api-usage=").split("/")
    )
    assert 0 < int(used) < int(limit)
    assert (
        ask(f"SELECT Id FROM User WHERE Id IN ({','.join(repr('x' * 18) for _ in range(900))})").status_code
        == 414
    )


def test_without_the_permission_only_ones_own_tokens_are_shown(rig: SalesforceRig) -> None:
    ask = asker(rig)
    admin = next(k for k, v in rig.truth().items() if v["is_admin"])
    assert len({row["UserId"] for row in ask("SELECT UserId FROM OauthToken").json()["records"]}) > 1
    rig.simulator.control.permissions(admin, ["ManageUsers"])
    assert {row["UserId"] for row in ask("SELECT UserId FROM OauthToken").json()["records"]} == {admin}


def test_values_keep_their_quotes() -> None:
    query = parse(r"SELECT Id FROM User WHERE Name = 'it\'s \\ here' AND IsActive = true LIMIT 3")
    assert (query.where[0].value, query.where[1].value, query.limit) == ("it's \\ here", True, 3)
    with pytest.raises(MalformedQueryError):
        parse("SELECT Id FROM User WHERE")


def test_as_a_process_it_keeps_its_state(tmp_path: Path) -> None:
    state = tmp_path / "org.json"
    command = [sys.executable, "-m", "tests.simulators.salesforce", "--state", str(state), "--employees", "4"]
    client = [
        "--client-id",
        "c",
        "--client-secret",
        "s",
        "--redirect-uri",
        "http://127.0.0.1:9/x",
        "--auto-consent",
    ]
    with subprocess.Popen([*command, *client], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready: dict[str, Any] = json.loads(process.stdout.readline())
        control = f"{ready['base_url']}/_control"
        people = requests.get(f"{control}/people", timeout=10).json()
        body = {"user": people[0]["id"], "app": "ChatGPT"}
        assert requests.post(f"{control}/grant", json=body, timeout=10).json() == "name:ChatGPT"
        assert requests.post(f"{control}/nothing", timeout=10).status_code == 404
        truth = requests.get(f"{control}/truth", timeout=10).json()
        process.send_signal(signal.SIGTERM)
    with SalesforceSimulator(OrgSpec(), state=state) as again:
        assert again.world.organisation_id == ready["organisation_id"]
        assert again.control.truth() == truth
        assert "c" in again.sessions.clients
