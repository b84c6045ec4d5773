"""Names for the targets of evidence: whose account, which app, which connection."""

from collections.abc import Iterable
from contextlib import suppress

from lantern.domain import ids
from lantern.domain.errors import NotFoundError
from lantern.domain.playbooks.machine import PlaybookRun
from lantern.services import queries_people
from lantern.store.tenant import TenantStore

_BATCH = 100


def names_of(
    store: TenantStore, target_ids: Iterable[str]
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Target id → account, app, and connection, as far as they are known."""
    pairs = {one: _parts(store, one) for one in target_ids}
    connections = {one.id: one for one in store.connections.list()}
    apps = {row.app_id: row.name for row in store.apps.summary()}
    wanted = sorted({pid for pid, _, _ in pairs.values() if pid})
    people: dict[str, tuple[str, str]] = {}
    for cid in connections:
        for first in range(0, len(wanted), _BATCH):
            found = store.bundles.batch_get(cid, wanted[first : first + _BATCH])
            people |= {
                pid: (one.principal.email or one.principal.name or pid, cid) for pid, one in found.items()
            }
    accounts, named, at = {}, {}, {}
    for target_id, (pid, app, cid) in pairs.items():
        who = people.get(pid)
        if who:
            accounts[target_id] = who[0]
        if app:
            named[target_id] = apps.get(app, app)
        where = connections.get(cid or (who[1] if who else ""))
        if where:
            at[target_id] = f"{where.name} ({where.provider})"
    return accounts, named, at


def who(store: TenantStore, actor: str | None) -> str:
    """An actor as people call it: keys with the name somebody gave them, beside the id that the log has."""
    kind, _, key_id = (actor or "").partition(":")
    info = store.keys.get(key_id) if kind == "key" else None
    return f"{info.name} ({actor})" if info is not None else actor or ""


def subject(store: TenantStore, run: PlaybookRun) -> str:
    """What a run is about, with the name of the person or the app beside its id."""
    named, given = run.about.words(), ""
    if run.about.person_id:
        with suppress(NotFoundError):
            accounts = queries_people.accounts(store, run.about.person_id)
            given = next((one.principal.email for one in accounts if one.principal.email), None) or ""
    elif run.about.app_id:
        given = next((row.name for row in store.apps.summary() if row.app_id == run.about.app_id), "")
    elif run.about.finding_id:
        finding = store.findings.get(run.about.finding_id)
        given = finding.title if finding is not None else ""
    return f"{given} ({named})" if given else named


def _parts(store: TenantStore, target_id: str) -> tuple[str, str, str]:
    """Account, app and connection of a target id; an asset is called by its own name."""
    if (pair := ids.split_grant_id(target_id)) is not None:
        return pair[0], pair[1], ""
    if target_id.startswith("pri_"):
        return target_id, "", ""
    if "@" in target_id:
        app, _, cid = target_id.partition("@")
        return "", app, cid
    stored = store.assets.get(target_id)
    if stored is None:
        return "", "", ""
    return stored.asset.owner or "", stored.asset.name, stored.asset.connection_id
