"""The simulator's OAuth: what Google grants, and every attack that it refuses."""

import re
from collections.abc import Iterator

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.simulators.google import Clock, GoogleSimulator, OAuthClient, OrgSpec
from tests.simulators.google.driver import CLIENT, REDIRECT, Consent, answer, connect
from tests.simulators.google.scopes import AUDIT, SECURITY, USER_R

OTHER = OAuthClient(
    "407400000002-other.apps.googleusercontent.com", "other-secret", ("https://o.example/cb",)
)


@pytest.fixture
def sim() -> Iterator[GoogleSimulator]:
    clock = Clock(1_790_000_000.0, running=False)
    with GoogleSimulator(OrgSpec(employees=12, seed=4), clock=clock, clients=[CLIENT, OTHER]) as simulator:
        simulator.control.auto_consent()
        yield simulator


def refresh(sim: GoogleSimulator, token: str, **changes: str) -> requests.Response:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": token,
        "client_id": CLIENT.client_id,
        "client_secret": CLIENT.client_secret,
        **changes,
    }
    return requests.post(f"{sim.base_url}/token", data=form, timeout=10)


def users(sim: GoogleSimulator, access_token: str) -> int:
    headers = {"Authorization": f"Bearer {access_token}"}
    url = f"{sim.base_url}/admin/directory/v1/users?customer=my_customer"
    return requests.get(url, headers=headers, timeout=10).status_code


def test_consent_gives_tokens_and_says_what_was_granted(sim: GoogleSimulator) -> None:
    consent = Consent(sim.base_url)
    back = answer(consent.ask())
    assert back["state"] == consent.parameters["state"]
    assert back["hd"] == sim.org.domain
    assert back["iss"] == "https://accounts.google.com"
    tokens = consent.exchange(back["code"]).json()
    assert tokens["token_type"] == "Bearer"
    assert {USER_R, SECURITY, AUDIT, "openid"} <= set(tokens["scope"].split())
    assert "email" not in tokens["scope"].split(), "Google answers the long name"
    assert users(sim, tokens["access_token"]) == 200
    again = refresh(sim, tokens["refresh_token"]).json()
    assert again["access_token"] != tokens["access_token"]
    assert "refresh_token" not in again


def test_the_id_token_verifies_against_the_published_keys(sim: GoogleSimulator) -> None:
    tokens = connect(sim.base_url, nonce="n-1")
    keys = jwt.PyJWKSet.from_dict(requests.get(f"{sim.base_url}/oauth2/v3/certs", timeout=10).json())
    key = keys[jwt.get_unverified_header(tokens["id_token"])["kid"]]
    claims = jwt.decode(
        tokens["id_token"], key, ["RS256"], audience=CLIENT.client_id, issuer="https://accounts.google.com",
        options={"verify_exp": False, "verify_iat": False},
    )  # fmt: skip
    assert claims["sub"] == sim.org.admin.id
    assert claims["email"] == sim.org.admin.email
    assert claims["hd"] == sim.org.domain
    assert claims["nonce"] == "n-1"
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    info = requests.get(f"{sim.base_url}/v1/userinfo", headers=headers, timeout=10).json()
    assert (info["sub"], info["hd"]) == (claims["sub"], claims["hd"])


def test_a_consumer_account_has_no_hosted_domain_and_no_directory(sim: GoogleSimulator) -> None:
    sim.control.add_consumer("someone@gmail.example")
    sim.control.auto_consent(email="someone@gmail.example")
    tokens = connect(sim.base_url)
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert "hd" not in claims
    assert users(sim, tokens["access_token"]) == 403


def test_a_person_who_is_no_administrator_may_consent_but_reads_nothing(sim: GoogleSimulator) -> None:
    person = next(p for p in sim.control.users() if p["state"] == "active" and not p["is_admin"])
    sim.control.set_admin(person["email"], is_admin=False)
    tokens = connect(sim.base_url, login_hint=person["email"])
    assert users(sim, tokens["access_token"]) == 403


def test_partial_consent_and_refusal(sim: GoogleSimulator) -> None:
    sim.control.auto_consent(scopes=[USER_R], once=True)
    tokens = connect(sim.base_url)
    granted = set(tokens["scope"].split())
    assert USER_R in granted
    assert "openid" in granted, "sign-in scopes cannot be unticked"
    assert not {SECURITY, AUDIT} & granted
    sim.control.auto_consent(deny=True)
    back = answer(Consent(sim.base_url).ask())
    assert back["error"] == "access_denied"
    assert "code" not in back


