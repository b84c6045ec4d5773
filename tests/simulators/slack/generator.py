"""Generates an organisation: people, apps (some of them AI), installations over two years, decisions."""

import random
from dataclasses import dataclass

from tests.simulators.common.people import accounts

from .model import App, Ask, Function, McpServer, Member, Policy, Team, Workflow, identifier
from .world import World

DAY = 86_400.0
_GIVEN = (
    "Ada", "Ben", "Chloe", "Dev", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jun", "Kofi", "Lena", "Mira",
    "Noor", "Omar", "Pia", "Quinn", "Rosa", "Sami", "Tara",
)  # fmt: skip
_FAMILY = (
    "Abel", "Brandt", "Costa", "Diaz", "Eriksen", "Frost", "Gupta", "Hale", "Ito",
    "Jansen", "Khan", "Lund", "Moreau", "Novak", "Okafor", "Petrov",
)  # fmt: skip
READS = ("channels:history", "channels:read", "users:read")
APPS: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("ChatGPT", "https://openai.com", ("app_mentions:read", "chat:write", *READS), ("search:read",)),
    ("Claude", "https://claude.ai", ("app_mentions:read", "chat:write", "im:history"), ()),
    ("Notion AI", "https://notion.so", ("links:read", "links:write", "channels:history"), ()),
    ("Zapier", "https://zapier.com", ("chat:write", *READS, "files:read"), ("channels:history",)),
    ("Otter.ai", "https://otter.ai", ("chat:write", "users:read.email", "users:read"), ()),
    ("Glean", "https://glean.com", (), ("search:read", "channels:history", "groups:history", "im:history")),
    ("Perplexity", "https://perplexity.ai", ("app_mentions:read", "chat:write"), ()),
    ("Google Calendar", "https://calendar.google.com", ("chat:write", "commands"), ()),
    ("Jira Cloud", "https://atlassian.com", ("chat:write", "commands", "links:read"), ()),
    ("Polly", "https://polly.ai", ("chat:write", "commands"), ()),
    ("Fireflies", "https://fireflies.ai", ("channels:read", "chat:write", "files:write"), ()),
    ("Meeting Helper GPT", "https://meeting-helper.example", ("channels:history", "groups:history"), ()),
    ("Internal Deploy Bot", "", ("chat:write", "commands"), ()),
)


@dataclass(frozen=True, slots=True)
class OrgSpec:
    """What to generate. `plan` is free, pro or enterprise; an enterprise has `teams` workspaces.

    `shared`: the people are those of `tests.simulators.common.people`.
    """

    employees: int = 60
    seed: int = 7
    plan: str = "enterprise"
    domain: str = "harbourline"
    name: str = "Harbourline"
    teams: int = 2
    shared: bool = False


def generate(world: World, spec: OrgSpec) -> None:
    """Fill an empty world."""
    rng = random.Random(spec.seed)
    count = spec.teams if spec.plan == "enterprise" else 1
    for number in range(count):
        suffix = "" if number == 0 else f"-{number + 1}"
        team = Team(identifier("T", spec.domain, number), f"{spec.name}{suffix}", f"{spec.domain}{suffix}")
        world.teams[team.id] = team
    world.plan, world.name = spec.plan, spec.name
    world.enterprise_id = identifier("E", spec.domain) if spec.plan == "enterprise" else ""
    _staff(world, spec, rng) if spec.shared else _people(world, spec, rng)
    bot = Member("USLACKBOT", "slackbot", "Slackbot", "", set(world.teams), api_app_id="")
    world.members[bot.id] = bot
    for name, homepage, bot, user in APPS:
        app = App(
            identifier("A", name), name, bot, user, homepage, internal=not homepage, listed=bool(homepage)
        )
        app.certified = name == "Claude"
        world.apps[app.id] = app
    _installs(world, rng)
    if spec.plan == "enterprise":
        _governance(world, rng)
    world.events.clear()
    world.changes.clear()


