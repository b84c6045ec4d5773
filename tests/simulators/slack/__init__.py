"""A simulated Slack: installation page, Web API, Audit Logs API and Events API, over HTTP on this machine.

It enforces the plan (free, pro, enterprise), the scopes of each token, the limits per method, and Slack's
habit of refusing with status 200. One base URL serves the hosts slack.com and api.slack.com.

Known limits: no channels, no messages; the answers of `admin.apps.mcp.*` follow the types of Slack's own
SDK, since no example is published.
"""

from tests.simulators.google.clock import Clock

from .generator import OrgSpec
from .model import SlackClient
from .simulator import SlackSimulator
from .tiers import TierSettings

__all__ = ["Clock", "OrgSpec", "SlackClient", "SlackSimulator", "TierSettings"]
