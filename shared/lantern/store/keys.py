"""Every key of the TenantTable. Nothing else builds keys.

A partition key, an index key too, always starts `T#<tenant>#`: the client guard and the IAM policy
(`dynamodb:LeadingKeys`) both rely on it. Parts come from callers, so a part that could reach across
to another kind of item is refused here.
"""

import re
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

from lantern.domain import ids
from lantern.domain.errors import NotFoundError

BUCKETS: Final = 100
"""Into how many items the footprints of one shard are cut: one BatchGetItem reads them all."""

_PART: Final = re.compile(r"[\x21\x22\x24-\x7d]{1,200}")  # printable ASCII but '#', '~' and space


class Key(NamedTuple):
    """Partition key and sort key of an item, or of its index entry."""

    pk: str
    sk: str


def part(value: str) -> str:
    """`value` as a part of a key.

    Raises:
        NotFoundError: it has a character that no id has, so nothing by this id exists.
    """
    if _PART.fullmatch(value) is None:
        raise NotFoundError("item", repr(value[:40]))
    return value


def prefix(tenant_id: str) -> str:
    """What every partition key of a tenant starts with.

    Raises:
        ValueError: `tenant_id` is not a tenant id.
    """
    if not ids.is_tenant_id(tenant_id):
        raise ValueError("not a tenant id")
    return f"T#{tenant_id}#"


