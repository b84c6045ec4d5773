"""Google's own client, from its shipped discovery documents, drives every method of the simulator."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import reduce
from typing import Any

import pytest
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from tests.simulators.discovery import check, method, validator
from tests.simulators.google import GoogleSimulator, OrgSpec
from tests.simulators.google.driver import CLIENT, SCOPES, connect
from tests.simulators.google.reports import LISTED, WATCHED
from tests.simulators.google.scopes import AUDIT, AUTH, CHROME_DETAILS, METHOD_SCOPES, SECURITY, USER_R
from tests.simulators.google.scopes import CHROME as CHROME_SCOPE

DIRECTORY, REPORTS = "admin.directory_v1", "admin.reports_v1"
MAIL_HEADERS = AUTH + "gmail.metadata"
CHROME, GMAIL = "chromemanagement.v1", "gmail.v1"
METHODS = {
    "directory": (DIRECTORY, "admin", "directory_v1"),
    "reports": (REPORTS, "admin", "reports_v1"),
    "chrome": (CHROME, "chromemanagement", "v1"),
    "gmail": (GMAIL, "gmail", "v1"),
}


@pytest.fixture(scope="module")
def sim() -> Iterator[GoogleSimulator]:
    with GoogleSimulator(OrgSpec(employees=60, seed=3, hostile=True), clients=[CLIENT]) as simulator:
        yield simulator


@contextmanager
def service(
    sim: GoogleSimulator, version: str, scopes: tuple[str, ...] = SCOPES, user: str = "", name: str = "admin"
) -> Iterator[Any]:
    token = sim.control.issue_access_token(user or sim.org.admin.email, CLIENT.client_id, scopes)
    options = {"api_endpoint": sim.base_url}
    with closing(
        build(name, version, credentials=Credentials(token), client_options=options, static_discovery=True)
    ) as api:
        yield api


def test_the_scope_table_is_the_discovery_documents() -> None:
    for name, scopes in METHOD_SCOPES.items():
        api, *path = name.split(".")
        assert set(method(METHODS[api][0], *path)["scopes"]) == scopes, name


def test_the_routes_are_the_discovery_documents(sim: GoogleSimulator) -> None:
    router = sim.server.dispatcher._router
    for name in METHOD_SCOPES:
        api, *path = name.split(".")
        entry = method(METHODS[api][0], *path)
        found = router.find(entry["httpMethod"], "/" + entry["flatPath"])
        assert found is not None, name
        assert found[0] == name


def test_the_applications_are_the_discovery_documents() -> None:
    for verb, ours in (("list", LISTED), ("watch", WATCHED)):
        theirs = method(REPORTS, "activities", verb)["parameters"]["applicationName"]["enum"]
        assert set(theirs) == ours


def test_the_schema_check_refuses_what_google_does_not_describe() -> None:
    token = {"kind": "admin#directory#token", "clientId": "x", "scopes": ["openid"], "nativeApp": False}
    check(DIRECTORY, "Token", token)
    for wrong in ({"issuedAt": "2026"}, {"nativeApp": "no"}, {"scopes": [1]}):
        assert list(validator(DIRECTORY, "Token").iter_errors({**token, **wrong}))
    activity = {"id": {"time": "2026-01-01T00:00:00.000Z", "uniqueQualifier": "-5"}}
    check(REPORTS, "Activity", activity)
    activity["id"]["uniqueQualifier"] = -5  # type: ignore[assignment]
    assert list(validator(REPORTS, "Activity").iter_errors(activity))


def test_users_are_paged_to_the_last_one(sim: GoogleSimulator) -> None:
    truth = sim.control.truth()
    for show_deleted, states in (("false", {"active", "suspended", "archived"}), ("true", {"deleted"})):
        seen: list[dict[str, Any]] = []
        with service(sim, "directory_v1") as api:
            request = api.users().list(customer="my_customer", maxResults=7, showDeleted=show_deleted)
            while request is not None:
                page = request.execute()
                check(DIRECTORY, "Users", page)
                seen += page.get("users", [])
                request = api.users().list_next(request, page)
        assert [u["primaryEmail"] for u in seen] == sorted(u["primaryEmail"] for u in seen)
        assert {u["id"] for u in seen} == {i for i, t in truth.items() if t["state"] in states}
        assert len(seen) == len({u["id"] for u in seen})
    assert all("deletionTime" in user for user in seen)


def test_half_pages_of_users_lose_nobody() -> None:
    with GoogleSimulator(OrgSpec(employees=30, seed=5)) as sim, service(sim, "directory_v1") as api:
        sim.control.fault("half_page", path="/users$", probability=0.7)
        request, seen, pages = api.users().list(customer="my_customer", maxResults=10), [], 0
        while request is not None:
            page = request.execute()
            seen += [u["id"] for u in page["users"]]
            pages += 1
            request = api.users().list_next(request, page)
        assert pages > 3
        assert sorted(seen) == sorted(i for i, t in sim.control.truth().items() if t["state"] != "deleted")


def test_a_person_leaving_between_pages_hides_nobody() -> None:
    with GoogleSimulator(OrgSpec(employees=12, seed=5)) as sim, service(sim, "directory_v1") as api:
        request = api.users().list(customer="my_customer", maxResults=4)
        page = request.execute()
        first = [u["id"] for u in page["users"]]
        sim.control.delete_user(next(i for i in first if i != sim.org.admin.id))
        rest = []
        while (request := api.users().list_next(request, page)) is not None:
            page = request.execute()
            rest += [u["id"] for u in page["users"]]
        living = {i for i, t in sim.control.truth().items() if t["state"] != "deleted"}
        assert living <= set(first) | set(rest)
        assert len(rest) == len(set(rest))


def test_user_states_and_roles_show(sim: GoogleSimulator) -> None:
    truth = sim.control.truth()
    with service(sim, "directory_v1") as api:
        for user_id, entry in truth.items():
            if entry["state"] == "deleted":
                with pytest.raises(HttpError) as refused:
                    api.users().get(userKey=user_id).execute()
                assert refused.value.status_code == 404
                continue
            user = api.users().get(userKey=entry["email"], projection="full").execute()
            check(DIRECTORY, "User", user)
            assert user["suspended"] == (entry["state"] == "suspended")
            assert user["archived"] == (entry["state"] == "archived")
            assert ("suspensionReason" in user) == user["suspended"]
            assert user["customerId"] == sim.org.customer_id
        assert api.users().get(userKey=sim.org.admin.id).execute()["isAdmin"] is True


def test_users_need_a_customer_or_a_domain_of_ones_own(sim: GoogleSimulator) -> None:
    with service(sim, "directory_v1") as api:
        by_domain = api.users().list(domain=sim.org.domain, maxResults=500).execute()
        by_customer = api.users().list(customer=sim.org.customer_id, maxResults=500).execute()
        assert by_domain["users"] == by_customer["users"]
        for wrong, status in (({}, 400), ({"customer": "C0other"}, 403), ({"domain": "other.example"}, 404)):
            with pytest.raises(HttpError) as refused:
                api.users().list(**wrong).execute()
            assert refused.value.status_code == status
        for size in (0, 501):
            with pytest.raises(HttpError) as refused:
                api.users().list(customer="my_customer", maxResults=size).execute()
            assert refused.value.status_code == 400
        found = api.users().list(customer="my_customer", query="isSuspended=true", orderBy="email").execute()
        assert found["users"]
        assert all(user["suspended"] for user in found["users"])


def test_page_tokens_live_three_days_and_belong_to_their_query() -> None:
    with GoogleSimulator(OrgSpec(employees=10)) as sim:
        token = ""
        with service(sim, "directory_v1") as api:
            token = api.users().list(customer="my_customer", maxResults=2).execute()["nextPageToken"]
            for wrong in (
                {"customer": "my_customer", "pageToken": token, "showDeleted": "true"},
                {"customer": "my_customer", "pageToken": "nonsense"},
            ):
                with pytest.raises(HttpError) as refused:
                    api.users().list(**wrong).execute()
                assert refused.value.status_code == 400
        sim.control.advance(3 * 86400 + 10)
        with service(sim, "directory_v1") as api, pytest.raises(HttpError) as refused:
            api.users().list(customer="my_customer", maxResults=2, pageToken=token).execute()
        assert refused.value.status_code == 400


def test_partial_responses(sim: GoogleSimulator) -> None:
    with service(sim, "directory_v1") as api:
        fields = "nextPageToken,users(id,name/fullName)"
        page = api.users().list(customer="my_customer", maxResults=3, fields=fields).execute()
        assert set(page) == {"nextPageToken", "users"}
        assert all(set(u) == {"id", "name"} and set(u["name"]) == {"fullName"} for u in page["users"])
        for wrong in ("users(id", "users)", ",", "users(,)"):
            with pytest.raises(HttpError) as refused:
                api.users().list(customer="my_customer", fields=wrong).execute()
            assert refused.value.status_code == 400


def test_customer(sim: GoogleSimulator) -> None:
    with service(sim, "directory_v1") as api:
        customer = api.customers().get(customerKey="my_customer").execute()
        check(DIRECTORY, "Customer", customer)
        assert customer["id"] == sim.org.customer_id
        assert customer["customerDomain"] == sim.org.domain
        assert api.customers().get(customerKey=sim.org.customer_id).execute() == customer
        with pytest.raises(HttpError) as refused:
            api.customers().get(customerKey="C0other").execute()
        assert refused.value.status_code == 403


def test_tokens_are_the_truth_and_carry_no_time(sim: GoogleSimulator) -> None:
    with service(sim, "directory_v1") as api:
        for user_id, entry in sim.control.truth().items():
            if entry["state"] == "deleted":
                with pytest.raises(HttpError) as refused:
                    api.tokens().list(userKey=user_id).execute()
                assert refused.value.status_code == 404
                assert refused.value.error_details[0]["reason"] == "notFound"
                continue
            listed = api.tokens().list(userKey=user_id).execute()
            check(DIRECTORY, "Tokens", listed)
            assert {t["clientId"]: t["scopes"] for t in listed.get("items", [])} == entry["grants"]
            assert all(t["userKey"] == user_id for t in listed.get("items", []))
            assert not any("time" in key.lower() for t in listed.get("items", []) for key in t)


def test_items_are_absent_when_there_are_none(sim: GoogleSimulator) -> None:
    user = sim.control.add_user("fresh.person@harbourline.example")["id"]
    with service(sim, "directory_v1") as api:
        assert "items" not in api.tokens().list(userKey=user).execute()
        asps = api.asps().list(userKey=user).execute()
        check(DIRECTORY, "Asps", asps)
        assert "items" not in asps
        page = api.users().list(customer="my_customer", query="email:nobody*").execute()
        check(DIRECTORY, "Users", page)
        assert "users" not in page
    with service(sim, "reports_v1") as api:
        nothing = api.activities().list(userKey=user, applicationName="drive").execute()
        check(REPORTS, "Activities", nothing)
        assert "items" not in nothing
    sim.control.delete_user(user)


def test_a_token_is_read_deleted_and_gone() -> None:
    with GoogleSimulator(OrgSpec(employees=10)) as sim, service(sim, "directory_v1") as api:
        user_id, entry = next((i, t) for i, t in sim.control.truth().items() if len(t["grants"]) > 2)
        client_id = next(iter(entry["grants"]))
        token = api.tokens().get(userKey=user_id, clientId=client_id).execute()
        check(DIRECTORY, "Token", token)
        assert token["scopes"] == entry["grants"][client_id]
        assert api.tokens().delete(userKey=user_id, clientId=client_id).execute() == ""
        for call in (api.tokens().get, api.tokens().delete):
            with pytest.raises(HttpError) as refused:
                call(userKey=user_id, clientId=client_id).execute()
            assert refused.value.status_code == 404
        left = api.tokens().list(userKey=user_id).execute()["items"]
        assert {t["clientId"] for t in left} == set(entry["grants"]) - {client_id}
        change = sim.control.changes()[-1]
        assert (change["user_id"], change["client_id"], change["scopes"]) == (user_id, client_id, None)
        with service(sim, "reports_v1") as reports:
            found = reports.activities().list(
                userKey="all", applicationName="token", eventName="revoke", maxResults=1
            )
            event = found.execute()["items"][0]
        assert event["actor"]["profileId"] == user_id
        assert {"name": "client_id", "value": client_id} in event["events"][0]["parameters"]


@pytest.mark.parametrize("name", sorted(METHOD_SCOPES))
def test_every_method_refuses_a_token_without_its_scope(sim: GoogleSimulator, name: str) -> None:
    api_name, *resources, verb = name.split(".")
    everything = {s for scopes in METHOD_SCOPES.values() for s in scopes} | {"openid"}
    foreign = tuple(everything - METHOD_SCOPES[name])
    call = {
        "users.list": {"customer": "my_customer"},
        "customers.get": {"customerKey": "my_customer"},
        "tokens.get": {"userKey": "me", "clientId": "x"},
        "tokens.delete": {"userKey": "me", "clientId": "x"},
        "activities.list": {"userKey": "all", "applicationName": "token"},
        "activities.watch": {"userKey": "all", "applicationName": "token", "body": {}},
        "channels.stop": {"body": {"id": "x", "resourceId": "y"}},
        "asps.delete": {"userKey": "me", "codeId": 1},
        "users.watch": {"customer": "my_customer", "event": "update", "body": {}},
        "chrome.get": {"name": "customers/my_customer/apps/chrome/x"},
        "users.getProfile": {"userId": "me"},
        "history.list": {"userId": "me", "startHistoryId": "1"},
        "messages.list": {"userId": "me"},
        "messages.get": {"userId": "me", "id": "x"},
    }.get(f"{resources[-1]}.{verb}", {"userKey": "me"})
    if api_name == "chrome" and verb != "get":
        call = {"customer": "customers/my_customer"}
    _, service_name, version = METHODS[api_name]
    with service(sim, version, foreign, name=service_name) as api:
        place = reduce(lambda at, resource: getattr(at, resource)(), resources, api)
        with pytest.raises(HttpError) as refused:
            getattr(place, verb)(**call).execute()
    assert refused.value.status_code == 403
    assert refused.value.resp["www-authenticate"].startswith("Bearer ")
    assert b"insufficientPermissions" in refused.value.content


def test_what_chrome_tells_fits_the_schema_page_by_page(sim: GoogleSimulator) -> None:
    people = [u["email"] for u in sim.control.users() if u["state"] == "active"][:7]
    tools = [
        sim.control.add_extension(f"Tool {n}", permissions=["tabs"], sites=["<all_urls>"]) for n in range(5)
    ]
    for email in people:
        sim.control.install_extension(email, tools[0])
        sim.control.visit(email, "ChatGPT", "chatgpt.com", transfers=2)
    scopes = (CHROME_SCOPE, CHROME_DETAILS)
    with service(sim, "v1", scopes, name="chromemanagement") as api:
        reports, customer = api.customers().reports(), "customers/my_customer"
        for verb, schema, rows, more, count in (
            ("countInstalledApps", "CountInstalledAppsResponse", "installedApps", {}, 5),
            (
                "findInstalledAppProfiles",
                "FindInstalledAppProfilesResponse",
                "profiles",
                {"appId": tools[0]},
                7,
            ),
            ("findSaasUsage", "FindSaasUsageReportsResponse", "saasReports", {}, 1),
            (
                "findSaasUsageProfiles",
                "FindSaasUsageProfilesResponse",
                "profileReports",
                {"app": "ChatGPT"},
                7,
            ),
        ):
            request, seen = getattr(reports, verb)(customer=customer, pageSize=2, **more), 0
            while request is not None:
                page = request.execute()
                check(CHROME, f"GoogleChromeManagementV1{schema}", page)
                assert int(page["totalSize"]) == count
                seen += len(page[rows])
                request = getattr(reports, f"{verb}_next")(request, page)
            assert seen == count
        details = api.customers().apps().chrome().get(name=f"{customer}/apps/chrome/{tools[0]}").execute()
        check(CHROME, "GoogleChromeManagementV1AppDetails", details)
        for wrong in ({"orderBy": "luck"}, {"filter": "app_type=EXTENSION OR app_id=x"}, {"pageToken": "x"}):
            with pytest.raises(HttpError) as refused:
                reports.countInstalledApps(customer=customer, **wrong).execute()
            assert refused.value.status_code == 400
        with pytest.raises(HttpError) as refused:
            reports.countInstalledApps(customer="customers/C0other").execute()
        assert refused.value.status_code == 403


def test_app_passwords_and_mail_headers_fit_the_schema(sim: GoogleSimulator) -> None:
    admin = sim.org.admin.email
    code = sim.control.add_password(admin, "Outlook")
    with service(sim, "directory_v1") as api:
        check(DIRECTORY, "Asps", api.asps().list(userKey=admin).execute())
        api.asps().delete(userKey=admin, codeId=code).execute()
        assert "items" not in api.asps().list(userKey=admin).execute()
    with service(sim, "v1", (MAIL_HEADERS,), name="gmail") as api:
        profile = api.users().getProfile(userId="me").execute()
        check(GMAIL, "Profile", profile)
        sim.control.mail(admin, [["From", "a@b.example"], ["Subject", "Hi"], ["To", admin]])
        history = api.users().history().list(userId="me", startHistoryId=profile["historyId"]).execute()
        check(GMAIL, "ListHistoryResponse", history)
        identifier = history["history"][0]["messagesAdded"][0]["message"]["id"]
        messages = api.users().messages()
        mail = messages.get(
            userId="me", id=identifier, format="metadata", metadataHeaders=["From", "Subject"]
        ).execute()
        check(GMAIL, "Message", mail)
        assert [h["name"] for h in mail["payload"]["headers"]] == ["From", "Subject"]
        for refused_call in (
            messages.list(userId="me", q="from:x"),
            messages.get(userId="me", id=identifier),
        ):
            with pytest.raises(HttpError) as refused:
                refused_call.execute()
            assert refused.value.status_code == 403
        with pytest.raises(HttpError) as refused:
            api.users().history().list(userId="me", startHistoryId="1").execute()
        assert refused.value.status_code == 404


def test_people_without_the_role_are_refused(sim: GoogleSimulator) -> None:
    people = sim.control.users()
    ordinary = next(p for p in people if p["state"] == "active" and not p["is_admin"] and not p["privileges"])
    delegated = next(p for p in people if p["privileges"])
    with service(sim, "directory_v1", user=ordinary["email"]) as api:
        for request in (api.users().list(customer="my_customer"), api.tokens().list(userKey=ordinary["id"])):
            with pytest.raises(HttpError) as refused:
                request.execute()
            assert refused.value.status_code == 403
            assert refused.value.reason == "Not Authorized to access this resource/api"
    with service(sim, "directory_v1", user=delegated["email"]) as api:
        assert api.users().list(customer="my_customer", maxResults=1).execute()["users"]
        with pytest.raises(HttpError) as refused:
            api.tokens().list(userKey=ordinary["id"]).execute()
        assert refused.value.status_code == 403


def test_organisations_do_not_see_one_another() -> None:
    specs = [
        OrgSpec(employees=10, seed=1, domain="one.example"),
        OrgSpec(employees=10, seed=2, domain="two.example"),
    ]
    with GoogleSimulator(specs) as sim:
        one, two = sim.world.orgs.values()
        with service(sim, "directory_v1", user=one.admin.email) as api:
            mine = api.users().list(customer="my_customer", maxResults=500).execute()["users"]
            assert {u["id"] for u in mine} <= set(one.by_id)
            for key in (two.admin.id, two.admin.email):
                with pytest.raises(HttpError) as refused:
                    api.tokens().list(userKey=key).execute()
                assert refused.value.status_code == 404


def test_official_credentials_refresh_themselves() -> None:
    with GoogleSimulator(OrgSpec(employees=10), clients=[CLIENT]) as sim:
        sim.control.auto_consent()
        tokens = connect(sim.base_url)
        credentials = Credentials(
            "expired", tokens["refresh_token"], token_uri=f"{sim.base_url}/token",
            client_id=CLIENT.client_id, client_secret=CLIENT.client_secret,
        )  # fmt: skip
        options = {"api_endpoint": sim.base_url}
        with closing(
            build(
                "admin",
                "directory_v1",
                credentials=credentials,
                client_options=options,
                static_discovery=True,
            )
        ) as api:
            assert api.customers().get(customerKey="my_customer").execute()["id"] == sim.org.customer_id
        assert credentials.token != "expired"
        assert sim.control.metrics()["methods"]["oauth.token"]["accepted"] == 2


def test_every_activity_of_every_application_fits_the_schema(sim: GoogleSimulator) -> None:
    with service(sim, "reports_v1", (AUDIT,)) as api:
        for application in ("token", "admin", "login", "drive"):
            page = api.activities().list(userKey="all", applicationName=application, maxResults=300).execute()
            check(REPORTS, "Activities", page)
            if application != "drive":
                assert page["items"]
                qualifiers = [int(item["id"]["uniqueQualifier"]) for item in page["items"]]
                assert all(isinstance(item["id"]["uniqueQualifier"], str) for item in page["items"])
                assert len(set(qualifiers)) == len(qualifiers)


def test_scopes_of_the_driver_cover_what_the_product_needs() -> None:
    assert {USER_R, SECURITY, AUDIT} <= set(SCOPES)
