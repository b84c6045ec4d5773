"""Apps: facts, risk and decision side by side, the packed apps list, and scope sets by content."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

import msgspec

from lantern.domain import ids
from lantern.domain.apps import AppDecision, AppSummary, AppView, RiskOverride, StoredRisk
from lantern.domain.errors import ConflictError, RevisionConflictError
from lantern.domain.inventory import App
from lantern.domain.products import ProductDecision
from lantern.store.documents import Doc, Documents, Put
from lantern.store.keys import Key
from lantern.store.records import Records, Versioned, pack, unpacked

_FACTS, _RISK, _POLICY, _OVERRIDE = "FACTS", "RISK", "POLICY", "OVERRIDE"
PARTS: Final = 16
_ATTEMPTS: Final = 8
_KNOWN_SETS: Final = 50_000


def summary_part(app_id: str) -> int:
    """Which of the 16 parts of the apps list an app belongs to."""
    return ids.pack_app(app_id)[-1] % PARTS


class AppRepository:
    """What is known, judged and decided about apps."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys = documents.keys
        self._facts = Records(documents, "app", App)
        self._risks = Versioned(documents, "app_risk", StoredRisk)
        self._decisions = Versioned(documents, "app_policy", AppDecision)
        self._products = Versioned(documents, "product_policy", ProductDecision)
        self._overrides = Versioned(documents, "risk_override", RiskOverride)
        self._rows = msgspec.json.Decoder(tuple[AppSummary, ...])
        self._scopes = msgspec.json.Decoder(frozenset[str])
        self._known_sets: dict[str, frozenset[str]] = {}

    # --- facts ----------------------------------------------------------------------------------
    def get_facts(self, app_id: str) -> App | None:
        """What the provider says of an app."""
        return self._facts.get(self._keys.app(app_id, _FACTS))

    def batch_facts(self, app_ids: Iterable[str]) -> dict[str, App]:
        """The facts of many apps by id, as far as known; 100 a call."""
        found = self._documents.batch_get(self._keys.app(app_id, _FACTS) for app_id in app_ids)
        apps = (self._facts.decode(doc) for doc in found.values())
        return {app.id: app for app in apps}

    def decode_facts(self, doc: Doc) -> App:
        """The facts of an item."""
        return self._facts.decode(doc)

    def decode_scopes(self, doc: Doc) -> frozenset[str]:
        """The scopes of an item."""
        return self._scopes.decode(unpacked(doc.body))

    def all_facts(self) -> Iterator[App]:
        """The facts of all apps, in the order of ids."""
        return (view.facts for view in self.all_views() if view.facts is not None)

    def put_facts(self, app: App) -> bool:
        """Store facts that are new or changed; False where nothing was written. `first_seen` never moves."""
        return self.put_all_facts([app]) == 1

    def put_all_facts(self, apps: Iterable[App]) -> int:
        """Store what is new or changed among many apps; returns how many were written."""
        wanted = {app.id: app for app in apps}
        stored = self.batch_facts(wanted)
        changed = []
        for app in wanted.values():
            old = stored.get(app.id)
            seen = [at for at in (app.first_seen, old.first_seen if old else None) if at is not None]
            fresh = replace(app, first_seen=min(seen) if seen else None)
            if fresh != old:
                changed.append(self._facts.doc(self._keys.app(app.id, _FACTS), fresh))
        self._documents.write_all(changed)
        return len(changed)

    # --- risk -----------------------------------------------------------------------------------
    def risk(self, app_id: str) -> StoredRisk | None:
        """The assessment of an app."""
        return self._risks.get(self._keys.app(app_id, _RISK))

    def put_risk(
        self, app_id: str, fingerprint: str, body: Mapping[str, Any], seen: StoredRisk | None = None
    ) -> bool:
        """Store an assessment; False where the stored one has the same fingerprint.

        `seen` is the stored one as it was read before, which then need not be read again.
        """
        for attempt in range(_ATTEMPTS):
            old = seen if attempt == 0 else None
            if old is None:
                old = self._risks.get(self._keys.app(app_id, _RISK), consistent=attempt > 0)
            if old is not None and old.fingerprint == fingerprint:
                return False
            record = StoredRisk(app_id, fingerprint, body, rev=old.rev if old else 0)
            try:
                self._risks.put(self._keys.app(app_id, _RISK), record)
            except RevisionConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return True
        raise AssertionError("unreachable")  # pragma: no cover

    # --- decision -------------------------------------------------------------------------------
    def decision(self, app_id: str) -> AppDecision | None:
        """What was decided about an app."""
        return self._decisions.get(self._keys.app(app_id, _POLICY), consistent=True)

    def decision_op(self, decision: AppDecision) -> Put:
        """The write of a decision on `decision.rev`, for a transaction with its audit entry."""
        return self._decisions.op(self._keys.app(decision.app_id, _POLICY), decision)

    def product_decision(self, product_id: str) -> ProductDecision | None:
        """What was decided about a product."""
        return self._products.get(self._keys.product(product_id), consistent=True)

    def product_decisions(self) -> dict[str, ProductDecision]:
        """All decisions about products, by product id. One query."""
        return {one.product_id: one for one in self._products.all(self._keys.products())}

    def product_decision_op(self, decision: ProductDecision) -> Put:
        """The write of a decision about a product, for a transaction with its audit entry."""
        return self._products.op(self._keys.product(decision.product_id), decision)

    def decode_product_decision(self, doc: Doc) -> ProductDecision:
        """The decision of an item."""
        return self._products.decode(doc)

    def override_op(self, override: RiskOverride) -> Put:
        """The write of a risk that people set, on `override.rev`, for a transaction with its audit entry."""
        return self._overrides.op(self._keys.app(override.app_id, _OVERRIDE), override)

    # --- together -------------------------------------------------------------------------------
    def view(self, app_id: str) -> AppView:
        """Facts, risk, decision and override of an app in one query."""
        key = self._keys.app(app_id, "")
        return self._view(app_id, self._documents.query(key.pk, starts=key.sk))

    def all_views(self) -> Iterator[AppView]:
        """Facts, risk, decision and override of all apps in the order of ids, page by page as consumed."""
        docs = self._documents.query(self._keys.apps())
        for app_id, group in groupby(docs, key=lambda doc: doc.key.sk.split("#", 1)[0]):
            yield self._view(app_id, group)

    def _view(self, app_id: str, docs: Iterable[Doc]) -> AppView:
        facts, risk, decision, override = None, None, None, None
        for doc in docs:
            aspect = doc.key.sk.rsplit("#", 1)[1]
            if aspect == _FACTS:
                facts = self._facts.decode(doc)
            elif aspect == _RISK:
                risk = self._risks.decode(doc)
            elif aspect == _POLICY:
                decision = self._decisions.decode(doc)
            elif aspect == _OVERRIDE:
                override = self._overrides.decode(doc)
        return AppView(app_id, facts, risk, decision, override)

    def view_of(self, app_id: str, docs: Iterable[Doc]) -> AppView:
        """Facts, risk, decision and override of an app out of its items."""
        return self._view(app_id, docs)

    # --- list -----------------------------------------------------------------------------------
    def summary(self) -> tuple[AppSummary, ...]:
        """All rows of the apps list in one query, in no order."""
        docs = self._documents.query(self._keys.app_summaries())
        return self.rows_of(docs)

    def summary_keys(self) -> list[Key]:
        """The keys of all parts of the list, for reading them together with something else."""
        return [self._keys.app_summary(number) for number in range(PARTS)]

    def rows_of(self, docs: Iterable[Doc]) -> tuple[AppSummary, ...]:
        """The rows in some parts of the list."""
        return tuple(row for doc in docs for row in self._rows.decode(unpacked(doc.body)))

    def summary_parts(self, numbers: Iterable[int]) -> dict[int, tuple[AppSummary, ...]]:
        """Some parts of the apps list, strongly consistent: what an update of a part is computed from."""
        keys = {self._keys.app_summary(number): number for number in numbers}
        docs = self._documents.batch_get(keys, consistent=True)
        return {
            number: self._rows.decode(unpacked(docs[key].body)) if key in docs else ()
            for key, number in keys.items()
        }

    def put_summary_part(self, number: int, rows: Sequence[AppSummary]) -> bool:
        """Store one of the 16 parts; False where it says the same already.

        Raises:
            ValueError: a row belongs to another part.
        """
        ordered = sorted(rows, key=lambda row: row.app_id)
        if any(summary_part(row.app_id) != number for row in ordered):
            raise ValueError("a row of another part")
        key = self._keys.app_summary(number)
        return self._put_part(key, ordered, self._documents.get(key, consistent=True))

    def merge_rows(self, rows: Mapping[str, AppSummary]) -> int:
        """Put rows, by app id, into their parts of the list; returns how many parts were written.

        Raises:
            RevisionConflictError: somebody else wrote a part meanwhile.
        """
        keys = {number: self._keys.app_summary(number) for number in sorted(set(map(summary_part, rows)))}
        docs = self._documents.batch_get(keys.values(), consistent=True)
        written = 0
        for number, key in keys.items():
            old = docs.get(key)
            current = self._rows.decode(unpacked(old.body)) if old else ()
            merged = {row.app_id: row for row in current}
            merged |= {app_id: row for app_id, row in rows.items() if summary_part(app_id) == number}
            written += self._put_part(key, sorted(merged.values(), key=lambda row: row.app_id), old)
        return written

    def _put_part(self, key: Key, ordered: Sequence[AppSummary], old: Doc | None) -> bool:
        body = pack(ordered)
        digest = hashlib.sha256(body).digest()[:8]
        if old is not None and old.digest == digest:
            return False
        rev = old.rev if old else 0
        self._documents.put(Doc(key, "app_summary", body, rev=rev + 1, digest=digest), rev)
        return True

    # --- scope sets -----------------------------------------------------------------------------
    def put_scope_sets(self, sets: Mapping[str, frozenset[str]]) -> int:
        """Store sets of scopes that are not stored yet; returns how many were written.

        Raises:
            ConflictError: an id stands for two different sets.
            ValueError: an id that is not the id of its scopes.
        """
        for name, scopes in sets.items():
            if ids.scope_set_id(scopes) != name:
                raise ValueError(f"{name} is not the id of its scopes")
        unknown = {name: scopes for name, scopes in sets.items() if self._known_sets.get(name) != scopes}
        stored = self.scope_sets(unknown)
        for name, scopes in stored.items():
            if scopes != unknown[name]:
                raise ConflictError(f"{name} stands for two sets of scopes")
        missing = [name for name in unknown if name not in stored]
        self._documents.write_all(
            Doc(self._keys.scope_set(name), "scope_set", pack(sorted(unknown[name]))) for name in missing
        )
        self._remember(unknown)
        return len(missing)

    def scope_sets(self, scope_set_ids: Iterable[str]) -> dict[str, frozenset[str]]:
        """The scopes of many sets by id, as far as stored; 100 a call.

        An id is a digest of its scopes, so what was read once is never read again.
        """
        wanted = set(scope_set_ids)
        known = {name: self._known_sets[name] for name in wanted & self._known_sets.keys()}
        docs = self._documents.batch_get(self._keys.scope_set(name) for name in wanted - known.keys())
        read = {doc.key.sk: self._scopes.decode(unpacked(doc.body)) for doc in docs.values()}
        self._remember({name: scopes for name, scopes in read.items() if ids.scope_set_id(scopes) == name})
        return known | read

    def _remember(self, sets: Mapping[str, frozenset[str]]) -> None:
        if len(self._known_sets) > _KNOWN_SETS:
            self._known_sets.clear()
        self._known_sets.update(sets)
