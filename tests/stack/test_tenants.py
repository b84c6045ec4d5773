"""Tenants beside one another, and what becomes of them: attention, suspension, goodbye, restart."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from lantern.connectors.google.manifest import MANIFEST
from lantern.store.platform import PlatformStore
from lantern.store.session import TenantSession
from tests.stack.deployment import CLIENT_ID, Customer, Deployment, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]


@pytest.fixture(scope="module")
def globex(deployment: Deployment) -> Customer:
    """A second customer of the same deployment."""
    return deployment.customer(employees=10, seed=21, domain="globex.example").read()


# --- isolation --------------------------------------------------------------------------------------


def _ids_of(customer: Customer) -> Iterator[tuple[str, str]]:
    """Paths of one of each thing of a customer, with a made-up id of the same shape."""
    connection = customer.connection_id
    app = customer.every("/v1/apps")[0]["id"]
    principal = customer.every(f"/v1/principals?connection_id={connection}")[0]["id"]
    grant = customer.grants(app)[0]["id"]
    # Ids of findings follow from rule and app: this one is of an app that nobody else has.
    finding = customer.finding("ai-app-sensitive-scope", "Humata")["id"]
    run = customer.runs()[0]["id"]
    for path, known in (
        ("/v1/connections/{}", connection),
        ("/v1/connections/{}/runs", connection),
        (f"/v1/connections/{connection}/runs/{{}}", run),
        ("/v1/principals/{}", principal),
        ("/v1/grants/{}", grant),
        ("/v1/findings/{}", finding),
    ):
        made_up = known[:-4] + ("0000" if known[-4:] != "0000" else "1111")
        yield path.format(known), path.format(made_up)


def test_what_is_anothers_is_not_there(acme: Customer, globex: Customer):
    asked = 0
    for foreign, made_up in _ids_of(acme):
        theirs, nobodys = globex.send("GET", foreign), globex.send("GET", made_up)
        assert (theirs.status_code, nobodys.status_code) == (404, 404), foreign
        drop = {"detail", "request_id", "instance"}
        assert {k: v for k, v in theirs.json().items() if k not in drop} == {
            k: v for k, v in nobodys.json().items() if k not in drop
        }
        assert acme.send("GET", foreign).status_code == 200
        asked += 1
    assert asked == 6
    # The same app of the same vendor is in both organisations: each sees its own holders only.
    apps = wait_for(lambda: globex.every("/v1/apps"), "the apps of the second customer")
    assert {app["name"] for app in apps} & {app["name"] for app in acme.every("/v1/apps")}
    for app in apps:
        for holder in globex.every(f"/v1/apps/{app['id']}/holders?connection_id={globex.connection_id}"):
            whole = (holder["email"], holder["name"]) == (None, "Everyone in the organisation")
            assert whole or holder["email"].endswith("@globex.example")


def test_a_revocation_of_anothers_grant_is_refused(acme: Customer, globex: Customer):
    grant = next(g for a in acme.every("/v1/apps") if a["holders"] for g in acme.grants(a["id"]))
    one = globex.send("POST", f"/v1/grants/{grant['id']}/revoke", {}, If_Match='"x"')
    many = globex.send("POST", "/v1/grants/revoke", {"grant_ids": [grant["id"]]})
    assert (one.status_code, many.status_code) == (404, 404)
    assert [j for j in globex.every("/v1/jobs") if grant["id"] in j["selector"]["grant_ids"]] == []


def _unguarded(deployment: Deployment, tenant_id: str) -> TenantSession:
    """A tenant's session as the API function makes it, with the client's guard taken off."""
    sts = deployment.aws("sts")
    as_api = sts.assume_role(RoleArn=deployment.role_of("Api"), RoleSessionName="api")["Credentials"]
    session = TenantSession.assumed(
        deployment.aws("sts", as_api),
        deployment.outputs["TenantDataRole"],
        tenant_id,
        deployment.outputs["TenantTable"],
        deployment.cloud.env["AWS_REGION"],
        endpoint_url=deployment.cloud.endpoint,
    )
    session.client.meta.events.unregister("before-parameter-build.dynamodb", _guard(session))
    return session


def _guard(session: TenantSession) -> Any:
    from lantern.store import guard

    return guard._guarded[session.client]


def test_without_the_guard_iam_still_refuses(deployment: Deployment, acme: Customer, globex: Customer):
    session = _unguarded(deployment, globex.tenant_id)
    table = deployment.outputs["TenantTable"]
    own, foreign = f"T#{globex.tenant_id}#TENANT", f"T#{acme.tenant_id}#TENANT"

    def query(pk: str) -> int:
        values = {":pk": {"S": pk}}
        return int(
            session.client.query(
                TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=values
            )["Count"]
        )

    assert query(own) > 0
    key = {"pk": {"S": foreign}, "sk": {"S": "TENANT"}}
    attempts = {
        "query": lambda: query(foreign),
        "get": lambda: session.client.get_item(TableName=table, Key=key),
        "put": lambda: session.client.put_item(TableName=table, Item=key),
        "delete": lambda: session.client.delete_item(TableName=table, Key=key),
        "scan": lambda: session.client.scan(TableName=table),
        "batch": lambda: session.client.batch_get_item(
            RequestItems={table: {"Keys": [{"pk": {"S": own}, "sk": {"S": "TENANT"}}, key]}}
        ),
    }
    for name, attempt in attempts.items():
        with pytest.raises(ClientError) as refused:
            attempt()
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException", name


# --- states of a tenant -----------------------------------------------------------------------------


def _set_status(deployment: Deployment, tenant_id: str, status: Any) -> None:
    platform = PlatformStore(deployment.aws("dynamodb"), deployment.outputs["PlatformTable"])
    entry = platform.get_tenant(tenant_id)
    assert entry is not None
    platform.put_tenant(replace(entry, status=status))


def test_a_suspended_tenant_is_told_so(deployment: Deployment, globex: Customer):
    # The gateway remembers a key's answer for a minute; keys that were not used yet know at once.
    after, later = globex.colleague("read"), globex.colleague("read")
    tenant_id = globex.tenant_id
    _set_status(deployment, tenant_id, "suspended")
    try:
        refused = after.send("GET", "/v1/apps")
        assert (refused.status_code, refused.json()["code"]) == (403, "tenant_suspended")
    finally:
        _set_status(deployment, tenant_id, "active")
    assert later.send("GET", "/v1/apps").status_code == 200


def test_consent_withdrawn_at_google_asks_for_attention(deployment: Deployment):
    hooli = deployment.customer(employees=5, seed=31, domain="hooli.example").read()
    assert deployment.google.control.revoke_consent(hooli.admin, CLIENT_ID)
    deployment.google.control.expire_access_tokens()
    hooli.do("POST", f"/v1/connections/{hooli.connection_id}/sync")
    wait_for(lambda: hooli.connection["status"] == "needs_attention", "needs_attention")
    assert hooli.connection["attention"]
    assert "POST /v1/connections" in hooli.connection["remedy"]

    link = hooli.do("POST", "/v1/connections", {"provider": "google", "connection_id": hooli.connection_id})[
        "url"
    ]
    deployment.google.control.auto_consent(hooli.admin)
    with requests.Session() as browser:
        browser.trust_env = False
        page = browser.get(link, timeout=60)
    assert page.status_code == 200, page.text
    assert "lnt_" not in page.text, "a customer that is known gets no key"
    assert hooli.connection["status"] == "active"


def test_disconnecting_leaves_nothing_behind(deployment: Deployment):
    initech = deployment.customer(employees=5, seed=41, domain="initech.example").read()
    control, tenant = deployment.google.control, initech.tenant_id

    def channels() -> list[dict[str, Any]]:
        return [c for c in control.channels() if c["customer_id"] == initech.customer_id]

    wait_for(lambda: len(channels()) == len(MANIFEST.push.events), "push channels")
    names = {f"{initech.connection_id}-full", f"{initech.connection_id}-changes"}
    assert names <= deployment.schedules()
    assert _tokens(deployment, initech)

    path = f"/v1/connections/{initech.connection_id}"
    # What runs by itself may change the connection between reading and deciding: read it again, as told.
    wait_for(lambda: initech.send("DELETE", path, If_Match=initech.etag(path)).status_code == 202, "accepted")
    wait_for(lambda: initech.connection["status"] == "disconnected", "disconnected")
    assert not names & deployment.schedules()
    assert channels() == []
    assert _tokens(deployment, initech) == []
    left = [item for item in deployment.items() if _about(item, tenant, initech.connection_id)]
    assert left == []
    assert initech.send("POST", f"{path}/sync").status_code == 409
    assert initech.get("/v1/audit/verify")["sound"] is True


def _tokens(deployment: Deployment, customer: Customer) -> list[str]:
    """Refresh tokens of a customer's administrator that live at Google."""
    subjects = deployment.google.tokens.refresh.values()
    return [repr(s) for s in subjects if customer.admin in repr(s)]


