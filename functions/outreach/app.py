"""Lambda of outreach: one work message for one tenant, in that tenant's own environment."""

from typing import Any

from lantern.runtime import workers


def handler(event: dict[str, Any], context: workers.Context) -> workers.Answer:
    """Do one message's work."""
    return workers.run("outreach", workers.reach_out, event, context)
