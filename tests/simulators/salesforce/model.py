"""The simulated organisation: people, connected apps, tokens, sign-ins, agents. All from one seed."""

import random
import string
import threading
from dataclasses import dataclass, field
from typing import Any

from tests.simulators.common.people import Account, accounts
from tests.simulators.google.clock import Clock

DAY = 86_400
APPS = (
    # name, installed, admin approved only, weight
    ("Salesforce for Outlook", True, True, 30),
    ("Dataloader Partner", True, True, 4),
    ("Gong", True, True, 18),
    ("Salesloft", True, False, 12),
    ("Drift", False, False, 8),
    ("ChatGPT", False, False, 14),
    ("Claude", False, False, 9),
    ("Zapier", True, False, 9),
    ("Clari", True, True, 6),
    ("Otter.ai", False, False, 6),
    ("People.ai", True, False, 4),
    ("DocuSign eSignature", True, True, 12),
    ("Mailchimp", False, False, 3),
    ("My Ticket Portal", False, False, 1),
)
SELLERS = ("Sales", "Customer Success", "Marketing", "Finance")
GIVEN = ("Ana", "Bruno", "Carla", "Deniz", "Elif", "Femi", "Grete", "Hugo", "Ines", "Jonas", "Kaito", "Lena")
FAMILY = ("Silva", "Okafor", "Weber", "Kaya", "Novak", "Rossi", "Haddad", "Berg", "Lopez", "Tanaka")


@dataclass(frozen=True, slots=True)
class OrgSpec:
    """What to generate. `shared`: the people are those of `tests.simulators.common.people`."""

    employees: int = 60
    seed: int = 1
    domain: str = "harbourline.example"
    name: str = "Harbourline Ltd"
    shared: bool = False


@dataclass(slots=True)
class Person:
    id: str
    email: str
    name: str
    user_type: str = "Standard"
    licence: str = "Salesforce"
    department: str = "Sales"
    active: bool = True
    federation: str | None = None
    last_login: float | None = None
    modified: float = 0.0
    permissions: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ConnectedApp:
    name: str
    application_id: str
    menu_id: str | None
    approved_only: bool
    created: float


@dataclass(slots=True)
class OauthToken:
    user_id: str
    app_name: str
    menu_id: str | None
    created: float
    last_used: float | None
    uses: int
    delete_token: str
    access_token: str


@dataclass(slots=True)
class SignIn:
    user_id: str
    application: str
    at: float
    kind: str = "Remote Access 2.0"
    status: str = "Success"


@dataclass(slots=True)
class Agent:
    id: str
    label: str
    type: str
    agent_type: str | None
    user_id: str | None
    active: bool
    created: float


