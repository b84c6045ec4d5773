"""Ask what a proposed change of the rules would do; it is found out in the background."""

from lantern.domain import ids
from lantern.domain.errors import NotFoundError
from lantern.domain.ids import RandomBytes
from lantern.domain.previews import Preview, Proposal
from lantern.domain.rules.model import RuleSet
from lantern.domain.rules.policy import RuleSettings, check_settings
from lantern.domain.work import Work
from lantern.services.policy.rules import Author, Compiled, check_id, one
from lantern.store.tenant import TenantStore


def of_settings(
    store: TenantStore,
    shipped: RuleSet,
    rule_id: str,
    wanted: RuleSettings,
    author: Author,
    random: RandomBytes,
) -> Preview:
    """Ask about other settings of a rule.

    Raises:
        NotFoundError: the tenant has no such rule.
        InvalidInputError: it has no such parameter, or the value is out of bounds.
    """
    check_settings(one(store, shipped, rule_id).before, wanted)
    return _ask(store, Proposal(rule_id, settings=wanted), author, random)


def of_rule(store: TenantStore, page: Compiled, author: Author, random: RandomBytes) -> Preview:
    """Ask about a new own rule, or another text of one.

    Raises:
        InvalidInputError: its id is one of a shipped rule, or could become one.
    """
    check_id(page.id)
    return _ask(store, Proposal(page.id, page=page.page, compiled=page.data), author, random)


def find(store: TenantStore, preview_id: str) -> Preview:
    """A question and, once there is one, its answer.

    Raises:
        NotFoundError: there is no such preview, or it is older than a week.
    """
    found = store.policy.preview(preview_id)
    if found is None:
        raise NotFoundError("preview", preview_id)
    return found


def _ask(store: TenantStore, proposal: Proposal, author: Author, random: RandomBytes) -> Preview:
    """Keep the question and send it; nothing is decided, so nothing is audited."""
    asked = Preview(ids.time_id("prv", author.now, random), "pending", proposal, author.now, author.by)
    work = Work(store.tenant_id, "policy.preview", body={"preview_id": asked.id}, cause=author.by)
    store.transact(author.now).put(store.policy.preview_op(asked)).outbox(work).commit()
    return asked
