"""Makes an organisation from a spec: the same for the same seed."""

import random
from pathlib import Path
from typing import Any

from tests.simulators.common.people import accounts

from .model import App, Grant, OrgSpec, State, User

_NAMES = Path(__file__).parent.parent / "google" / "data" / "people.txt"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
DEPARTMENTS = ("Engineering", "Sales", "Marketing", "Finance", "People", "Support")
EVERYONE = "Everyone"
_DEPARTMENT = {"Customer Success": "Support", "Product": "Engineering", "IT and Security": "Engineering"}
# Name in the catalogue, label, sign-on mode, where it sends people back to, who has it.
KNOWN: tuple[tuple[str, str, str, str, str], ...] = (
    ("slack", "Slack", "SAML_2_0", "", EVERYONE),
    ("zoomus", "Zoom", "SAML_2_0", "", EVERYONE),
    ("office365", "Microsoft Office 365", "WS_FEDERATION", "", EVERYONE),
    ("notion", "Notion", "SAML_2_0", "", EVERYONE),
    ("salesforce", "Salesforce.com", "SAML_2_0", "", "Sales"),
    ("hubspot", "HubSpot", "SAML_2_0", "", "Marketing"),
    ("githubcloud", "GitHub Enterprise Cloud", "SAML_2_0", "", "Engineering"),
    ("datadog", "Datadog", "SAML_2_0", "", "Engineering"),
    ("zendesk", "Zendesk", "SAML_2_0", "", "Support"),
    ("workday", "Workday", "SAML_2_0", "", "People"),
    ("openai", "ChatGPT Enterprise", "OPENID_CONNECT", "https://auth.openai.com/callback", "Engineering"),
    ("anthropic", "Claude", "OPENID_CONNECT", "https://claude.ai/callback", "Engineering"),
    ("grammarly", "Grammarly", "SAML_2_0", "", "Marketing"),
    (
        "oidc_client",
        "Invoice Assistant",
        "OPENID_CONNECT",
        "https://invoices.harbourline.example/cb",
        "Finance",
    ),
    ("template_saml_2_0", "Legacy Wiki", "SAML_2_0", "", "Engineering"),
    ("twitter", "Twitter team account", "BROWSER_PLUGIN", "", "Marketing"),
)
CONSENTED = (
    ("Meeting Notes AI", "https://notes.example.com/oauth", ("calendar.read", "meetings.read")),
    ("Expense Copilot", "https://copilot.example.net/cb", ("okta.users.read.self", "profile")),
    ("Deck Writer", "https://deckwriter.example.org/cb", ("files.read", "files.write")),
)


def generate(spec: OrgSpec, now: float) -> State:
    """The organisation of a spec."""
    rng = random.Random(f"okta {spec.seed}")
    state = State(spec, ident(rng, "00o"), now)
    for name in (EVERYONE, *DEPARTMENTS):
        state.groups[ident(rng, "00g")] = name
    _people(state, rng)
    _apps(state, rng)
    _consents(state, rng)
    _assets(state, rng)
    return state


def ident(rng: random.Random, prefix: str) -> str:
    """An id as Okta makes them: a prefix and letters."""
    return prefix + "".join(rng.choices(_LETTERS, k=20 - len(prefix)))


def _shared(state: State, rng: random.Random) -> None:
    """The people of the organisation; whoever left is deactivated here, as single sign-on ends first."""
    spec = state.spec
    for account in accounts(spec.employees, domain=spec.domain, seed=spec.seed):
        person = account.person
        user = User(
            ident(rng, "00u"),
            person.email,
            person.given,
            person.family,
            _DEPARTMENT.get(person.department, person.department),
            created=state.anchor - 86_400 * rng.uniform(200, 900),
            last_login=state.anchor - 86_400 * ((person.left_days or 0) + rng.uniform(0, 10)),
        )
        user.role = "SUPER_ADMIN" if person.admin else None
        user.status = "ACTIVE" if account.active else "DEPROVISIONED"
        state.users[user.id] = user


