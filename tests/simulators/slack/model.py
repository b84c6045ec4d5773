"""What exists in a Slack organisation, as the simulator knows it. Times are epoch seconds."""

import hashlib
from dataclasses import dataclass, field


def identifier(prefix: str, *parts: object) -> str:
    """A Slack id: a letter and ten capitals or digits, the same for the same parts."""
    raw = hashlib.blake2b(
        "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=10
    ).digest()
    return prefix + "".join("0123456789ABCDEFGHIJKLMNOPQRSTUV"[b % 32] for b in raw)


@dataclass(slots=True)
class Member:
    """An account; `api_app_id` is the app whose bot it is."""

    id: str
    name: str
    real_name: str
    email: str
    teams: set[str]
    admin: bool = False
    owner: bool = False
    primary: bool = False
    org_admin: bool = False
    org_owner: bool = False
    guest: str = ""
    deleted: bool = False
    api_app_id: str = ""
    updated: float = 0.0

    @property
    def bot(self) -> bool:
        """Whether it is no person."""
        return bool(self.api_app_id) or self.id == "USLACKBOT"


@dataclass(slots=True)
class Team:
    """A workspace."""

    id: str
    name: str
    domain: str


@dataclass(slots=True)
class App:
    """An app as its maker registered it; with `bot_scopes` it has a bot."""

    id: str
    name: str
    bot_scopes: tuple[str, ...]
    user_scopes: tuple[str, ...] = ()
    homepage: str = ""
    internal: bool = False
    listed: bool = True
    certified: bool = False

    @property
    def scopes(self) -> tuple[str, ...]:
        """Everything it asks for."""
        return (*self.bot_scopes, *self.user_scopes)


@dataclass(slots=True)
class Install:
    """One person's installation of an app on a workspace (empty team: the organisation)."""

    team: str
    app: str
    user: str
    scopes: set[str]
    at: float


@dataclass(slots=True)
class Policy:
    """A decision on an app at a place."""

    policy: str
    app: str
    place: str
    by: str
    at: float


@dataclass(slots=True)
class Ask:
    """A member's request for an app."""

    id: str
    app: str
    team: str
    user: str
    message: str
    at: float


@dataclass(slots=True)
class McpServer:
    """An MCP server of an app, on the organisation's list."""

    id: str
    app: str
    name: str
    url: str
    allowed: str = "everyone"
    users: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Workflow:
    """A published workflow; `steps` are function ids."""

    id: str
    title: str
    by: str
    steps: list[str]
    at: float


@dataclass(slots=True)
class Function:
    """A step that an app offers to workflows."""

    id: str
    app: str
    title: str


@dataclass(slots=True, frozen=True)
class SlackClient:
    """The product's own app."""

    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...]
    signing_secret: str = "8f742231b10e8888abcd99yyyzzz85a5"
    app_id: str = "A0LANTERN00"
    name: str = "Lantern"


@dataclass(slots=True)
class Token:
    """A token of the product's app. `team` empty: of the whole organisation."""

    value: str
    kind: str
    team: str
    user: str
    scopes: set[str]
    client_id: str
    revoked: bool = False


@dataclass(slots=True)
class Change:
    """One change of what is installed, for oracles in tests."""

    at: float
    what: str
    app: str
    user: str
