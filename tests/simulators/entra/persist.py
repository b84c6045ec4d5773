"""Keeps the simulated Microsoft over a restart: one JSON file, replaced as a whole soon after each change."""

import json
import os
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .model import Tenant
from .tokens import Access

if TYPE_CHECKING:
    from .simulator import EntraSimulator

SETTLE_S = 0.3
VERSION = 1


class Keeper:
    """Writes and reads the state file of one simulator."""

    def __init__(self, simulator: "EntraSimulator", path: Path) -> None:
        self._sim = simulator
        self._path = path
        self._dirty = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def load(self) -> dict[str, Any] | None:
        """The kept state; None when there is none of this version."""
        if not self._path.exists():
            return None
        kept = json.loads(self._path.read_text("utf-8"))
        return kept if kept.get("version") == VERSION else None

    def touched(self) -> None:
        """Something changed: write soon."""
        self._dirty.set()

    def start(self) -> None:
        """Write in the background."""
        self._thread = threading.Thread(target=self._work, name="keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write once more and end."""
        self._ended.set()
        self._dirty.set()
        if self._thread is not None:
            self._thread.join()
        self.save()

    def _work(self) -> None:
        while not self._ended.is_set():
            self._dirty.wait()
            self._ended.wait(SETTLE_S)
            self._dirty.clear()
            if not self._ended.is_set():
                self.save()

    def save(self) -> None:
        """Replace the file."""
        sim = self._sim
        with sim.world.lock:
            text = json.dumps(
                {
                    "version": VERSION,
                    "tenants": [asdict(tenant) for tenant in sim.world.tenants.values()],
                    "access": {
                        t: {**asdict(e), "roles": sorted(e.roles)} for t, e in sim.tokens.access.items()
                    },
                    "key": sim.tokens.signer.pem(),
                }
            )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".tmp")
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
        draft.replace(self._path)

    def restore(self, kept: dict[str, Any]) -> None:
        """Take up the kept state."""
        for row in kept["tenants"]:
            tenant = Tenant(**{**row, "log": [tuple(entry) for entry in row["log"]]})
            self._sim.world.tenants[tenant.id] = tenant
        for token, entry in kept["access"].items():
            self._sim.tokens.access[token] = Access(**{**entry, "roles": frozenset(entry["roles"])})
        self._sim.tokens.signer.load(kept["key"])