class Keys:
    """The keys of one tenant."""

    def __init__(self, tenant_id: str) -> None:
        self.prefix = prefix(tenant_id)

    def _pk(self, *parts: str) -> str:
        return self.prefix + "#".join(parts)

    # --- the tenant -----------------------------------------------------------------------------
    def tenant(self) -> Key:
        """The tenant record."""
        return Key(self._pk("TENANT"), "TENANT")

    def connection(self, cid: str) -> Key:
        """A connection."""
        return Key(self.connections(), part(cid))

    def connections(self) -> str:
        """Partition of all connections."""
        return self._pk("CONN")

    def secret(self, cid: str) -> Key:
        """A connection's encrypted credential."""
        return Key(self._pk("SECRET"), part(cid))

    # --- one connection -------------------------------------------------------------------------
    def of_connection(self, cid: str) -> str:
        """Partition of what belongs to a connection and is no listing of its own."""
        return self._pk("C", part(cid))

    def cursor(self, cid: str, stream: str) -> Key:
        """How far a feed has been read."""
        return Key(self.of_connection(cid), f"CURSOR#{part(stream)}")

    def lease(self, cid: str, chain: str) -> Key:
        """The lease of a chain."""
        return Key(self.of_connection(cid), f"LEASE#{part(chain)}")

    def mail(self, cid: str) -> Key:
        """Whether headers of mail are read."""
        return Key(self.of_connection(cid), "MAIL")

    def channel(self, cid: str, channel_id: str) -> Key:
        """A push channel."""
        return Key(self.of_connection(cid), f"CHAN#{part(channel_id)}")

    def activity(self, cid: str) -> Key:
        """The window of use that is known."""
        return Key(self.of_connection(cid), "ACTIVITY")

    def runs(self, cid: str) -> str:
        """Partition of the runs of a connection."""
        return self._pk("C", part(cid), "RUN")

    def run(self, cid: str, run_id: str) -> Key:
        """A run."""
        return Key(self.runs(cid), part(run_id))

    def bundles(self, cid: str) -> str:
        """Partition of the bundles of a connection."""
        return self._pk("C", part(cid), "P")

    def bundle(self, cid: str, pid: str) -> Key:
        """A principal's bundle."""
        return Key(self.bundles(cid), part(pid))

    def bundle_part(self, cid: str, pid: str, rev: int, number: int) -> Key:
        """An overflow part of a bundle revision."""
        return Key(self.bundles(cid), f"{part(pid)}~{rev:08d}~{number:03d}")

    def bucket(self, cid: str, bucket: int) -> str:
        """Partition of the footprints of the apps that fall into a bucket."""
        return self._pk("C", part(cid), "F", f"{bucket:02d}")

    def footprint(self, cid: str, bucket: int, shard: int, shards: int) -> Key:
        """The footprints of a bucket's apps in one shard."""
        return Key(self.bucket(cid, bucket), shard_name(shard, shards))

    def shard_states(self, cid: str) -> str:
        """Partition of the states of a connection's shards."""
        return self._pk("C", part(cid), "SHARD")

    def shard_state(self, cid: str, shard: int, shards: int) -> Key:
        """When a shard was last read completely."""
        return Key(self.shard_states(cid), shard_name(shard, shards))

    def changes(self, cid: str, day: date) -> str:
        """Partition of a month of change history."""
        return self._pk("C", part(cid), "H", f"{day:%Y-%m}")

    def change(self, cid: str, day: date, shard: int, number: int) -> Key:
        """A part of the change history of a shard and day."""
        return Key(self.changes(cid, day), f"{change_prefix(day, shard)}{number:04d}")

    def use_week(self, cid: str, week: str, shard: int, shards: int) -> Key:
        """Use of one ISO week in one shard."""
        return Key(self._pk("C", part(cid), "USE", part(week)), shard_name(shard, shards))

    def consents(self, cid: str, shard: int, shards: int) -> Key:
        """When grants of one shard were given, as far as past events said."""
        return Key(self._pk("C", part(cid), "CONSENT"), shard_name(shard, shards))

    def last_use(self, cid: str, shard: int, shards: int) -> Key:
        """Last use in one shard."""
        return Key(self._pk("C", part(cid), "LAST"), shard_name(shard, shards))

    def app_use(self, cid: str, name: str) -> Key:
        """Use of some apps as a whole, or the window in which it is known."""
        return Key(self._pk("C", part(cid), "APPUSE"), part(name))

    def delegations(self, cid: str) -> str:
        """Partition of the delegation ledger."""
        return self._pk("C", part(cid), "DELEG")

    def delegation(self, cid: str, client_id: str) -> Key:
        """The ledger of one client's delegation."""
        return Key(self.delegations(cid), part(client_id))

    # --- assets ---------------------------------------------------------------------------------
    def asset(self, asset_id: str) -> Key:
        """An asset."""
        return Key(self._pk("ASSET"), part(asset_id))

    def assets_of(self, kind: str) -> str:
        """Index partition of the assets of a kind."""
        return self._pk("ASSET", part(kind))

    def asset_listed(self, kind: str, cid: str, asset_id: str) -> Key:
        """The index entry of an asset."""
        return Key(self.assets_of(kind), f"{part(cid)}#{part(asset_id)}")

    # --- apps -----------------------------------------------------------------------------------
    def apps(self) -> str:
        """Partition of all apps."""
        return self._pk("APP")

    def app(self, app_id: str, aspect: str) -> Key:
        """One aspect of an app: FACTS, RISK, POLICY or OVERRIDE."""
        return Key(self.apps(), f"{part(app_id)}#{aspect}")

    def app_summaries(self) -> str:
        """Partition of the packed apps list."""
        return self._pk("APPS")

    def app_summary(self, number: int) -> Key:
        """One of the 16 parts of the packed apps list."""
        return Key(self.app_summaries(), f"{number:x}")

    def scope_set(self, scope_set_id: str) -> Key:
        """A set of scopes by its content id."""
        return Key(self._pk("SCOPES"), part(scope_set_id))

    # --- catalog --------------------------------------------------------------------------------
    def catalog(self) -> str:
        """Partition of the tenant's own layer of the catalog."""
        return self._pk("CATALOG")

    def catalog_entries(self) -> Key:
        """All entries of the tenant."""
        return Key(self.catalog(), "ENTRIES")

    def catalog_applied(self) -> Key:
        """The catalog that was last applied to the tenant's apps."""
        return Key(self.catalog(), "APPLIED")

    # --- policy ---------------------------------------------------------------------------------
    def policy(self) -> str:
        """Partition of what the tenant set about rules."""
        return self._pk("POLICY")

    def policy_rules(self) -> Key:
        """Settings and own rules."""
        return Key(self.policy(), "RULES")

    def policy_applied(self) -> Key:
        """The rules by which findings were last brought up to date."""
        return Key(self.policy(), "APPLIED")

    def preview(self, preview_id: str) -> Key:
        """What a proposed change of the policy would do."""
        return Key(self._pk("PREVIEW"), part(preview_id))

    def vendors_seen(self) -> Key:
        """The public profiles of the vendors in use, as last evaluated."""
        return Key(self._pk("VENDORS"), "SEEN")

    # --- people, products, vendors --------------------------------------------------------------
    def addresses(self, number: int) -> Key:
        """A part of the index of addresses."""
        return Key(self._pk("PEOPLE"), f"A#{number:02x}")

    def persons(self) -> str:
        """Partition of the persons of several accounts."""
        return self._pk("PERSONS")

    def person_part(self, number: int) -> Key:
        """A part of the persons of several accounts."""
        return Key(self.persons(), f"{number:02x}")

    def products(self) -> str:
        """Partition of what was decided about products."""
        return self._pk("PRODUCT")

    def product(self, product_id: str) -> Key:
        """What was decided about a product."""
        return Key(self.products(), part(product_id))

    def vendor_reach(self, name: str) -> Key:
        """A part of what vendors reach, or the state it was computed from."""
        return Key(self._pk("REACH"), part(name))

    # --- risk -----------------------------------------------------------------------------------
    def risk_weights(self) -> Key:
        """The weights that the tenant set."""
        return Key(self._pk("RISK"), "WEIGHTS")

    def posture_days(self) -> str:
        """Partition of the daily posture."""
        return self._pk("POSTURE")

    def posture_day(self, day: date) -> Key:
        """The posture of a day."""
        return Key(self.posture_days(), f"{day:%Y-%m-%d}")

    # --- findings, jobs -------------------------------------------------------------------------
    def findings(self) -> str:
        """Partition of all findings."""
        return self._pk("FINDING")

    def finding(self, finding_id: str) -> Key:
        """A finding."""
        return Key(self.findings(), part(finding_id))

    def findings_in(self, status: str) -> str:
        """Index partition of the findings of a status."""
        return self._pk("FINDING", part(status))

    def jobs(self) -> str:
        """Partition of all jobs."""
        return self._pk("JOB")

    def job(self, job_id: str) -> Key:
        """A job."""
        return Key(self.jobs(), part(job_id))

    def open_jobs(self) -> str:
        """Index partition of the jobs that something may still happen to."""
        return self._pk("JOB", "open")

    def actions(self, job_id: str) -> str:
        """Partition of a job's actions."""
        return self._pk("JOB", part(job_id))

    def action(self, job_id: str, target_id: str) -> Key:
        """What became of one target of a job."""
        return Key(self.actions(job_id), part(target_id))

    def manual_actions(self) -> str:
        """Index partition of actions that are left to an administrator, by when they were looked at."""
        return self._pk("JOB", "manual")

    def playbook_runs(self) -> str:
        """Partition of all runs of playbooks."""
        return self._pk("PLAY")

    def playbook_run(self, run_id: str) -> Key:
        """A run of a playbook."""
        return Key(self.playbook_runs(), part(run_id))

    def playbooks_due(self) -> str:
        """Index partition of runs, by when something is due."""
        return self._pk("PLAY", "due")

    def run_targets(self, run_id: str) -> str:
        """Partition of the targets of a run."""
        return self._pk("PLAY", part(run_id))

    def run_target(self, run_id: str, target_id: str) -> Key:
        """A target of a run."""
        return Key(self.run_targets(run_id), part(target_id))

    def watch(self, grant_id: str) -> Key:
        """A revoked grant that is watched."""
        return Key(self._pk("WATCH"), part(grant_id))

    def watches_due(self) -> str:
        """Index partition of watched grants, by when to look."""
        return self._pk("WATCH", "due")

    def incidents(self) -> str:
        """Partition of all incidents."""
        return self._pk("INCIDENT")

    def incident(self, incident_id: str) -> Key:
        """An incident of a vendor."""
        return Key(self.incidents(), part(incident_id))

    # --- outreach -------------------------------------------------------------------------------
    def deliveries(self, target_id: str) -> str:
        """Partition of what is sent to a target."""
        return self._pk("DELIVERY", part(target_id))

    def delivery(self, target_id: str, delivery_id: str) -> Key:
        """A delivery."""
        return Key(self.deliveries(target_id), part(delivery_id))

    def alert(self, name: str) -> Key:
        """One of the single items of alerts: SETTINGS, STATE, ANNOUNCED or a channel's ledger."""
        return Key(self._pk("ALERT"), "#".join(part(one) for one in name.split("#")))

    def alert_channels(self) -> str:
        """Partition of the channels of alerts."""
        return self._pk("ALERTCHANNEL")

    def alert_channel(self, channel_id: str) -> Key:
        """A channel of alerts."""
        return Key(self.alert_channels(), part(channel_id))

    def endpoints(self) -> str:
        """Partition of the webhook endpoints."""
        return self._pk("ENDPOINT")

    def endpoint(self, endpoint_id: str) -> Key:
        """A webhook endpoint."""
        return Key(self.endpoints(), part(endpoint_id))

    def due_deliveries(self) -> str:
        """Index partition of the deliveries that something is still to be done for."""
        return self._pk("DELIVERIES", "due")

    def imports(self) -> str:
        """Partition of all imports."""
        return self._pk("IMPORT")

    def import_(self, import_id: str) -> Key:
        """An import."""
        return Key(self.imports(), part(import_id))

    def import_parts(self, import_id: str) -> str:
        """Partition of the content of a file."""
        return self._pk("IMPORT", part(import_id))

    def import_part(self, import_id: str, number: int) -> Key:
        """A part of the content of a file."""
        return Key(self.import_parts(import_id), f"{number:04d}")

    # --- guiding people -------------------------------------------------------------------------
    def nudge(self, nudge_id: str) -> Key:
        """A question to a person."""
        return Key(self._pk("NUDGE"), part(nudge_id))

    def nudges_in(self, state: str) -> str:
        """Index partition of the open or the closed questions."""
        return self._pk("NUDGE", part(state))

    def nudge_ledger(self, person_id: str) -> Key:
        """What one person was asked lately."""
        return Key(self._pk("ASKED"), part(person_id))

    def exceptions(self) -> str:
        """Partition of what people were allowed to keep."""
        return self._pk("EXCEPTION")

    def exception(self, exception_id: str) -> Key:
        """What one person was allowed to keep."""
        return Key(self.exceptions(), part(exception_id))

    def request(self, request_id: str) -> Key:
        """A request for a tool."""
        return Key(self._pk("REQUEST"), part(request_id))

    def requests_in(self, state: str) -> str:
        """Index partition of the requests that wait, or are closed."""
        return self._pk("REQUEST", part(state))

    def campaigns(self) -> str:
        """Partition of all reviews."""
        return self._pk("CAMPAIGN")

    def campaign(self, campaign_id: str) -> Key:
        """A review."""
        return Key(self.campaigns(), part(campaign_id))

    def due_campaigns(self) -> str:
        """Index partition of the reviews that something is to be done for."""
        return self._pk("CAMPAIGN", "due")

    def campaign_items(self, campaign_id: str) -> str:
        """Partition of the grants of a review."""
        return self._pk("CAMPAIGN", part(campaign_id))

    def campaign_item(self, campaign_id: str, item_id: str) -> Key:
        """A grant of a review."""
        return Key(self.campaign_items(campaign_id), part(item_id))

    def person_link(self, link_id: str) -> Key:
        """An address of a person's own page."""
        return Key(self._pk("PLINK"), part(link_id))

    def guidance(self) -> Key:
        """How the tenant guides its people."""
        return Key(self._pk("GUIDANCE"), "POLICY")

    # --- audit, outbox, access ------------------------------------------------------------------
    def audit(self) -> str:
        """Partition of the audit chain."""
        return self._pk("AUDIT")

    def audit_entry(self, seq: int) -> Key:
        """An audit entry."""
        return Key(self.audit(), f"E#{seq:012d}")

    def audit_head(self) -> Key:
        """The end of the audit chain."""
        return Key(self.audit(), "HEAD")

    def outbox(self) -> str:
        """Partition of messages to send."""
        return self._pk("OUTBOX")

    def message(self, message_id: str) -> Key:
        """A message to send."""
        return Key(self.outbox(), part(message_id))

    def api_keys(self) -> str:
        """Partition of the API keys' metadata."""
        return self._pk("KEY")

    def api_key(self, key_id: str) -> Key:
        """An API key's metadata."""
        return Key(self.api_keys(), part(key_id))

    def link(self, link_id: str) -> Key:
        """A consent link."""
        return Key(self._pk("LINK"), part(link_id))

    def idempotency(self) -> str:
        """Partition of idempotency records (Powertools: `static_pk_value`)."""
        return self._pk("IDEM")


def shard_name(shard: int, shards: int) -> str:
    """Sort key of what belongs to shard `shard` of `shards`; the generation is part of the name."""
    if not 0 <= shard < shards:
        raise ValueError(f"no shard {shard} of {shards}")
    return f"{shard:04d}/{shards:04d}"


def shard_named(name: str) -> tuple[int, int]:
    """Shard and number of shards of a `shard_name`."""
    shard, shards = name.split("/")
    return int(shard), int(shards)


def change_prefix(day: date, shard: int) -> str:
    """What the sort keys of a shard's changes of a day start with."""
    return f"{day:%Y-%m-%d}#{shard:04d}#"


def bucket_of(app_id: str) -> int:
    """The footprint bucket of an app."""
    return int.from_bytes(ids.pack_app(app_id)[:4], "big") % BUCKETS


def ttl(at: datetime, days: int) -> int:
    """Epoch seconds at which an item of `at` expires after `days`."""
    return int(at.astimezone(UTC).timestamp()) + days * 86_400
