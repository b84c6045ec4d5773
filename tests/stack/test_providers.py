"""One customer with several providers: connected by links and form, joined, and acted on at one of them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook

from tests.isolation.chat import addresses
from tests.stack.conftest import RISKY
from tests.stack.deployment import Customer, Deployment, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

Joined = tuple[Customer, Customer, Customer, str]
"""At Google, at Okta, at Slack; and an address that all three know."""
ASKED = "SciSpace"
NOTES = ("meetings.read", "calendar.read")


@pytest.fixture(scope="module")
def joined(deployment: Deployment) -> Joined:
    """Whose the address is left: Google and Okta closed the account, Slack did not."""
    google = deployment.google.control
    made = google.add_organisation(employees=12, seed=71, domain="brightwater.example")
    people = [u for u in google.users(made["customer_id"]) if u["state"] == "active" and not u["is_admin"]]
    left, stays = people[0]["email"], people[1]["email"]
    okta, slack = deployment.okta.control, deployment.slack.control
    for email in (left, stays):
        google.grant(email, "ChatGPT")
        okta.add_user(email, department="Engineering")
        slack.add_user(email, "Robin Example")
        okta.assign(email, "ChatGPT Enterprise")
        okta.consent(email, "Meeting Notes AI", NOTES)
    slack.add_user("kim@brightwater.example", "Kim Example")
    slack.install("ChatGPT", left)
    okta.status(left, "DEPROVISIONED")
    google.suspend(left)

    at_google = deployment.connect(made["customer_id"], made["admin"])
    said = at_google.get("/v1/connectors/okta")
    scopes = {scope for part in (*said["features"], *said["acts"]) for scope in part["permissions"]}
    at_okta = at_google.add("okta", okta.form(sorted(scopes)))
    at_slack = at_google.add("slack")
    return at_google.read(), at_okta.read(), at_slack.read(), left


def principal(customer: Customer, email: str) -> dict[str, Any]:
    (found,) = [
        p
        for p in customer.every(f"/v1/principals?connection_id={customer.connection_id}")
        if p["email"] == email
    ]
    return found


def test_every_connection_is_the_one_tenants(joined: Joined):
    google, okta, slack, _ = joined
    found = {c["provider"]: c for c in google.get("/v1/connections")["data"]}
    assert {name: c["status"] for name, c in found.items()} == dict.fromkeys(
        ("google", "okta", "slack"), "active"
    )
    assert found["okta"]["missing_scopes"] == []
    assert found["slack"]["organisation_id"].startswith("E"), "the second leg was for the organisation"
    for customer in (google, okta, slack):
        (first,) = [r for r in customer.runs() if r["kind"] == "full" and r["cause"] == "consent"]
        assert (first["state"], first["coverage"]["complete"]) == ("complete", True)


def test_who_left_and_stayed_at_slack_is_one_person(joined: Joined):
    google, _, slack, left = joined

    def together() -> dict[str, Any] | None:
        person = google.get(f"/v1/persons/{principal(google, left)['person_id']}")
        return person if len(person["accounts"]) == 3 else None

    person = wait_for(together, "one person of three accounts", 90)
    assert person["departed"] is True
    assert {a["provider"]: a["status"] for a in person["accounts"]} == {
        "google": "suspended", "okta": "archived", "slack": "active",
    }  # fmt: skip
    assert principal(slack, left)["person_id"] == person["id"]


def test_a_vendor_is_one_record_over_all_connections(joined: Joined):
    google, okta, slack, _ = joined

    def record() -> dict[str, Any] | None:
        found = google.send("GET", "/v1/vendors/openai/blast-radius").json()
        there = {part["connection_id"] for part in found.get("connections", ())}
        return found if there == {c.connection_id for c in (google, okta, slack)} else None

    found = wait_for(record, "OpenAI at three connections", 90)
    assert found["complete"] is True
    assert found["departed"] >= 1
    assert {"identity", "chat"} <= set(found["data"])
    assert "Google Workspace" in str(found["exposure"])
    assert "Slack" in str(found["exposure"])


def test_assets_are_listed_beside_grants(joined: Joined):
    _, okta, _, _ = joined
    tokens = wait_for(
        lambda: okta.every(f"/v1/assets?kind=api_key&connection_id={okta.connection_id}"), "API tokens", 90
    )
    assert {row["name"] for row in tokens} >= {"script 0", "script 1", "script 2"}


def test_a_consent_at_okta_is_revoked_and_slack_tells(deployment: Deployment, joined: Joined):
    _, okta, slack, _ = joined
    app = okta.app("Meeting Notes AI", 90)
    grant = okta.grants(app["id"])[0]
    path = f"/v1/grants/{grant['id']}"
    job = okta.do("POST", f"{path}/revoke", {"reason": "not sanctioned"}, If_Match=okta.etag(path))
    assert okta.job(job["id"], "done", 90)["counts"]["verified"] == 1
    holder = okta.get(f"/v1/principals/{grant['principal_id']}")
    client = okta.get(f"/v1/apps/{app['id']}")["client_id"]
    assert client not in deployment.okta.control.truth()[holder["native_id"]]["grants"]

    # Nobody whom another test looks at: they come in any order.
    colleague = "kim@brightwater.example"
    deployment.slack.control.deactivate(colleague)
    wait_for(lambda: principal(slack, colleague)["status"] != "active", "the account to be seen closed", 60)


def events(deployment: Deployment, secret: str, about: str) -> Iterator[str]:
    """Types of the events about something that a customer's own server was sent, each signature checked."""
    for one in list(deployment.taken.posted):
        event = Webhook(secret).verify(one.body, one.headers)
        assert json.loads(one.body) == event
        if about in one.body.decode():
            yield str(event["type"])


