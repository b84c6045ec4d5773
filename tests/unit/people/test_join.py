"""Joining accounts to persons: by owned addresses, never by names; stable, whatever the order."""

from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lantern.domain import ids
from lantern.domain.inventory import Principal, PrincipalKind, PrincipalStatus
from lantern.domain.people import Account, Ground, Joined, account, ground, join, normal
from lantern.domain.tenancy import Connection

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PROVIDERS = {"g": "google", "e": "entra", "s": "slack", "h": "github"}
ON = Ground(
    own=frozenset({"example.com"}),
    order={"g": 0, "e": 1, "s": 2, "h": 3},
    trust={"g": 0, "e": 1},
)


def principal(
    at: str,
    native: str,
    email: str | None = None,
    *aliases: str,
    status: PrincipalStatus = "active",
    kind: PrincipalKind = "user",
    name: str | None = None,
    admin: bool | None = False,
) -> Principal:
    pid = ids.principal_id(PROVIDERS[at], "org", native)
    return Principal(
        id=pid, connection_id=at, native_id=native, kind=kind, status=status, person_id=ids.person_id(pid),
        email=email, name=name, admin=admin, aliases=aliases,
    )  # fmt: skip


def per(at: str, native: str) -> str:
    return principal(at, native).person_id


class Tenant:
    """Principals as stored, and the index; `settle` joins as a pass does."""

    def __init__(self, *principals: Principal) -> None:
        self.stored = {one.id: one for one in principals}
        self.index: dict[str, str] = {}

    def put(self, *principals: Principal) -> None:
        for one in principals:
            old = self.stored.get(one.id)
            self.stored[one.id] = replace(one, person_id=old.person_id) if old else one

    def accounts(self) -> list[Account]:
        return [account(one) for one in self.stored.values()]

    def settle(self) -> Joined:
        joined = join(self.accounts(), ON, self.index.get)
        self.stored = {pid: replace(one, person_id=joined.persons[pid]) for pid, one in self.stored.items()}
        self.index = {address: bearer.person_id for address, bearer in joined.addresses.items()}
        return joined

    def person(self, at: str, native: str) -> str:
        return self.stored[principal(at, native).id].person_id


def test_accounts_of_three_providers_are_one_person() -> None:
    tenant = Tenant(
        principal("s", "U1", "Alice@Example.com "),
        principal("g", "1", "alice@example.com", admin=None),
        principal("h", "9", "alice@example.com", admin=True),
        principal("s", "U2", "bob@example.com"),
    )
    joined = tenant.settle()
    assert {tenant.person(*one) for one in (("s", "U1"), ("g", "1"), ("h", "9"))} == {per("g", "1")}
    assert tenant.person("s", "U2") == per("s", "U2")
    (record,) = joined.records.values()
    assert [cid for cid, _ in record.accounts] == ["g", "h", "s"]
    assert (record.departed, record.admin) == (False, True)
    assert set(joined.addresses) == {"alice@example.com", "bob@example.com"}


def test_the_person_who_was_known_first_stays() -> None:
    tenant = Tenant(principal("s", "U1", "a@example.com"), principal("h", "9", "a@example.com"))
    tenant.settle()
    assert tenant.person("h", "9") == per("s", "U1")
    tenant.put(principal("g", "1", "a@example.com"))
    tenant.settle()
    assert tenant.person("g", "1") == per("s", "U1"), "though Google was connected before"


def test_names_join_nobody() -> None:
    tenant = Tenant(
        principal("g", "1", "alice@example.com", name="Alice Miller"),
        principal("s", "U1", "alice.miller@example.com", name="Alice Miller"),
        principal("h", "9", None, name="Alice Miller"),
    )
    assert tenant.settle().records == {}


@pytest.mark.parametrize(
    "address",
    ["alice@gmail.com", "alice@partner.test", "alice@mail.example.com", "alice@", "@example.com", "a"],
)
def test_addresses_that_are_not_the_organisations_join_nobody(address: str) -> None:
    tenant = Tenant(principal("g", "1", address), principal("s", "U1", address))
    joined = tenant.settle()
    assert (joined.records, joined.addresses) == ({}, {})


