"""Somebody for a part: people who work here, by the accounts that the API says are theirs."""

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from scripts.demo.api import Api
from scripts.demo.story import Inventory
from scripts.demo.waiting import DemoFailedError

Row = dict[str, Any]
_NEEDED: Final = ("google", "slack")


def account(person: Row, provider: str) -> Row | None:
    """The account of a person at a provider that is in use."""
    return next(
        (a for a in person["accounts"] if a["provider"] == provider and a["status"] == "active"), None
    )


def staff(api: Api, found: Inventory) -> Iterator[Row]:
    """Employees who use Google Workspace and Slack and administer nothing, in a stable order."""
    slack = next(one.connection_id for one in found.readings if one.provider == "slack")
    rows = sorted(api.all("/v1/principals", connection_id=slack), key=lambda row: str(row["email"]))
    for row in rows:
        if row["status"] != "active" or row["kind"] != "user" or not row["email"]:
            continue
        person = api.get(f"/v1/persons/{row['person_id']}")
        usable = all(account(person, provider) for provider in _NEEDED)
        if usable and not person["departed"] and not person["privileged"]:
            yield person


def cast(people: Iterator[Row], what: str, fits: Callable[[Row], bool], besides: Collection[str] = ()) -> Row:
    """The first who fits and has no other part.

    Raises:
        DemoFailedError: nobody does.
    """
    for person in people:
        if person["id"] not in besides and fits(person):
            return person
    raise DemoFailedError(f"nobody in the demo organisation is {what}")
