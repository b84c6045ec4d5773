"""What a tool can access of somebody's, in that person's own words."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from lantern.domain.inventory import App, Bundle, Grant
from lantern.domain.nudges import Nudge
from lantern.domain.rules.titles import clean
from lantern.domain.scopes import ScopeClass, severity_rank
from lantern.services.people import wording
from lantern.store.tenant import TenantStore

SENTENCES: Final = 5
NAME: Final = 60
_BROUGHT: Final = frozenset({"visit", "use", "password", "mail"})
"""Sources of grants that give no access to data: what a tool knows there, the person brought."""


class Classes(Protocol):
    """What scopes reach (`lantern.services.scopes.Scopes`)."""

    def classify(self, provider: str, scope: str) -> ScopeClass:
        """What one scope reaches."""
        ...


@dataclass(frozen=True, slots=True)
class Explained:
    """A tool and what it can do, the gravest first; `more` counts what was left out. Names are one line."""

    name: str
    publisher: str | None
    sentences: tuple[str, ...]
    more: int = 0


def explain(
    store: TenantStore, scopes: Classes, bundle: Bundle | None, app_id: str, *, to_others: bool = False
) -> Explained:
    """Say what an app can access of an account's; an app nobody knows is named "a tool"."""
    app = store.apps.get_facts(app_id) if app_id else None
    grant = bundle.grant(app_id) if bundle else None
    if app is None:
        return Explained("a tool", None, (wording.NO_ACCESS_KNOWN,))
    sets = store.apps.scope_sets([grant.scope_set]) if grant else {}
    held = sets.get(grant.scope_set) if grant else None
    return explained(scopes, app, grant, held, to_others=to_others)


def other_of(store: TenantStore, nudge: Nudge) -> str:
    """The name of the tool that somebody is asked to use instead."""
    app = store.apps.get_facts(nudge.alternative) if nudge.alternative else None
    return (clean(app.name, NAME) if app else "") or "an approved tool"


def explained(
    scopes: Classes,
    app: App,
    grant: Grant | None,
    held: Iterable[str] | None,
    *,
    to_others: bool = False,
) -> Explained:
    """As `explain`, of what was read already; `held` None where it is not known what the app may do.

    `to_others`: it is not the bearer of the account who reads it.
    """
    publisher = clean(app.publisher, NAME) if app.publisher and app.verified_publisher else None
    name = clean(app.name, NAME) or "a tool without a name"
    if grant is not None and grant.source in _BROUGHT:
        return Explained(name, publisher, (wording.NOTHING_OF_OTHERS if to_others else wording.NOTHING,))
    if held is None:
        return Explained(name, publisher, (wording.NO_ACCESS_KNOWN,))
    classes = sorted(
        (scopes.classify(app.provider, scope) for scope in set(held)),
        key=lambda one: (-severity_rank(one.severity), one.sentence),
    )
    if all(one.data_class == "identity" for one in classes):
        return Explained(name, publisher, (wording.SIGN_IN_OF_OTHERS if to_others else wording.SIGN_IN,))
    sentences = (one.sentence for one in classes if one.data_class != "identity")
    said = tuple(dict.fromkeys(one if to_others else to_holder(one) for one in sentences))
    return Explained(name, publisher, said[:SENTENCES], max(0, len(said) - SENTENCES))


def to_holder(sentence: str) -> str:
    """A sentence about a person, said to that person."""
    return sentence.replace("the person's", "your").replace("the person", "you")
