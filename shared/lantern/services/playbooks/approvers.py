"""Who is asked to approve a run about one person: the manager, else the tool's owner, else named people.

What touches more than one person, or everybody, is approved with a key alone.
"""

from collections.abc import Iterable
from datetime import datetime

from lantern.domain.messages import Button, Message, Section
from lantern.domain.person_links import marker
from lantern.domain.playbooks.machine import PlaybookRun, RunTarget
from lantern.services.actors import behind
from lantern.services.people import wording
from lantern.services.people.escalating import contacts
from lantern.services.people.reaching import Told, name_of, tell
from lantern.services.remediation.targets import locate
from lantern.store.tenant import TenantStore

_MOST_ACCOUNTS = 20


def person_of(store: TenantStore, targets: Iterable[RunTarget]) -> str | None:
    """The one person whom all targets are about; None where that is nobody, several, or everybody."""
    some = tuple(targets)
    accounts = {one.principal_id for one in some}
    if any(one.everyone for one in some) or "" in accounts or not 0 < len(accounts) <= _MOST_ACCOUNTS:
        return None
    connections = store.connections.list()
    found = [locate(connections, store, one) for one in sorted(accounts)]
    if any(one is None or one[1].principal.kind != "user" for one in found):
        return None
    persons = {one[1].principal.person_id for one in found if one is not None}
    return persons.pop() if len(persons) == 1 else None


def to_approvers(
    store: TenantStore, run: PlaybookRun, targets: Iterable[RunTarget], now: datetime
) -> tuple[Told, ...]:
    """What those read who may approve; nothing where a key must, or where nobody can be reached."""
    some = tuple(targets)
    person = person_of(store, some)
    if person is None:
        return ()
    apps = {one.app_id for one in some if one.app_id}
    app_id = apps.pop() if len(apps) == 1 else None
    # Whoever asked for it could not approve it: then the next in line is told.
    asked = behind(store, [run.requested_by, *run.behind])
    found = contacts(store, store.guidance.get(), person, app_id, besides=asked)
    who = name_of(store, person)
    facts = [("Who", who), ("What for", run.reason or run.book.about), ("Targets", str(len(some)))]
    return tuple(
        tell(
            store,
            way,
            Message(
                purpose="playbook",
                title=wording.APPROVE.format(title=run.book.title, who=who),
                text=wording.NOTHING_YET,
                sections=(Section(facts=tuple(facts)),),
                buttons=(Button(wording.DECIDE, url=marker("run", run.id, one), style="primary"),),
                footer=wording.BECAUSE[found.role],
            ),
            now,
            run.id,
            number=number,
        )
        for number, (one, way) in enumerate(found.people)
    )
