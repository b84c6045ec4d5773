"""Records for store tests, realistic and seeded."""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from lantern.domain import ids
from lantern.domain.inventory import App, Bundle, Grant, GrantDelta, Principal

CID = "con_0123456789abcdef"
NOW = datetime(2026, 3, 14, 9, 26, 53, 589793, tzinfo=UTC)
_NAMES = """
drive drive.file drive.readonly gmail.readonly gmail.modify gmail.send calendar calendar.readonly contacts
contacts.readonly spreadsheets documents admin.directory.user.readonly tasks photoslibrary userinfo.email
userinfo.profile youtube forms.body chat.messages meetings.space.created cloud-platform
"""
_SCOPES = [f"https://www.googleapis.com/auth/{name}" for name in _NAMES.split()]


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """A finding as the store sees it."""

    id: str
    rule_id: str
    status: str
    severity: str
    last_seen: datetime
    title: str = ""
    rev: int = 0


class Organisation:
    """A seeded organisation: apps by popularity, scope sets in use, principals with about 70 grants."""

    def __init__(self, seed: int = 1, apps: int = 400, scope_sets: int = 300) -> None:
        self.random = random.Random(seed)
        self.apps = [
            App(
                id=ids.app_id("google", f"{self.random.getrandbits(40)}-{n}.apps.googleusercontent.com"),
                provider="google",
                client_id=f"{n}.apps.googleusercontent.com",
                name=f"App {n}",
                first_seen=NOW,
            )
            for n in range(apps)
        ]
        self.scope_sets = {}
        while len(self.scope_sets) < scope_sets:
            scopes = frozenset(["openid", *self.random.sample(_SCOPES, self.random.randint(1, 6))])
            self.scope_sets[ids.scope_set_id(scopes)] = scopes
        self._set_ids = sorted(self.scope_sets)
        self._weights = [1 / (rank + 8) ** 0.7 for rank in range(apps)]
        # Most people grant an app what most others grant it.
        # Three of ten apps ask for no more than a sign-in; what the others ask for is spread widely.
        self._set_weights = [
            0.43 * scope_sets**0.5 if not n else 1 / (n + 1) ** 0.5 for n in range(scope_sets)
        ]
        self._usual = {app.id: self._any_set() for app in self.apps}

    def day(self) -> date:
        """A day of the last three years, recent ones more often."""
        return NOW.date() - timedelta(days=int(min(self.random.expovariate(1 / 200), 1000)))

    def scope_set(self, app_id: str) -> str:
        """The scopes somebody grants an app: the usual ones four times of five."""
        return self._usual[app_id] if self.random.random() < 0.8 else self._any_set()

    def _any_set(self) -> str:
        (chosen,) = self.random.choices(self._set_ids, self._set_weights)
        return chosen

    def principal(self, number: int, connection_id: str = CID) -> Principal:
        """An employee."""
        native = "1" + "".join(str(self.random.randint(0, 9)) for _ in range(20))
        pid = ids.principal_id("google", "C01example", f"{native}-{number}")
        first = self.random.choice(["Aleksandra", "Bo", "Carmen", "Dmitri", "Emeka", "Fatima", "Giulia"])
        last = self.random.choice(["Kowalczyk", "Li", "Fernandez", "Okonkwo", "Rossi", "Schmidt"])
        return Principal(
            id=pid,
            connection_id=connection_id,
            native_id=native,
            kind="user",
            status="active",
            person_id=ids.person_id(pid),
            email=f"{first}.{last}{number}@example-company.com".lower(),
            name=f"{first} {last}",
            admin=False,
            org_unit=self.random.choice(["/", "/Sales/EMEA", "/Engineering/Platform"]),
            last_login=self.day(),
        )

    def bundle(self, number: int, grants: int = 70, connection_id: str = CID) -> Bundle:
        """A principal's first bundle, as a first run writes it."""
        chosen: dict[str, None] = {}
        while len(chosen) < grants:
            (app,) = self.random.choices(self.apps, self._weights)
            chosen[app.id] = None
        held = []
        for app_id in sorted(chosen):
            grown = self.random.random() < 0.05
            held.append(
                Grant(
                    app_id=app_id,
                    scope_set=self.scope_set(app_id),
                    first_seen=NOW.date(),
                    granted_on=self.day() if self.random.random() < 0.8 else None,
                    prior_scope_set=self.scope_set(app_id) if grown else None,
                    expanded_on=self.day() if grown else None,
                )
            )
        delta = tuple(GrantDelta("added", g.app_id, None, g.scope_set) for g in held)
        return Bundle(
            self.principal(number, connection_id), tuple(held), cause="run", delta=delta, changed_at=NOW
        )
