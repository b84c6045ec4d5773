"""A simulated Microsoft over real HTTP: sign-in, admin consent, and the part of Graph v1.0 that is used.

It enforces permissions by call, resource units, the reports' limit, paging by absolute links, delta tokens,
the handshake of subscriptions, and refuses whatever query option it does not know. One base URL serves
login.microsoftonline.com and graph.microsoft.com. It can be made to misbehave through `/_control/`.
"""

from .model import AppRegistration
from .quota import QuotaSettings
from .simulator import EntraSimulator
from .world import TenantSpec

__all__ = ["AppRegistration", "EntraSimulator", "QuotaSettings", "TenantSpec"]