def _people(state: State, rng: random.Random) -> None:
    if state.spec.shared:
        _shared(state, rng)
        return
    lines = dict(line.split(": ", 1) for line in _NAMES.read_text("utf-8").splitlines() if ": " in line)
    given, family = lines["given"].split(), lines["family"].split()
    for number in range(state.spec.employees):
        first, last = rng.choice(given), rng.choice(family)
        user = User(
            ident(rng, "00u"),
            f"{first}.{last}.{number}@{state.spec.domain}".lower(),
            first,
            last,
            DEPARTMENTS[number % len(DEPARTMENTS)],
            created=state.anchor - 86_400 * rng.uniform(100, 900),
            last_login=state.anchor - 86_400 * rng.uniform(0, 20),
        )
        if number == 0:
            user.role = "SUPER_ADMIN"
        elif number % 11 == 5:
            user.status = "DEPROVISIONED"
        elif number % 29 == 7:
            user.status = "SUSPENDED"
        elif number % 31 == 9:
            user.status = rng.choice(("LOCKED_OUT", "PASSWORD_EXPIRED", "RECOVERY", "PROVISIONED", "STAGED"))
        user.manager = list(state.users)[number // 8] if number else None
        state.users[user.id] = user


def _apps(state: State, rng: random.Random) -> None:
    groups = {name: number for number, name in state.groups.items()}
    rows = list(KNOWN)
    rows += [
        (
            f"vendor_{number}",
            f"Vendor {number}",
            "SAML_2_0",
            "",
            EVERYONE if number < state.spec.assigned - 4 else "",
        )
        for number in range(state.spec.more_apps)
    ]
    for name, label, mode, redirect, group in rows:
        app = App(
            ident(rng, "0oa"), name, label, mode, redirect=redirect, created=state.anchor - 86_400 * 300
        )
        if mode == "OPENID_CONNECT":
            app.client_id = app.id
        if group:
            app.groups.add(groups[group])
        state.apps[app.id] = app
    for name, label in (("saasure", "Okta Admin Console"), ("okta_enduser", "Okta Dashboard")):
        app = App(ident(rng, "0oa"), name, label, "OPENID_CONNECT", groups={groups[EVERYONE]})
        state.apps[app.id] = app
    link = App(ident(rng, "0oa"), "bookmark", "Canteen menu", "BOOKMARK", groups={groups[EVERYONE]})
    old = App(ident(rng, "0oa"), "template_saml_2_0", "Retired CRM", "SAML_2_0", status="INACTIVE")
    old.groups.add(groups[EVERYONE])
    state.apps |= {link.id: link, old.id: old}
    service = App(ident(rng, "0oa"), "oidc_client", "Provisioning Robot", "OPENID_CONNECT", service=True)
    service.client_id = service.id
    service.grants = {ident(rng, "oag"): scope for scope in ("okta.users.manage", "okta.groups.manage")}
    state.apps[service.id] = service
    living = [user for user in state.users.values() if user.status != "DEPROVISIONED"]
    claude = next(app for app in state.apps.values() if app.name == "anthropic")
    for user in living[::7]:
        if user.department != "Engineering":
            state.direct.setdefault(user.id, {})[claude.id] = state.anchor - 86_400 * 30


def _consents(state: State, rng: random.Random) -> None:
    server = ident(rng, "aus")
    people = [user for user in state.users.values() if user.status != "DEPROVISIONED"]
    for label, redirect, scopes in CONSENTED:
        # A client id of its own, as clients registered by their makers have.
        app = App(ident(rng, "0oa"), "oidc_client", label, "OPENID_CONNECT", redirect=redirect)
        app.client_id = f"{label.split()[0].lower()}-{app.id[-6:]}"
        state.apps[app.id] = app
        for user in people[:: 2 + len(state.apps) % 3]:
            give(state, rng, user, app, scopes, server, state.anchor - 86_400 * rng.uniform(5, 200))


def give(
    state: State, rng: random.Random, user: User, app: App, scopes: Any, server: str, at: float
) -> list[Grant]:
    """A consent: one grant per scope, and a refresh token."""
    held = state.grants.setdefault(user.id, {})
    made = []
    for scope in scopes:
        if any(g.client_id == app.client_id and g.scope == scope for g in held.values()):
            continue
        plain = scope.startswith("okta.") or scope in {"openid", "profile", "email", "offline_access"}
        scope_id = scope if plain else ident(random.Random(f"{server} {scope}"), "scp")
        grant = Grant(ident(rng, "oag"), user.id, app.client_id, scope, scope_id, "" if plain else server, at)
        held[grant.id] = grant
        made.append(grant)
    state.refresh.setdefault(user.id, set()).add(app.client_id)
    return made


def _assets(state: State, rng: random.Random) -> None:
    for number, user in enumerate(list(state.users.values())[:3]):
        token = ident(rng, "00T")
        created = state.anchor - 86_400 * 40 * (number + 1)
        state.api_tokens[token] = {
            "id": token,
            "name": f"script {number}",
            "userId": user.id,
            "clientName": "Okta API",
            "created": created,
            "lastUpdated": created + 86_400 * 30,
        }
    agent = ident(rng, "wlp")
    state.agents[agent] = {
        "id": agent,
        "status": "ACTIVE",
        "profile": {"name": "Helpdesk agent", "description": "Answers tickets"},
        "created": state.anchor - 86_400 * 20,
    }
    integration = ident(rng, "0oa")
    state.integrations[integration] = {
        "id": integration,
        "name": "Posture Scanner",
        "type": "posture_scanner",
        "grantedScopes": ["okta.apps.read", "okta.logs.read"],
        "created": state.anchor - 86_400 * 60,
    }
