"""Keeps the simulated Google over a restart, as one JSON file.

Generated content is not written: the specs make it again. What changed since is: people, grants, stored
activities, tokens, consents, channels, clients and the signing key. The file is replaced as a whole, soon
after each change and at the end.
"""

import json
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .activity import Entry
from .extras import Extras
from .model import App, Grant, OAuthClient, User
from .organisation import Organisation, OrgSpec
from .push import Channel
from .tokens import AccessToken, RefreshToken, Subject

if TYPE_CHECKING:
    from .simulator import GoogleSimulator

SETTLE_S = 0.3
VERSION = 2
USER_FIELDS = ("email", "is_admin", "last_login_at", "suspended_at", "archived_at", "deleted_at")


class Keeper:
    """Writes and reads the state file of one simulator."""

    def __init__(self, simulator: "GoogleSimulator", path: Path) -> None:
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

    @staticmethod
    def specs(kept: dict[str, Any]) -> Iterable[OrgSpec]:
        """What the kept organisations are generated from."""
        return [OrgSpec(**org["spec"]) for org in kept["orgs"]]

    def on_activity(self, *_: Any) -> None:
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
                    "orgs": [_org(org) for org in sim.world.orgs.values()],
                    "consumers": sim.world.consumers,
                    "clients": [asdict(client) for client in sim.tokens.clients.values()],
                    "refresh": {token: asdict(entry) for token, entry in sim.tokens.refresh.items()},
                    "access": {
                        t: {**asdict(e), "scopes": sorted(e.scopes)} for t, e in sim.tokens.access.items()
                    },
                    "consented": sorted(sim.tokens.consented),
                    "channels": [asdict(channel) for channel in sim.pusher.channels.values()],
                    "key": sim.signer.pem(),
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
        """Put the kept changes back onto the generated organisations."""
        sim = self._sim
        for org_state in kept["orgs"]:
            _restore_org(sim.world.orgs[org_state["customer_id"]], org_state)
        sim.world.consumers.update(kept["consumers"])
        for client in kept["clients"]:
            client["redirect_uris"] = tuple(client["redirect_uris"])
            sim.tokens.clients[client["client_id"]] = OAuthClient(**client)
        for token, entry in kept["refresh"].items():
            subject = Subject(**entry["subject"])
            sim.tokens.refresh[token] = RefreshToken(subject, entry["client_id"], tuple(entry["scopes"]))
        for token, entry in kept["access"].items():
            subject = Subject(**entry.pop("subject"))
            scopes = frozenset(entry.pop("scopes"))
            sim.tokens.access[token] = AccessToken(subject, scopes=scopes, **entry)
        sim.tokens.consented = {(user, client) for user, client in kept["consented"]}
        for channel in kept["channels"]:
            channel["owner"] = tuple(channel["owner"])
            sim.pusher.channels[channel["id"]] = Channel(**channel)
        sim.signer.load(kept["key"])


def _org(org: Organisation) -> dict[str, Any]:
    generated = {app.client_id for app in org.grants.apps}
    return {
        "spec": {**asdict(org.spec), "customer_id": org.customer_id},
        "customer_id": org.customer_id,
        "domain": org.domain,
        "hired": [{**asdict(u), "privileges": sorted(u.privileges)} for u in org.users if u.index < 0],
        "people": {
            u.id: {**{name: getattr(u, name) for name in USER_FIELDS}, "privileges": sorted(u.privileges)}
            for u in org.users
            if u.index >= 0
        },
        "apps": [asdict(app) for app in org.app_list if app.client_id not in generated],
        "grants": {user: [asdict(g) for g in held.values()] for user, held in org.grants.changed.items()},
        "ended": {str(flat): at for flat, at in org.grants.ended.items()},
        "extras": org.extras.dump(),
        "stored": [entry._asdict() for entries in org.log.stored.values() for entry in entries],
    }


def _restore_org(org: Organisation, kept: dict[str, Any]) -> None:
    org.domain = kept["domain"]
    org.extras = Extras.load(kept["extras"])
    for fields in kept["hired"]:
        org.add_user(User(**{**fields, "privileges": frozenset(fields["privileges"])}))
    for user_id, fields in kept["people"].items():
        user = org.by_id[user_id]
        for name in USER_FIELDS:
            setattr(user, name, fields[name])
        user.privileges = frozenset(fields["privileges"])
    org.by_email = {user.email: user for user in org.users}
    for app in kept["apps"]:
        org.add_app(App(**{**app, "scope_sets": tuple(tuple(s) for s in app["scope_sets"])}))
    for user_id, held in kept["grants"].items():
        grants = [Grant(**{**grant, "scopes": tuple(grant["scopes"])}) for grant in held]
        org.grants.changed[user_id] = {grant.client_id: grant for grant in grants}
    org.grants.ended.update({int(flat): at for flat, at in kept["ended"].items()})
    org.log.stored.clear()
    for entry in kept["stored"]:
        org.log.keep(Entry(**entry))
    org.log.resume(len(kept["stored"]))
