"""Random records for property tests."""

from datetime import UTC, date, datetime
from typing import get_args

from hypothesis import strategies as st

from lantern.domain import ids
from lantern.domain.history import ChangeEntry
from lantern.domain.inventory import Bundle, Grant, GrantDelta, GrantSource, Principal
from lantern.domain.use import UseRow

days = st.dates(min_value=date(2000, 1, 1), max_value=date(2179, 6, 4))
# Hypothesis wants naive bounds and adds the zone itself.
times = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - see above
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - see above
    timezones=st.just(UTC),
)
principal_ids = st.binary(min_size=10, max_size=10).map(ids.unpack_principal)
app_ids = st.binary(min_size=8, max_size=8).map(ids.unpack_app)
set_ids = st.binary(min_size=6, max_size=6).map(ids.unpack_scope_set)
few_principals = st.sampled_from([ids.principal_id("google", "C1", str(n)) for n in range(12)])
few_apps = st.sampled_from([ids.app_id("google", str(n)) for n in range(12)])
few_sets = st.sampled_from([ids.scope_set_id(frozenset({str(n)})) for n in range(5)])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@st.composite
def principals(draw: st.DrawFn) -> Principal:
    pid = draw(principal_ids)
    return Principal(
        id=pid,
        connection_id="con_1",
        native_id=draw(texts),
        kind=draw(st.sampled_from(["user", "group", "service", "organisation", "shared"])),
        status=draw(st.sampled_from(["active", "suspended", "archived", "deleted"])),
        person_id=draw(st.sampled_from([ids.person_id(pid), "per_joined"])),
        email=draw(st.none() | texts),
        name=draw(st.none() | texts),
        admin=draw(st.none() | st.booleans()),
        org_unit=draw(st.none() | texts),
        last_login=draw(st.none() | days),
        aliases=tuple(draw(st.lists(texts, max_size=3))),
    )


def grants(app_id: str) -> st.SearchStrategy[Grant]:
    return st.builds(
        Grant,
        app_id=st.just(app_id),
        scope_set=few_sets | set_ids,
        first_seen=days,
        granted_on=st.none() | days,
        prior_scope_set=st.none() | few_sets,
        expanded_on=st.none() | days,
        source=st.sampled_from(get_args(GrantSource)),
    )


deltas = st.builds(
    GrantDelta,
    kind=st.sampled_from(["added", "removed", "changed"]),
    app_id=few_apps | app_ids,
    before=st.none() | few_sets,
    after=st.none() | set_ids,
)


@st.composite
def bundles(draw: st.DrawFn) -> Bundle:
    apps = draw(st.none() | st.lists(few_apps | app_ids, max_size=20))
    return Bundle(
        principal=draw(principals()),
        grants=None if apps is None else tuple(draw(grants(app)) for app in apps),
        rev=draw(st.integers(0, 10**9)),
        cause=draw(st.sampled_from(["run", "hint", "act"])),
        delta=tuple(draw(st.lists(deltas, max_size=20))),
        changed_at=draw(st.none() | times),
    )


changes = st.builds(
    ChangeEntry,
    at=times,
    principal_id=few_principals | principal_ids,
    rev=st.integers(1, 2**32 - 1),
    app_id=few_apps,
    kind=st.sampled_from(["added", "removed", "changed"]),
    before=st.none() | few_sets,
    after=st.none() | few_sets,
    cause=st.sampled_from(["run", "hint", "act"]),
)
uses = st.builds(
    UseRow,
    principal_id=few_principals | principal_ids,
    app_id=few_apps,
    events=st.integers(0, 2**32 - 1),
    last_day=days,
)
