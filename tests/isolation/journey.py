"""Everything the product does, once, so that every call it makes to AWS is seen."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from lantern.domain.catalog_schema import ProductEntry, listing_of
from lantern.domain.incidents import Notice
from lantern.domain.overlay import OverlayEntry, Publication, Published
from lantern.store.platform import PlatformStore
from lantern.store.platform_catalog import OperatorCatalogStore
from tests.isolation import chat, guided
from tests.isolation.account import BASE, REGISTERED, SIGNING, Account, Customer
from tests.simulators.google.receiver import Receiver
from tests.simulators.slack import SlackSimulator
from tests.support import rendered

PRODUCT: dict[str, Any] = {"category": "ai_test_category", "kind": "ai"}
RISKY = "https://www.googleapis.com/auth/drive"


def hired(account: Account) -> list[str]:
    """People of the first organisation, and what they hold that they will be asked about; their addresses."""
    control = account.google.control
    customer_id = control.organisations()[0]["customer_id"]
    admin = control.organisations()[0]["admin"]
    truth = control.truth(customer_id).values()
    people = [r["email"] for r in truth if r["state"] == "active" and r["email"] != admin]
    client = control.add_app(guided.ASKED, ["openid", RISKY], customer_id)
    for person in people[1:7]:
        control.grant(person, client_id=client)
    for person in people[5:8]:
        control.grant(person, guided.BREACHED)
    return people


def whole(account: Account, hooks: Receiver, slack: SlackSimulator, taken: Receiver) -> list[Customer]:
    """Two customers: discovery, scoring, the API, remediation, push, schedules, goodbye, housekeeping.

    `taken` stands for every address that customers name.
    """
    account.endpoints["webhooks"] = taken.address.removesuffix("/webhooks/google")
    control = account.google.control
    first, second = control.organisations()
    people = [r["email"] for r in control.truth(first["customer_id"]).values() if r["state"] == "active"]
    client = control.add_app("Humata", ["openid", RISKY], first["customer_id"])
    for person in people[:3]:
        control.grant(person, client_id=client)
    hired_ = hired(account)
    acme, globex = account.customer(first["admin"]), account.customer(second["admin"])
    account.settle()
    _alerts(acme)
    account.settle()
    _push(account, hooks, people[4], client)
    _read(acme)
    _decide(account, acme)
    _correct(account, acme)
    tenant = acme.get("/v1/tenant")["id"]
    (connection,) = [c["id"] for c in acme.get("/v1/connections")["data"]]
    for kind in ("connection.full", "connection.changes", "connection.use"):
        account.send("Runs", tenant_id=tenant, kind=kind, connection_id=connection, cause="schedule")
        account.settle()
    assert _app(acme)["category"] == PRODUCT["category"], "operators' entries reach the tenant by its poll"
    _repair(account, acme, first["admin"], connection)
    _other_providers(account)
    _guided(account, acme, connection, hooks, slack, hired_)
    _signed(taken)
    _nobodys(account, tenant)
    account.send("Hints", tenant_id=tenant, kind="people.due")
    account.send("Runs", tenant_id=tenant, kind="playbook.due")
    for queue in ("Hints", "Runs"):
        account.send(queue, tenant_id=tenant, kind="connection.unheard-of")
    account.settle()
    account.run("Housekeeping", {})
    path = globex.get("/v1/connections")["data"][0]["id"]
    _hand_in(account, globex)
    gone = globex.decide("DELETE", f"/v1/connections/{path}", f"/v1/connections/{path}")
    assert gone.status == 202
    account.settle()
    assert globex.get(f"/v1/connections/{path}")["status"] == "disconnected"
    return [acme, globex]


def _alerts(customer: Customer) -> None:
    """Channels to people and systems: sealed by the API, opened and used by outreach alone."""
    domain = customer.admin.partition("@")[2]
    teams = customer(
        "POST", "/v1/alerts/channels", {"kind": "teams", "name": "t", "url": "https://teams.example.com/w"}
    )
    mail = customer(
        "POST", "/v1/alerts/channels", {"kind": "email", "name": "m", "to": [f"security@{domain}"]}
    )
    hook = customer("POST", "/v1/webhook-endpoints", {"url": "https://hooks.example.com/lantern"})
    assert (teams.status, mail.status, hook.status) == (201, 201, 201), (teams.json, mail.json, hook.json)
    for made in (teams, mail):
        assert customer("POST", f"/v1/alerts/channels/{made.json['id']}/test").status == 202
    path = f"/v1/webhook-endpoints/{hook.json['id']}"
    assert customer("POST", f"{path}/test").status == 202
    assert customer.decide("POST", f"{path}/rotate", path).status == 200
    customer.get(f"{path}/deliveries")
    customer.get("/v1/events/ocsf?limit=2")
    customer.get("/v1/findings/statistics")


def _guided(
    account: Account,
    acme: Customer,
    connection: str,
    hooks: Receiver,
    slack: SlackSimulator,
    people: list[str],
) -> None:
    """Employees, reviews, playbooks, incidents; at last operators tell everybody of one."""
    chat.connect(account, acme, slack, people[:3])
    issued = acme("POST", "/v1/keys", {"name": "colleague", "scopes": ["read", "remediate"]})
    colleague = Customer(account, issued.json["key"], acme.admin)
    guided.live(guided.Guided(account, acme, colleague, slack, hooks, people, connection))
    now = datetime.now(UTC)
    notice = Notice("inc_told", "anthropic", now - timedelta(days=2), "Tokens were stolen", now, "opr_x")
    PlatformStore(account.aws("dynamodb"), rendered.physical_name("PlatformTable")).notices.add(notice)
    tenant = acme.get("/v1/tenant")["id"]
    account.send("Runs", tenant_id=tenant, kind="connection.changes", connection_id=connection)
    account.settle()
    assert "inc_told" in {one["id"] for one in acme.get("/v1/incidents")["data"]}
    (mail,) = [c["id"] for c in acme.get("/v1/alerts/channels")["data"] if c["kind"] == "email"]
    path = f"/v1/alerts/channels/{mail}"
    assert acme.decide("DELETE", path, path).status == 204
    path = f"/v1/webhook-endpoints/{acme.get('/v1/webhook-endpoints')['data'][0]['id']}"
    assert acme.decide("DELETE", path, path).status == 204


def _signed(taken: Receiver) -> None:
    """What customers' own addresses were told, and by whom."""
    events = [one for one in taken.posted if "webhook-signature" in one.headers]
    cards = [one for one in taken.posted if "webhook-signature" not in one.headers]
    assert {one.headers["x-lantern-host"] for one in events} == {"hooks.example.com"}
    assert {one.headers["x-lantern-host"] for one in cards} == {"teams.example.com"}
    kinds = {json.loads(one.body).get("type") for one in events}
    assert {"lantern.test", "finding.opened", "finding.snoozed", "playbook.notified"} - kinds == set(), kinds


