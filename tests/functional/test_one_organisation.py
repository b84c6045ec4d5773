"""The simulators' shared organisation: the same people everywhere, and who left is not gone everywhere."""

from collections.abc import Iterator

import pytest

from tests.simulators import entra, okta, slack
from tests.simulators.common.people import DOMAIN, MACHINES, accounts, staff
from tests.simulators.entra.generator import generate as entra_tenant
from tests.simulators.github import model as github
from tests.simulators.google.clock import Clock
from tests.simulators.google.generator import generate as google_organisation
from tests.simulators.google.organisation import OrgSpec
from tests.simulators.okta.generator import generate as okta_organisation
from tests.simulators.salesforce import model as salesforce
from tests.simulators.slack.generator import generate as slack_organisation
from tests.simulators.slack.world import World as SlackWorld

NOW = 1_800_000_000.0
SIZE = 60


def at_google() -> Iterator[tuple[str, str, bool]]:
    for user in google_organisation(OrgSpec(250, machines=MACHINES, anchor=NOW), NOW).users:
        yield user.email, f"{user.given} {user.family}", user.can_sign_in


def at_okta() -> Iterator[tuple[str, str, bool]]:
    for user in okta_organisation(okta.OrgSpec(SIZE, shared=True), NOW).users.values():
        yield user.login, f"{user.given} {user.family}", user.status == "ACTIVE"


def at_slack() -> Iterator[tuple[str, str, bool]]:
    world = SlackWorld(Clock())
    slack_organisation(world, slack.OrgSpec(SIZE, shared=True))
    for member in world.members.values():
        if not member.bot:
            yield member.email, member.real_name, not member.deleted


def at_github() -> Iterator[tuple[str, str, bool]]:
    org, people = github.Org(1, "harbourline"), {}
    github.make_up(org, people, github.OrgSpec(SIZE, shared=True), NOW)
    for user_id in org.members:
        yield people[user_id].emails[0], people[user_id].name, True


def at_salesforce() -> Iterator[tuple[str, str, bool]]:
    world = salesforce.World(Clock(), salesforce.OrgSpec(SIZE, 7, shared=True))
    for person in world.people.values():
        if person.user_type == "Standard":
            yield person.email, person.name, person.active


def at_entra() -> Iterator[tuple[str, str, bool]]:
    tenant = entra_tenant(entra.TenantSpec(SIZE, shared=True, anchor=NOW), NOW)
    for user in tenant.users.values():
        yield user["mail"], user["displayName"], user["accountEnabled"]


PLACES = {
    "google": at_google, "okta": at_okta, "slack": at_slack, "github": at_github,
    "salesforce": at_salesforce, "entra": at_entra,
}  # fmt: skip


@pytest.fixture(scope="module")
def places() -> dict[str, dict[str, tuple[str, bool]]]:
    """Provider → address → name, and whether the account is open."""
    return {name: {email: (shown, open_) for email, shown, open_ in at()} for name, at in PLACES.items()}


def test_everybody_has_the_same_name_and_address_everywhere(
    places: dict[str, dict[str, tuple[str, bool]]],
) -> None:
    names = {person.email: person.name for person in staff()}
    assert len(names) == 250
    for provider, people in places.items():
        assert len(people) == (250 if provider == "google" else SIZE), provider
        assert {email: name for email, (name, _) in people.items()}.items() <= names.items(), provider
    several = set.intersection(*(set(people) for people in places.values()))
    assert len(several) >= 5, "some people are everywhere"


def test_who_left_is_closed_by_the_directories_and_forgotten_elsewhere(
    places: dict[str, dict[str, tuple[str, bool]]],
) -> None:
    left = {person.email for person in staff() if person.left_days is not None}
    assert 12 <= len(left) <= 25
    stayed = {
        provider: {email for email, (_, open_) in people.items() if open_ and email in left}
        for provider, people in places.items()
    }
    sizes = {provider: len(found) for provider, found in stayed.items()}
    assert sizes == {"google": 0, "okta": 0, "entra": 0, "slack": 2, "github": 3, "salesforce": 1}
    assert stayed["salesforce"] < stayed["slack"] < stayed["github"], "the same people are forgotten"
    wrongly = [
        e for people in places.values() for e, (_, open_) in people.items() if not open_ and e not in left
    ]
    assert wrongly == []


def test_the_choice_of_accounts_follows_from_the_seed_and_departments() -> None:
    chosen = accounts(SIZE, departments=("Sales",), forgotten=1, machines=2)
    assert chosen == accounts(SIZE, departments=("Sales",), forgotten=1, machines=2)
    assert [account.person.admin for account in chosen[:3]] == [True, True, False]
    assert sum(account.forgotten for account in chosen) == 1
    assert sum(account.person.machine for account in chosen) == 2
    sellers = {
        person.email for person in staff() if person.department == "Sales" and person.left_days is None
    }
    assert len(sellers & {account.person.email for account in chosen}) >= min(len(sellers), 40)
    assert all(person.email.endswith(f"@{DOMAIN}") for person in staff())
    others = {person.email for person in staff(seed=8)}
    assert len(others & {person.email for person in staff()}) < 50
