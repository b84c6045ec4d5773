"""A simulated Salesforce organisation over HTTP."""

from .model import OrgSpec
from .oauth import CLIENT, REDIRECT, ConnectedClient
from .simulator import SalesforceSimulator

__all__ = ["CLIENT", "REDIRECT", "ConnectedClient", "OrgSpec", "SalesforceSimulator"]
