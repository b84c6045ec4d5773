"""A customer's Slack beside the account: connected by a link, and what people press there."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from lantern.connectors.slack.push import signature
from tests.isolation.account import BASE, CLIENT_ID, CLIENT_SECRET, SIGNING_SECRET, Account, Customer
from tests.simulators.google.receiver import Receiver
from tests.simulators.slack import SlackSimulator

_LEGS = 3
"""Installing asks an administrator twice at most."""


def connect(account: Account, customer: Customer, slack: SlackSimulator, emails: Iterable[str]) -> str:
    """Install Lantern's app in a workspace in which these people have accounts; the connection's id."""
    redirect = f"{BASE}/connect/slack/callback"
    slack.control.register_client(CLIENT_ID, CLIENT_SECRET, redirect, SIGNING_SECRET)
    slack.control.auto_consent()
    for email in emails:
        slack.control.add_user(email)
    account.endpoints["slack"] = slack.base_url
    made = customer("POST", "/v1/connections", {"provider": "slack"})
    assert made.status == 201, made.json
    cookies: dict[str, str] = {}
    token = made.json["url"].rpartition("/")[2]
    page = account.browse("/connect/link/{token}", {"token": token}, cookies, None)
    with requests.Session() as browser:
        browser.trust_env = False
        for _ in range(_LEGS):
            if page["statusCode"] != 302:
                break
            back = browser.get(page["headers"]["Location"], allow_redirects=False, timeout=5)
            query = parse_qs(urlsplit(back.headers["Location"]).query)
            page = account.browse("/connect/{provider}/callback", {"provider": "slack"}, cookies, query)
    assert page["statusCode"] == 200, page["body"]
    account.settle()
    (found,) = [c for c in customer.get("/v1/connections")["data"] if c["provider"] == "slack"]
    assert found["status"] == "active"
    return str(found["id"])


def press(account: Account, slack: SlackSimulator, hooks: Receiver, email: str, action: str) -> None:
    """Press a button of the last message to somebody, and let all that follows happen."""
    address = hooks.address.replace("/webhooks/google", "/webhooks/slack/interactions")
    assert slack.control.press(email, action, address)["status"] == 200
    account.pushes(hooks)
    account.settle()


def command(account: Account, slack: SlackSimulator, email: str, text: str) -> str:
    """Type our command, as Slack posts it; what is answered at once."""
    (world,) = slack.control.organisations()
    user = next(u for u in slack.control.users() if u["email"] == email)
    form = {
        "command": "/lantern",
        "team_id": user["teams"][0],
        "enterprise_id": world["organisation_id"],
        "is_enterprise_install": "true",
        "user_id": user["id"],
        "text": text,
        "trigger_id": "1.2.3",
        "response_url": "https://hooks.slack.com/commands/T1/2/abc",
    }
    body, stamp = urlencode(form), str(int(datetime.now(UTC).timestamp()))
    headers = {
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": signature(SIGNING_SECRET, stamp, body.encode()),
        "content-type": "application/x-www-form-urlencoded",
    }
    answer = account.posted("POST", "/webhooks/slack/commands", headers, body)
    assert answer["statusCode"] == 200, answer
    account.settle()
    return str(answer["body"])


def addresses(message: Any) -> list[str]:
    """The addresses that the buttons of a message open."""
    return [b["url"] for block in message["blocks"] for b in block.get("elements", ()) if b.get("url")]
