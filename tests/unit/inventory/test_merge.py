"""Folding what was read into what is stored: only what was read completely may take a grant away."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lantern.domain import ids
from lantern.domain.inventory import (
    App,
    Bundle,
    GrantSource,
    Observation,
    ObservedGrant,
    Principal,
    merge,
)

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
PID = ids.principal_id("google", "C1", "1")
PERSON = Principal(PID, "con_1", "1", "user", "active", ids.person_id(PID), email="jo@example.com")


def grant(client: str, *scopes: str, source: GrantSource = "consent") -> ObservedGrant:
    app = App(ids.app_id("google", client), "google", client, client)
    return ObservedGrant(app, frozenset(scopes), source=source)


def stored(*grants: ObservedGrant) -> Bundle:
    bundle = merge(None, Observation(PERSON, grants), now=NOW, cause="run").bundle
    assert bundle is not None
    return replace(bundle, rev=1)


def kinds(merged: Any) -> dict[str, str]:
    return {d.app_id: d.kind for d in merged.bundle.delta} if merged.bundle else {}


def test_a_source_that_was_not_read_takes_nothing_away() -> None:
    before = stored(grant("tool", "openid"), grant("ext", "tabs", source="extension"))
    seen = Observation(PERSON, (), sources=frozenset({"consent"}))

    merged = merge(before, seen, now=NOW, cause="run")

    assert kinds(merged) == {ids.app_id("google", "tool"): "removed"}
    assert [g.source for g in merged.bundle.grants] == ["extension"]


def test_an_unread_source_alone_changes_nothing() -> None:
    before = stored(grant("ext", "tabs", source="extension"))
    seen = Observation(PERSON, (), sources=frozenset({"consent"}))
    assert merge(before, seen, now=NOW, cause="run").bundle is None


def test_permissions_that_were_not_told_stay_as_they_are_known() -> None:
    before = stored(grant("tool", "openid"))
    silent = replace(grant("tool"), told=False)

    assert merge(before, Observation(PERSON, (silent,)), now=NOW, cause="run").bundle is None
    merged = merge(before, Observation(PERSON, (grant("tool"),)), now=NOW, cause="run")
    assert kinds(merged) == {ids.app_id("google", "tool"): "changed"}
    new = merge(
        before, Observation(PERSON, (silent, replace(grant("new"), told=False))), now=NOW, cause="run"
    )
    assert kinds(new) == {ids.app_id("google", "new"): "added"}


def test_whoever_is_gone_holds_nothing_whatever_was_read() -> None:
    before = stored(grant("ext", "tabs", source="extension"))
    seen = Observation(replace(PERSON, status="deleted"), None, gone=True, sources=frozenset({"consent"}))
    merged = merge(before, seen, now=NOW, cause="run")
    assert (merged.bundle.grants, len(merged.bundle.delta)) == ((), 1)


def test_what_a_grant_rests_on_may_change_without_being_another_grant() -> None:
    before = stored(grant("tool", "openid"))
    seen = Observation(PERSON, (grant("tool", "openid", source="assignment"),))
    merged = merge(before, seen, now=NOW, cause="run")
    assert merged.bundle.delta == ()
    assert [g.source for g in merged.bundle.grants] == ["assignment"]
