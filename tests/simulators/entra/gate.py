"""Who calls, for which tenant, with which permissions; what it costs is spent here."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.simulators.google.wire import Request

from .model import Tenant
from .quota import REPORTS, WRITES, WRITES_S, Quotas
from .tokens import TokenStore
from .wire import GraphError, denied
from .world import World

WRITING = frozenset({"POST", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class Caller:
    """An accepted call."""

    tenant: Tenant
    client_id: str
    roles: frozenset[str]


class Gate:
    """Checks every call of Graph."""

    def __init__(self, world: World, tokens: TokenStore, quotas: Quotas) -> None:
        self.world = world
        self.quotas = quotas
        self._tokens = tokens
        self._rng = random.Random(1)
        self._inside = threading.local()
        self.service_time = (0.0, 0.0)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Requests of a batch are served side by side: together they take as long as one."""
        self._serve()
        self._inside.batch = True
        try:
            yield
        finally:
            self._inside.batch = False

    def _serve(self) -> None:
        if not getattr(self._inside, "batch", False):
            self.world.clock.sleep(self._rng.uniform(*self.service_time))

    def enter(self, request: Request, name: str, *any_of: str, report: bool = False) -> Caller:
        """Let a call in: a live token, one of these permissions, and quota left."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        token = self._tokens.bearer(text) if scheme == "Bearer" else None
        if token is None:
            raise GraphError(401, "InvalidAuthenticationToken", "Access token is empty, expired or invalid.")
        tenant = self.world.tenants[token.tenant]
        key = (token.client_id, tenant.id)
        if report:
            self.quotas.spend((*key, "reports"), 1, REPORTS)
        else:
            cost = self.quotas.cost(name, request.query)
            self.quotas.spend((*key, "units"), cost, self.quotas.units(len(tenant.users)))
        if request.method in WRITING:
            self.quotas.spend((*key, "writes"), 1, WRITES, WRITES_S)
        if any_of and not token.roles & set(any_of):
            raise denied()
        self._serve()
        return Caller(tenant, token.client_id, token.roles)


def licensed(tenant: Tenant) -> None:
    """Sign-ins need a licence."""
    if not tenant.p1:
        text = "Neither tenant is B2C or tenant doesn't have premium license"
        raise GraphError(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", text)
