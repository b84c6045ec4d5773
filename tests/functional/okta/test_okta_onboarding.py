"""Connecting Okta by form: what is accepted, and every way to enter something else."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from lantern.connectors import registry
from lantern.connectors.okta import secret
from lantern.connectors.okta.manifest import MANIFEST
from lantern.domain.errors import ConnectorError, InvalidInputError
from lantern.services import onboarding, web
from tests.contract.connectors.okta_rig import ADDRESS, SCOPES, START, OktaRig, entries, keys, okta
from tests.functional.onboarding.world import BASE, World, lantern


@pytest.fixture(scope="module")
def shared() -> Iterator[OktaRig]:
    with okta() as made:
        yield made


@pytest.fixture
def rig(shared: OktaRig) -> Iterator[OktaRig]:
    yield shared
    shared.simulator.home = ""
    shared.clear()


def entered(rig: OktaRig, scopes: Any = SCOPES, **changes: str) -> dict[str, str]:
    return {**entries(rig.simulator, scopes=scopes, token=False, dpop=True), **changes}


def refused(rig: OktaRig, answer: dict[str, str]) -> str:
    """The field that is named."""
    with pytest.raises(InvalidInputError) as caught:
        rig.flow.exchange(START, answer)
    assert not any(
        v in str(caught.value) for k, v in answer.items() if k in ("private_key", "api_token") and v
    )
    return caught.value.field


def test_a_good_form_gives_a_secret_that_opens_the_organisation(rig: OktaRig) -> None:
    answer = entered(rig, address="https://Harbourline-admin.okta.com/")
    grant = rig.flow.exchange(START, answer)
    kept = secret.load(grant.secret)
    assert (kept.address, kept.client_id, kept.token) == (ADDRESS, answer["client_id"], "")
    assert grant.granted_scopes == frozenset(SCOPES)
    assert rig.flow.missing_scopes(grant.granted_scopes) == frozenset()
    who = rig.flow.identify(START, grant)
    assert (who.organisation_id, who.admin) == (rig.simulator.world.state.org_id, True)
    assert answer["private_key"] not in repr(grant)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "127.0.0.1",
        "169.254.169.254",
        "localhost",
        "acme.internal",
        "http://acme.okta.com",
        f"{ADDRESS}:8443",
    ],
)
def test_an_address_inside_a_network_is_not_called(rig: OktaRig, address: str) -> None:
    answer = entered(rig, address=address)
    rig.simulator.control.reset_metrics()
    assert refused(rig, answer) == "address"
    assert rig.simulator.control.metrics()["methods"] == {}


def test_a_custom_domain_stands_for_the_organisation_that_okta_says(rig: OktaRig) -> None:
    grant = rig.flow.exchange(START, entered(rig, address="login.harbourline.com"))
    assert secret.load(grant.secret).address == ADDRESS


def test_a_foreign_host_cannot_claim_an_organisation(rig: OktaRig) -> None:
    """Whoever owns a domain may answer there as they like: the organisation is what a host of Okta says."""
    answer = entered(rig, address="login.harbourline.com")
    for claim in (
        "https://login.evil.example.org",
        "https://acme.okta.com.evil.org",
        "http://acme.okta.com",
        "",
        "x",
    ):
        rig.simulator.home = claim or "javascript:alert(1)"
        rig.simulator.control.reset_metrics()
        assert refused(rig, answer) == "address"
        # No credentials were shown to it.
        assert set(rig.simulator.control.metrics()["methods"]) == {"well-known"}


def test_a_domain_that_names_another_organisation_is_refused(
    rig: OktaRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It points to an address at Okta, where another organisation answers than the one it claims to be."""
    said = iter([("00oEvil", "acme.okta.com"), ("00oVictim", "acme.okta.com")])
    answer = entered(rig, address="login.evil-corp.com")
    monkeypatch.setattr(rig.flow, "_public_id", lambda base, halt: next(said))
    assert refused(rig, answer) == "address"
    assert list(said) == []


def test_nothing_at_a_domain_is_no_organisation(rig: OktaRig) -> None:
    rig.simulator.control.fault("status", path="well-known", status=404)
    assert refused(rig, entered(rig, address="www.harbourline.com")) == "address"


def test_either_a_client_or_a_token(rig: OktaRig) -> None:
    good, private = entered(rig), keys()[0]
    token = rig.simulator.control.issue_api_token(rig.simulator.control.organisation()["admin"])
    assert refused(rig, {**good, "api_token": token}) == "api_token"
    assert refused(rig, {"address": ADDRESS}) == "client_id"
    assert refused(rig, {"address": ADDRESS, "private_key": private}) == "client_id"
    assert refused(rig, {"address": ADDRESS, "client_id": good["client_id"]}) == "private_key"
    assert refused(rig, {**good, "client_id": "a b"}) == "client_id"
    assert refused(rig, {"address": ADDRESS, "api_token": "00 short"}) == "api_token"
    assert refused(rig, {**good, "private_key": "no key"}) == "private_key"


