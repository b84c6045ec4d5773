"""Apps are joined to products by what nobody can type in; a vendor's record says things plainly."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lantern.domain.apps import AppSummary
from lantern.domain.blast import (
    AppReach,
    ConnectionReach,
    ReachState,
    ReadState,
    VendorReach,
    chains,
    completeness,
    exposure,
)
from lantern.domain.identification import Identification
from lantern.domain.products import join_evidence, same_product
from lantern.domain.tenancy import Connection

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("basis", "verified", "joined"),
    [
        ("id", None, "id"),
        ("domain", None, "domain"),
        ("domain:name", False, "domain"),
        ("domain:flagship", None, "domain"),
        ("name:exact:famous", True, None),
        ("name:domain", True, None),
        ("name:publisher", None, None),
        ("name:publisher", True, "publisher"),
        ("publisher", True, "publisher"),
        ("signals", True, None),
        ("", True, None),
    ],
)
def test_no_name_joins(basis: str, verified: bool | None, joined: str | None) -> None:
    found = Identification("ai", 0.98, vendor="V", product="P", product_id="p", basis=basis)
    assert join_evidence(found, verified_publisher=verified, imitates=False) == joined
    assert join_evidence(found, verified_publisher=verified, imitates=True) is None
    unnamed = replace(found, product_id=None)
    assert join_evidence(unnamed, verified_publisher=verified, imitates=False) is None


def row(app_id: str, product: str | None, evidence: str | None = "domain") -> AppSummary:
    return AppSummary(
        app_id, "google", app_id, "oauth", "ai", 0.9, 1, product=product, product_id=product,
        product_evidence=evidence,
    )  # fmt: skip


def at(cid: str, app_id: str, *data: str) -> ConnectionReach:
    app = AppReach(app_id, 2, 1, cid == "c1", data, ("read",), "high", ("consent",))
    return ConnectionReach(cid, "google", 2, 1, 0, (app,))


def test_chains_need_data_at_two_places_and_evidence_at_both() -> None:
    names = {"c1": "Acme", "c2": "Chat"}
    both = [at("c1", "a", "files", "identity"), at("c2", "b", "chat")]
    rows = {"a": row("a", "P"), "b": row("b", "P")}
    (chain,) = chains("V", both, rows, names)
    assert (chain.kind, chain.product_id) == ("product", "P")
    assert chain.sentence == (
        "P reaches files at Acme and messages at Chat: what is read at one place can be brought to another."
    )
    assert chains("V", both, {**rows, "b": row("b", "P", None)}, names) == ()
    assert chains("V", [both[0], at("c2", "b", "identity")], rows, names) == ()
    (vendors,) = chains("V", both, {**rows, "b": row("b", "Q")}, names)
    assert (vendors.kind, vendors.name, vendors.product_id) == ("vendor", "V", None)
    assert [one.app_id for one in same_product([*rows.values(), row("c", "P", None)], "P")] == ["a", "b"]
    assert same_product(rows.values(), None) == ()


def test_exposure_says_what_is_known_and_what_is_not() -> None:
    names = {"c1": "Acme", "c2": "Chat"}
    parts = (at("c1", "a", "files"), at("c2", "b", "chat"))
    whole = VendorReach("v", "V", 3, 1, None, parts)
    assert exposure(whole, names, ["c2"]) == (
        "3 people hold 2 apps of V at 2 connections. It reaches files at Acme and messages at Chat. At Acme "
        "it was given access for the whole organisation. It is not known how many of the holders are "
        "administrators. 1 holder has left. 2 grants are held by shared or service accounts. More may be "
        "unseen: Chat could not be read completely."
    )
    nothing = replace(whole, people=0, connections=())
    assert exposure(nothing, names, []) == "Nobody gave V access to anything, as far as it could be read."


def test_a_connection_is_complete_only_if_everybody_was_read() -> None:
    active = Connection(
        id="c1", provider="google", organisation_id="C", name="E", status="active",
        granted_scopes=frozenset(), missing_scopes=frozenset(), connected_at=NOW, last_full_at=NOW,
    )  # fmt: skip
    others = [replace(active, id="c2", status="needs_attention"), replace(active, id="c3", last_full_at=None)]
    state = ReachState(NOW, (ReadState("c1", 5, 0), ReadState("c2", 5, 0), ReadState("c3", None, None)))
    assert [one.complete for one in completeness([active, *others], state)] == [True, False, False]
    assert not completeness([active], ReachState(NOW, (ReadState("c1", 5, 1),)))[0].complete
    assert not completeness([active], None)[0].complete
