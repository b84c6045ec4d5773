"""Keeps the simulated Slack over a restart, as one JSON file that is replaced as a whole."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from .model import (
    App,
    Ask,
    Change,
    Function,
    Install,
    McpServer,
    Member,
    Policy,
    SlackClient,
    Team,
    Token,
    Workflow,
)
from .oauth import Tokens
from .world import World

VERSION = 1


@dataclass(slots=True)
class Kept:
    """Everything that outlives the process."""

    version: int
    plan: str
    name: str
    enterprise_id: str
    teams: list[Team]
    members: list[Member]
    apps: list[App]
    installs: list[Install]
    policies: list[Policy]
    asks: list[Ask]
    mcp: list[McpServer]
    workflows: list[Workflow]
    functions: list[Function]
    log: list[dict[str, Any]]
    audit: list[dict[str, Any]]
    changes: list[Change]
    ended: set[str]
    clients: list[SlackClient] = field(default_factory=list)
    access: list[Token] = field(default_factory=list)


def save(path: Path, world: World, tokens: Tokens) -> None:
    """Replace the file."""
    with world.lock:
        kept = Kept(
            version=VERSION,
            **{name: getattr(world, name) for name in ("plan", "name", "enterprise_id", "ended")},
            **{
                name: list(getattr(world, name).values())
                for name in ("teams", "members", "apps", "installs", "mcp")
            },
            **{
                name: list(getattr(world, name))
                for name in ("policies", "asks", "workflows", "functions", "log", "audit", "changes")
            },
            clients=list(tokens.clients.values()),
            access=list(tokens.access.values()),
        )
        raw = msgspec.json.encode(kept)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(raw)
    draft.replace(path)


def restore(path: Path, world: World, tokens: Tokens) -> bool:
    """Put what was kept into an empty world; False where nothing of this version was."""
    if not path.exists():
        return False
    kept = msgspec.json.decode(path.read_bytes(), type=Kept)
    if kept.version != VERSION:
        return False
    for name in ("plan", "name", "enterprise_id", "ended"):
        setattr(world, name, getattr(kept, name))
    for name in ("policies", "asks", "workflows", "functions", "log", "audit", "changes"):
        setattr(world, name, getattr(kept, name))
    for name in ("teams", "members", "apps", "mcp"):
        setattr(world, name, {one.id: one for one in getattr(kept, name)})
    world.installs = {(one.team, one.app, one.user): one for one in kept.installs}
    tokens.clients = {one.client_id: one for one in kept.clients}
    tokens.access = {one.value: one for one in kept.access}
    return True
