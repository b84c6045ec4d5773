"""Tenants in moto tables behind the real handler: what the functional tests of the API share."""

import atexit
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from botocore.config import Config
from botocore.session import Session

from lantern.domain import ids, jobs
from lantern.domain.access import ApiKeyInfo
from lantern.domain.alerts import AlertChannel
from lantern.domain.apps import AppSummary
from lantern.domain.assets import Asset
from lantern.domain.audit import AuditEvent
from lantern.domain.blast import AppReach, ConnectionReach, ReachState, ReadState, VendorReach
from lantern.domain.campaigns import Campaign, CampaignCounts, CampaignItem, CampaignScope
from lantern.domain.catalog_schema import ProductEntry, listing_of
from lantern.domain.exceptions import AccessException, exception_id
from lantern.domain.findings import Affected, Finding, FindingStatus, Group, finding_id
from lantern.domain.imports import BadLine, ImportRecord
from lantern.domain.incidents import Incident
from lantern.domain.inventory import App, Bundle, Grant, Principal
from lantern.domain.messages import Address, Delivery
from lantern.domain.nudges import Ledger, Nudge, opened
from lantern.domain.overlay import OverlayEntry, TenantCatalog
from lantern.domain.playbooks.machine import About
from lantern.domain.previews import Preview, Proposal
from lantern.domain.requests import AccessRequest
from lantern.domain.rules.authoring import compile_page
from lantern.domain.rules.model import RuleSet, load_rules
from lantern.domain.rules.policy import OwnRule, RuleSettings, TenantPolicy
from lantern.domain.tenancy import Connection, Coverage, Run, RunCounts, Tenant
from lantern.domain.webhooks import Endpoint
from lantern.domain.work import Work
from lantern.runtime.api.application import handle
from lantern.runtime.api.tools import Tools
from lantern.runtime.cursors import CursorCodec
from lantern.services import playbooks, remediation
from lantern.services.catalog_layers import OperatorCatalog
from lantern.services.imports.drops import DropBox
from lantern.services.links import ConsentLinks, Site
from lantern.services.reference import Reference
from lantern.store.apps import summary_part
from lantern.store.platform import PlatformStore
from lantern.store.session import TenantSession
from lantern.store.tenant import TenantStore
from scripts.build import compile_playbooks, compile_risk, compile_rules, compile_scopes, compile_vendors
from tests.support.catalogs import shipped

NOW = datetime(2026, 3, 1, 12, 0, 15, tzinfo=UTC)
TENANT_TABLE, PLATFORM_TABLE = "tenants", "platform"
READ_SCOPES = frozenset({"drive.readonly", "mail.send"})


@cache
def release_facts() -> Reference:
    """What a release knows, compiled once."""
    out = Path(mkdtemp(prefix="lantern-reference-"))
    atexit.register(rmtree, out, ignore_errors=True)
    for compiler in (compile_playbooks, compile_risk, compile_scopes, compile_vendors):
        compiler.compile_to(out)
    return Reference(out)


@cache
def shipped_rules() -> RuleSet:
    """The rules of a release, compiled once."""
    return load_rules(json.dumps(compile_rules.compile_pages()))


def rule_page(rule_id: str, text: str = "") -> dict[str, Any]:
    """A rule that a tenant may write."""
    about = f"Somebody here must answer for every app that reads mail. {text}".strip()
    facts = {"data_classes": ["mail"], "status": "unreviewed"}
    return {
        "id": rule_id,
        "title": "{app.name} reads mail and nobody decided about it",
        "why": about,
        "runbook": "Ask whoever holds it, then decide about the app.",
        "severity": "medium",
        "stage": "observe",
        "triggers": ["daily"],
        "subject": "app",
        "params": {"holders": {"about": "Least holders", "default": 1, "min": 1, "max": 99}},
        "where": {
            "all": [
                {"field": "app.data_classes", "contains": "mail"},
                {"field": "app.status", "eq": "unreviewed"},
                {"field": "app.holders", "gte": "$holders"},
            ]
        },
        "tests": [
            {"name": "reads mail", "given": {"app": {**facts, "holders": 2}}, "expect": True},
            {"name": "decided", "given": {"app": {**facts, "status": "approved"}}, "expect": False},
            {"name": "not classed", "given": {"app": {**facts, "data_classes": None}}, "expect": "unknown"},
        ],
    }