def _about(item: dict[str, Any], tenant: str, connection: str) -> bool:
    """Whether an item is a sealed secret, a channel or a route of a connection."""
    text = str(item)
    pk = item["pk"]["S"]
    if pk.startswith(f"T#{tenant}#"):
        return item.get("kind", {}).get("S") in ("secret", "channel") and connection in text
    return pk.startswith(("CHANNEL#", "ORG#")) and tenant in text


# --- restart ----------------------------------------------------------------------------------------


def test_everything_survives_a_restart(deployment: Deployment, acme: Customer):
    deployment.quiet()
    before = (acme.get("/v1/tenant"), acme.every("/v1/apps"), deployment.schedules())
    deployment.stop()
    with pytest.raises(requests.ConnectionError):
        acme.get("/v1/tenant")
    deployment.start()
    assert (acme.get("/v1/tenant"), acme.every("/v1/apps"), deployment.schedules()) == before

    control = deployment.google.control
    name = f"After {uuid.uuid4().hex[:6]}"
    client = control.add_app(name, ["openid"], acme.customer_id)
    person = next(r for r in control.truth(acme.customer_id).values() if r["state"] == "active")["email"]
    control.grant(person, client_id=client)
    assert acme.app(name, 60)["holders"] == 1, "push, queues, stream and workers work again"
