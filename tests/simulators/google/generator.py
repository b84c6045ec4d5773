"""Makes an organisation of 10 to 20,000 employees from a seed: people, apps, grants, leavers, history."""

from dataclasses import dataclass, replace
from random import Random

from .activity import ActivityLog
from .catalog import departments, hostile_apps, known_apps, long_tail, look_alikes, people_names
from .grants import GrantTable
from .model import RETENTION_S, App, User, gaia_id, mix
from .organisation import Organisation, OrgSpec

DAY = 86400
TYPICAL_GRANTS = 14


@dataclass(slots=True)
class Maker:
    """What the steps share."""

    spec: OrgSpec
    anchor: float
    rng: Random


def generate(spec: OrgSpec, now: float) -> Organisation:
    """The organisation that `spec` describes; `now` is its anchor when the spec names none.

    The same spec with the same anchor makes the same organisation, to the last identifier.
    """
    if not 1 <= spec.employees <= 20_000:
        raise ValueError("employees must be between 1 and 20,000")
    anchor = float(int(now if spec.anchor is None else spec.anchor))
    spec = replace(spec, anchor=anchor)
    maker = Maker(spec, anchor, Random(mix(spec.seed, 1)))
    users = _users(maker)
    apps = _apps(spec)
    table = GrantTable(apps)
    for rows in _grant_rows(maker, users, apps):
        table.append_user(rows)
    number = f"{mix(spec.seed, 2) % 36**7:x}"[:7].rjust(7, "0")
    customer_id = spec.customer_id or f"C0{number}"
    org = Organisation(spec, customer_id, spec.domain, users, apps, table)
    org.log = ActivityLog(org)
    _history(maker, org)
    return org


def people_of(spec: OrgSpec, anchor: float) -> list[User]:
    """The people alone that `generate` makes of a spec; `anchor` moves their dates only."""
    return _users(Maker(spec, anchor, Random(mix(spec.seed, 1))))


def _apps(spec: OrgSpec) -> list[App]:
    apps = [*known_apps(), *look_alikes()]
    if spec.hostile:
        apps += hostile_apps()
    return apps + list(long_tail(spec.long_tail, spec.seed))


def _users(maker: Maker) -> list[User]:
    spec, rng, anchor = maker.spec, maker.rng, maker.anchor
    given, family = people_names()
    taken: dict[str, int] = {}
    users: list[User] = []
    for index, (unit, department, title, manager) in enumerate(_posts(spec.employees, rng)):
        first, last = rng.choice(given), rng.choice(family)
        local = f"{first}.{last}".lower()
        taken[local] = taken.get(local, 0) + 1
        if taken[local] > 1:
            local += str(taken[local])
        created = anchor - rng.randint(30, 2500) * DAY
        user = User(
            gaia_id(spec.seed, 3, index), f"{local}@{spec.domain}", first, last, unit, title, department,
            None if manager is None else users[manager].email, created_at=created, index=index,
        )  # fmt: skip
        user.last_login_at = max(created, anchor - rng.expovariate(1 / (2 * DAY)))
        users.append(user)
    _administrators(users)
    _machines(users, spec)
    _leavers(maker, users)
    if spec.hostile and len(users) > 5:
        users[-1].given, users[-1].family = "<b>Robert</b>", '");DROP TABLE users;--'
    return users


def _posts(employees: int, rng: Random) -> list[tuple[str, str, str, int | None]]:
    """One post per employee: unit, department, title, index of the manager (None for the first)."""
    posts: list[tuple[str, str, str, int | None]] = [("/", "Executive", "Chief Executive Officer", None)]
    all_departments = departments()
    heads: dict[str, int] = {}
    for department in all_departments[: employees - 1]:
        heads[department.name] = len(posts)
        posts.append((department.unit, department.name, department.titles[0], 0))
    shares = [d.share for d in all_departments]
    leads: dict[str, int] = dict(heads)
    while len(posts) < employees:
        department = rng.choices(all_departments, shares)[0]
        manager = leads.get(department.name, 0)
        title = rng.choice(department.titles[1:])
        if rng.random() < 0.12:
            title, manager = f"Lead {title}", heads.get(department.name, 0)
            leads[department.name] = len(posts)
        posts.append((department.unit, department.name, title, manager))
    return posts


def _administrators(users: list[User]) -> None:
    """Two super administrators from IT (the chief executive in a tiny organisation), two delegated."""
    staff = [u for u in users if u.department == "IT and Security"] or users[:1]
    for user in staff[:2]:
        user.is_admin = True
    for user in [u for u in users if not u.is_admin][1:3]:
        user.privileges = frozenset({"users", "reports"})


MACHINES = (
    ("support", "Support", "Inbox"),
    ("invoices", "Invoices", "Inbox"),
    ("svc-backup", "Backup", "Service"),
    ("svc-reporting", "Reporting", "Service"),
)


def _machines(users: list[User], spec: OrgSpec) -> None:
    """The last accounts are nobody's own: mailboxes of several people, and service accounts."""
    if not spec.machines:
        return
    for user, (local, given, family) in zip(reversed(users), MACHINES[: spec.machines], strict=False):
        user.email, user.given, user.family = f"{local}@{spec.domain}", given, family
        user.org_unit, user.department, user.title, user.manager = "/Shared", "", "", None


