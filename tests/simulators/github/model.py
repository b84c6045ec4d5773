"""Accounts, organisations and what hangs on them, as plain records; and how an organisation is made up."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.simulators.common.people import Person, accounts

DAY = 86_400
_BUILDERS = ("Engineering", "Product", "IT and Security")
FIRST = ("ada", "ben", "cleo", "dan", "eva", "finn", "gus", "hana", "ivo", "jo", "kim", "lou", "mia", "ned")
LAST = ("north", "frost", "hale", "kirk", "lane", "moss", "pine", "reed", "shaw", "vale", "west")


def account(identifier: int, login: str, kind: str) -> dict[str, Any]:
    """An account as lists show it."""
    url = f"https://api.github.com/users/{login}"
    links = (
        "followers",
        "following",
        "gists",
        "starred",
        "subscriptions",
        "organizations",
        "repos",
        "events",
    )
    return {
        "login": login,
        "id": identifier,
        "node_id": f"N_{identifier}",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{identifier}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"https://github.com/{login}",
        **{f"{link}_url": f"{url}/{link}" for link in links},
        "received_events_url": f"{url}/received_events",
        "type": kind,
        "site_admin": False,
    }


@dataclass(slots=True)
class User:
    """A person's account."""

    id: int
    login: str
    name: str
    email: str | None = None
    emails: list[str] = field(default_factory=list)

    def simple(self) -> dict[str, Any]:
        """A `Simple User`."""
        return account(self.id, self.login, "User")


@dataclass(slots=True)
class App:
    """A GitHub App, of whoever."""

    id: int
    slug: str
    name: str
    owner: str
    home: str
    permissions: dict[str, str]
    public: bool = True


@dataclass(slots=True)
class Installation:
    """An app installed in an organisation (or for a person)."""

    id: int
    app_id: int
    account_id: int
    permissions: dict[str, str]
    created_at: float
    selection: str = "all"
    suspended_at: float | None = None


@dataclass(slots=True)
class Seat:
    """A Copilot seat."""

    user_id: int
    created_at: float
    last_activity_at: float | None = None
    ends: str | None = None
    team: str | None = None


@dataclass(slots=True)
class Credential:
    """A credential authorised for single sign-on."""

    id: int
    user_id: int
    type: str
    authorised_at: float
    accessed_at: float | None = None
    scopes: list[str] = field(default_factory=list)
    note: str | None = None


@dataclass(slots=True)
class Pat:
    """A fine-grained personal access token that reaches the organisation."""

    id: int
    user_id: int
    name: str
    granted_at: float
    permissions: dict[str, dict[str, str]]
    last_used_at: float | None = None
    expires_at: float | None = None
    dying: int = 0


@dataclass(slots=True)
class Org:
    """An organisation; `members` holds roles by account, `pending` those who were invited."""

    id: int
    login: str
    ghec: bool = True
    copilot: bool = True
    domains: list[str] = field(default_factory=list)
    members: dict[int, str] = field(default_factory=dict)
    pending: list[int] = field(default_factory=list)
    outside: list[int] = field(default_factory=list)
    seats: dict[int, Seat] = field(default_factory=dict)
    credentials: dict[int, Credential] = field(default_factory=dict)
    pats: dict[int, Pat] = field(default_factory=dict)
    audit: list[dict[str, Any]] = field(default_factory=list)

    def account(self) -> dict[str, Any]:
        """The organisation as an account."""
        return account(self.id, self.login, "Organization")

    def simple(self) -> dict[str, Any]:
        """An `Organization Simple`."""
        url = f"https://api.github.com/orgs/{self.login}"
        links = ("repos", "events", "hooks", "issues", "members", "public_members")
        return {
            "login": self.login,
            "id": self.id,
            "node_id": f"O_{self.id}",
            "url": url,
            **{f"{link}_url": f"{url}/{link}" for link in links},
            "avatar_url": f"https://avatars.githubusercontent.com/u/{self.id}?v=4",
            "description": None,
        }


