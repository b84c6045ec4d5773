"""Read and change a tenant's rules: each change with its audit entry and the message that re-evaluates."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from lantern.domain.audit import GONE, NOTHING, AuditEvent
from lantern.domain.audit import change as moved
from lantern.domain.errors import ConflictError, InvalidInputError, NotFoundError, RevisionConflictError
from lantern.domain.rules.model import Rule, RuleSet
from lantern.domain.rules.policy import (
    MAX_OWN,
    OWN_PREFIX,
    OwnRule,
    RuleSettings,
    TenantPolicy,
    check_settings,
    effective,
)
from lantern.domain.work import Work
from lantern.store.tenant import TenantStore

_ATTEMPTS: Final = 5
Check = Callable[[int], None]
"""Refuses, by raising, to change a rule whose revision is not the one the caller has read."""


@dataclass(frozen=True, slots=True)
class TenantRule:
    """One rule as a tenant has it: `rule` with its settings, `before` as it is without them.

    `own` is there for a rule that the tenant wrote. `rev` counts whatever was set about it.
    """

    rule: Rule
    before: Rule
    settings: RuleSettings
    own: OwnRule | None
    rev: int


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes rules, and when."""

    by: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Compiled:
    """A page that was checked, whose own tests passed, and what it compiled to."""

    page: Mapping[str, Any]
    data: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Id of the rule."""
        return str(self.data["id"])


def tenant_rules(store: TenantStore, shipped: RuleSet) -> RuleSet:
    """The rules in effect for a tenant, each with its stage; those that are off are left out. One request."""
    return effective(shipped, store.policy.get()).rules


def listing(store: TenantStore, shipped: RuleSet) -> list[TenantRule]:
    """Every rule, in the order of ids; those that are off too. One request."""
    policy = store.policy.get()
    plain = effective(shipped, replace(policy, settings={})).all
    chosen = {rule.id: rule for rule in effective(shipped, policy).all.rules}
    return [_told(policy, rule, chosen[rule.id]) for rule in plain.rules]


def one(store: TenantStore, shipped: RuleSet, rule_id: str) -> TenantRule:
    """One rule.

    Raises:
        NotFoundError: the tenant has no such rule.
    """
    return _one(store.policy.get(consistent=True), shipped, rule_id)


def set_settings(
    store: TenantStore, shipped: RuleSet, rule_id: str, wanted: RuleSettings, author: Author, check: Check
) -> TenantRule:
    """Set stage, severity and parameters of a rule; what is left out falls back to the rule's own.

    Raises:
        NotFoundError: the tenant has no such rule.
        InvalidInputError: it has no such parameter, or the value is out of bounds.
    """

    def change(policy: TenantPolicy) -> tuple[TenantPolicy, AuditEvent | None]:
        found = _one(policy, shipped, rule_id)
        check(found.rev)
        check_settings(found.before, wanted)
        if _plain(found.settings) == _plain(wanted):
            return policy, None
        fresh = replace(wanted, by=author.by, at=author.now, rev=policy.rev + 1)
        detail = {
            "version": found.rule.version,
            "before": _words(found.settings),
            "after": _words(wanted),
        }
        return policy.with_settings(rule_id, fresh), AuditEvent(author.by, "rule.set", rule_id, detail)

    return _one(_write(store, change, author), shipped, rule_id)


def create(store: TenantStore, shipped: RuleSet, page: Compiled, author: Author) -> TenantRule:
    """Add an own rule.

    Raises:
        InvalidInputError: its id does not start with `OWN_PREFIX`.
        ConflictError: there is a rule of that id, or there are too many.
    """
    check_id(page.id)

    def change(policy: TenantPolicy) -> tuple[TenantPolicy, AuditEvent | None]:
        if page.id in policy.own:
            raise ConflictError("You have a rule with this id; change it with PUT.")
        if len(policy.own) >= MAX_OWN:
            raise ConflictError(f"A tenant has at most {MAX_OWN} rules of its own.")
        detail = {"version": str(page.data["version"]), **moved(NOTHING, page.data["version"])}
        return _with(policy, page, author), AuditEvent(author.by, "rule.added", page.id, detail)

    return _one(_write(store, change, author), shipped, page.id)


def update(
    store: TenantStore, shipped: RuleSet, rule_id: str, page: Compiled, author: Author, check: Check
) -> TenantRule:
    """Let an own rule say something else; the same again changes nothing.

    Raises:
        NotFoundError: the tenant has no such rule.
        ConflictError: it is shipped.
        InvalidInputError: the page has another id, or has not the parameters that are set.
    """

    def change(policy: TenantPolicy) -> tuple[TenantPolicy, AuditEvent | None]:
        old = _own(policy, shipped, rule_id)
        check(policy.etag_rev(rule_id))
        if page.id != rule_id:
            raise InvalidInputError("/id", f"must stay {rule_id}")
        if old.page == page.page:
            return policy, None
        detail = {"before": str(old.compiled["version"]), "after": str(page.data["version"])}
        return _with(policy, page, author), AuditEvent(author.by, "rule.changed", rule_id, detail)

    return _one(_write(store, change, author), shipped, rule_id)


def remove(store: TenantStore, shipped: RuleSet, rule_id: str, author: Author, check: Check) -> TenantRule:
    """Take an own rule away; its findings resolve.

    Raises:
        NotFoundError: the tenant has no such rule.
        ConflictError: it is shipped.
    """
    gone: list[TenantRule] = []

    def change(policy: TenantPolicy) -> tuple[TenantPolicy, AuditEvent | None]:
        old = _own(policy, shipped, rule_id)
        check(policy.etag_rev(rule_id))
        gone[:] = [_one(policy, shipped, rule_id)]
        detail = {"version": str(old.compiled["version"]), **moved(old.compiled["version"], GONE)}
        return policy.without(rule_id), AuditEvent(author.by, "rule.removed", rule_id, detail)

    _write(store, change, author)
    return gone[0]


def check_id(rule_id: str) -> None:
    """Refuse an id that a release may ship a rule with.

    Raises:
        InvalidInputError: it does not start with `OWN_PREFIX`.
    """
    if not rule_id.startswith(OWN_PREFIX):
        raise InvalidInputError("/id", f"the id of a rule of your own starts with {OWN_PREFIX}")


def _write(
    store: TenantStore,
    change: Callable[[TenantPolicy], tuple[TenantPolicy, AuditEvent | None]],
    author: Author,
) -> TenantPolicy:
    """Make a change; one that met another is made again on what is there now."""
    for _ in range(_ATTEMPTS):
        policy = store.policy.get(consistent=True)
        fresh, event = change(policy)
        if event is None:
            return policy
        work = Work(store.tenant_id, "score.policy", cause=author.by)
        unit = store.transact(author.now).put(store.policy.op(replace(fresh, rev=policy.rev)))
        try:
            unit.audit(event).outbox(work).commit()
        except RevisionConflictError:
            continue
        return replace(fresh, rev=policy.rev + 1)
    raise RevisionConflictError("too many changes at once; try again")


def _with(policy: TenantPolicy, page: Compiled, author: Author) -> TenantPolicy:
    own = OwnRule(page.id, page.page, page.data, author.by, author.now, rev=policy.rev + 1)
    return policy.with_own(own)


def _one(policy: TenantPolicy, shipped: RuleSet, rule_id: str) -> TenantRule:
    plain = effective(shipped, replace(policy, settings={})).all.get(rule_id)
    chosen = effective(shipped, policy).all.get(rule_id)
    if plain is None or chosen is None:
        raise NotFoundError("rule", rule_id)
    return _told(policy, plain, chosen)


def _told(policy: TenantPolicy, plain: Rule, chosen: Rule) -> TenantRule:
    settings = policy.settings.get(plain.id, RuleSettings())
    return TenantRule(chosen, plain, settings, policy.own.get(plain.id), policy.etag_rev(plain.id))


def _own(policy: TenantPolicy, shipped: RuleSet, rule_id: str) -> OwnRule:
    own = policy.own.get(rule_id)
    if own is not None:
        return own
    if shipped.get(rule_id) is not None:
        raise ConflictError("A shipped rule stays as it is: set its stage, severity and parameters.")
    raise NotFoundError("rule", rule_id)


def _plain(settings: RuleSettings) -> tuple[Any, ...]:
    return settings.stage, settings.severity, dict(settings.params)


def _words(settings: RuleSettings) -> str:
    told = {
        name: value for name, value in asdict(settings).items() if name in ("stage", "severity") and value
    }
    told |= {f"params.{name}": value for name, value in sorted(settings.params.items())}
    return ", ".join(f"{name}={value}" for name, value in told.items()) or "as shipped"
