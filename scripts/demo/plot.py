"""The story after discovery: an over-scoped app, a leaver, an incident of a vendor, with evidence of each."""

from dataclasses import dataclass
from pathlib import Path

from scripts.demo import alarms, evidence, incident, leaving, overscoped, people, runs
from scripts.demo.across import Across
from scripts.demo.alarms import Watch
from scripts.demo.api import Api
from scripts.demo.evidence import Evidence
from scripts.demo.receiver import Receiver
from scripts.demo.story import Inventory
from scripts.demo.waiting import DemoFailedError
from scripts.instance.instance import Instance
from scripts.instance.progress import Progress


@dataclass(frozen=True, slots=True)
class Plot:
    """All three parts, the evidence of each in the same order, and what was told to people and systems.

    `messages` are those to the security officer, `events` signed webhooks that verified.
    """

    app: overscoped.Story
    leaver: leaving.Story
    vendor: incident.Story
    evidence: tuple[Evidence, ...]
    messages: int
    events: int


def play(
    instance: Instance,
    api: Api,
    found: Inventory,
    joined: Across,
    receiver: Receiver,
    directory: Path,
    progress: Progress,
) -> Plot:
    """Play all parts, one after the other.

    Raises:
        DemoFailedError: a part did not come to its end, or a webhook did not verify.
    """
    google, slack = instance.simulators["google"], instance.simulators["slack"]
    watch = alarms.watch(api, found, slack, receiver, progress)
    second, staff = runs.colleague(api), people.staff(api, found)
    holder = people.cast(staff, "free for the first part", lambda _person: True)
    leaver = people.cast(staff, "at work everywhere", leaving.fits, (holder["id"],))
    app = overscoped.play(api, holder, google, slack, watch, progress)
    left = leaving.play(api, second, leaver, google, joined.titles, progress)
    vendor = incident.play(api, second, incident.choose(api, found.ai_apps), slack, joined.titles, progress)
    with progress.step("evidence of all three, as pages and as data"):
        written = (
            evidence.write(api, directory, "playbook-run", app.run["id"], "1-over-scoped-app"),
            evidence.write(api, directory, "offboarding", left.run["id"], "2-leaver"),
            evidence.write(api, directory, "incident", vendor.incident["id"], "3-vendor-incident"),
        )
    return Plot(app, left, vendor, written, *_told(watch))


def _told(watch: Watch) -> tuple[int, int]:
    """Messages to the officer, and events to systems.

    Raises:
        DemoFailedError: something came to the receiver that Lantern did not sign.
    """
    if forged := watch.receiver.forged():
        raise DemoFailedError(f"{forged} webhooks have a wrong signature")
    return len(watch.told()), len(watch.receiver.events())
