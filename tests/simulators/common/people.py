"""The people of the simulated organisation, and which of them have accounts where.

They are those of the simulated Google (`google.generator.people_of`), so its organisation and this module
agree by construction: the same seed, domain and size make the same people with the same addresses. Other
providers have some of them: administrators, a few who left, and first of all the departments that the
provider is for.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from tests.simulators.google.generator import DAY, people_of
from tests.simulators.google.organisation import OrgSpec

EMPLOYEES = 250
SEED = 7
DOMAIN = "harbourline.example"
MACHINES = 4
"""So many of the accounts are nobody's own: shared mailboxes and service accounts."""
_ANCHOR = 1_800_000_000.0
_LEAVERS = 7
_ADMINISTRATORS = 2


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody (or something: `machine`) of the organisation; `left_days` ago they left."""

    index: int
    email: str
    given: str
    family: str
    department: str
    admin: bool
    left_days: float | None
    machine: bool

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.given} {self.family}"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody's account at a provider; a leaver's that nobody closed is still `active`."""

    person: Person
    active: bool

    @property
    def forgotten(self) -> bool:
        """Whether its bearer left, and nobody closed it."""
        return self.active and self.person.left_days is not None


@cache
def staff(domain: str = DOMAIN, seed: int = SEED, employees: int = EMPLOYEES) -> tuple[Person, ...]:
    """Everybody, in the order of the simulated Google."""
    spec = OrgSpec(employees, seed, domain, anchor=_ANCHOR, machines=MACHINES)
    found = []
    for user in people_of(spec, _ANCHOR):
        left = user.inactive_from
        days = None if left is None else (_ANCHOR - left) / DAY
        found.append(
            Person(
                user.index, user.email, user.given, user.family, user.department, user.is_admin, days,
                user.title == "",
            )
        )  # fmt: skip
    return tuple(found)


def accounts(
    count: int,
    *,
    domain: str = DOMAIN,
    seed: int = SEED,
    departments: Collection[str] = (),
    forgotten: int = 0,
    machines: int = 0,
) -> tuple[Account, ...]:
    """Who has an account at a provider: `count` of the staff.

    Administrators come first, then the same few who left (the accounts of the first `forgotten` were never
    closed), then `machines`, then `departments`, then everybody else.
    """
    everybody = staff(domain, seed)
    admins = [p for p in everybody if p.admin][:_ADMINISTRATORS]
    # Whoever left first is known best to have left: their accounts elsewhere are the worst.
    left = sorted((p for p in everybody if p.left_days is not None), key=lambda p: -(p.left_days or 0))
    robots = [p for p in everybody if p.machine][:machines]
    rest = [p for p in everybody if p.left_days is None and not p.machine and not p.admin]
    wanted = [
        *(p for p in rest if p.department in departments),
        *(p for p in rest if p.department not in departments),
    ]
    chosen = [*admins, *left[:_LEAVERS], *robots, *wanted][:count]
    kept = {p.email for p in left[:forgotten]}
    return tuple(Account(p, p.left_days is None or p.email in kept) for p in chosen)
