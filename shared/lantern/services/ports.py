"""What the API asks of use-cases that live elsewhere, as protocols."""

from datetime import datetime
from typing import Protocol

from lantern.domain.ids import RandomBytes
from lantern.domain.inventory import Provider
from lantern.domain.jobs import Job, JobKind, Selector
from lantern.domain.work import Work
from lantern.store.tenant import TenantStore


class QueuePort(Protocol):
    """Where work messages go."""

    def send(self, work: Work, delay_s: int = 0) -> None:
        """Put one message on the queue of its kind, not visible for `delay_s` seconds (0 to 900)."""
        ...


class OnboardingPort(Protocol):
    """Consent links for an existing tenant."""

    def create_link(
        self,
        store: TenantStore,
        provider: Provider,
        *,
        by: str,
        connection_id: str | None,
        now: datetime,
        random: RandomBytes,
    ) -> str:
        """A single-use URL at which an administrator gives consent.

        Args:
            store: the tenant's store.
            provider: whom to connect.
            by: who asks, an actor id.
            connection_id: the connection to repair; None adds one.
            now: current time.
            random: source of randomness.
        """
        ...


class RemediationPort(Protocol):
    """Jobs that act on a provider. All of them write their audit entries themselves."""

    def request_job(
        self,
        store: TenantStore,
        *,
        requested_by: str,
        selector: Selector,
        connection_id: str | None,
        reason: str,
        dry_run: bool,
        now: datetime,
        random: RandomBytes,
        kind: JobKind = "revoke_grants",
    ) -> Job:
        """Plan a job; a dry run is one that never acts.

        `connection_id` narrows a selector by app or principal to one connection; None means all.

        Raises:
            NotFoundError: what the selector names does not exist.
            ConflictError: a brake forbids it.
        """
        ...

    def approve(self, store: TenantStore, job_id: str, by: str, now: datetime) -> Job:
        """Let a waiting job run.

        Raises:
            NotFoundError: no such job.
            ForbiddenError: `by` requested the job.
            ConflictError: the job is not waiting for approval.
        """
        ...

    def cancel(self, store: TenantStore, job_id: str, by: str, now: datetime) -> Job:
        """Stop a job at its next step.

        Raises:
            NotFoundError: no such job.
            ConflictError: the job is over.
        """
        ...
