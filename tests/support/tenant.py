"""One tenant with one connection over a provider in memory, and the services' tools around it."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from lantern.connectors.mail import MailReader
from lantern.connectors.protocol import Connector, Deadline
from lantern.domain import ids
from lantern.domain.findings import Finding
from lantern.domain.signup_mail import recogniser
from lantern.domain.tenancy import Connection
from lantern.domain.visit_targets import Resolve, resolver
from lantern.domain.work import Work
from lantern.services.catalog_layers import OperatorCatalog
from lantern.services.discovery import handle as discovery
from lantern.services.discovery.context import Discovery
from lantern.services.discovery.mail import MailTask, follow_mail
from lantern.services.imports.drops import DropBox
from lantern.services.imports.run import Imports, read_import
from lantern.services.outreach.handle import handle as reach_out
from lantern.services.outreach.task import Outreach
from lantern.services.people import handle as guiding
from lantern.services.people.links import filled
from lantern.services.playbooks.advance import Playing
from lantern.services.playbooks.handle import play
from lantern.services.remediation.run import Remediation, run_job
from lantern.services.scoring import catalogs, score
from lantern.services.scoring.knowledge import Knowledge
from lantern.store.platform import PlatformStore
from lantern.store.session import TenantSession
from lantern.store.tenant import TenantStore
from tests.support.channels import Channels
from tests.support.clock import FakeClock
from tests.support.provider import ORGANISATION, MemoryProvider

TENANT = "abcdefghij0123456789"


@dataclass
class Bench:
    """Everything a pipeline test needs, with a queue that is a list."""

    store: TenantStore
    platform: PlatformStore
    world: MemoryProvider
    clock: FakeClock
    knowledge: Knowledge
    connection_id: str
    seconds: float = 600.0
    sent: list[Work] = field(default_factory=list)
    messages: int = 0
    operators: OperatorCatalog | None = None
    drops: DropBox | None = None
    wrap: Callable[[Connector], Any] = lambda connector: connector
    others: dict[str, MemoryProvider] = field(default_factory=dict)
    channels: Channels = field(default_factory=Channels)
    secrets: random.Random = field(default_factory=lambda: random.Random(7))
    """Of the addresses of people's pages: no two are the same, even when a message is delivered again."""

    reader: Callable[[], MailReader | None] = lambda: None
    """What reads mailboxes."""

    @property
    def connection(self) -> Connection:
        """The connection as stored now."""
        found = self.store.connections.get(self.connection_id)
        assert found is not None
        return found

    def resolve(self) -> Resolve:
        """Where hosts lead by the catalog as the tenant sees it."""
        seen = catalogs.view(self.store, self.knowledge, self.operators)
        return resolver(seen.knowledge.catalog, seen.knowledge.registrable)

    def mail_task(self, work: Work, message: str) -> MailTask:
        """The tools of a message about headers of mail."""
        catalog, registrable = self.knowledge.catalog, self.knowledge.registrable
        consumer = self.knowledge.reference.risk.consumer_domains
        return MailTask(
            store=self.store,
            connection=self.connection,
            clock=self.clock,
            deadline=self.deadline(),
            send=self.send,
            message_id=message,
            reader=self.reader,
            recognise=lambda: recogniser(catalog, registrable, consumer, self.resolve()),
            hop=work.hop,
        )

    def message_id(self) -> str:
        """The next queue id."""
        self.messages += 1
        return f"msg-{self.messages}"

    def send(self, work: Work, _delay_s: float = 0) -> None:
        """Put a message on the list."""
        self.sent.append(work)

    def deadline(self) -> Deadline:
        """A deadline some way off."""
        return Deadline(self.clock, self.clock.monotonic() + self.seconds)

    def connector(self, connection: Connection | None = None) -> Any:
        """The connector of a connection; of the first where none is named."""
        at = connection.id if connection else self.connection_id
        return self.wrap(self.others.get(at, self.world).connector(at))

    def connect(self, provider: str, number: int = 2) -> tuple[str, MemoryProvider]:
        """A further connection, to an empty organisation at another provider."""
        world = MemoryProvider(self.clock, provider, f"O{number}")
        connection = self.store.connections.put(
            replace(
                self.connection,
                id=f"con_{number:016}",
                provider=provider,
                organisation_id=world.organisation,
                name=provider.title(),
                connected_at=self.clock.now(),
                shards=1,
                domains=(),
                baseline_at=None,
                last_full_run=None,
                last_full_at=None,
                rev=0,
            )
        )
        self.others[connection.id] = world
        return connection.id, world

    def do(self, work: Work, message_id: str | None = None) -> None:
        """Do one message as its worker would."""
        message = message_id or self.message_id()
        match work.worker:
            case "discovery" if work.kind == "import.read":
                tools = Imports(
                    store=self.store,
                    clock=self.clock,
                    deadline=self.deadline(),
                    send=self.send,
                    hop=work.hop,
                    drops=None if self.drops is None else lambda: cast("DropBox", self.drops),
                    resolve=self.resolve,
                )
                read_import(tools, work)
            case "discovery" if work.kind == "connection.mail":
                follow_mail(self.mail_task(work, message))
            case "discovery":
                connection = self.store.connections.get(work.connection_id or self.connection_id)
                assert connection is not None
                task = Discovery(
                    store=self.store,
                    connection=connection,
                    connector=self.connector(connection),
                    clock=self.clock,
                    deadline=self.deadline(),
                    random=random.Random(self.messages).randbytes,
                    send=self.send,
                    message_id=message,
                    hop=work.hop,
                )
                discovery.handle(task, self.platform, lambda p, c: f"https://lantern.example/{p}/{c}", work)
            case "scoring" if work.kind in guiding.KINDS:
                guiding.handle(guiding.Guiding(self.store, self.knowledge.scopes, self.clock.now), work)
            case "scoring":
                scoring = score.Scoring(
                    *(self.store, self.knowledge, self.clock, self.operators), self.platform.notices.all
                )
                score.handle(scoring, work)
            case "remediation" if work.kind != "job.run":
                playing = Playing(self.store, self.clock, random.Random(self.messages).randbytes, message)
                play(playing, work, self.knowledge.books, self.deadline())
            case "remediation":
                run_job(
                    Remediation(self.store, self.connector, self.clock, self.deadline(), self.send, message),
                    work,
                )
            case "outreach":
                reach_out(self.outreach(), work)

    def outreach(self) -> Outreach:
        """What the outreach function works with; its ways out keep what they are given."""
        return Outreach(
            store=self.store,
            clock=self.clock,
            deadline=self.deadline(),
            send=self.send,
            channel=lambda kind: getattr(self.channels, kind),
            unseal=self.channels.secrets.get,
            luck=lambda: 0.0,
            link=lambda url: filled(
                self.store,
                "https://lantern.example/dev",
                url,
                now=self.clock.now(),
                random=self.secrets.randbytes,
            ),
            site="https://lantern.example",
        )

    def full(self, connection_id: str | None = None) -> None:
        """A full run of a connection with everything that follows."""
        self.do(Work(self.store.tenant_id, "connection.full", connection_id or self.connection_id))
        self.settle()

    def settle(self, limit: int = 500) -> None:
        """Do all messages, those in the outbox too, until there are none."""
        for _ in range(limit):
            self.drain_outbox()
            if not self.sent:
                return
            self.do(self.sent.pop(0))
        raise AssertionError("messages beget messages")

    def drain_outbox(self) -> None:
        """What the stream and the router do for outbox items."""
        self.clock.forward(milliseconds=1)
        for item, work in list(self.store.outbox.due(self.clock.now())):
            self.sent.append(work)
            self.store.outbox.delete(item)

    def hint(self, native_id: str) -> None:
        """What a push does: read the bundle again, then score what changed."""
        before = self.bundle(native_id)
        self.do(Work(self.store.tenant_id, "bundle.read", self.connection_id, {"native_id": native_id}))
        after = self.bundle(native_id)
        if after and (before is None or after.rev != before.rev):
            apps = ",".join(d.app_id for d in after.delta)
            body = {"principal": after.principal.id, "apps": apps}
            self.do(Work(self.store.tenant_id, "score.bundle", self.connection_id, body))
        self.settle()

    def bundle(self, native_id: str) -> Any:
        """A stored bundle by native id."""
        return self.store.bundles.get(self.connection_id, ids.principal_id("google", ORGANISATION, native_id))

    def stored(self) -> dict[str, dict[str, frozenset[str]]]:
        """Grants by principal id and app id, as stored; unknown ones left out."""
        found = {}
        for bundle in self.store.bundles.all(self.connection_id):
            if bundle.grants is not None:
                sets = self.store.apps.scope_sets({g.scope_set for g in bundle.grants})
                found[bundle.principal.id] = {g.app_id: sets[g.scope_set] for g in bundle.grants}
        return found

    def findings(self, rule: str | None = None) -> list[Finding]:
        """All findings, or those of one rule."""
        items = self.store.findings.page(None, 200).items
        return [f for f in items if rule is None or f.rule_id == rule]


def make_bench(
    client: Callable[[], Any], tables: tuple[str, str], knowledge: Knowledge, tenant: str = TENANT
) -> Bench:
    """A tenant with one active connection and an empty provider."""
    clock = FakeClock()
    session = TenantSession.open(tenant, tables[0], client())
    store = TenantStore(session, finding_type=Finding, random=random.Random(1).randbytes)
    connection = store.connections.put(
        Connection(
            id="con_0000000000000001",
            provider="google",
            organisation_id=ORGANISATION,
            name="Example",
            status="active",
            granted_scopes=frozenset(),
            missing_scopes=frozenset(),
            connected_at=clock.now(),
        )
    )
    platform = PlatformStore(client(), tables[1])
    return Bench(store, platform, MemoryProvider(clock), clock, knowledge, connection.id)
