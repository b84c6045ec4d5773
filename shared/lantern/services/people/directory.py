"""What an employee may see: their own AI tools, what they asked for, and what everybody may use."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lantern.domain.apps import AppSummary
from lantern.domain.exceptions import AccessException
from lantern.domain.rules.titles import clean
from lantern.services import queries_people
from lantern.services.people.explain import NAME, Classes, Explained, explained
from lantern.services.queries_people import Held
from lantern.store.tenant import TenantStore

MOST: Final = 100
AI: Final = frozenset({"ai", "embedded_ai"})
OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Mine:
    """One AI tool of a person: what it is, what it can do, and the person's exception where one holds."""

    held: Held
    row: AppSummary
    known: Explained
    allowed: AccessException | None


@dataclass(frozen=True, slots=True)
class Tools:
    """The AI tools of a person, by name; `left_out` counts those beyond `MOST`."""

    accounts: int
    mine: tuple[Mine, ...]
    left_out: int


def tools_of(store: TenantStore, scopes: Classes, person_id: str, now: datetime) -> Tools:
    """The AI tools of a person over all accounts. Three requests.

    Raises:
        NotFoundError: nobody has this id.
    """
    found = queries_people.person(store, person_id, now)
    chosen = [(one, one.row) for one in found.held if one.row is not None and one.row.verdict in AI]
    chosen.sort(key=lambda pair: (pair[1].name.casefold(), pair[1].app_id))
    shown = chosen[:MOST]
    around = store.joined.tools(
        person_id, {row.app_id for _, row in shown}, {one.grant.scope_set for one, _ in shown}
    )
    mine = []
    for one, row in shown:
        app = around.apps.get(row.app_id)
        if app is not None:
            known = explained(scopes, app, one.grant, around.scope_sets.get(one.grant.scope_set))
            allowed = around.allowed.get(row.app_id)
            mine.append(Mine(one, row, known, allowed if allowed and allowed.holds(now) else None))
    return Tools(len(found.accounts), tuple(mine), len(chosen) - len(shown))


def approved(rows: Iterable[AppSummary]) -> tuple[tuple[str, tuple[AppSummary, ...]], ...]:
    """What everybody may use, by category: one app a product, both in the order of their names."""
    products: dict[str, AppSummary] = {}
    for row in sorted(rows, key=lambda one: one.app_id):
        if row.status == "approved":
            products.setdefault(row.product_id or row.app_id, row)
    categories = sorted({row.category or OTHER for row in products.values()})
    return tuple(
        (
            category,
            tuple(
                sorted(
                    (row for row in products.values() if (row.category or OTHER) == category),
                    key=lambda one: (shown(one).casefold(), one.app_id),
                )
            ),
        )
        for category in categories
    )


def label(category: str) -> str:
    """A category in words: `ai_meeting` is "AI meeting"."""
    first, *others = category.split("_")
    return " ".join((first.upper() if first == "ai" else first.capitalize(), *others))


def shown(row: AppSummary) -> str:
    """The name of a tool for people: the product's where it is known, on one clean line."""
    return clean(row.product or row.name, NAME) or "a tool without a name"
