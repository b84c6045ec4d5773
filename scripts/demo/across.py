"""What only several connections together tell: one vendor and one person everywhere, who left and stayed."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from scripts.demo.api import Api
from scripts.demo.story import Inventory, Row
from scripts.demo.waiting import DemoFailedError, Patience
from scripts.instance.progress import Progress

JOIN_DEADLINE_S: Final = 240
_GONE: Final = frozenset({"suspended", "archived", "deleted"})
_CALM_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Across:
    """What was found over all connections.

    `vendor` is a blast radius; `person` somebody who left and has the most open accounts; `leavers` are all
    who left and have an open account anywhere (names); `titles` is connection id → provider as people say.
    """

    vendor: Row
    person: Row
    leavers: tuple[str, ...]
    titles: dict[str, str]


def look(api: Api, found: Inventory, progress: Progress) -> Across:
    """Find the AI vendor at most connections, and the people who left with accounts that are still open."""
    titles = {one.connection_id: one.title for one in found.readings}
    with progress.step("one vendor and one person across all connections") as report:
        patience = Patience(report)
        vendor_id, everywhere = _widest(api, found.ai_apps)
        vendor = patience.until(
            "the vendor's record over its connections", JOIN_DEADLINE_S,
            lambda: _radius(api, vendor_id, everywhere), pause_s=_CALM_S,
        )  # fmt: skip
        open_ = patience.until(
            "accounts of people who left", JOIN_DEADLINE_S, lambda: _leavers(api, titles), pause_s=_CALM_S
        )
    return Across(vendor, open_[0], tuple(str(one["email"]) for one in open_), titles)


def _widest(api: Api, ai_apps: Iterable[Row]) -> tuple[str, set[str]]:
    """The AI vendor whose apps are at most connections, of those the one with most holders."""
    reached: dict[str, set[str]] = defaultdict(set)
    holders: dict[str, int] = defaultdict(int)
    example: dict[str, Any] = {}
    for app in ai_apps:
        name = app["vendor"]
        if name and not app["lookalike_of"]:
            reached[name].update(app["connections"])
            holders[name] += app["holders"]
            example[name] = app["id"]
    if not reached:
        raise DemoFailedError("no AI app names its vendor")
    widest = max(reached, key=lambda name: (len(reached[name]), holders[name], name))
    return str(api.get(f"/v1/apps/{example[widest]}")["vendor_id"]), reached[widest]


def _radius(api: Api, vendor_id: str, everywhere: set[str]) -> tuple[Row | None, str]:
    record = api.get(f"/v1/vendors/{vendor_id}/blast-radius")
    there = {part["connection_id"] for part in record["connections"]}
    whole = record["complete"] and everywhere <= there
    return (record if whole else None), f"{len(there)} of {len(everywhere)} connections"


def _leavers(api: Api, titles: dict[str, str]) -> tuple[list[Row] | None, str]:
    """People who left by the directory's word and have open accounts, most of them first."""
    statuses: dict[str, set[str]] = defaultdict(set)
    for connection in titles:
        for account in api.all("/v1/principals", connection_id=connection):
            statuses[account["person_id"]].add(account["status"])
    mixed = [person for person, held in statuses.items() if "active" in held and held & _GONE]
    people = [person for one in mixed if (person := api.get(f"/v1/persons/{one}"))["departed"]]
    people.sort(key=lambda person: (-len(_open(person)), person["email"]))
    return (people or None), f"{len(people)} people who left have open accounts"


def _open(person: Row) -> list[Row]:
    return [account for account in person["accounts"] if account["status"] == "active"]