def _leavers(maker: Maker, users: list[User]) -> None:
    rng, anchor = maker.rng, maker.anchor
    eligible = [u for u in users[1:] if not u.is_admin and not u.privileges and u.title not in HEADS]
    candidates = [u for u in eligible if u.title]
    rng.shuffle(candidates)
    for state, share in (("suspended_at", 0.04), ("archived_at", 0.02), ("deleted_at", 0.015)):
        wanted = max(1, round(len(users) * share)) if len(users) >= 10 else 0
        for _ in range(min(wanted, len(candidates))):
            user = candidates.pop()
            longest = 19 if state == "deleted_at" else 120
            left = max(user.created_at, anchor - rng.randint(1, longest) * DAY - rng.randint(0, DAY))
            setattr(user, state, left)
            user.last_login_at = min(user.last_login_at or left, left)


HEADS = frozenset(department.titles[0] for department in departments())


def _grant_rows(maker: Maker, users: list[User], apps: list[App]) -> list[list[tuple[int, int, int, int]]]:
    """For each user the rows of the packed table; every app is held by somebody."""
    rng, spec = Random(mix(maker.spec.seed, 4)), maker.spec
    weighted = [i for i, app in enumerate(apps) if app.weight > 0]
    if spec.grants_per_user is not None and not 0 <= spec.grants_per_user <= len(weighted):
        raise ValueError(f"grants_per_user must be at most {len(weighted)}: use long_tail for more apps")
    exponents = [(i, 1 / apps[i].weight) for i in weighted]
    chosen = [_choose(rng, exponents, spec.grants_per_user) for _ in users]
    if spec.grants_per_user is None:
        _spread(rng, chosen, apps, users)
    return [
        [_row(maker, rng, user, i, apps[i]) for i in picks] for user, picks in zip(users, chosen, strict=True)
    ]


def _choose(rng: Random, exponents: list[tuple[int, float]], exact: int | None) -> list[int]:
    """App indexes by popularity without replacement (Efraimidis and Spirakis, 2006)."""
    size = exact
    if size is None:
        size = min(len(exponents), max(1, round(rng.gauss(TYPICAL_GRANTS, TYPICAL_GRANTS / 3))))
    random = rng.random
    keyed = [(random() ** power, i) for i, power in exponents]
    keyed.sort(reverse=True)
    return [i for _, i in keyed[:size]]


def _spread(rng: Random, chosen: list[list[int]], apps: list[App], users: list[User]) -> None:
    """Give every app nobody chose, and the look-alikes, to a few people who can still sign in."""
    held = {i for picks in chosen for i in picks}
    active = [u.index for u in users if u.can_sign_in and not u.is_admin] or [0]
    victims = iter((3, 1))
    for i, app in enumerate(apps):
        wanted = next(victims, 1) if app.lookalike else 0 if i in held else 1
        for index in rng.sample(active, min(wanted, len(active))):
            chosen[index].append(i)


def _row(maker: Maker, rng: Random, user: User, index: int, app: App) -> tuple[int, int, int, int]:
    anchor = maker.anchor
    latest = min(anchor, user.inactive_from or anchor) - 3600
    age = (0.5 + 900 * rng.random() ** 1.5) * DAY
    granted = max(user.created_at, latest - age)
    broad = len(app.scope_sets) > 1 and rng.random() < (0.12 if app.ai else 0.06)
    used_until = 0
    if not app.lookalike and granted < anchor - 100 * DAY and rng.random() < 0.15:
        used_until = int(max(granted, anchor - rng.uniform(91, 400) * DAY))
    return index, int(broad), int(granted), used_until


def _history(maker: Maker, org: Organisation) -> None:
    """What the audit log remembers besides the grants that still stand."""
    rng, anchor, log = Random(mix(maker.spec.seed, 5)), maker.anchor, org.log
    active = [u for u in org.users if u.can_sign_in]
    for user in rng.sample(active, min(len(active), max(1, len(active) // 30))):
        app = rng.choice(org.app_list)
        if org.grants.get(user, app.client_id) is not None:
            continue
        begun = anchor - rng.uniform(20, 170) * DAY
        log.token_event("authorize", user, app, app.scope_sets[0], begun)
        log.token_event("revoke", user, app, app.scope_sets[0], begun + rng.uniform(1, 15) * DAY)
    _earlier_scopes(rng, anchor, org)
    admin = next((u for u in org.users if u.is_admin), org.users[0])
    okta, reader = gaia_id(org.spec.seed, 6, 0), gaia_id(org.spec.seed, 6, 1)
    log.delegation(True, admin, okta, ["https://www.googleapis.com/auth/admin.directory.user.readonly"],
                   anchor - 150 * DAY)  # fmt: skip
    log.delegation(True, admin, reader, [
        "https://www.googleapis.com/auth/calendar", "https://www.googleapis.com/auth/gmail.readonly",
    ], anchor - 12 * DAY)  # fmt: skip


def _earlier_scopes(rng: Random, anchor: float, org: Organisation) -> None:
    """Some broad grants began narrower: their first `authorize` names fewer scopes."""
    oldest, told, table = anchor - RETENTION_S, 0, org.grants
    for flat in range(table.generated):
        if table.scope_set[flat] and table.granted[flat] > oldest + 40 * DAY and told < 20:
            user = org.users[table.owner(flat)]
            app = table.apps[table.app[flat]]
            when = max(user.created_at, table.granted[flat] - rng.uniform(5, 30) * DAY)
            org.log.token_event("authorize", user, app, app.scope_sets[0], when)
            told += 1
