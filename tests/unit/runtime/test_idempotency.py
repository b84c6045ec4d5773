from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lantern.domain.idempotency import Attempt, KeptAnswer
from lantern.runtime import idempotency
from lantern.runtime.idempotency import IdempotentRequest
from lantern.runtime.problems import ProblemError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST = IdempotentRequest("k1", "key_a", "POST", "/v1/keys", b"{}")
DONE = KeptAnswer(201, '{"id":"x"}')


def run_once(request, attempts, now, run):
    return idempotency.run_once(request, attempts, run, now=now, claim="att_1")


class Memory:
    """Attempts in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, Attempt] = {}

    def begin(self, key: str, attempt: Attempt, now: datetime, lock_s: int) -> Attempt | None:
        if key in self.kept:
            return self.kept[key]
        self.kept[key] = attempt
        return None

    def finish(self, key: str, attempt: Attempt, now: datetime, keep_s: int) -> None:
        self.kept[key] = attempt

    def abandon(self, key: str) -> None:
        del self.kept[key]


def test_the_second_request_gets_the_first_answer() -> None:
    memory, calls = Memory(), []

    def run() -> KeptAnswer:
        calls.append(1)
        return DONE

    assert run_once(REQUEST, memory, NOW, run) is None
    assert run_once(REQUEST, memory, NOW, run) == DONE
    assert calls == [1]


@pytest.mark.parametrize(
    "other",
    [replace(REQUEST, body=b'{"a":1}'), replace(REQUEST, path="/v1/x"), replace(REQUEST, method="PUT")],
)
def test_a_key_belongs_to_one_request(other: IdempotentRequest) -> None:
    memory = Memory()
    run_once(REQUEST, memory, NOW, lambda: DONE)
    with pytest.raises(ProblemError) as refused:
        run_once(other, memory, NOW, lambda: DONE)
    assert refused.value.code == "idempotency_key_reused"


def test_callers_do_not_share_keys() -> None:
    memory = Memory()
    run_once(REQUEST, memory, NOW, lambda: DONE)
    assert run_once(replace(REQUEST, caller="key_b"), memory, NOW, lambda: DONE) is None


def test_a_request_that_still_runs_blocks_its_twin() -> None:
    memory = Memory()

    def run() -> KeptAnswer:
        with pytest.raises(ProblemError) as refused:
            run_once(REQUEST, memory, NOW, lambda: DONE)
        assert refused.value.code == "request_in_progress"
        assert refused.value.headers == {"Retry-After": "1"}
        return DONE

    assert run_once(REQUEST, memory, NOW, run) is None


def test_an_error_frees_the_key() -> None:
    memory = Memory()

    def fail() -> KeptAnswer:
        raise ProblemError("conflict", "no")

    with pytest.raises(ProblemError):
        run_once(REQUEST, memory, NOW, fail)
    assert run_once(REQUEST, memory, NOW, lambda: DONE) is None


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "ü", "a\n"])
def test_a_key_of_wrong_form_is_named(key: str) -> None:
    with pytest.raises(ProblemError) as refused:
        run_once(replace(REQUEST, key=key), Memory(), NOW, lambda: DONE)
    assert refused.value.fields[0].parameter == "Idempotency-Key"
