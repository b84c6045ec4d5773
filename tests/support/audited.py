"""What must be true of every entry of an audit chain, whoever wrote it."""

import re
from collections.abc import Iterable

from lantern.domain.audit import AuditEntry

ACTORS = re.compile(
    r"key:[A-Za-z0-9_.-]+|key_[a-z0-9]+|per_[a-z0-9]+|p|rule:[a-z0-9-]+@[A-Za-z0-9.-]+|playbook:plr_[a-z0-9]+"
    r"|operator(:[a-z]+)?|system|link|silence"
)
"""A key, a person, a rule with its version, a run of a playbook, operators, Lantern itself, a signed link."""
NOTHING_CHANGED = frozenset({"channel.tested", "webhook.tested", "consent.refused", "nudge.press_refused"})
"""What happens and leaves everything as it was."""


def audited(entries: Iterable[AuditEntry]) -> int:
    """Check them; returns how many there were."""
    seen = 0
    for one in entries:
        seen += 1
        assert ACTORS.fullmatch(one.actor), one
        if one.action in NOTHING_CHANGED:
            continue
        assert {"before", "after"} <= set(one.detail), one
        assert one.detail["after"], one
        # Who says that a finding was wrong changes nothing of where it stands.
        assert one.detail["before"] != one.detail["after"] or one.action == "finding.feedback", one
    return seen
