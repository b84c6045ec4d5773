"""One message → one worker, and what happens when that fails."""

import io
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime

import botocore.session
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st

from lantern.domain.work import Work
from lantern.services.dispatch import MAX_BACKOFF_S, Dispatcher, backoff
from lantern.services.queue import encode_work, parse_work
from lantern.store.platform import TenantEntry

TENANT = "a" * 20
ARN = "arn:aws:sqs:eu-central-1:123456789012:runs"


class _Lambda:
    def __init__(self, payload: object = None, *, error: str | None = None, raises: Exception | None = None):
        self.calls: list[dict[str, object]] = []
        self.payload, self.error, self.raises = payload, error, raises

    def invoke(self, **kwargs: object) -> dict[str, object]:
        self.calls.append(kwargs)
        if self.raises:
            raise self.raises
        body = self.payload if isinstance(self.payload, bytes) else json.dumps(self.payload).encode()
        answer: dict[str, object] = {"StatusCode": 200, "Payload": io.BytesIO(body)}
        return answer | ({"FunctionError": self.error} if self.error else {})


class _Sqs:
    def __init__(self, raises: Exception | None = None):
        self.calls: list[dict[str, object]] = []
        self.raises = raises

    def change_message_visibility(self, **kwargs: object) -> None:
        self.calls.append(kwargs)
        if self.raises:
            raise self.raises


def _dispatcher(
    invoker: _Lambda, sqs: _Sqs, status: str | None = "active", jitter: float = 0.0
) -> Dispatcher:
    def tenant(tenant_id: str) -> TenantEntry | None:
        return TenantEntry(tenant_id, "T", status, datetime(2026, 1, 1, tzinfo=UTC)) if status else None  # type: ignore[arg-type]

    return Dispatcher(
        tenant=tenant,
        functions={
            "discovery": "fn-discovery",
            "scoring": "fn-scoring",
            "remediation": "fn-remediation",
            "outreach": "fn-outreach",
        },
        invoker=invoker,
        sqs=sqs,
        queue_urls={"runs": "https://sqs/runs"},
        jitter=lambda: jitter,
    )


def _event(body: str | None = None, attempt: int = 1) -> dict[str, object]:
    text = encode_work(Work(TENANT, "connection.full")) if body is None else body
    record = {
        "messageId": "m-1",
        "receiptHandle": "handle",
        "body": text,
        "eventSourceARN": ARN,
        "attributes": {"ApproximateReceiveCount": str(attempt)},
    }
    return {"Records": [record]}


FAILED = {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
DONE: dict[str, list[dict[str, str]]] = {"batchItemFailures": []}


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ("connection.full", "fn-discovery"),
        ("bundle.read", "fn-discovery"),
        ("score.app", "fn-scoring"),
        ("job.run", "fn-remediation"),
    ],
)
def test_work_goes_to_its_worker_in_its_tenants_environment(kind: str, function: str):
    invoker, sqs = _Lambda(), _Sqs()
    body = encode_work(Work(TENANT, kind))
    assert _dispatcher(invoker, sqs).handle(_event(body)) == DONE
    (call,) = invoker.calls
    assert call == {
        "FunctionName": function,
        "InvocationType": "RequestResponse",
        "TenantId": TENANT,
        "Payload": encode_work(replace(parse_work(body), delivery="m-1")).encode(),
    }
    assert sqs.calls == []


def test_work_on_another_queue_than_its_own_is_given_up_in_the_end():
    invoker, sqs = _Lambda(), _Sqs()
    runs_only = replace(_dispatcher(invoker, sqs), functions={"remediation": "fn-remediation"})
    assert runs_only.handle(_event(encode_work(Work(TENANT, "outreach.due")))) == FAILED
    assert invoker.calls == []
    assert len(sqs.calls) == 1


def test_botocore_takes_the_tenant_id():
    client = botocore.session.get_session().create_client(
        "lambda", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:
        stub.add_response(
            "invoke",
            {"StatusCode": 200, "Payload": io.BytesIO(b"null")},
            {"FunctionName": ANY, "InvocationType": ANY, "TenantId": TENANT, "Payload": ANY},
        )
        assert _dispatcher(client, _Sqs()).handle(_event()) == DONE  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["suspended", "deleting", None])
def test_messages_of_tenants_that_are_not_active_are_acknowledged_unread(status: str | None):
    invoker, sqs = _Lambda(), _Sqs()
    assert _dispatcher(invoker, sqs, status).handle(_event()) == DONE
    assert invoker.calls == sqs.calls == []


@pytest.mark.parametrize(
    "invoker",
    [
        _Lambda({"errorType": "ValueError", "errorMessage": "canary"}, error="Unhandled"),
        _Lambda(b"Task timed out", error="Unhandled"),
        _Lambda(raises=ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")),
        _Lambda(raises=ReadTimeoutError(endpoint_url="https://lambda")),
        _Lambda({"retry_after_s": "soon"}),
        _Lambda({"retry_after_s": float("nan")}),
        _Lambda(b"<html>"),
    ],
)
def test_every_failure_is_reported_and_comes_back_soon(invoker: _Lambda, caplog: pytest.LogCaptureFixture):
    sqs = _Sqs()
    with caplog.at_level(logging.INFO):
        assert _dispatcher(invoker, sqs, jitter=1.0).handle(_event(attempt=2)) == FAILED
    assert sqs.calls == [{"QueueUrl": "https://sqs/runs", "ReceiptHandle": "handle", "VisibilityTimeout": 8}]
    assert "canary" not in caplog.text


def test_the_providers_own_delay_is_honoured_and_never_shortened():
    sqs = _Sqs()
    assert _dispatcher(_Lambda({"retry_after_s": 77}), sqs).handle(_event(attempt=9)) == FAILED
    assert sqs.calls[0]["VisibilityTimeout"] == 77


def test_a_failed_change_of_visibility_still_reports_the_failure():
    sqs = _Sqs(ClientError({"Error": {"Code": "ReceiptHandleIsInvalid"}}, "ChangeMessageVisibility"))
    assert _dispatcher(_Lambda(error="Unhandled"), sqs).handle(_event()) == FAILED


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "null",
        "[]",
        '"x"',
        "[1",
        '{"tenant_id":"../../x","kind":"score.run"}',
        '{"tenant_id":"aaaaaaaaaaaaaaaaaaaa","kind":"drop.table"}',
    ],
)
def test_a_malformed_message_travels_quickly_to_the_dead_letter_queue(
    body: str, caplog: pytest.LogCaptureFixture
):
    invoker, sqs = _Lambda(), _Sqs()
    dispatcher = _dispatcher(invoker, sqs)
    assert dispatcher.handle(_event(body)) == FAILED
    assert invoker.calls == []
    assert sqs.calls[0]["VisibilityTimeout"] == 1
    assert "malformed" in caplog.text


@given(
    queue=st.sampled_from(["hints", "runs"]),
    attempt=st.integers(1, 10_000),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_backoff_is_bounded_and_grows(queue, attempt: int, jitter: float):
    delay = backoff(queue, attempt, None, jitter)
    assert 1 <= delay <= MAX_BACKOFF_S[queue]
    assert delay <= backoff(queue, attempt + 1, None, jitter)


@given(wanted=st.floats(-10, 1e9), jitter=st.floats(0, 1, exclude_max=True))
def test_a_named_delay_stays_within_what_sqs_allows(wanted: float, jitter: float):
    delay = backoff("runs", 1, wanted, jitter)
    assert 1 <= delay <= 43_200
    assert delay >= min(wanted, 43_200)
