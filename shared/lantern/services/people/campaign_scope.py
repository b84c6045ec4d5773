"""Which grants a review is about, and who decides on each."""

from collections.abc import Iterator
from functools import cached_property

from lantern.domain import ids, requests
from lantern.domain.apps import AppSummary
from lantern.domain.campaigns import Campaign, CampaignItem
from lantern.domain.inventory import Bundle, Grant
from lantern.domain.scopes import DataClass
from lantern.services.people.explain import Classes
from lantern.services.people.managers import Managers
from lantern.services.people.reaching import living
from lantern.store.tenant import TenantStore


def found(store: TenantStore, scopes: Classes, campaign: Campaign) -> Iterator[CampaignItem]:
    """The grants that a review is about, each with its reviewers; all bundles are read."""
    rows = {row.app_id: row for row in store.apps.summary()}
    chosen, reached = _Reviewers(store, campaign), _Reached(store, scopes)
    scope = campaign.scope
    for connection in store.connections.list():
        if connection.leaving or connection.kind == "import":
            continue
        for bundle in store.bundles.all(connection.id):
            person = bundle.principal.person_id
            boss = chosen.managers.of(person).person_id if scope.manager_ids else None
            for grant in bundle.grants or ():
                row = rows.get(grant.app_id)
                data = reached.of(connection.provider, grant.scope_set) if scope.data_classes else ()
                if scope.holds(bundle, grant, row.product_id if row else None, data, boss):
                    yield _item(campaign, bundle, grant, chosen.of(person, row))


def _item(campaign: Campaign, bundle: Bundle, grant: Grant, reviewers: tuple[str, ...]) -> CampaignItem:
    principal = bundle.principal
    return CampaignItem(
        id=ids.grant_id(principal.id, grant.app_id),
        campaign_id=campaign.id,
        connection_id=principal.connection_id,
        principal_id=principal.id,
        person_id=principal.person_id,
        app_id=grant.app_id,
        scope_set=grant.scope_set,
        reviewers=reviewers,
    )


class _Reviewers:
    """Who decides on somebody's access to a tool; never that person, never a leaver.

    The owner or the manager where that is asked for and there is one; else the named reviewers; else those
    whom the tenant named for what nobody decides.
    """

    def __init__(self, store: TenantStore, campaign: Campaign) -> None:
        self._store, self._campaign = store, campaign
        self._policy = store.guidance.get()
        self._here: dict[str, bool] = {}

    @cached_property
    def managers(self) -> Managers:
        """Everybody's manager, read once and only where it is asked for."""
        return Managers(self._store)

    def of(self, person_id: str, row: AppSummary | None) -> tuple[str, ...]:
        """Who decides."""
        campaign = self._campaign
        first: str | None = None
        if campaign.review_by == "owner":
            first = requests.owner_of(self._policy.owners, row)
        elif campaign.review_by == "manager":
            first = self.managers.of(person_id).works_here
        tiers = ((first,) if first else (), campaign.reviewers, self._policy.escalate_to)
        for tier in tiers:
            chosen = tuple(one for one in tier if one != person_id and self._works_here(one))
            if chosen:
                return chosen
        return ()

    def _works_here(self, person_id: str) -> bool:
        if person_id not in self._here:
            self._here[person_id] = bool(living(self._store, person_id))
        return self._here[person_id]


class _Reached:
    """Kinds of data that scope sets reach, each set read once."""

    def __init__(self, store: TenantStore, scopes: Classes) -> None:
        self._store, self._scopes = store, scopes
        self._known: dict[str, frozenset[DataClass]] = {}

    def of(self, provider: str, scope_set: str) -> frozenset[DataClass]:
        if scope_set not in self._known:
            held = self._store.apps.scope_sets([scope_set]).get(scope_set, frozenset())
            classes = (self._scopes.classify(provider, scope).data_class for scope in held)
            self._known[scope_set] = frozenset(one for one in classes if one)
        return self._known[scope_set]
