"""Whether a tenant may read its sign-ins: that takes a permission and a licence (Microsoft Entra ID P1)."""

from typing import Final

from lantern.connectors.entra.api import REPORT, GraphApi
from lantern.connectors.entra.manifest import AUDIT, P1, UNLICENSED
from lantern.connectors.halt import Halt
from lantern.connectors.resolution import CallError

_PROBE: Final = {"$top": "1"}


def granted_with_licence(api: GraphApi, roles: frozenset[str], halt: Halt) -> frozenset[str]:
    """The permissions held, with the licence among them if there is one; it is asked for with one call."""
    if AUDIT not in roles:
        return roles
    try:
        api.page("/auditLogs/signIns", halt, params=_PROBE, quotas=REPORT)
    except CallError as error:
        if error.resolution is UNLICENSED:
            return roles
        raise
    return roles | {P1}
