"""The page of a reviewer, `/review/{token}`: the grants that wait for this one person, decided in bulk.

As the page of a question, opening it changes nothing. It shows and takes decisions on nothing but what the
person behind the address was named for, and never on that person's own access.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, cast, get_args

from lantern.domain import campaigns as rules
from lantern.domain import consent
from lantern.domain.campaigns import Campaign, CampaignItem, Decision
from lantern.domain.errors import ConflictError, NotFoundError
from lantern.domain.inventory import App, Bundle
from lantern.services import pages
from lantern.services.pages import Page
from lantern.services.people import campaigns
from lantern.services.people.campaigns import Ruling
from lantern.services.people.days import day
from lantern.services.people.explain import Explained, explained
from lantern.services.people.page import NoPageError, PeoplePages, Visit, enter, entered, fresh, guarded
from lantern.services.people.reaching import called
from lantern.services.web import WebRequest
from lantern.store.tenant import TenantStore

PAGE: Final = 20
"""Grants on one page: what a person can look at without giving up."""
FIELD: Final = "d-"
_MOST_FIELDS: Final = PAGE + 10
_MOST_PAGES: Final = 1_000


def review(tools: PeoplePages, request: WebRequest, method: str) -> Page:
    """The page of a reviewer, or what became of decisions."""
    token = request.parameters.get("token", "")
    again = f"{tools.site.base_url}/review/{token}" if consent.read_link_token(token) else ""

    def answer() -> Page:
        visit = enter(tools, request, "review")
        campaign = visit.store.campaigns.get(visit.link.subject_id or "")
        if campaign is None or campaign.state != "open" or tools.now() >= campaign.due:
            raise NoPageError("over")
        if method == "POST":
            fields = entered(tools, request, visit.token, _MOST_FIELDS)
            return _take(tools, request, visit, campaign, fields)
        return _show(tools, request, visit, campaign)

    return guarded(answer, request, again)


def _own(store: TenantStore, campaign: Campaign, person_id: str) -> list[CampaignItem]:
    """What a person decides on: named for it, and about somebody else."""
    return [
        one
        for one in store.campaigns.items(campaign.id)
        if person_id in one.reviewers and one.person_id != person_id
    ]


def _take(
    tools: PeoplePages, request: WebRequest, visit: Visit, campaign: Campaign, fields: Mapping[str, str]
) -> Page:
    store, person = visit.store, visit.link.person_id
    chosen = {name.removeprefix(FIELD): value for name, value in fields.items() if name.startswith(FIELD)}
    rest = fields.get("rest", "")
    known = store.campaigns.items_by_id(campaign.id, chosen)
    if any(bundle.principal.person_id == person for bundle in _bundles(store, known.values()).values()):
        # Somebody else's when the review began, and joined to this person since.
        raise NoPageError("own")
    rulings = []
    for item_id, value in sorted(chosen.items()):
        item, given = known.get(item_id), value if value in get_args(Decision) else rest
        if item is None or person not in item.reviewers or item.person_id == person:
            raise NoPageError("unknown")
        if given in get_args(Decision) and not (item.decision is not None and value == "later"):
            rulings.append(Ruling(item_id, cast("Decision", given), fields.get("reason", "")))
    if not rulings:
        problem = "Nothing was chosen, so nothing was saved."
        return _show(tools, request, visit, campaign, problem=problem)
    try:
        after = campaigns.decide(store, campaign.id, rulings, by=person, now=tools.now())
    except (ConflictError, NotFoundError):
        raise NoPageError("over" if _closed(store, campaign) else "failed") from None
    said = "1 decision saved." if len(rulings) == 1 else f"{len(rulings)} decisions saved."
    return _show(tools, request, visit, after, done=said)


def _closed(store: TenantStore, campaign: Campaign) -> bool:
    now_is = store.campaigns.get(campaign.id)
    return now_is is None or now_is.state != "open"


def _show(
    tools: PeoplePages,
    request: WebRequest,
    visit: Visit,
    campaign: Campaign,
    *,
    done: str = "",
    problem: str = "",
) -> Page:
    store = visit.store
    own = _own(store, campaign, visit.link.person_id)
    left = sum(one.decision is None for one in own)
    # What is decided comes last; a tool's grants stand together.
    own.sort(key=lambda one: (one.decision is not None, one.app_id, one.scope_set, one.id))
    count = max(1, -(-len(own) // PAGE))
    number = min(_page_number(request), count)
    cards = _cards(tools, store, own[(number - 1) * PAGE : number * PAGE])
    cookie, form_check = fresh(tools, request, visit.token)
    address = f"{tools.site.base_url}/review/{visit.token}"
    return pages.shown(
        "review.html",
        422 if problem else 200,
        form=True,
        cookie=cookie,
        title="Review access",
        organisation=visit.organisation,
        name=pages.inert(campaign.name, 120),
        done=done,
        problem=problem,
        total=len(own),
        left=left,
        due=day(campaign.due),
        silence=campaign.silence,
        groups=[list(group) for _, group in groupby(cards, key=lambda one: (one.decision != "", one.known))],
        open=any(not one.decision for one in cards),
        action=address,
        check=form_check,
        longest=rules.LONGEST,
        number=number,
        count=count,
        before=f"{address}?page={number - 1}" if number > 1 else "",
        after=f"{address}?page={number + 1}" if number < count else "",
    )


def _page_number(request: WebRequest) -> int:
    given = next(iter(request.query.get("page", ())), "1")
    ok = given.isascii() and given.isdigit() and len(given) <= 4
    return min(max(int(given), 1), _MOST_PAGES) if ok else 1


@dataclass(frozen=True, slots=True)
class Card:
    """One grant as a reviewer sees it; `held` False where the access is gone already."""

    id: str
    field: str
    who: str
    address: str
    known: Explained
    since: str
    held: bool
    decision: str


def _bundles(store: TenantStore, items: Collection[CampaignItem]) -> dict[str, Bundle]:
    """The accounts that hold some grants, by id."""
    found: dict[str, Bundle] = {}
    for connection in {one.connection_id for one in items}:
        some = {one.principal_id for one in items if one.connection_id == connection}
        found |= store.bundles.batch_get(connection, sorted(some))
    return found


def _cards(tools: PeoplePages, store: TenantStore, items: Sequence[CampaignItem]) -> list[Card]:
    """Everything that is shown of some grants: one request a connection, three for tools."""
    bundles = _bundles(store, items)
    apps = {one.app_id: store.apps.get_facts(one.app_id) for one in items}
    sets = store.apps.scope_sets({one.scope_set for one in items}) if items else {}
    return [_card(tools, one, bundles.get(one.principal_id), apps[one.app_id], sets) for one in items]


def _card(
    tools: PeoplePages,
    item: CampaignItem,
    bundle: Bundle | None,
    app: App | None,
    sets: Mapping[str, frozenset[str]],
) -> Card:
    grant = bundle.grant(item.app_id) if bundle else None
    known = (
        explained(tools.scopes, app, grant, sets.get(item.scope_set), to_others=True)
        if app
        else Explained("a tool without a name", None, ())
    )
    email = bundle.principal.email if bundle else None
    since = grant.granted_on or grant.first_seen if grant else None
    return Card(
        id=item.id,
        field=f"{FIELD}{item.id}",
        who=called((bundle.principal,)) if bundle else "Somebody",
        address=pages.inert(email, 80) if email else "",
        known=known,
        since=f"{since.day} {since:%B %Y}" if since else "",
        held=grant is not None,
        decision=item.decision or "",
    )
