"""The document: valid, up to date, complete; and the page made of it."""

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

from openapi_spec_validator import OpenAPIV31SpecValidator

from lantern.runtime.api.application import ROUTES, document, document_text, handle
from lantern.runtime.api.docs import policy, render

ROOT = Path(__file__).resolve().parents[3]


def _refuse() -> None:
    raise AssertionError("public pages need no tools")


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_the_committed_document_has_not_drifted() -> None:
    assert (ROOT / "openapi.json").read_text(encoding="utf-8") == document_text()


def test_it_is_generated_without_any_environment() -> None:
    bare = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "scripts/openapi.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_operation_is_described_for_people_and_programs() -> None:
    seen = set()
    for item in document()["paths"].values():
        for operation in item.values():
            assert operation["operationId"] not in seen
            seen.add(operation["operationId"])
            assert operation["summary"]
            assert operation["description"]
            assert all(parameter["description"] for parameter in operation.get("parameters", ()))
    assert len(seen) == len(ROUTES) + 3


def test_no_operation_takes_a_tenant() -> None:
    assert "tenant_id" not in json.dumps(document())


def test_every_body_is_closed() -> None:
    schemas = document()["components"]["schemas"]
    for route in ROUTES:
        if route.body is not None:
            assert schemas[route.body.__name__]["additionalProperties"] is False


def test_the_document_is_served_without_a_key() -> None:
    answer = handle({"httpMethod": "GET", "path": "/v1/openapi.json"}, _refuse)
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == document()


class Page(HTMLParser):
    """Collects what a browser would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.add(value or "")
            elif name == "href":
                self.links.append(value or "")
            assert name not in ("src", "style", "onclick", "onload")


def test_the_page_is_self_contained_and_its_links_lead_somewhere() -> None:
    answer = handle({"httpMethod": "GET", "path": "/docs"}, _refuse)
    assert answer["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert answer["headers"]["Content-Security-Policy"] == policy()
    page = Page()
    page.feed(answer["body"])
    assert not {"script", "link", "img", "iframe", "form"} & set(page.tags)
    assert {route.operation for route in ROUTES} <= page.ids
    inside = [link for link in page.links if link.startswith("#")]
    assert inside
    assert {link[1:] for link in inside} <= page.ids
    assert [link for link in page.links if not link.startswith("#")] == ["v1/openapi.json"]


def test_hostile_text_in_a_document_is_inert() -> None:
    hostile = json.loads(document_text().replace("The tenant of this key", "<script>alert(1)</script>"))
    assert "<script>" not in render(hostile)
    hostile = json.loads(document_text().replace("Software that holds", "`<script>` Software that holds"))
    assert "<script>" not in render(hostile)