def _nobodys(account: Account, tenant: str) -> None:
    """Somebody opens a page that is nobody's, under the tenant's own name."""
    for kind in ("n", "my", "review", "decide"):
        assert account.page(f"{BASE}/{kind}/{tenant}.{'x' * 43}")["statusCode"] == 404, kind


def _other_providers(account: Account) -> None:
    """Somebody is sent to each of the other providers, and something unsigned comes in for our apps there."""
    for provider in REGISTERED:
        away = account.browse("/connect/{provider}", {"provider": provider}, {}, None)
        assert away["statusCode"] == 302, provider
    for provider in SIGNING:
        parameters = {"source": provider, "id": "events"}
        headers = {
            "x-slack-signature": ["v0=" + "0" * 64],
            "x-slack-request-timestamp": [str(int(datetime.now(UTC).timestamp()))],
            "x-hub-signature-256": ["sha256=" + "0" * 64],
            "x-github-delivery": ["00000000-0000-0000-0000-000000000000"],
            "x-github-event": ["ping"],
        }
        event = {
            "path": f"/webhooks/{provider}/events",
            "pathParameters": parameters,
            "multiValueHeaders": headers,
            "body": "{}",
            "requestContext": {"requestId": "push"},
        }
        assert account.run("Webhooks", event)["statusCode"] == 401, provider


def _hand_in(account: Account, customer: Customer) -> None:
    """An export as a file, read by the tenant's worker; then what it said is disconnected."""
    token = {"clientId": "c", "displayText": "Perplexity", "userKey": "1", "scopes": [RISKY]}
    taken = customer("POST", "/v1/imports", {"items": [token]})
    assert taken.status == 202, taken.json
    account.settle()
    done = customer.get(f"/v1/imports/{taken.json['id']}")
    assert (done["state"], done["counts"]["added"]) == ("done", 1)
    path = f"/v1/connections/{done['connections'][0]}"
    assert customer.get(path)["kind"] == "import"
    assert customer.decide("DELETE", path, path).status == 202
    account.settle()
    assert customer.get(path)["status"] == "disconnected"
    _feeds(account, customer)
    _drop(account, customer)


