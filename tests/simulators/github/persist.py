"""Keeps the simulated GitHub over a restart, as one JSON file that is replaced as a whole."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .model import App, Credential, Installation, Org, Pat, Seat, User

if TYPE_CHECKING:
    from .simulator import GithubSimulator

VERSION = 1


class Keeper:
    """Writes and reads the state file of one simulator. Tokens die with the process, as if they expired."""

    def __init__(self, simulator: "GithubSimulator", path: Path) -> None:
        self._sim = simulator
        self._path = path

    def save(self) -> None:
        """Write everything."""
        world = self._sim.world
        with world.lock:
            kept = {
                "version": VERSION,
                "key": self._sim.signer.key and self._sim.signer.pem(),
                "numbers": world.number(),
                "people": [asdict(one) for one in world.people.values()],
                "apps": [asdict(one) for one in world.apps.values()],
                "orgs": [asdict(one) for one in world.orgs.values()],
                "installations": [asdict(one) for one in world.installations.values()],
                "changes": world.changes,
                "hook": {"address": world.hooks.address, "secret": world.hooks.secret},
                "sent": world.hooks.sent,
            }
        draft = self._path.with_suffix(".tmp")
        draft.write_text(json.dumps(kept), "utf-8")
        os.replace(draft, self._path)  # noqa: PTH105 - atomic by intent

    def load(self) -> None:
        """Take up what was kept, if anything was."""
        if not self._path.exists():
            return
        kept = json.loads(self._path.read_text("utf-8"))
        if kept.get("version") != VERSION:
            return
        world = self._sim.world
        self._sim.signer.load(kept["key"])
        world.count_from(kept["numbers"])
        world.people = {row["id"]: User(**row) for row in kept["people"]}
        world.apps = {row["id"]: App(**row) for row in kept["apps"]}
        world.apps[world.ours.id] = world.ours
        world.orgs = {row["id"]: _org(row) for row in kept["orgs"]}
        world.installations = {row["id"]: Installation(**row) for row in kept["installations"]}
        world.changes = kept["changes"]
        world.hooks.address, world.hooks.secret = kept["hook"]["address"], kept["hook"]["secret"]
        world.hooks.sent = kept["sent"]


def _org(row: dict[str, Any]) -> Org:
    return Org(
        **{
            **row,
            "members": {int(k): v for k, v in row["members"].items()},
            "seats": {int(k): Seat(**v) for k, v in row["seats"].items()},
            "credentials": {int(k): Credential(**v) for k, v in row["credentials"].items()},
            "pats": {int(k): Pat(**v) for k, v in row["pats"].items()},
        }
    )
