"""A person leaves, a vendor has an incident: over all connections, with evidence."""

import json
import os
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from lantern.domain import ids
from lantern.domain.access import ApiKeyInfo
from lantern.domain.assets import Asset
from lantern.domain.audit import AuditEntry, digest
from lantern.domain.errors import InvalidInputError, NotFoundError
from lantern.domain.incidents import Notice
from lantern.domain.playbooks.machine import About
from lantern.domain.work import Work
from lantern.services import evidence, incidents, playbooks
from lantern.services.evidence import page
from lantern.services.evidence.naming import who
from tests.support.company import Company


def leave(company: Company, native: str) -> playbooks.Asked:
    bench = company.bench
    return playbooks.start(
        bench.store,
        bench.knowledge.books.get("departed-employee"),
        about=About(person_id=company.person(native)),
        requested_by="key:a",
        reason="Left on Friday",
        now=bench.clock.now(),
        random=lambda size: bytes(range(size)),
    )


def test_offboarding_takes_everything_everywhere_and_proves_it(company: Company) -> None:
    bench = company.bench
    other, world = bench.connect("okta")
    world.names["wiki"] = "Wiki"
    world.add("alice-okta", "wiki", email="alice@example.com")
    bench.full(other)
    pid = company.principal("alice")
    key = Asset(
        ids.asset_id(bench.connection_id, "api_key", "k1"),
        bench.connection_id,
        "api_key",
        "k1",
        "Key",
        owner=pid,
    )
    theirs = Asset(
        ids.asset_id(bench.connection_id, "agent", "x"),
        bench.connection_id,
        "agent",
        "x",
        "Agent",
        owner="pri_x",
    )
    bench.store.assets.reconcile(bench.connection_id, "api_key", [key], bench.clock.now())
    bench.store.assets.reconcile(bench.connection_id, "agent", [theirs], bench.clock.now())
    person = bench.bundle("alice").principal.person_id

    asked = playbooks.start(
        bench.store,
        bench.knowledge.books.get("departed-employee"),
        about=About(person_id=person),
        requested_by="key:a",
        reason="Left <script>alert(1)</script> \u202egnp",
        now=bench.clock.now(),
        random=lambda size: bytes(range(size)),
    )
    kinds = sorted(one.kind for one in asked.targets)
    assert kinds == ["account", "account", "asset", *["grant"] * 5]
    assert {one.connection_id for one in asked.targets} == {bench.connection_id, other}
    playbooks.approve(bench.store, asked.run.id, "key:b", bench.clock.now())
    bench.settle()
    for _ in range(40):
        bench.clock.forward(days=1)
        bench.do(Work(bench.store.tenant_id, "connection.changes", bench.connection_id))
        bench.settle()
    assert not bench.world.accounts["alice"].grants
    assert not world.accounts["alice-okta"].grants
    run = bench.store.playbooks.get(asked.run.id)
    assert run is not None
    assert run.state == "done"

    found = evidence.collect(bench.store, "offboarding", run.id, bench.clock.now())
    assert {one.account for one in found.lines if one.kind == "grant"} == {"alice@example.com"}
    assert f"alice@example.com ({run.about.person_id})" == dict(found.facts)["About"]
    assert found.proof.first_bad is None
    assert {one.action for one in found.proof.entries} >= {
        "playbook.started", "playbook.approved", "job.requested", "grant.verified", "job.finished",
        "playbook.finished",
    }  # fmt: skip
    for one in found.proof.entries:
        assert isinstance(one, AuditEntry)
        assert digest(one) == one.hash
    html = page.render(found)
    if kept := os.environ.get("KEEP_EVIDENCE"):
        Path(kept).write_text(html)
    assert "<script" not in html
    assert "\u202e" not in html
    assert "&lt;script&gt;" in html
    Quiet().feed(html)
    with pytest.raises(NotFoundError):
        evidence.collect(bench.store, "incident", run.id, bench.clock.now())


class Quiet(HTMLParser):
    """Nothing is loaded and nothing runs."""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag not in {"script", "link", "img", "iframe", "object", "form"}
        assert not [name for name, _ in attrs if name.startswith("on") or name in {"src", "href", "style"}]