def _feeds(account: Account, customer: Customer) -> None:
    """What a customer's own systems send: an inventory, and a log in a request."""
    feed = "user,app,client_id\nada@x.example,ChatGPT,c1\n"
    sent = customer("POST", "/v1/ingest/inventory?source=cmdb&provider=okta", feed, Content_Type="text/csv")
    assert sent.status == 202, sent.json
    day = datetime.now(UTC).date() - timedelta(days=1)
    log = f"time,user,host,bytes_out\n{day}T11:00:00Z,ada@x.example,humata.ai,7\n"
    sent = customer("POST", "/v1/ingest/logs", log, Content_Type="text/csv")
    assert sent.status == 202, sent.json
    account.settle()


def _drop(account: Account, customer: Customer) -> None:
    """A log that is too large for a request, by way of the bucket."""
    day = datetime.now(UTC).date() - timedelta(days=1)
    content = f"time,user,host,bytes_out\n{day}T10:00:00Z,ada@x.example,humata.ai,7\n".encode()
    digest = hashlib.sha256(content).hexdigest()
    body = {"kind": "logs", "content_type": "text/csv", "size": len(content), "sha256": digest}
    opened = customer("POST", "/v1/ingest/uploads", body)
    assert opened.status == 201, opened.json
    account.upload(opened.json, content, customer.get("/v1/tenant")["id"])
    account.settle()
    done = customer.get(f"/v1/imports/{opened.json['upload_id']}")
    assert (done["state"], done["counts"]["rows"]) == ("done", 1), done
    again = customer("POST", f"/v1/ingest/uploads/{opened.json['upload_id']}/complete")
    assert again.status == 202


def _push(account: Account, hooks: Receiver, person: str, client: str) -> None:
    control = account.google.control
    control.grant(person, client_id=client)
    control.settle()
    assert [p for p in hooks.posted if p.body]
    hooks.posted.extend(list(hooks.posted))  # everything twice: a replay has no effect
    account.pushes(hooks)
    account.settle()


def _read(acme: Customer) -> None:
    connection = acme.get("/v1/connections")["data"][0]["id"]
    app = next(a for a in acme.get("/v1/apps?limit=100")["data"] if a["name"] == "Humata")["id"]
    first = acme.get("/v1/apps?limit=1")
    acme.get(f"/v1/apps?limit=1&cursor={first['next_cursor']}")
    principal = acme.get(f"/v1/principals?connection_id={connection}&limit=5")["data"][0]["id"]
    grant = acme.get(f"/v1/grants?app_id={app}&connection_id={connection}")["data"][0]
    finding = acme.get("/v1/findings?status=open&limit=5")["data"][0]["id"]
    acme.get("/v1/findings?limit=5")
    for path in (
        "/v1/tenant",
        f"/v1/connections/{connection}",
        f"/v1/connections/{connection}/runs?limit=2",
        f"/v1/apps/{app}",
        f"/v1/apps/{app}/risk",
        f"/v1/apps/{app}/holders?connection_id={connection}",
        f"/v1/apps/{app}/activity?connection_id={connection}",
        f"/v1/principals/{principal}",
        f"/v1/principals/{principal}/grants?connection_id={connection}",
        f"/v1/grants?finding_id={finding}",
        f"/v1/grants/{grant['id']}?connection_id={connection}",
        f"/v1/grants/{grant['id']}/risk?connection_id={connection}",
        "/v1/risk/weights",
        "/v1/posture",
        "/v1/connectors",
        "/v1/connectors/google",
        "/v1/vendors/openai",
        "/v1/vendors/openai/changes",
        f"/v1/scope-sets/{grant['scope_set']}",
        f"/v1/findings/{finding}",
        "/v1/jobs?open=true",
        "/v1/audit?limit=3",
        "/v1/audit/verify",
        "/v1/keys",
    ):
        acme.get(path)
    run = acme.get(f"/v1/connections/{connection}/runs")["data"][0]["id"]
    acme.get(f"/v1/connections/{connection}/runs/{run}")


