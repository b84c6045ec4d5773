"""The real handler: settings from the environment, secrets from Secrets Manager, Google by its address."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from functions.onboarding.app import handler
from lantern.runtime import wiring, wiring_api, wiring_edges, wiring_providers
from tests.functional.api.world import PLATFORM_TABLE, TENANT_TABLE
from tests.functional.onboarding.world import BASE, CLIENT, REGION, World


def _reset() -> None:
    wiring_api.reset()
    wiring_edges.reset()
    wiring_providers.reset()


@pytest.fixture
def deployed(world: World, monkeypatch: pytest.MonkeyPatch):
    secret = world.aws("secretsmanager").create_secret(
        Name="oauth/google",
        SecretString=json.dumps({"client_id": CLIENT.client_id, "client_secret": CLIENT.client_secret}),
    )
    variables = {
        "AWS_DEFAULT_REGION": REGION,
        "LANTERN_STAGE": "test",
        "TENANT_TABLE": TENANT_TABLE,
        "PLATFORM_TABLE": PLATFORM_TABLE,
        "TENANT_ROLE_ARN": "arn:aws:iam::123456789012:role/tenant",
        "HINTS_QUEUE_URL": "https://sqs/1/hints",
        "RUNS_QUEUE_URL": "https://sqs/1/runs",
        "SCHEDULE_GROUP": "lantern-test",
        "SCHEDULER_ROLE_ARN": "arn:aws:iam::123456789012:role/send",
        "SECRETS_KEY_ID": world.key_id,
        "GOOGLE_OAUTH_SECRET_ARN": secret["ARN"],
        "PROVIDER_ENDPOINTS": json.dumps({"google": world.simulator.base_url}),
        "PUBLIC_BASE_URL": BASE,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    _reset()
    yield world
    _reset()


def _get(
    resource: str, query: dict[str, list[str]] | None = None, cookie: str = "", **parameters: str
) -> Any:
    event = {
        "resource": resource,
        "path": resource.format(**parameters),
        "pathParameters": parameters,
        "multiValueQueryStringParameters": query,
        "multiValueHeaders": {"Cookie": [cookie], "Host": ["evil.example"], "X-Forwarded-Proto": ["http"]},
        "requestContext": {"requestId": "req-9", "domainName": "api.example", "stage": "prod"},
    }
    return handler(event, None)


def test_from_the_first_click_to_the_key(deployed: World):
    start = _get("/connect/{provider}", provider="google")
    assert start["statusCode"] == 302
    cookie = start["headers"]["Set-Cookie"].partition(";")[0]
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(start["headers"]["Location"], allow_redirects=False, timeout=5)
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    page = _get("/connect/{provider}/callback", query, cookie, provider="google")
    assert page["statusCode"] == 200, page["body"]
    assert "lnt_test_" in page["body"]
    assert "Max-Age=0" in page["headers"]["Set-Cookie"]
    assert f"{BASE}/v1/connections" in page["body"]
    assert "evil.example" not in page["body"]
    assert len(deployed.tenants()) == 1


def test_without_a_configured_address_the_apis_own_is_used_and_never_the_host_header(
    deployed: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("PUBLIC_BASE_URL")
    start = _get("/connect/{provider}", provider="google")
    redirect = parse_qs(urlsplit(start["headers"]["Location"]).query)["redirect_uri"]
    assert redirect == ["https://api.example/prod/connect/google/callback"]


def test_a_wrong_link_is_a_page(deployed: World):
    page = _get("/connect/link/{token}", token="x")
    assert page["statusCode"] == 410
    assert "req-9" in page["body"]


def test_the_apis_links_lead_to_the_consent_flow(deployed: World):
    (store,) = [wiring.tenant_store("a" * 20)]
    address = wiring_api.api_tools().onboarding.create_link(
        store,
        "google",
        by="key_1",
        connection_id=None,
        now=deployed.clock.now(),
        random=deployed.random,
    )
    assert address.startswith(f"{BASE}/connect/link/{'a' * 20}.")