def test_a_finding_is_told_its_holder_is_asked_and_answers(deployment: Deployment, joined: Joined):
    google, _, _, left = joined
    control, slack = deployment.google.control, deployment.slack.control
    users = control.users(google.customer_id)
    email = next(u["email"] for u in users if u["state"] == "active" and slack_knows(deployment, u["email"]))
    assert email != left

    def whole() -> dict[str, Any] | None:
        found = principal(google, email)
        person = google.get(f"/v1/persons/{found['person_id']}")
        return found if len(person["accounts"]) == 3 else None

    account = wait_for(whole, "one person of three accounts", 90)
    endpoint = google.do("POST", "/v1/webhook-endpoints", {"url": "https://hooks.example.com/lantern"})
    client = control.add_app(ASKED, ["openid", RISKY], google.customer_id)
    control.grant(email, client_id=client)
    finding = google.finding("unsanctioned-ai-app", ASKED)
    told = lambda: set(events(deployment, endpoint["secret"], finding["id"]))  # noqa: E731 - asked often
    wait_for(lambda: "finding.opened" in told(), "the signed event")

    body = {"kind": "still_need", "principal_id": account["id"], "app_id": google.app(ASKED)["id"]}
    path = f"/v1/nudges/{google.do('POST', '/v1/nudges', body)['nudge']['id']}"
    message = wait_for(lambda: slack.messages(email), "the question in Slack")[-1]
    assert ASKED in message["text"]
    (address,) = addresses(message)
    assert address.startswith(f"{deployment.base}/n/")
    with requests.Session() as browser:
        browser.trust_env = False
        page = browser.get(address, timeout=30)
        assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
        assert google.get(path)["state"] == "sent", "opening changes nothing"
        check = re.findall(r'name="check" value="([0-9a-f]{64})"', page.text)[0]
        form = {"answer": "revoke", "check": check}
        assert requests.post(address, form, timeout=30, proxies=NO_PROXY).status_code == 400, "no cookie"
        assert google.get(path)["state"] == "sent"
        assert browser.post(address, form, timeout=30).status_code == 200

    answered = wait_for(lambda: (n := google.get(path))["job_id"] and n, "the job of the answer")
    assert (answered["answer"], answered["answered_via"]) == ("revoke", "page")
    assert google.job(answered["job_id"], "done")["counts"]["verified"] == 1
    assert client not in {grant["client_id"] for grant in control.grants_of(email)}
    wait_for(lambda: "finding.resolved" in told(), "the event of the end")


NO_PROXY = {"http": "", "https": ""}


def slack_knows(deployment: Deployment, email: str) -> bool:
    """Whether somebody has an account at Slack that is open."""
    known = {u["email"]: u["deleted"] for u in deployment.slack.control.users()}
    return known.get(email) is False
