"""What an organisation has beside people and grants: extensions, visited sites, passwords, mail."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Extension:
    """A Chrome extension; `profiles` are addresses. Not `listed`: the store has no page of it."""

    id: str
    name: str
    permissions: list[str] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    risk: str = "RISK_LEVEL_LOW"
    publisher: str = ""
    homepage: str = ""
    install_type: str = "NORMAL"
    app_type: str = "EXTENSION"
    listed: bool = True
    disabled: bool = False
    profiles: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Visits:
    """One person's visits of a site: first and latest (epoch seconds), and how many."""

    first: float
    last: float
    count: int = 1


@dataclass(slots=True)
class Site:
    """A SaaS application as Chrome reports it; `visits` by address."""

    name: str
    domain: str
    category: str = ""
    domains: list[str] = field(default_factory=list)
    transfers: int = 0
    visits: dict[str, Visits] = field(default_factory=dict)


@dataclass(slots=True)
class AppPassword:
    """An application-specific password; times are epoch seconds, 0 for never."""

    code: int
    name: str
    made: int
    used: int = 0


@dataclass(slots=True)
class Mail:
    """A message in a mailbox, as far as its headers go."""

    id: str
    history: int
    at: float
    headers: list[tuple[str, str]]
    labels: list[str] = field(default_factory=lambda: ["INBOX"])


@dataclass(slots=True)
class Mailbox:
    """A mailbox; `floor` is the oldest history record that is kept."""

    history: int = 1_000
    floor: int = 1_000
    mails: list[Mail] = field(default_factory=list)


@dataclass(slots=True)
class Extras:
    """All of it; passwords and mailboxes by user id."""

    extensions: dict[str, Extension] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    passwords: dict[str, list[AppPassword]] = field(default_factory=dict)
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    codes: int = 0

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def load(cls, kept: dict[str, Any]) -> "Extras":
        """From what `dump` made."""
        sites = {
            name: Site(**{**site, "visits": {k: Visits(**v) for k, v in site["visits"].items()}})
            for name, site in kept["sites"].items()
        }
        boxes = {
            user: Mailbox(
                box["history"],
                box["floor"],
                [Mail(**{**m, "headers": [(n, v) for n, v in m["headers"]]}) for m in box["mails"]],
            )
            for user, box in kept["mailboxes"].items()
        }
        return cls(
            {key: Extension(**one) for key, one in kept["extensions"].items()},
            sites,
            {user: [AppPassword(**one) for one in held] for user, held in kept["passwords"].items()},
            boxes,
            kept["codes"],
        )
