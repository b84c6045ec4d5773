"""A simulated Google: OAuth consent, Admin SDK Directory and Reports, over real HTTP on this machine.

It answers as Google's discovery documents say (tests drive it with Google's own client), enforces quotas,
delivers push messages, and can be made to misbehave through `/_control/`. One base URL serves the hosts
accounts.google.com, oauth2.googleapis.com, openidconnect.googleapis.com and admin.googleapis.com.

Known limits: `activity` events of generated grants are listed but not pushed (watch `authorize` and
`revoke`); `orgUnitID` and `groupIdFilter` are refused; bodies are never compressed.
"""

from .clock import Clock
from .control import Control
from .model import OAuthClient
from .organisation import Organisation, OrgSpec
from .quota import QuotaSettings
from .simulator import GoogleSimulator

__all__ = ["Clock", "Control", "GoogleSimulator", "OAuthClient", "OrgSpec", "Organisation", "QuotaSettings"]
