"""Pages of simulators that hear of the product while they run: a person goes through them by their form."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import pytest
import requests

from scripts.demo.browser import Form
from tests.simulators.entra import EntraSimulator, TenantSpec
from tests.simulators.github.model import OrgSpec as GithubSpec
from tests.simulators.github.simulator import GithubSimulator
from tests.simulators.salesforce import OrgSpec, SalesforceSimulator

BACK = "http://127.0.0.1:9/connect/here/callback"
QUERY = {
    "client_id": "ours", "redirect_uri": BACK, "response_type": "code", "state": "s1",
    "code_challenge": "c" * 43, "code_challenge_method": "S256",
}  # fmt: skip


def salesforce() -> tuple[AbstractContextManager[Any], Callable[[Any], None], str]:
    def told(control: Any) -> None:
        control.register_client("ours", "secret", [BACK])

    query = urlencode({**QUERY, "scope": "api refresh_token"})
    return SalesforceSimulator(OrgSpec(6)), told, f"/services/oauth2/authorize?{query}"


def entra() -> tuple[AbstractContextManager[Any], Callable[[Any], None], str]:
    def told(control: Any) -> None:
        control.register_client("ours", "secret", [BACK])

    query = urlencode({**QUERY, "scope": "openid"})
    return EntraSimulator(TenantSpec(10)), told, f"/organizations/oauth2/v2.0/authorize?{query}"


def github() -> tuple[AbstractContextManager[Any], Callable[[Any], None], str]:
    return (
        GithubSimulator(GithubSpec(6)),
        lambda control: control.redirect(BACK),
        "/apps/lantern-security/installations/new?state=s1",
    )


@pytest.mark.parametrize("provider", [salesforce, entra, github])
def test_the_page_leads_back_with_a_code(
    provider: Callable[[], tuple[Any, Callable[[Any], None], str]],
) -> None:
    simulated, tell, path = provider()
    with simulated as simulator:
        tell(simulator.control)
        page = requests.get(simulator.base_url + path, timeout=10)
        form = Form()
        form.feed(page.text)
        assert form.action is not None, page.text
        address = urljoin(page.url, form.action)
        gone = requests.post(address, data=form.fields, timeout=10, allow_redirects=False)
    assert gone.status_code in (302, 303), gone.text
    target = urlsplit(gone.headers["Location"])
    assert target._replace(query="").geturl() == BACK
    answer = parse_qs(target.query)
    assert answer["state"] == ["s1"]
    assert len(answer["code"][0]) > 10


def test_whoever_refuses_at_salesforce_sends_no_code() -> None:
    simulated, tell, path = salesforce()
    with simulated as simulator:
        tell(simulator.control)
        form = Form()
        form.feed(requests.get(simulator.base_url + path, timeout=10).text)
        fields = {**dict(form.fields), "decision": "deny"}
        gone = requests.post(
            f"{simulator.base_url}/_login/decide", data=fields, timeout=10, allow_redirects=False
        )
        elsewhere = requests.post(
            f"{simulator.base_url}/_login/decide",
            data={**fields, "decision": "allow", "redirect_uri": "http://127.0.0.1:9/elsewhere"},
            timeout=10,
            allow_redirects=False,
        )
    assert parse_qs(urlsplit(gone.headers["Location"]).query)["error"] == ["access_denied"]
    assert (elsewhere.status_code, "Location" in elsewhere.headers) == (400, False)
