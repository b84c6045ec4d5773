import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.domain.errors import InvalidInputError
from lantern.domain.work import MAX_HOPS, ROUTES, Work
from lantern.services.queue import WorkQueue, encode_work, parse_work

TENANT = "t" * 20
small = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)


@given(
    st.sampled_from(sorted(ROUTES)),
    st.none() | st.from_regex(r"[A-Za-z0-9_.-]{1,80}", fullmatch=True),
    st.dictionaries(small, small, max_size=4),
    st.integers(0, MAX_HOPS),
    small,
)
def test_a_message_comes_back(kind, connection, body, hop, cause) -> None:
    work = Work(TENANT, kind, connection, body, hop, cause)
    assert parse_work(encode_work(work)) == work


GOOD = {"tenant_id": TENANT, "kind": "score.app", "body": {"app_id": "a"}}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tenant_id": "x"}, "tenant_id"),
        ({"tenant_id": "T" * 20}, "tenant_id"),
        ({"tenant_id": None}, "message"),
        ({"kind": "drop.table"}, "message"),
        ({"connection_id": "a#b"}, "connection_id"),
        ({"connection_id": ""}, "connection_id"),
        ({"hop": -1}, "hop"),
        ({"hop": MAX_HOPS + 1}, "hop"),
        ({"hop": "1"}, "message"),
        ({"body": {"a": 1}}, "message"),
        ({"body": {"a": "x" * 2_001}}, "body"),
        ({"extra": 1}, "message"),
    ],
)
def test_what_is_no_work_message_names_its_fault(change: dict, field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_work(json.dumps(GOOD | change))
    assert refused.value.field == field


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\ud800"])
def test_what_is_no_json_is_no_message(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_work(text)


class Sqs:
    """Keeps requests."""

    def __init__(self) -> None:
        self.requests: list[dict] = []

    def send_message(self, **request) -> None:
        self.requests.append(request)


@pytest.mark.parametrize(("delay", "sent"), [(0, 0), (30, 30), (9_999, 900), (-5, 0)])
def test_a_message_goes_to_its_queue_in_its_tenants_group(delay: int, sent: int) -> None:
    sqs = Sqs()
    queue = WorkQueue(sqs, {"hints": "https://hints", "runs": "https://runs"})
    for kind, (name, _) in ROUTES.items():
        work = Work(TENANT, kind)
        queue.send(work, delay)
        assert sqs.requests.pop() == {
            "QueueUrl": f"https://{name}",
            "MessageBody": encode_work(work),
            "MessageGroupId": TENANT,
            "DelaySeconds": sent,
        }