def _decide(account: Account, acme: Customer) -> None:
    connection = acme.get("/v1/connections")["data"][0]["id"]
    app = next(a for a in acme.get("/v1/apps?limit=100")["data"] if a["name"] == "Humata")["id"]
    assert (
        acme.decide("PUT", f"/v1/apps/{app}/status", f"/v1/apps/{app}", {"status": "restricted"}).status
        == 200
    )
    account.settle()
    weights = {"weights": {"reach": 45}}
    assert acme("POST", "/v1/risk/preview", weights).status == 200
    assert acme.decide("PUT", "/v1/risk/weights", "/v1/risk/weights", weights).status == 200
    override, risk = f"/v1/apps/{app}/risk-override", f"/v1/apps/{app}/risk"
    body = {"score": 90, "note": "looks odd", "until": "2027-06-01T00:00:00Z"}
    assert acme.decide("PUT", override, risk, body).status == 200
    assert acme.decide("DELETE", override, risk).status == 200
    account.settle()
    findings = [f["id"] for f in acme.get("/v1/findings?status=open&limit=10")["data"]]
    for finding, verb, body in zip(
        findings,
        ("acknowledge", "resolve", "exception"),
        (
            {},
            {"resolution": "accepted", "reason": "known"},
            {"reason": "known", "until": "2027-06-01T00:00:00Z"},
        ),
        strict=False,
    ):
        path = f"/v1/findings/{finding}"
        answer = acme.decide("POST", f"{path}/{verb}", path, body, Idempotency_Key=f"once-{verb}-00001")
        assert answer.status == 200, (verb, answer.json)
    grants = acme.get(f"/v1/grants?app_id={app}&connection_id={connection}")["data"]
    one = f"/v1/grants/{grants[0]['id']}"
    assert acme.decide("POST", f"{one}/revoke", one, {}).status == 202
    account.settle()
    bulk = acme("POST", "/v1/grants/revoke", {"grant_ids": [g["id"] for g in grants[1:3]]})
    assert bulk.status == 202, bulk.json
    issued = acme("POST", "/v1/keys", {"name": "second", "scopes": ["read", "remediate"]})
    colleague = Customer(account, issued.json["key"], acme.admin)
    job = f"/v1/jobs/{bulk.json['id']}"
    approved = colleague.decide("POST", f"{job}/approve", job)
    assert approved.status in (200, 202), approved.json
    account.settle()
    assert acme.get(job)["counts"]["verified"] == 2
    acme.get(f"{job}/actions")
    third = acme("POST", "/v1/grants/revoke", {"app_id": app, "dry_run": True})
    assert third.status in (200, 202), third.json
    person = next(
        p["id"] for p in acme.get(f"/v1/principals?connection_id={connection}&limit=9")["data"] if p["email"]
    )
    ended = acme("POST", "/v1/jobs", {"kind": "end_sessions", "principal_id": person})
    assert (ended.status, ended.json["state"]) == (202, "approved"), ended.json
    stopped = acme.decide("POST", f"/v1/jobs/{ended.json['id']}/cancel", f"/v1/jobs/{ended.json['id']}")
    assert stopped.status == 202, stopped.json
    assert acme("DELETE", f"/v1/keys/{issued.json['id']}").status in (200, 204)
    assert acme("POST", f"/v1/connections/{connection}/sync").status == 202
    account.settle()


def _correct(account: Account, acme: Customer) -> None:
    """A tenant corrects the catalog; operators publish, and the next poll follows."""
    added = acme("POST", "/v1/catalog/entries", {"product": {**PRODUCT, "name": "Humata"}})
    assert added.status == 201, added.json
    account.settle()
    assert _app(acme)["category"] == PRODUCT["category"]
    acme.get("/v1/catalog/entries?limit=5")
    path = f"/v1/catalog/entries/{added.json['id']}"
    changed = {"product": {**PRODUCT, "name": "Humata", "kind": "embedded_ai"}}
    assert acme.decide("PUT", path, path, changed).status == 200
    assert acme.get("/v1/catalog/products?name=Humata")["data"][0]["source"] == "tenant"
    assert acme.decide("DELETE", path, path).status == 200
    account.settle()
    listing = listing_of("humata-too", ProductEntry(**PRODUCT, name="Humata"))
    entry = OverlayEntry("humata-too", listing, None, "", "opr_x", datetime.now(UTC))
    published = OperatorCatalogStore(account.aws("dynamodb"), rendered.physical_name("PlatformTable"))
    published.publish(Published(1, (entry,)), Publication(1, "note", "opr_x", datetime.now(UTC)))


def _app(acme: Customer) -> Any:
    return next(a for a in acme.get("/v1/apps?limit=100")["data"] if a["name"] == "Humata")


def _repair(account: Account, acme: Customer, admin: str, connection: str) -> None:
    """Consent is withdrawn, the connection says so, a link repairs it."""
    from tests.isolation.account import CLIENT_ID

    account.google.control.revoke_consent(admin, CLIENT_ID)
    account.google.control.expire_access_tokens()
    tenant = acme.get("/v1/tenant")["id"]
    account.send("Runs", tenant_id=tenant, kind="connection.changes", connection_id=connection)
    account.settle()
    assert acme.get(f"/v1/connections/{connection}")["status"] == "needs_attention"
    link = acme("POST", "/v1/connections", {"provider": "google", "connection_id": connection}).json["url"]
    assert account.consent(admin, link)["statusCode"] == 200
    account.settle()
    assert acme.get(f"/v1/connections/{connection}")["status"] == "active"