def _people(world: World, spec: OrgSpec, rng: random.Random) -> None:
    teams, now = list(world.teams), world.clock.now()
    for index in range(spec.employees):
        given, family = rng.choice(_GIVEN), rng.choice(_FAMILY)
        home = teams[index % len(teams)]
        member = Member(
            identifier("U", spec.domain, index),
            f"{given}.{family}.{index}".lower(),
            f"{given} {family}",
            f"{given}.{family}.{index}@{spec.domain}.example".lower(),
            {home, *(teams if index < 2 or rng.random() < 0.1 else ())},
            admin=index < 3,
            owner=index < 2,
            primary=index == 0,
            org_admin=index < 2 and spec.plan == "enterprise",
            org_owner=index == 0 and spec.plan == "enterprise",
            deleted=index >= 4 and rng.random() < 0.06,
            updated=now - rng.random() * 300 * DAY,
        )
        if index >= 4 and not member.deleted and rng.random() < 0.08:
            member.guest = rng.choice(("multi", "single"))
        world.members[member.id] = member


def _staff(world: World, spec: OrgSpec, rng: random.Random) -> None:
    """The people of the organisation; of those who left, two were never deactivated."""
    teams, now = list(world.teams), world.clock.now()
    chosen = accounts(
        spec.employees, domain=f"{spec.domain}.example", seed=spec.seed, forgotten=2, machines=1
    )
    for index, account in enumerate(chosen):
        person = account.person
        member = Member(
            identifier("U", spec.domain, index),
            person.email.partition("@")[0],
            person.name,
            person.email,
            {teams[index % len(teams)], *(teams if person.admin else ())},
            admin=person.admin,
            owner=person.admin,
            primary=index == 0,
            org_admin=person.admin and spec.plan == "enterprise",
            org_owner=index == 0 and spec.plan == "enterprise",
            deleted=not account.active,
            updated=now - ((person.left_days or 0) + rng.random() * 100) * DAY,
        )
        world.members[member.id] = member


def _installs(world: World, rng: random.Random) -> None:
    now, people = world.clock.now(), [m for m in world.members.values() if not m.bot]
    plan = []
    for app in world.apps.values():
        for _ in range(rng.randint(1, 3)):
            user = rng.choice(people)
            plan.append(
                (now - (20 + rng.random() * 700) * DAY, app.id, user.id, rng.choice(sorted(user.teams)))
            )
    for at, app, user, team in sorted(plan):
        world.install(app, user, team, at=at)
    grown = sorted(world.installs.values(), key=lambda i: (i.app, i.user))[:2]
    for install in grown:
        world.expand(install.app, install.user, install.team, ["files:read"], at=now - 10 * DAY)
    gone = next(a for a in world.apps.values() if a.name == "Polly")
    # Had the administrator installed it too, the integration log would not say whose was removed.
    theirs = {install.user for install in world.installed(gone.id)}
    by = next(m for m in people if m.id not in theirs)
    world.uninstall(gone.id, by.id, at=now - 5 * DAY)


def _governance(world: World, rng: random.Random) -> None:
    now, apps = world.clock.now(), list(world.apps.values())
    chief = next(m for m in world.members.values() if m.org_owner)
    team = sorted(world.teams)[0]
    for app in apps[:6]:
        world.policies.append(Policy("approved", app.id, world.enterprise_id, chief.id, now - 100 * DAY))
    world.policies.append(Policy("approved", apps[7].id, team, chief.id, now - 90 * DAY))
    world.policies.append(Policy("restricted", apps[11].id, world.enterprise_id, chief.id, now - 30 * DAY))
    late = App(
        identifier("A", "Gemini for Slack"),
        "Gemini for Slack",
        ("chat:write",),
        homepage="https://gemini.google.com",
    )
    world.apps[late.id] = late
    asker = next(m for m in world.members.values() if not m.bot and not m.deleted and not m.admin)
    world.asks.append(Ask(identifier("Ar", "1"), late.id, team, asker.id, "Please", now - 3 * DAY))
    for index, (app, allowed) in enumerate(((apps[1], "everyone"), (apps[2], "named_entities"))):
        server = McpServer(
            f"Amcp{index:010d}", app.id, f"{app.name} MCP", f"{app.homepage}/mcp?team=1", allowed
        )
        server.users = [asker.id] if allowed == "named_entities" else []
        world.mcp[server.id] = server
    for index, app in enumerate(apps[:2]):
        world.functions.append(Function(f"Fn{index:010d}", app.id, f"Ask {app.name}"))
    steps = [world.functions[0].id, "Fn0000000099"]
    world.workflows.append(Workflow("Wf0000000001", "Summarise standup", asker.id, steps, now - 40 * DAY))
    world.workflows.append(Workflow("Wf0000000002", "Welcome", chief.id, ["Fn0000000099"], now - 60 * DAY))
    rng.shuffle(world.asks)