@dataclass(frozen=True, slots=True)
class OrgSpec:
    """An organisation to make up: so many members, from a seed, with or without the paid parts.

    `shared`: the members are people of `tests.simulators.common.people`.
    """

    employees: int = 60
    seed: int = 7
    login: str = "harbourline"
    ghec: bool = True
    copilot: bool = True
    shared: bool = False


def _foreign(number: int, slug: str, name: str, owner: str, home: str, held: str) -> App:
    permissions = dict(one.split(":") for one in f"metadata:read {held}".split())
    return App(number, slug, name, owner, home, permissions, public=bool(home))


FOREIGN = (
    _foreign(
        201, "cursor", "Cursor", "getcursor", "https://cursor.com", "contents:write pull_requests:write"
    ),
    _foreign(202, "coderabbitai", "coderabbitai", "coderabbitai", "https://coderabbit.ai", "issues:write"),
    _foreign(203, "claude", "Claude", "anthropics", "https://claude.ai", "contents:write workflows:write"),
    _foreign(204, "renovate", "Renovate", "mend", "https://www.mend.io/renovate", "contents:write"),
    _foreign(205, "devin-ai-integration", "Devin.ai", "CognitionAI", "https://devin.ai", "secrets:write"),
    _foreign(206, "own-release-bot", "own-release-bot", "harbourline", "", "contents:read"),
)
"""Apps of others; one without a home page is private."""


def iso(at: float | None) -> str | None:
    """Epoch seconds as GitHub writes them."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def make_up(org: Org, people: dict[int, User], spec: OrgSpec, now: float) -> None:
    """Fill an organisation: two owners, members, some outsiders, seats, credentials, tokens."""
    rng = random.Random(spec.seed)
    outsiders = max(1, spec.employees // 20)
    shared = _members(spec) if spec.shared else []
    for position in range(spec.employees + outsiders):
        first, last = FIRST[position % len(FIRST)], LAST[position // len(FIRST) % len(LAST)]
        user = User(org.id * 10_000 + position + 1, f"{first}-{last}-{position}", f"{first} {last}".title())
        user.emails = [f"{first}@mail.example", f"{first.title()}.{last}{position}@{spec.login}.example"]
        people[user.id] = user
        if shared and position < len(shared):
            user.login, user.name, user.emails = (
                _login(shared[position]),
                shared[position].name,
                [shared[position].email],
            )
        if position >= spec.employees:
            org.outside.append(user.id)
            continue
        org.members[user.id] = "admin" if position < 2 else "member"
        since = now - rng.uniform(20, 700) * DAY
        if spec.copilot and rng.random() < 0.5:
            used = rng.choice([None, now - rng.uniform(0, 170) * DAY])
            org.seats[user.id] = Seat(user.id, since, used)
        if spec.ghec:
            _authorise(org, user, rng, since, now)
        if rng.random() < 0.2:
            identifier = org.id * 1000 + len(org.pats) + 1
            held = {"repository": {"metadata": "read", "contents": rng.choice(["read", "write"])}}
            org.pats[identifier] = Pat(identifier, user.id, f"{first}'s script", since, held, now - 3 * DAY)


def _members(spec: OrgSpec) -> list[Person]:
    """People with an account here. Who left is no member any more, but for three who were forgotten."""
    domain = f"{spec.login}.example"
    chosen = accounts(
        spec.employees * 2, domain=domain, seed=spec.seed, departments=_BUILDERS, forgotten=3, machines=1
    )
    return [account.person for account in chosen if account.active][: spec.employees]


def _login(person: Person) -> str:
    """Nobody can tell the person from it."""
    return f"{person.family}-{person.given[0]}{person.index}".lower()


def _authorise(org: Org, user: User, rng: random.Random, since: float, now: float) -> None:
    for kind, share, scopes in (
        ("OAuth app token", 0.5, ["repo", "read:org"]),
        ("personal access token", 0.2, ["repo", "workflow"]),
        ("SSH key", 0.4, []),
    ):
        if rng.random() < share:
            identifier = org.id * 1000 + len(org.credentials) + 1
            used = now - rng.uniform(0, 60) * DAY
            org.credentials[identifier] = Credential(identifier, user.id, kind, since, used, list(scopes))
