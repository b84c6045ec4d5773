"""A log by way of the bucket, on the deployed template: address, wall, the bucket's message, web apps."""

import gzip
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.stack.deployment import Customer, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]


def log_of(*hosts: str) -> bytes:
    day = datetime.now(UTC).date() - timedelta(days=1)
    lines = "".join(f"{day}T10:00:00Z,p{n}@acme.example,{host},100,200\n" for n, host in enumerate(hosts))
    return gzip.compress(f"time,user,host,bytes_out,bytes_in\n{lines}".encode(), mtime=0)


def opened(customer: Customer, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    body = {"kind": "logs", "content_type": "application/gzip", "size": len(content), "sha256": digest}
    return dict(customer.do("POST", "/v1/ingest/uploads", body))


def put(url: str, content: bytes, headers: dict[str, str]) -> int:
    with requests.Session() as session:
        session.trust_env = False
        return session.put(url, data=content, headers=headers, timeout=30).status_code


def finished(customer: Customer, import_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = customer.get(f"/v1/imports/{import_id}")
        return found if found["state"] in ("done", "failed") else None

    return wait_for(look, "the import")


def test_a_log_is_sent_to_the_bucket_and_read_by_itself(acme: Customer) -> None:
    content = log_of("claude.ai", "ws.chatgpt.com", "chatgpt.com")
    upload = opened(acme, content)
    assert put(upload["url"], content, upload["headers"]) == 200
    done = finished(acme, upload["upload_id"])
    assert (done["state"], done["visits"]["kept"], done["counts"]["people"]) == ("done", 3, 3), done
    (connection,) = done["connections"]

    def judged() -> dict[str, Any] | None:
        found = {one["name"]: one for one in acme.every("/v1/apps?provider=web")}
        return found.get("Claude")

    app = wait_for(judged, "Claude as a web app")
    assert (app["kind"], app["verdict"], app["holders"]) == ("web", "ai", 1)
    risk = acme.get(f"/v1/apps/{app['id']}/risk")
    assert risk["seen"] == {"bytes_out": 100, "bytes_in": 200}
    assert acme.get(f"/v1/connections/{connection}")["kind"] == "import"
    bucket = acme.deployment.outputs["DropsBucket"]
    left = acme.deployment.aws("s3").list_objects_v2(Bucket=bucket, Prefix=f"{acme.tenant_id}/")
    assert not left.get("Contents"), "what was read is gone"


def test_an_address_takes_this_file_and_no_other(acme: Customer) -> None:
    content = log_of("claude.ai")
    upload = opened(acme, content)
    other = bytes([*content[:-1], content[-1] ^ 1])
    assert put(upload["url"], other, upload["headers"]) in (400, 403), "another content of that size"
    headers = upload["headers"]
    assert put(upload["url"], content, {**headers, "Content-Type": "text/html"}) == 403
    assert put(upload["url"], content, {**headers, "x-amz-checksum-sha256": "A" * 43 + "="}) in (400, 403)
    longer = {k: v for k, v in headers.items() if k != "Content-Length"}
    assert put(upload["url"], content + b"x", longer) in (400, 403)
    moved = upload["url"].replace(acme.tenant_id, "a" * 20)
    assert put(moved, content, headers) == 403, "another tenant's part of the bucket"
    assert acme.get(f"/v1/imports/{upload['upload_id']}")["state"] == "uploading"


def test_a_packed_log_may_come_in_a_request(acme: Customer) -> None:
    sent = {"Authorization": f"Bearer {acme.key}", "Content-Type": "application/gzip"}
    with requests.Session() as session:
        session.trust_env = False
        url = f"{acme.deployment.base}/v1/ingest/logs?source=second"
        answer = session.post(url, data=log_of("perplexity.ai"), headers=sent, timeout=60)
    assert answer.status_code == 202, answer.text
    done = finished(acme, answer.json()["id"])
    assert (done["state"], done["format"], done["visits"]["kept"]) == ("done", "log-csv", 1)