def test_a_consumer_domain_is_never_the_organisations() -> None:
    at = Connection(
        id="g", provider="google", organisation_id="C", name="E", status="active", granted_scopes=frozenset(),
        missing_scopes=frozenset(), connected_at=NOW, domains=("Example.com", "gmail.com"),
    )  # fmt: skip
    slack = replace(at, id="s", provider="slack", domains=("slack.test",))
    held = [account(principal("g", "1", "a@second.example")), account(principal("g", "2", "b@gmail.com"))]
    on = ground([slack, at], held, {"gmail.com"})
    assert on.own == {"example.com", "second.example"}, "of directories alone; Google proves what it lists"
    assert (on.order, on.trust) == ({"g": 0, "s": 1}, {"g": 0})
    gone = ground(
        [replace(at, status="disconnected"), replace(slack, provider="okta", kind="import")], [], ()
    )
    assert (gone.own, gone.trust) == ({"example.com", "gmail.com"}, {}), "known still, believed no more"


def test_aliases_join_and_their_cycles_end() -> None:
    tenant = Tenant(
        principal("g", "1", "alice@example.com", "a.miller@example.com"),
        principal("s", "U1", "a.miller@example.com"),
        principal("e", "2", "x@example.com", "y@example.com"),
        principal("h", "9", "y@example.com", "x@example.com"),
    )
    tenant.settle()
    assert tenant.person("s", "U1") == per("g", "1")
    assert tenant.person("h", "9") == tenant.person("e", "2") == per("e", "2")


def test_two_at_one_provider_share_a_person_only_if_the_provider_says_so() -> None:
    tenant = Tenant(
        principal("s", "U1", "team@example.com"),
        principal("s", "U2", "team@example.com"),
        principal("g", "1", "team@example.com"),
    )
    tenant.settle()
    assert len({tenant.person("s", "U1"), tenant.person("s", "U2"), tenant.person("g", "1")}) == 3
    tenant.put(principal("s", "U2", "other@example.com", "team@example.com"))
    tenant.settle()
    assert tenant.person("s", "U1") == tenant.person("s", "U2") == tenant.person("g", "1") == per("g", "1")


def test_an_address_stays_with_who_had_it_while_two_claim_it() -> None:
    tenant = Tenant(principal("s", "U1", "a@example.com"), principal("g", "1", "a@example.com"))
    tenant.settle()
    tenant.put(principal("s", "U2", "a@example.com"))
    tenant.settle()
    assert tenant.person("s", "U1") == per("g", "1")
    assert tenant.person("s", "U2") == per("s", "U2")


def test_a_shared_mailbox_is_nobody() -> None:
    tenant = Tenant(
        principal("g", "1", "support@example.com", kind="shared"),
        principal("s", "U1", "support@example.com"),
        principal("h", "9", "support@example.com"),
    )
    assert tenant.settle().records == {}


def test_a_reused_address_moves_the_living_and_leaves_the_gone() -> None:
    tenant = Tenant(
        principal("g", "old", "alice@example.com"),
        principal("s", "U1", "alice@example.com"),
        principal("h", "9", "alice@example.com"),
    )
    tenant.settle()
    old = per("g", "old")
    tenant.put(
        principal("g", "old", "alice@example.com", status="deleted"),
        principal("h", "9", "alice@example.com", status="suspended"),
        principal("g", "new", "alice@example.com"),
    )
    joined = tenant.settle()
    assert tenant.person("g", "new") == tenant.person("s", "U1") == per("g", "new"), "who has the mailbox"
    assert tenant.person("g", "old") == tenant.person("h", "9") == old
    assert joined.records[old].departed
    assert not joined.records[per("g", "new")].departed


def test_an_address_that_went_away_unjoins() -> None:
    tenant = Tenant(principal("s", "U1", "a@example.com"), principal("g", "1", "a@example.com"))
    tenant.settle()
    tenant.put(principal("s", "U1", "a@gmail.com"))
    tenant.settle()
    assert tenant.person("s", "U1") == per("s", "U1") != tenant.person("g", "1") == per("g", "1")