def make_tables(client: Any) -> None:
    """Both tables, as the template makes them."""
    keys = [("pk", "S"), ("sk", "S"), ("gsi1pk", "S"), ("gsi1sk", "S")]
    schema = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    client.create_table(
        TableName=TENANT_TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in keys],
        KeySchema=schema,
        GlobalSecondaryIndexes=[
            {
                "IndexName": "gsi1",
                "KeySchema": [
                    {"AttributeName": "gsi1pk", "KeyType": "HASH"},
                    {"AttributeName": "gsi1sk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    client.create_table(
        TableName=PLATFORM_TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in keys[:2]],
        KeySchema=schema,
    )


class Queue:
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[Work] = []

    def send(self, work: Work, delay_s: int = 0) -> None:
        self.sent.append(work)


@dataclass
class Answer:
    """What the handler answered."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class World:
    """One warm process that serves every tenant."""

    make_client: Callable[[], Any]
    seed: int = 1
    limit: int = 10_000
    stores: dict[str, TenantStore] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now = NOW
        self.random = random.Random(self.seed).randbytes
        self.queue = Queue()
        self.platform = PlatformStore(self.make_client(), PLATFORM_TABLE)
        self.seconds = 0.0
        self.catalog = OperatorCatalog(shipped(), self.platform.catalog.current, lambda: self.seconds)
        self.tools = Tools(
            open_store=self.store,
            platform=self.platform,
            queue=lambda: self.queue,
            remediation=remediation,
            catalog=lambda: self.catalog,
            onboarding=ConsentLinks(Site("https://lantern.example")),
            cursors=lambda: CursorCodec(b"c" * 32),
            now=lambda: self.now,
            random=self.random,
            environment="test",
            requests_per_minute=self.limit,
            reference=release_facts(),
            rules=shipped_rules,
            drops=self.drop_box,
            seal=lambda tenant_id, secret_id, text: f"sealed:{tenant_id}:{secret_id}:{len(text)}".encode(),
        )

    def drop_box(self, tenant_id: str) -> DropBox:
        """A tenant's part of the bucket; its addresses are signed with keys that nobody accepts."""
        session = Session()
        session.set_credentials("TENANT", "secret", "token")
        config = Config(signature_version="s3v4", request_checksum_calculation="when_required")
        client = session.create_client("s3", region_name="eu-west-1", config=config)
        return DropBox(client, "drops", tenant_id)

    def store(self, tenant_id: str) -> TenantStore:
        """The one store of a tenant, on a guarded client of its own whose calls are written down."""
        if tenant_id not in self.stores:
            client = self.make_client()
            client.meta.events.register(
                "provide-client-params.dynamodb.*",
                lambda params, model, **_: self.calls.append((model.name, params)),
            )
            session = TenantSession.open(tenant_id, TENANT_TABLE, client)
            self.stores[tenant_id] = TenantStore(
                session, finding_type=Finding, random=self.random, sleep=lambda _: None
            )
        return self.stores[tenant_id]

    def counted(self) -> Counter[str]:
        """Requests to the tenant table since the last time, by operation."""
        counts = Counter(name for name, _ in self.calls)
        self.calls.clear()
        return counts


@dataclass
class Client:
    """Somebody with an API key of a tenant."""

    world: World
    tenant_id: str
    key_id: str = "key_0000000000000000"
    scopes: str = "admin"
    status: str = "active"

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        raw: str | None = None,
    ) -> Answer:
        """One request through the real handler, as API Gateway would put it."""
        text = raw if raw is not None else (None if body is None else json.dumps(body))
        sent = {"Content-Type": "application/json"} if text is not None else {}
        many = {
            name: value if isinstance(value, list) else [str(value)] for name, value in (query or {}).items()
        }
        event = {
            "resource": "/v1/{proxy+}",
            "path": path,
            "httpMethod": method,
            "headers": {**sent, **(headers or {})},
            "multiValueHeaders": {},
            "queryStringParameters": {name: values[-1] for name, values in many.items()} or None,
            "multiValueQueryStringParameters": many or None,
            "pathParameters": {"proxy": path.removeprefix("/v1/")},
            "requestContext": {
                "requestId": "req-1",
                "stage": "test",
                "authorizer": {
                    "principalId": self.key_id,
                    "tenantId": self.tenant_id,
                    "keyId": self.key_id,
                    "scopes": self.scopes,
                    "tenantStatus": self.status,
                },
            },
            "body": text,
            "isBase64Encoded": False,
        }
        answer = handle(event, lambda: self.world.tools)
        return Answer(answer["statusCode"], answer["headers"], answer["body"])


@dataclass
class Planted:
    """What a tenant was given; every text in it carries the tenant's canary."""

    tenant_id: str
    canary: str
    connection_id: str
    run_id: str
    app_id: str
    principal_id: str
    grant_id: str
    scope_set_id: str
    finding_id: str
    job_id: str
    key_id: str
    entry_id: str
    client_id: str
    import_id: str
    person_id: str
    upload_id: str
    asset_id: str
    channel_id: str
    endpoint_id: str
    delivery_id: str
    nudge_id: str
    request_id: str
    campaign_id: str
    playbook_run_id: str
    incident_id: str
    subject_id: str
    rule_id: str
    preview_id: str
    evidence_kind: str = "playbook-run"
    playbook_id: str = "abused-app"
    vendor_id: str = "openai"
    provider: str = "google"
    kind: str = "api_key"

    def parameters(self) -> dict[str, str]:
        """What is his by the names that paths and queries give it; ids, and the words they come with."""
        return {name: value for name, value in vars(self).items() if name not in ("tenant_id", "canary")}


def plant(world: World, number: int, *, connections: int = 1, people: int = 1) -> Planted:
    """A tenant with one of everything, and a canary in every free text."""
    noise = random.Random(number)
    tenant_id, canary = ids.new_tenant_id(noise.randbytes), f"canary{number:04d}x"
    store = world.store(tenant_id)
    store.tenants.put(Tenant(tenant_id, f"Tenant {canary}", "active", NOW))
    for extra in range(connections):
        cid = ids.new_id("con", noise.randbytes)
        store.connections.put(
            Connection(
                id=cid,
                provider="google",
                organisation_id=f"C{number}{extra}",
                name=f"Org {canary}",
                status="active",
                granted_scopes=frozenset({"a", "b"}),
                missing_scopes=frozenset({"c"}),
                connected_at=NOW,
            )
        )
    run = Run(
        id=ids.time_id("run", NOW, noise.randbytes),
        connection_id=cid,
        kind="full",
        state="partial",
        cause=f"key:{canary}",
        started_at=NOW,
        coverage=Coverage(3, 2, ("pri_0000000000000001",), {"forbidden": 1}),
        counts=RunCounts(principals=3, grants=1),
    )
    store.runs.put(run)
    app = App(
        id=ids.app_id("google", f"client-{number}"),
        provider="google",
        client_id=f"client-{number}",
        name=f"App {canary}",
        publisher=canary,
        first_seen=NOW,
    )
    store.apps.put_facts(app)
    judged = {
        "assessment": {
            "score": 71,
            "level": "high",
            "fingerprint": "f1",
            "factors": [
                {
                    "id": "reach",
                    "title": "Reach",
                    "points": 30.5,
                    "max_points": 40.0,
                    "weight": 0.4,
                    "evidence": canary,
                    "remedy": None,
                }
            ],
        },
        "identification": {
            "verdict": "ai",
            "confidence": 0.9,
            "vendor": canary,
            "product": None,
            "product_id": None,
            "category": "ai_assistant",
            "evidence": [{"kind": "name", "sentence": canary, "confidence": 0.9}],
            "entry_revision": None,
        },
        "look_alike": None,
        "tallies": {
            cid: {"holders": people, "admins": None, "departed": 0, "stale": None, "scope_sets": ["ss_0"]}
        },
        "reach": {cid: {"data": ["files"], "access": ["read"], "severity": "high"}},
    }
    store.apps.put_risk(app.id, "f1", judged)
    store.apps.put_summary_part(
        summary_part(app.id),
        [
            AppSummary(
                app_id=app.id,
                provider="google",
                name=app.name,
                kind="oauth",
                verdict="ai",
                confidence=0.98,
                holders=people,
                risk=71,
                category="ai_assistant",
                vendor="OpenAI",
                first_seen=NOW,
                connections=(cid,),
            )
        ],
    )
    scope_set_id = ids.scope_set_id(READ_SCOPES | {canary})
    store.apps.put_scope_sets({scope_set_id: READ_SCOPES | {canary}})
    pids = []
    for person in range(people):
        pid = ids.principal_id("google", f"C{number}", f"native-{person}")
        pids.append(pid)
        principal = Principal(
            id=pid,
            connection_id=cid,
            native_id=f"native-{person}",
            kind="user",
            status="active",
            person_id=ids.person_id(pid),
            email=f"p{person}@{canary}.example",
            name=f"Person {canary}",
        )
        grant = Grant(app.id, scope_set_id, first_seen=date(2026, 1, 1))
        store.bundles.put(Bundle(principal, (grant,), changed_at=NOW))
    store.people.put_records({}, [one.id for one in store.connections.list()])
    reached = AppReach(app.id, people, 0, False, ("files",), ("read",), "high", ("consent",))
    reach = ConnectionReach(cid, "google", people, 0, None, (reached,))
    state = ReachState(NOW, (ReadState(cid, 3, 1),))
    store.reach.put_all([VendorReach("openai", "OpenAI", people, 0, None, (reach,))], state)
    store.footprints.rebuild(cid, 0, 1, {app.id: frozenset(pids)}, NOW)
    grant_id = ids.grant_id(pids[0], app.id)
    group = Group("app", app.id)
    finding = Finding(
        id=finding_id("unsanctioned-ai", group),
        rule_id="unsanctioned-ai",
        rule_version="1",
        subject="grant",
        group=group,
        severity="high",
        status=FindingStatus.OPEN,
        title=f"{canary} is not sanctioned",
        holds=True,
        affected=(Affected(grant_id, "high", NOW),),
        first_seen=NOW,
        last_seen=NOW,
        rev=0,
    )
    store.findings.put(finding)
    job = store.jobs.put(
        jobs.Job(
            id=ids.time_id("job", NOW, noise.randbytes),
            kind="revoke_grants",
            state="awaiting_approval",
            requested_by="key:key_requester",
            created_at=NOW,
            selector=jobs.Selector(grant_ids=(grant_id,)),
            connection_id=cid,
            reason=canary,
        )
    )
    store.jobs.put_action(jobs.ActionRecord(job.id, grant_id, "planned", NOW, detail=canary))
    key = ApiKeyInfo(
        id=ids.new_id("key", noise.randbytes),
        name=f"Key {canary}",
        scopes=frozenset({"read"}),
        created_at=NOW - timedelta(days=1),
        created_by="operator",
        last4="abcd",
    )
    store.keys.put(key)
    product = ProductEntry(
        name=f"Product {canary}", category="ai_agent", kind="ai", ids={"google": (f"catalogued-{canary}",)}
    )
    entry_id = ids.new_id("ent", noise.randbytes)
    entry = OverlayEntry(entry_id, listing_of(entry_id, product), None, canary, "key:key_a", NOW, rev=1)
    store.transact(NOW).put(store.catalog.op(TenantCatalog((entry,)))).commit()
    imported = store.imports.put(
        ImportRecord(
            id=ids.time_id("imp", NOW, noise.randbytes),
            state="done",
            format="gam-tokens",
            title="GAM tokens CSV",
            size=1,
            digest="d",
            created_at=NOW,
            created_by=f"key:{canary}",
            bad=(BadLine(2, canary),),
        )
    )
    upload = store.imports.put(
        ImportRecord(
            id=ids.time_id("imp", NOW, noise.randbytes),
            state="uploading",
            format="",
            title=canary,
            size=1,
            digest="d",
            created_at=NOW,
            created_by=f"key:{canary}",
            kind="logs",
            dropped=True,
            media_type="text/csv",
        )
    )
    asset = Asset(
        id=ids.asset_id(cid, "api_key", f"native-{number}"),
        connection_id=cid,
        kind="api_key",
        native_id=f"native-{number}",
        name=f"Key {canary}",
        owner=pids[0],
        facts={"hint": canary},
    )
    store.assets.reconcile(cid, "api_key", [asset], NOW)
    channel = AlertChannel(
        id=ids.new_id("chn", noise.randbytes), kind="teams", name=f"Team {canary}", created_at=NOW
    )
    endpoint = Endpoint(
        id=ids.new_id("whe", noise.randbytes),
        host=f"{canary}.example.com",
        created_at=NOW,
        created_by=f"key:{canary}",
        description=canary,
    )
    delivery = Delivery(
        id=ids.time_id("dlv", NOW, noise.randbytes),
        target_id=endpoint.id,
        address=Address("webhook", "", endpoint.id),
        purpose="event",
        created_at=NOW,
        next_at=None,
        event=json.dumps({"type": "lantern.test", "canary": canary}),
        event_type="lantern.test",
        subject_id=canary,
        state="sent",
    )
    alerts = store.alerts
    store.transact(NOW).put(alerts.channel_op(channel), alerts.endpoint_op(endpoint)).commit()
    store.deliveries.put(delivery)
    nudge, request, campaign = _guide(store, cid, pids[0], app.id, canary, noise.randbytes)
    incident = Incident(
        id=ids.time_id("inc", NOW, noise.randbytes),
        vendor_id="openai",
        vendor="OpenAI",
        occurred_at=NOW,
        summary=canary,
        source="tenant",
        raised_by="key:key_requester",
        raised_at=NOW,
        people=people,
        grants=people,
        data=("files",),
        chains=(canary,),
        exposed=(),
    )
    store.transact(NOW).put(store.incidents.op(incident)).commit()
    asked = playbooks.start(
        store,
        release_facts().books.get("abused-app"),
        about=About(app_id=app.id),
        requested_by="key:key_requester",
        reason=canary,
        dry_run=True,
        now=NOW,
        random=noise.randbytes,
    )
    run_id = asked.run.id
    store.playbooks.plan_targets(run_id, asked.targets)
    store.transact(NOW).put(store.playbooks.op(replace(asked.run, state="running"))).commit()
    page = rule_page(f"own-{number:04d}x", canary)
    own = OwnRule(page["id"], page, compile_page(page, "page"), f"key:{canary}", NOW, rev=1)
    store.transact(NOW).put(store.policy.op(TenantPolicy().with_own(own))).commit()
    proposal = Proposal(own.id, settings=RuleSettings(params={"holders": 2}))
    preview = Preview(
        ids.time_id("prv", NOW, noise.randbytes), "failed", proposal, NOW, "key:a", error=canary
    )
    store.policy.put_preview(preview)
    store.transact(NOW).audit(AuditEvent("operator", "tenant.created", tenant_id, {"by": canary})).commit()
    return Planted(
        tenant_id=tenant_id,
        canary=canary,
        connection_id=cid,
        run_id=run.id,
        app_id=app.id,
        principal_id=pids[0],
        grant_id=grant_id,
        scope_set_id=scope_set_id,
        finding_id=finding.id,
        job_id=job.id,
        key_id=key.id,
        entry_id=entry.id,
        client_id=f"catalogued-{canary}",
        import_id=imported.id,
        person_id=ids.person_id(pids[0]),
        upload_id=upload.id,
        asset_id=asset.id,
        channel_id=channel.id,
        endpoint_id=endpoint.id,
        delivery_id=delivery.id,
        nudge_id=nudge,
        request_id=request,
        campaign_id=campaign,
        playbook_run_id=run_id,
        incident_id=incident.id,
        subject_id=run_id,
        rule_id=own.id,
        preview_id=preview.id,
    )


def _guide(
    store: TenantStore, cid: str, pid: str, app_id: str, canary: str, random: Callable[[int], bytes]
) -> tuple[str, str, str]:
    """A question, a request, an exception, and a review with one grant."""
    due = NOW + timedelta(days=7)
    person = ids.person_id(pid)
    nudge = Nudge(
        id=ids.time_id("ndg", NOW, random),
        person_id=person,
        principal_id=pid,
        connection_id=cid,
        app_id=app_id,
        kind="what_for",
        state="sent",
        silence="escalate",
        origin=f"key:{canary}",
        created_at=NOW,
        next_at=due,
        days=7,
        due=due,
        note=canary,
    )
    request = AccessRequest(
        id=ids.time_id("req", NOW, random),
        person_id=person,
        name=f"Tool {canary}",
        reason=canary,
        state="open",
        asked_by="key:key_requester",
        created_at=NOW,
        due=due,
        next_at=due,
    )
    campaign = Campaign(
        id=ids.time_id("cam", NOW, random),
        name=f"Review {canary}",
        state="open",
        scope=CampaignScope(app_ids=(app_id,)),
        review_by="named",
        reviewers=(person,),
        silence="keep",
        created_by=f"key:{canary}",
        created_at=NOW,
        due=due,
        next_at=due,
        counts=CampaignCounts(items=1),
    )
    item = CampaignItem(ids.grant_id(pid, app_id), campaign.id, cid, pid, person, app_id, "ss_0", (person,))
    kept = AccessException(
        exception_id(person, app_id), person, app_id, "nudge", nudge.id, canary, "key:k", NOW, due
    )
    store.transact(NOW).put(
        store.nudges.op(nudge),
        store.nudges.ledger_op(opened(Ledger(person), nudge), NOW),
        store.requests.op(request),
        store.campaigns.op(campaign),
        store.campaigns.item_op(item, campaign),
        store.exceptions.op(kept),
    ).commit()
    return nudge.id, request.id, campaign.id