def test_a_wrong_key_a_wrong_client_and_a_wrong_token_are_told_so(rig: OktaRig) -> None:
    good = entered(rig)
    other = json.dumps(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True))
    for answer in (
        {**good, "private_key": other},
        {**good, "client_id": "0oaNobody"},
        {"address": ADDRESS, "api_token": "00" + "x" * 40},
    ):
        with pytest.raises(ConnectorError) as caught:
            rig.flow.exchange(START, answer)
        assert caught.value.kind == "config"
        assert "Okta" in caught.value.user_message


def test_a_client_without_a_role_or_scopes_gets_nowhere(rig: OktaRig) -> None:
    """Two gates: scopes that were granted, and an administrator role behind them."""
    control = rig.simulator.control
    client = control.register_client(keys()[1], SCOPES, role=None)
    roleless = rig.flow.exchange(START, entered(rig, client_id=client))
    required = {need.scope for need in MANIFEST.scopes if need.required}
    assert required <= rig.flow.missing_scopes(roleless.granted_scopes)
    with pytest.raises(ConnectorError) as caught:
        rig.flow.identify(START, roleless)
    assert caught.value.kind == "config"
    with pytest.raises(ConnectorError) as caught:
        rig.flow.exchange(START, entered(rig, scopes=["okta.users.read"]))
    assert caught.value.kind == "config"
    some = rig.flow.exchange(START, entered(rig, scopes=sorted({*required, "okta.logs.read"})))
    assert some.granted_scopes == required | {"okta.logs.read"}
    assert rig.flow.identify(START, some).admin


def test_a_token_of_somebody_without_rights_proves_nothing(rig: OktaRig) -> None:
    nobody = rig.people()[3]
    token = rig.simulator.control.issue_api_token(nobody)
    grant = rig.flow.exchange(START, {"address": ADDRESS, "api_token": token})
    assert grant.granted_scopes == frozenset()
    with pytest.raises(ConnectorError):
        rig.flow.identify(START, grant)


def test_nobody_is_sent_away(rig: OktaRig) -> None:
    assert rig.flow.answers == ()
    assert rig.flow.accepts_issuer(None)
    assert not rig.flow.accepts_issuer("https://acme.okta.com")
    with pytest.raises(InvalidInputError):
        rig.flow.authorize_url(START)


def post(world: World, rig: OktaRig, fields: dict[str, str]) -> tuple[Any, Any]:
    """A browser opens the form and sends it; the form's page and the answer."""
    tools = replace(world.onboarding(), flow=lambda provider: rig.flow if provider == "okta" else None)

    def ask(route: str, body: str = "", cookie: str = "") -> Any:
        event = {
            "path": route.format(provider="okta"),
            "pathParameters": {"provider": "okta"},
            "multiValueQueryStringParameters": None,
            "multiValueHeaders": {"Cookie": [cookie]} if cookie else {},
            "body": body,
            "requestContext": {"requestId": "req-1"},
        }
        return onboarding.handle(tools, route, web.read(event))

    form = ask("/connect/{provider}")
    state = re.search(r'name="state" value="([^"]+)"', form.body)
    assert state is not None
    cookie = form.headers["Set-Cookie"].split(";", 1)[0]
    body = urlencode({"state": state[1], **fields})
    return form, ask("/connect/{provider}/callback", body, cookie)


def test_the_form_connects_a_tenant_end_to_end(rig: OktaRig, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with lantern(rig.simulator) as world:  # type: ignore[arg-type]
        form, page = post(world, rig, entered(rig))
        assert form.status == 200
        assert all(f'name="{field.name}"' in form.body for field in MANIFEST.form)
        assert page.status == 200, page.body
        (tenant,) = world.tenants()
        (connection,) = world.tenant(tenant).connections.list()
        assert connection.provider == "okta"
        assert connection.organisation_id == rig.simulator.world.state.org_id
        assert json.loads(keys()[0])["d"] not in json.dumps(world.items(), default=str)
        # An address inside the network names the field, and changes nothing.
        _, refusal = post(world, rig, entered(rig, address="169.254.169.254"))
        assert refusal.status == 400
        assert "address" in refusal.body
        assert world.tenants() == [tenant]
    assert BASE.startswith("https://")
    assert registry.manifest("okta").form