class World:
    """The state, and what can happen to it. Hold `lock` while reading or changing."""

    def __init__(self, clock: Clock, spec: OrgSpec) -> None:
        self.clock = clock
        self.spec = spec
        self.lock = threading.RLock()
        self._rng = random.Random(spec.seed)
        self.organisation_id = self.new_id("00D")
        self.people: dict[str, Person] = {}
        self.apps: dict[str, ConnectedApp] = {}
        self.tokens: list[OauthToken] = []
        self.sign_ins: list[SignIn] = []
        self.agents: list[Agent] = []
        self.changes: list[dict[str, Any]] = []
        self._generate()

    def new_id(self, prefix: str) -> str:
        """An id of 18 characters with the right check characters."""
        body = prefix + "".join(self._rng.choices(string.ascii_letters + string.digits, k=15 - len(prefix)))
        check = ""
        for start in (0, 5, 10):
            bits = sum(1 << i for i, c in enumerate(body[start : start + 5]) if c.isupper())
            check += "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits]
        return body + check

    def secret(self, prefix: str) -> str:
        """A random secret."""
        return prefix + "".join(self._rng.choices(string.ascii_letters + string.digits, k=32))

    def _generate(self) -> None:
        now, rng = self.clock.now(), self._rng
        for name, installed, approved, _ in APPS:
            menu = self.new_id("0DS") if installed else None
            made = now - rng.randint(100, 900) * DAY
            self.apps[name] = ConnectedApp(name, self.new_id("0H4"), menu, approved, made)
        shared = self._accounts()
        for index in range(self.spec.employees):
            self._person(index, now, account=shared[index] if shared else None)
        self._person(
            -1, now, user_type="CloudIntegrationUser", name="Integration", licence="Salesforce Integration"
        )
        self._person(-2, now, user_type="CustomerSuccess", name="A Customer", licence="Customer Community")
        boss = next(iter(self.people.values())) if shared else self._person(-3, now, name="Adele Admin")
        boss.permissions = ["CustomizeApplication", "ManageUsers"]
        machine = next(p for p in self.people.values() if p.user_type == "CloudIntegrationUser")
        kinds = (
            ("Service Agent", "ExternalCopilot", "EinsteinServiceAgent", True),
            ("Old bot", "Bot", None, False),
        )
        for label, kind, agent_type, active in kinds:
            self.agents.append(
                Agent(self.new_id("0Xx"), label, kind, agent_type, machine.id, active, now - 40 * DAY)
            )

    def _accounts(self) -> tuple[Account, ...]:
        """The people of the organisation who have an account here, the sellers first."""
        spec = self.spec
        if not spec.shared:
            return ()
        return accounts(
            spec.employees, domain=spec.domain, seed=spec.seed, departments=SELLERS, forgotten=1, machines=1
        )

    def _person(
        self,
        index: int,
        now: float,
        *,
        account: Account | None = None,
        user_type: str = "Standard",
        name: str = "",
        licence: str = "Salesforce",
    ) -> Person:
        rng = self._rng
        shown = name or f"{rng.choice(GIVEN)} {rng.choice(FAMILY)}"
        local = f"{shown.lower().replace(' ', '.')}{'' if index < 0 else index}"
        person = Person(self.new_id("005"), f"{local}@{self.spec.domain}", shown, user_type, licence)
        if account is not None:
            person.email, person.name = account.person.email, account.person.name
            person.department = account.person.department
        person.modified = now - rng.randint(30, 400) * DAY
        person.active = index < 5 or rng.random() > 0.05
        person.active = account.active if account else person.active
        person.last_login = now - rng.random() * 20 * DAY if person.active else None
        if rng.random() < 0.3:
            person.federation = f"{local}@sso.{self.spec.domain}"
        self.people[person.id] = person
        if index >= 0 and (index < 8 or rng.random() < 0.9):
            names = [app[0] for app in APPS]
            weights = [app[3] for app in APPS]
            for chosen in sorted(set(rng.choices(names, weights, k=rng.randint(1, 5)))):
                self.tokens.extend(self._past(person, chosen, now) for _ in range(rng.choice((1, 1, 2))))
        return person

    def _past(self, person: Person, app: str, now: float) -> OauthToken:
        rng = self._rng
        created = now - (1 + rng.random() * 300) * DAY
        last = None if rng.random() < 0.1 else created + rng.random() * (now - created)
        if last is not None:
            for _ in range(rng.randint(0, 3)):
                self.sign_ins.append(SignIn(person.id, app, created + rng.random() * (last - created)))
            self.sign_ins.append(SignIn(person.id, app, last))
        return self._token(person.id, app, created, last, rng.randint(1, 400) if last else 0)

    def _token(self, user_id: str, app: str, created: float, last: float | None, uses: int) -> OauthToken:
        menu = self.apps[app].menu_id
        created, last = round(created, 3), None if last is None else round(last, 3)
        return OauthToken(
            user_id, app, menu, created, last, uses, self.secret("DLT-"), self.secret("CANARY-")
        )

    # -- what can happen ---------------------------------------------------------------------------

    def person(self, who: str) -> Person:
        """By id or address."""
        found = self.people.get(who) or next((p for p in self.people.values() if p.email == who), None)
        if found is None:
            raise ValueError(f"nobody is {who}")
        return found

    def client_of(self, token: OauthToken) -> str:
        """What the product calls the app of a token."""
        return token.menu_id or f"name:{token.app_name}"

    def grant(self, who: str, app: str) -> OauthToken:
        """Somebody gives an app access now."""
        person = self.person(who)
        if app not in self.apps:
            self.apps[app] = ConnectedApp(app, self.new_id("0H4"), None, False, self.clock.now())
        token = self._token(person.id, app, self.clock.now(), None, 0)
        self.tokens.append(token)
        self.sign_ins.append(SignIn(person.id, app, self.clock.now()))
        self._changed(person.id, self.client_of(token), held=True)
        return token

    def use(self, who: str, app: str, times: int = 1, at: float | None = None) -> None:
        """An app is used."""
        person, when = self.person(who), self.clock.now() if at is None else at
        for token in self.tokens:
            if token.user_id == person.id and token.app_name == app:
                token.last_used, token.uses = max(when, token.last_used or 0.0), token.uses + times
        self.sign_ins.extend(SignIn(person.id, app, when) for _ in range(times))

    def end(self, gone: list[OauthToken]) -> None:
        """Tokens end."""
        before = {(t.user_id, self.client_of(t)) for t in gone}
        self.tokens = [t for t in self.tokens if t not in gone]
        left = {(t.user_id, self.client_of(t)) for t in self.tokens}
        for user, client in sorted(before - left):
            self._changed(user, client, held=False)

    def install(self, app: str) -> str:
        """An administrator installs an app: its tokens get its id, old ones too."""
        found = self.apps[app]
        found.menu_id = found.menu_id or self.new_id("0DS")
        for token in self.tokens:
            if token.app_name == app:
                token.menu_id = found.menu_id
        return found.menu_id

    def _changed(self, user: str, client: str, *, held: bool) -> None:
        self.changes.append(
            {
                "seq": len(self.changes) + 1,
                "at": self.clock.now(),
                "user_id": user,
                "client_id": client,
                "held": held,
            }
        )

    def truth(self) -> dict[str, Any]:
        """Native id → state and grants by client id; the organisation's installations last."""
        held: dict[str, dict[str, list[str]]] = {}
        for token in self.tokens:
            held.setdefault(token.user_id, {})[self.client_of(token)] = ["undisclosed"]
        staff = [p for p in self.people.values() if p.user_type != "CustomerSuccess"]
        found: dict[str, Any] = {
            p.id: {
                "email": p.email,
                "state": "active" if p.active else "suspended",
                "is_admin": bool(p.permissions),
                "grants": held.get(p.id, {}),
            }
            for p in sorted(staff, key=lambda p: bool(p.permissions))
        }
        installed = {
            app.menu_id: ["installed_admin_approved" if app.approved_only else "installed"]
            for app in self.apps.values()
            if app.menu_id
        }
        found[self.organisation_id] = {
            "email": None,
            "state": "active",
            "is_admin": False,
            "grants": installed,
        }
        return found
