"""Everything stored for one tenant, one repository per aggregate."""

import secrets as _secrets
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from lantern.domain.findings import Finding, packing
from lantern.domain.ids import RandomBytes
from lantern.store.access import ApiKeyRepository, LinkRepository
from lantern.store.alerts import AlertRepository
from lantern.store.app_use import AppUseRepository
from lantern.store.apps import AppRepository
from lantern.store.assets import AssetRepository
from lantern.store.bundles import BundleRepository
from lantern.store.campaigns import CampaignRepository
from lantern.store.catalog import CatalogRepository
from lantern.store.connections import (
    ChannelRepository,
    ConnectionRepository,
    CursorRepository,
    DelegationRepository,
    RunRepository,
    SecretRepository,
    TenantRepository,
)
from lantern.store.deliveries import DeliveryRepository
from lantern.store.documents import Documents
from lantern.store.findings import FindingRepository
from lantern.store.footprints import FootprintRepository
from lantern.store.history import HistoryRepository
from lantern.store.idempotency import AttemptRepository
from lantern.store.imports import ImportRepository
from lantern.store.jobs import JobRepository
from lantern.store.joined import JoinedReader
from lantern.store.leases import LeaseRepository
from lantern.store.mail import MailRepository
from lantern.store.nudges import (
    ExceptionRepository,
    GuidanceRepository,
    NudgeRepository,
    PersonLinkRepository,
)
from lantern.store.people import PeopleRepository
from lantern.store.playbooks import IncidentRepository, PlaybookRepository, WatchRepository
from lantern.store.policy import PolicyRepository, VendorsSeenRepository
from lantern.store.reach import ReachRepository
from lantern.store.records import Codec
from lantern.store.requests import RequestRepository
from lantern.store.risk import RiskRepository
from lantern.store.session import TenantSession
from lantern.store.trail import AuditRepository, OutboxRepository
from lantern.store.use import UseRepository
from lantern.store.work import UnitOfWork


class TenantStore:
    """The store of one tenant.

    Args:
        session: the tenant's way to the table.
        finding_type: the record type of findings.
        random: source of randomness for message ids and jitter.
        sleep: how a unit of work waits before it tries again, in seconds.
    """

    def __init__(
        self,
        session: TenantSession,
        *,
        finding_type: type[Any] | None = None,
        random: RandomBytes = _secrets.token_bytes,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        documents = Documents(session)
        self.tenant_id = session.tenant_id
        self.documents = documents
        self._finding_type = finding_type
        self._random = random
        self._sleep = sleep
        self.tenants = TenantRepository(documents)
        self.connections = ConnectionRepository(documents)
        self.secrets = SecretRepository(documents)
        self.cursors = CursorRepository(documents)
        self.mail = MailRepository(documents, self.cursors)
        self.leases = LeaseRepository(documents)
        self.channels = ChannelRepository(documents)
        self.delegations = DelegationRepository(documents)
        self.runs = RunRepository(documents)
        self.bundles = BundleRepository(documents)
        self.footprints = FootprintRepository(documents, self.bundles)
        self.history = HistoryRepository(documents)
        self.use = UseRepository(documents)
        self.app_use = AppUseRepository(documents)
        self.apps = AppRepository(documents)
        self.assets = AssetRepository(documents)
        self.catalog = CatalogRepository(documents)
        self.people = PeopleRepository(documents)
        self.reach = ReachRepository(documents)
        self.policy = PolicyRepository(documents)
        self.vendors_seen = VendorsSeenRepository(documents)
        self.risk = RiskRepository(documents)
        self.jobs = JobRepository(documents)
        self.nudges = NudgeRepository(documents)
        self.requests = RequestRepository(documents)
        self.campaigns = CampaignRepository(documents)
        self.person_links = PersonLinkRepository(documents)
        self.exceptions = ExceptionRepository(documents)
        self.guidance = GuidanceRepository(documents)
        self.playbooks = PlaybookRepository(documents)
        self.watches = WatchRepository(documents)
        self.incidents = IncidentRepository(documents)
        self.alerts = AlertRepository(documents)
        self.deliveries = DeliveryRepository(documents)
        self.imports = ImportRepository(documents)
        self.audit = AuditRepository(documents)
        self.outbox = OutboxRepository(documents)
        self.keys = ApiKeyRepository(documents)
        self.links = LinkRepository(documents)
        self.joined = JoinedReader(self)
        self.idempotency = AttemptRepository(documents)

    @property
    def findings(self) -> FindingRepository[Any]:
        """Findings.

        Raises:
            RuntimeError: the store was made without a record type for them.
        """
        if self._finding_type is None:
            raise RuntimeError("this store was made without a type for findings")
        if self._finding_type is not Finding:
            return FindingRepository(self.documents, self._finding_type)
        return FindingRepository(
            self.documents, Finding, Codec(packing.pack, packing.unpack), head=packing.head
        )

    def transact(self, now: datetime) -> UnitOfWork:
        """A new unit of work at `now`."""
        return UnitOfWork(
            self.documents, self.audit, self.outbox, now, random=self._random, sleep=self._sleep
        )
