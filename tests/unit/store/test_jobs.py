"""Jobs move only where they may, and nobody approves their own request."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lantern.domain import jobs
from lantern.domain.errors import ConflictError, ForbiddenError
from lantern.domain.jobs import ActionRecord, Job, JobCounts, PlanSummary, Selector

NOW = datetime(2026, 3, 14, tzinfo=UTC)
JOB = Job("job_1", "revoke_grants", "planned", "key_a", NOW, Selector(app_id="app_1"))
PLAN = PlanSummary(targets=3, principals=3, apps=1)


def test_a_job_goes_from_plan_over_approval_to_its_end() -> None:
    waiting = jobs.request_approval(JOB, PLAN)
    approved = jobs.approve(waiting, "key_b", NOW)
    done = jobs.finish(jobs.start(approved, NOW), JobCounts(verified=3), NOW)

    assert (waiting.state, waiting.plan) == ("awaiting_approval", PLAN)
    assert (approved.state, approved.approved_by) == ("approved", "key_b")
    assert done.state == "done"
    assert not done.open
    assert jobs.finish(jobs.start(approved, NOW), JobCounts(failed=1), NOW).state == "failed"
    assert jobs.release(JOB, PLAN, NOW).state == "approved"


def test_nobody_approves_their_own_request() -> None:
    with pytest.raises(ForbiddenError):
        jobs.approve(jobs.request_approval(JOB, PLAN), "key_a", NOW)


@pytest.mark.parametrize("state", ["planned", "approved", "running", "done", "failed", "cancelled"])
def test_only_a_waiting_job_is_approved(state: jobs.JobState) -> None:
    with pytest.raises(ConflictError):
        jobs.approve(replace(JOB, state=state), "key_b", NOW)


@pytest.mark.parametrize("state", ["planned", "awaiting_approval", "approved", "running"])
def test_an_open_job_can_be_cancelled(state: jobs.JobState) -> None:
    cancelled = jobs.cancel(replace(JOB, state=state), "key_a", NOW)

    assert (cancelled.state, cancelled.cancelled_by, cancelled.open) == ("cancelled", "key_a", False)


@pytest.mark.parametrize("state", sorted(jobs.CLOSED))
def test_a_closed_job_stays_as_it_is(state: jobs.JobState) -> None:
    closed = replace(JOB, state=state)
    for move in (
        lambda: jobs.cancel(closed, "key_a", NOW),
        lambda: jobs.start(closed, NOW),
        lambda: jobs.fail(closed, "x", NOW),
        lambda: jobs.request_approval(closed, PLAN),
    ):
        with pytest.raises(ConflictError):
            move()


def test_an_action_that_failed_may_be_tried_again_and_a_verified_one_not() -> None:
    action = ActionRecord("job_1", "gr_1", "planned", NOW)
    failed = jobs.settle(action, "failed", NOW, detail="timeout")
    verified = jobs.settle(jobs.settle(failed, "applied", NOW), "verified", NOW, remaining_access_s=3600)

    assert (failed.state, failed.detail) == ("failed", "timeout")
    assert (verified.state, verified.remaining_access_s) == ("verified", 3600)
    for state in ("applied", "failed", "skipped"):
        with pytest.raises(ConflictError):
            jobs.settle(verified, state, NOW)