def test_an_alias_that_moves_takes_the_account_along() -> None:
    tenant = Tenant(
        principal("g", "1", "alice@example.com", "sales@example.com"),
        principal("g", "2", "bob@example.com"),
        principal("s", "U1", "sales@example.com"),
    )
    tenant.settle()
    assert tenant.person("s", "U1") == per("g", "1")
    tenant.put(
        principal("g", "1", "alice@example.com"), principal("g", "2", "bob@example.com", "sales@example.com")
    )
    tenant.settle()
    assert tenant.person("s", "U1") == per("g", "2")


@pytest.mark.parametrize(
    ("states", "left"),
    [
        ({"g": "suspended", "s": "active"}, True),
        ({"g": "active", "s": "suspended"}, False),
        ({"g": "active", "e": "deleted", "s": "active"}, False),
        ({"g": "archived", "e": "active", "s": "active"}, True),
        ({"e": "deleted", "s": "active"}, True),
        ({"h": "suspended", "s": "active"}, False),
        ({"h": "suspended", "s": "deleted"}, True),
    ],
)
def test_who_left_is_said_by_the_directory_believed_most(
    states: dict[str, PrincipalStatus], left: bool
) -> None:
    tenant = Tenant(*(principal(at, "1", "a@example.com", status=status) for at, status in states.items()))
    (record,) = tenant.settle().records.values()
    assert record.departed is left


ADDRESSES = [f"{name}@{host}" for name in "abc" for host in ("example.com", "gmail.com")]
ACCOUNTS = st.builds(
    lambda at, native, email, aliases, status, kind: principal(
        at, str(native), email, *aliases, status=status, kind=kind
    ),
    st.sampled_from("gesh"),
    st.integers(0, 3),
    st.sampled_from([None, *ADDRESSES]),
    st.lists(st.sampled_from(ADDRESSES), max_size=2),
    st.sampled_from(["active", "active", "suspended", "deleted"]),
    st.sampled_from(["user", "user", "user", "shared"]),
)
TENANTS = st.lists(ACCOUNTS, max_size=9, unique_by=lambda one: one.id)


@settings(max_examples=400, deadline=None)
@example(
    first=[principal("g", "1", "c@example.com", "a@example.com")],
    then=[principal("g", "0", None, "a@example.com", "c@example.com")],
    order=Random(0),
)
@given(first=TENANTS, then=TENANTS, order=st.randoms(use_true_random=False))
def test_joining_again_changes_nothing_and_order_does_not_matter(
    first: list[Principal], then: list[Principal], order: object
) -> None:
    tenant = Tenant(*first)
    tenant.settle()
    tenant.put(*then)
    shuffled = Tenant(*tenant.stored.values())
    shuffled.index = dict(tenant.index)
    rows = list(shuffled.stored.items())
    order.shuffle(rows)  # type: ignore[attr-defined]
    shuffled.stored = dict(rows)
    joined = tenant.settle()
    assert shuffled.settle() == joined
    assert tenant.settle() == joined
    _sound(tenant, joined)


def _sound(tenant: Tenant, joined: Joined) -> None:
    """No id for two groups, an account's own id never with others alone, and an address behind every join."""
    by_person: dict[str, list[Principal]] = {}
    for one in tenant.stored.values():
        by_person.setdefault(one.person_id, []).append(one)
    for person, group in by_person.items():
        makers = [one for one in tenant.stored.values() if ids.person_id(one.id) == person]
        assert all(maker in group for maker in makers)
        assert (person in joined.records) == (len(group) > 1)
        if len(group) > 1:
            assert {one.kind for one in group} == {"user"}
            owned = [{a for a in account(one).addresses if a.endswith("@example.com")} for one in group]
            for mine in owned:
                assert any(mine & other for other in owned if other is not mine)


def test_the_normal_form_guesses_nothing() -> None:
    assert normal(" A.B+x@Example.COM. ") == "a.b+x@example.com"
    assert [normal(one) for one in (None, "", "a@b", "a@@b.example", "x@y@b.example")] == [None] * 5
