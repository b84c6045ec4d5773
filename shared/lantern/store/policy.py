"""A tenant's policy about rules, previews of changes of it, and vendors' profiles as last evaluated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lantern.domain.errors import ConflictError
from lantern.domain.previews import Preview
from lantern.domain.rules.policy import AppliedPolicy, TenantPolicy
from lantern.domain.vendor_changes import VendorSeen
from lantern.store.documents import Documents, Put
from lantern.store.keys import ttl
from lantern.store.records import Records, Versioned

MAX_BYTES: Final = 300_000
"""Of settings and own rules together as stored: DynamoDB takes items of up to 400 kB."""
PREVIEW_DAYS: Final = 7


class PolicyRepository:
    """What a tenant set about rules. All of it is one item."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys = documents.keys
        self._policies = Versioned(documents, "policy", TenantPolicy)
        self._applied = Records(documents, "policy_applied", AppliedPolicy)
        self._previews = Versioned(documents, "policy_preview", Preview)

    def get(self, *, consistent: bool = False) -> TenantPolicy:
        """Settings and own rules."""
        return self._policies.get(self._keys.policy_rules(), consistent=consistent) or TenantPolicy()

    def op(self, policy: TenantPolicy) -> Put:
        """The write of the policy on `policy.rev`, for a transaction.

        Raises:
            ConflictError: it takes more room than an item has.
        """
        op = self._policies.op(self._keys.policy_rules(), policy)
        if len(op.doc.body) > MAX_BYTES:
            raise ConflictError("Your rules take more room than there is; remove or shorten some.")
        return op

    def applied(self) -> AppliedPolicy | None:
        """The rules by which findings were last brought up to date."""
        return self._applied.get(self._keys.policy_applied(), consistent=True)

    def put_applied(self, applied: AppliedPolicy) -> None:
        """Note rules as applied."""
        self._documents.put(self._applied.doc(self._keys.policy_applied(), applied), None)

    def preview(self, preview_id: str) -> Preview | None:
        """What a proposed change would do, as far as that was found out."""
        return self._previews.get(self._keys.preview(preview_id), consistent=True)

    def preview_op(self, preview: Preview) -> Put:
        """The write of a preview on `preview.rev`, for a transaction."""
        key = self._keys.preview(preview.id)
        return self._previews.op(key, preview, ttl=ttl(preview.created_at, PREVIEW_DAYS))

    def put_preview(self, preview: Preview) -> Preview:
        """Write on `preview.rev`; raises `RevisionConflictError`."""
        key = self._keys.preview(preview.id)
        return self._previews.put(key, preview, ttl=ttl(preview.created_at, PREVIEW_DAYS))


@dataclass(frozen=True, slots=True)
class _Seen:
    vendors: Mapping[str, VendorSeen] = field(default_factory=dict)
    rev: int = 0


class VendorsSeenRepository:
    """The profiles of the vendors in use as last evaluated: one item."""

    def __init__(self, documents: Documents) -> None:
        self._keys = documents.keys
        self._seen = Versioned(documents, "vendors_seen", _Seen)

    def get(self) -> tuple[dict[str, VendorSeen], int]:
        """By vendor id, and the revision to write on."""
        found = self._seen.get(self._keys.vendors_seen(), consistent=True) or _Seen()
        return dict(found.vendors), found.rev

    def put(self, vendors: Mapping[str, VendorSeen], rev: int) -> None:
        """Write on `rev`; raises `RevisionConflictError`."""
        self._seen.put(self._keys.vendors_seen(), _Seen(vendors, rev))