def test_the_page_works_for_a_person(sim: GoogleSimulator) -> None:
    sim.control.auto_consent(off=True)
    consent = Consent(sim.base_url)
    page = consent.ask()
    assert page.status_code == 200
    assert "Lantern wants access" in page.text
    ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)
    assert ticket is not None
    ticks = re.findall(r'name="scope" value="([^"]+)"', page.text)
    assert SECURITY in ticks
    form = {"ticket": ticket[1], "email": sim.org.admin.email, "scope": ticks[:-1], "decision": "allow"}
    url = f"{sim.base_url}/o/oauth2/v2/auth/decide"
    back = answer(requests.post(url, data=form, allow_redirects=False, timeout=10))
    assert consent.exchange(back["code"]).ok
    assert requests.post(url, data=form, allow_redirects=False, timeout=10).status_code == 400
    ticket = re.search(r'name="ticket" value="([^"]+)"', consent.ask().text)
    assert ticket is not None
    form = {"ticket": ticket[1], "email": sim.org.admin.email, "decision": "deny"}
    assert (
        answer(requests.post(url, data=form, allow_redirects=False, timeout=10))["error"] == "access_denied"
    )


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/cb", REDIRECT + "/", REDIRECT + "?x=1", REDIRECT.replace(":9/", ":10/"),
        REDIRECT.replace("connect", "Connect"), REDIRECT.replace("http:", "https:"), "",
    ],
)  # fmt: skip
def test_only_a_registered_redirect_uri_is_ever_redirected_to(sim: GoogleSimulator, uri: str) -> None:
    refused = Consent(sim.base_url, parameters={"redirect_uri": uri}).ask()
    assert refused.status_code == 400
    assert "Location" not in refused.headers


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"client_id": "unknown"}, 401),
        ({"response_type": "token"}, 400),
        ({"scope": "no.such.scope"}, 400),
        ({"scope": ""}, 400),
        ({"code_challenge_method": "none"}, 400),
        ({"code_challenge": "short"}, 400),
        ({"login_hint": "nobody@nowhere.example"}, 400),
    ],
)
def test_bad_consent_requests_are_answered_on_the_page(
    sim: GoogleSimulator, parameters: dict[str, str], status: int
) -> None:
    assert Consent(sim.base_url, parameters=parameters).ask().status_code == status


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"code_verifier": "x" * 64}, 400, "invalid_grant"),
        ({"code_verifier": ""}, 400, "invalid_grant"),
        ({"redirect_uri": REDIRECT + "/"}, 400, "redirect_uri_mismatch"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "unknown"}, 401, "invalid_client"),
        ({"client_id": OTHER.client_id, "client_secret": OTHER.client_secret}, 400, "invalid_grant"),
        ({"code": "4/guess"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_stolen_or_altered_exchange_is_refused(
    sim: GoogleSimulator, changes: dict[str, str], status: int, error: str
) -> None:
    consent = Consent(sim.base_url)
    code = answer(consent.ask())["code"]
    refused = consent.exchange(**{"code": code, **changes})
    assert (refused.status_code, refused.json()["error"]) == (status, error)
    assert consent.exchange(code).ok, "a refused attempt does not use the code up"


def test_the_challenge_itself_is_no_verifier(sim: GoogleSimulator) -> None:
    consent = Consent(sim.base_url)
    code = answer(consent.ask())["code"]
    refused = consent.exchange(code, code_verifier=consent.parameters["code_challenge"])
    assert refused.json()["error"] == "invalid_grant"


def test_a_code_works_once_and_a_second_use_ends_what_it_gave(sim: GoogleSimulator) -> None:
    consent = Consent(sim.base_url)
    code = answer(consent.ask())["code"]
    tokens = consent.exchange(code).json()
    assert consent.exchange(code).json()["error"] == "invalid_grant"
    assert refresh(sim, tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_codes_and_access_tokens_expire(sim: GoogleSimulator) -> None:
    consent = Consent(sim.base_url)
    code = answer(consent.ask())["code"]
    sim.control.advance(601)
    assert consent.exchange(code).json()["error"] == "invalid_grant"
    tokens = connect(sim.base_url)
    sim.control.advance(tokens["expires_in"] + 1)
    assert users(sim, tokens["access_token"]) == 401
    assert users(sim, refresh(sim, tokens["refresh_token"]).json()["access_token"]) == 200


def test_refresh_tokens_come_offline_with_consent_only(sim: GoogleSimulator) -> None:
    assert "refresh_token" not in connect(sim.base_url, access_type="online")
    assert "refresh_token" not in connect(sim.base_url, prompt="select_account"), "consented before"
    assert "refresh_token" in connect(sim.base_url)


def test_a_refresh_token_belongs_to_its_client(sim: GoogleSimulator) -> None:
    token = connect(sim.base_url)["refresh_token"]
    foreign = refresh(sim, token, client_id=OTHER.client_id, client_secret=OTHER.client_secret)
    assert foreign.json()["error"] == "invalid_grant"
    assert refresh(sim, token, client_secret="wrong").status_code == 401
    assert refresh(sim, token, scope="https://mail.google.com/").json()["error"] == "invalid_scope"
    assert refresh(sim, token).ok


def test_revoking_ends_the_consent_and_the_grant(sim: GoogleSimulator) -> None:
    tokens = connect(sim.base_url)
    admin = sim.org.admin
    assert CLIENT.client_id in sim.control.truth()[admin.id]["grants"]
    url = f"{sim.base_url}/revoke"
    assert requests.post(url, data={"token": tokens["refresh_token"]}, timeout=10).status_code == 200
    assert CLIENT.client_id not in sim.control.truth()[admin.id]["grants"]
    assert refresh(sim, tokens["refresh_token"]).json() == {
        "error": "invalid_grant",
        "error_description": "Token has been expired or revoked.",
    }
    assert users(sim, tokens["access_token"]) == 401
    again = requests.post(url, data={"token": tokens["refresh_token"]}, timeout=10)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_token")


def test_an_administrator_who_removes_the_product_or_leaves_ends_it(sim: GoogleSimulator) -> None:
    tokens = connect(sim.base_url)
    assert sim.control.revoke(sim.org.admin.email, CLIENT.client_id)
    assert users(sim, tokens["access_token"]) == 200, "an access token outlives its grant"
    assert refresh(sim, tokens["refresh_token"]).json()["error"] == "invalid_grant"
    tokens = connect(sim.base_url)
    admin = sim.org.admin.email
    sim.control.suspend(admin)
    assert users(sim, tokens["access_token"]) == 401
    assert refresh(sim, tokens["refresh_token"]).json()["error"] == "invalid_grant"
    sim.control.restore(admin)
    assert refresh(sim, tokens["refresh_token"]).ok


def test_a_service_account_needs_delegation(sim: GoogleSimulator) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    robot = "lantern@lantern-prod.iam.gserviceaccount.com"
    sim.control.register_service_account(robot, "107400000000000000001", public.decode())

    def ask(signer: rsa.RSAPrivateKey = key, **changes: object) -> requests.Response:
        now = int(sim.control.now())
        claims = {
            "iss": robot, "sub": sim.org.admin.email, "scope": USER_R, "iat": now, "exp": now + 3600,
            "aud": "https://oauth2.googleapis.com/token", **changes,
        }  # fmt: skip
        assertion = jwt.encode(claims, signer, "RS256")
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        return requests.post(f"{sim.base_url}/token", data=form, timeout=10)

    assert ask().json()["error"] == "unauthorized_client"
    sim.control.delegate("107400000000000000001", [USER_R])
    assert users(sim, ask().json()["access_token"]) == 200
    assert ask(scope=f"{USER_R} {SECURITY}").json()["error"] == "unauthorized_client"
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for refused in (ask(stranger), ask(aud="https://evil.example"), ask(exp=1), ask(sub="no@body.example")):
        assert refused.json()["error"] == "invalid_grant"
    sim.control.undelegate("107400000000000000001")
    assert ask().json()["error"] == "unauthorized_client"


def test_bearer_tokens_come_in_the_header_only(sim: GoogleSimulator) -> None:
    token = connect(sim.base_url)["access_token"]
    url = f"{sim.base_url}/admin/directory/v1/users?customer=my_customer"
    missing = requests.get(f"{url}&access_token={token}", timeout=10)
    assert missing.status_code == 401
    assert missing.headers["WWW-Authenticate"].startswith("Bearer ")
    wrong = requests.get(url, headers={"Authorization": f"Basic {token}"}, timeout=10)
    assert wrong.status_code == 401
    assert wrong.json()["error"]["errors"][0]["reason"] == "authError"


def test_the_discovery_document_points_here(sim: GoogleSimulator) -> None:
    document = requests.get(f"{sim.base_url}/.well-known/openid-configuration", timeout=10).json()
    assert document["token_endpoint"] == f"{sim.base_url}/token"
    assert document["issuer"] == "https://accounts.google.com"