def test_an_incident_answers_with_all_of_it_and_runs_after_approval(company: Company) -> None:
    bench = company.bench
    reference, books = bench.knowledge.reference, bench.knowledge.books
    row = next(one for one in bench.store.apps.summary() if one.app_id == company.app("otter"))
    assert row.vendor
    vendor = reference.vendor_id(row.vendor)
    tools = {"by": "key:a", "now": bench.clock.now(), "random": lambda size: bytes(range(size))}
    raised = incidents.raise_incident(
        bench.store, reference, books, vendor_id=vendor, occurred_at=bench.clock.now() - timedelta(days=30),
        summary="Tokens were stolen", dry_run=False, **tools,
    )  # fmt: skip
    found = raised.incident
    assert (found.grants, found.people >= 2, len(found.exposed)) == (5, True, 1)
    assert raised.asked is not None
    assert raised.asked.run.approval == "waiting"
    assert incidents.ended(bench.store, found) is None
    begins, ends = found.window(None)
    first_seen = bench.clock.now().date()
    assert begins == datetime.combine(first_seen, datetime.min.time(), UTC)
    assert ends is None
    playbooks.approve(bench.store, raised.asked.run.id, "key:b", bench.clock.now())
    bench.settle()
    over = incidents.ended(bench.store, found)
    assert over is not None
    asked = {(n.kind, n.principal_id) for n in bench.store.nudges.page("open", 10).items}
    assert asked == {("rotate", company.principal(one)) for one in ("alice", "bob")}
    bundle = evidence.collect(bench.store, "incident", found.id, bench.clock.now())
    rotate = "Ask the holder to rotate what the vendor may have seen"
    assert (rotate, "nobody to ask: 3, no answer yet: 2") in bundle.facts
    assert "Of 5 targets: 5 verified by reading again at the provider." in page.render(bundle)
    assert ("Exposed until", f"{over:%Y-%m-%d %H:%M} UTC") in bundle.facts
    assert {"incident.raised", "nudge.created", "nudge.sent"} <= {one.action for one in bundle.proof.entries}
    with pytest.raises(InvalidInputError):
        incidents.raise_incident(
            bench.store, reference, books, vendor_id=vendor, occurred_at=bench.clock.now() + timedelta(1),
            summary="x", dry_run=True, **tools,
        )  # fmt: skip


def test_what_operators_raise_reaches_every_tenant_once(company: Company) -> None:
    bench = company.bench
    row = next(one for one in bench.store.apps.summary() if one.app_id == company.app("otter"))
    vendor = bench.knowledge.reference.vendor_id(row.vendor or "")
    now = bench.clock.now()
    bench.platform.notices.add(
        Notice("inc_ops1", vendor, now - timedelta(days=1), "Breach", now, "operator:x")
    )
    for _ in range(3):
        bench.do(Work(bench.store.tenant_id, "connection.changes", bench.connection_id))
        bench.settle()
    (found,) = bench.store.incidents.page(10).items
    assert (found.id, found.source, found.grants) == ("inc_ops1", "operators", 5)
    run = bench.store.playbooks.get(found.run_id or "")
    assert run is not None
    assert (run.requested_by, run.approval, run.incident_id) == ("operator", "waiting", "inc_ops1")
    assert [e.action for e in bench.store.audit.entries()].count("incident.raised") == 1


def test_the_page_says_in_words_who_and_how_much(company: Company) -> None:
    store, at = company.bench.store, company.bench.clock.now()
    store.keys.put(ApiKeyInfo("key_7", "Security desk", frozenset({"remediate"}), at, "key:a", "last"))
    assert who(store, "key:key_7") == "Security desk (key:key_7)"
    assert [who(store, one) for one in ("key:gone", "rule:x@1", None)] == ["key:gone", "rule:x@1", ""]
    outcomes = [
        ("verified", 2),
        ("already_gone", 1),
        ("applied", 1),
        ("manual", 1),
        ("failed", 1),
        ("keep", 2),
    ]
    assert page.headline(outcomes) == (
        "Of 8 targets: 3 verified by reading again at the provider; 1 done, where nothing can be read again; "
        "1 left to an administrator, with the steps below; 1 failed; 2 not acted on, or not yet."
    )
    assert (page.headline([("failed", 1)]), page.headline([])) == ("Of 1 target: 1 failed.", "")
    assert [page.span(one) for one in (3600, 5400, 60, 59)] == [
        "1 hour",
        "90 minutes",
        "1 minute",
        "59 seconds",
    ]


def test_evidence_of_a_job_is_json_too(company: Company) -> None:
    bench = company.bench
    asked = leave(company, "bob")
    playbooks.approve(bench.store, asked.run.id, "key:b", bench.clock.now())
    bench.settle()
    job = next(one for one in bench.store.jobs.page(10).items if one.kind == "revoke_grants")
    found = evidence.collect(bench.store, "job", job.id, bench.clock.now())
    assert found.outcomes == (("verified", 1),)
    assert [one.action for one in found.proof.entries] == ["job.requested", "grant.verified", "job.finished"]
    assert re.fullmatch("[0-9a-f]{64}", found.proof.head.hash)
    assert json.dumps(dict(found.facts))
