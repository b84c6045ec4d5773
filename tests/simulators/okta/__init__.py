"""A simulated Okta organisation on this machine; see README.md."""

from .clock import ScaledClock
from .model import OrgSpec
from .quota import QuotaSettings
from .simulator import OktaSimulator

__all__ = ["OktaSimulator", "OrgSpec", "QuotaSettings", "ScaledClock"]
