"""Judge every app of a census: who it is, what it imitates, what it reaches, how risky it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol

from lantern.domain import ids
from lantern.domain.abuse import KnownAbuse
from lantern.domain.catalog import CatalogLookup
from lantern.domain.exports.automations import Automation, automation_of
from lantern.domain.exports.census import NOT_TOLD, Census, Person, Software
from lantern.domain.exports.rows import Permission
from lantern.domain.identification import AppFacts, Identification, identify
from lantern.domain.lookalike import LookAlike, lookalike
from lantern.domain.risk import Assessment, RiskInput, assess
from lantern.domain.scopes import Grant, ScopeClass
from lantern.domain.tally import STALE_DAYS
from lantern.domain.vendors import VendorProfile, trust

AI_VERDICTS: Final = frozenset({"ai", "embedded_ai"})


class Knowledge(Protocol):
    """What judgement looks things up in."""

    @property
    def catalog(self) -> CatalogLookup:
        """Products and vendors."""
        ...

    @property
    def classify(self) -> Callable[[str, str, Grant], ScopeClass]:
        """What a provider's permission reaches, granted in a certain way."""
        ...

    def registrable(self, host: str) -> str | None:
        """The registrable domain of a host."""
        ...

    def vendor(self, name: str | None) -> VendorProfile | None:
        """What is publicly known of a vendor."""
        ...

    def abuse_of(self, provider: str, client_id: str, name: str) -> KnownAbuse | None:
        """The public report that an app fits."""
        ...


@dataclass(slots=True)
class Holders:
    """Counts over the grants of one app; a count that the exports cannot tell is None."""

    people: int = 0
    groups: int = 0
    whole_organisation: bool = False
    admins: int = 0
    admins_unknown: bool = False
    departed: int = 0
    departed_unknown: bool = False
    stale: int = 0
    stale_unknown: bool = False
    undated: bool = False
    sets: set[int] = field(default_factory=set)
    first_granted: date | None = None
    last_used: date | None = None

    def known_admins(self) -> int | None:
        """Administrators among the holders."""
        return None if self.admins_unknown else self.admins

    def known_departed(self) -> int | None:
        """Leavers among the holders; a few known ones count even where others are not known."""
        return None if self.departed_unknown and not self.departed else self.departed

    def known_stale(self) -> int | None:
        """Holders who have not used it for long."""
        return None if self.stale_unknown else self.stale


@dataclass(frozen=True, slots=True)
class JudgedApp:
    """One app and everything that was judged of it. `classes` None: the exports do not tell permissions."""

    id: str
    app: Software
    holders: Holders
    identified: Identification
    look_alike: LookAlike | None
    classes: tuple[ScopeClass, ...] | None
    risk: Assessment
    automation: Automation | None

    @property
    def is_ai(self) -> bool:
        """Whether it is AI, or has AI inside."""
        return self.identified.verdict in AI_VERDICTS


def idle_days(last_used: date | None, as_of: date) -> int | None:
    """Days since the last use; None where no use is known, which is not the same as never."""
    return None if last_used is None else max(0, (as_of - last_used).days)


def count_holders(census: Census, as_of: date) -> list[Holders]:
    """Counts over the holders of each app, in the order of the census."""
    counted = [Holders() for _ in census.apps]
    for held in census.grants():
        holders = counted[held.app]
        person = census.people[held.person]
        if held.permissions != NOT_TOLD:
            holders.sets.add(held.permissions)
        if held.granted_on is None:
            holders.undated = True
        elif holders.first_granted is None or held.granted_on < holders.first_granted:
            holders.first_granted = held.granted_on
        if held.last_used and (holders.last_used is None or held.last_used > holders.last_used):
            holders.last_used = held.last_used
        if person.kind == "organisation":
            holders.whole_organisation = True
            holders.stale_unknown = True
            continue
        if person.kind == "group":
            holders.groups += 1
            continue
        holders.people += 1
        _count_person(holders, person, idle_days(held.last_used, as_of))
    return counted


def _count_person(holders: Holders, person: Person, idle: int | None) -> None:
    holders.departed += person.departed is True
    holders.departed_unknown |= person.departed is None
    holders.admins += person.admin is True
    holders.admins_unknown |= person.admin is None
    holders.stale += idle is not None and idle >= STALE_DAYS
    holders.stale_unknown |= idle is None


def judge_apps(
    census: Census, knowledge: Knowledge, as_of: date, organisation_size: int | None
) -> list[JudgedApp]:
    """Judge every app that somebody holds, or that is AI; parts of the provider itself need a holder."""
    counted = count_holders(census, as_of)
    memo: dict[tuple[str, Permission], ScopeClass] = {}
    return [
        judge_app(app, holders, census.sets, knowledge, as_of, organisation_size, memo)
        for app, holders in zip(census.apps, counted, strict=True)
        if _held(holders) or not app.platform
    ]


def _held(holders: Holders) -> bool:
    return bool(holders.people or holders.groups or holders.whole_organisation)


def judge_app(
    app: Software,
    holders: Holders,
    sets: list[frozenset[Permission]],
    knowledge: Knowledge,
    as_of: date,
    organisation_size: int | None,
    memo: dict[tuple[str, Permission], ScopeClass],
) -> JudgedApp:
    """Judge one app by the same functions that judge a connected organisation's."""
    permissions = _permissions(app, holders, sets)
    scopes = frozenset(one.scope for one in permissions or ())
    facts = AppFacts(
        provider=app.provider,
        client_id=app.client_id,
        name=app.name,
        publisher=app.publisher,
        domains=app.domains,
        scopes=scopes,
    )
    identified = identify(facts, knowledge.catalog, knowledge.registrable)
    imitates = lookalike(facts, knowledge.catalog, knowledge.registrable)
    classes = None if permissions is None else _classes(app.provider, permissions, knowledge, memo)
    first = None if holders.undated else holders.first_granted
    everyone = holders.whole_organisation and organisation_size
    profile = knowledge.vendor(identified.vendor)
    risk = assess(
        RiskInput(
            identification=identified,
            scopes=classes,
            holders=max(holders.people, int(everyone or holders.whole_organisation)),
            org_size=organisation_size,
            privileged_holders=holders.known_admins(),
            stale_holders=holders.known_stale(),
            departed_holders=holders.known_departed(),
            verified_publisher=app.verified_publisher,
            look_alike=imitates,
            status=app.status or "unreviewed",
            age_days=max(0, (as_of - first).days) if first else None,
            vendor=trust(profile, as_of) if profile else None,
            abuse=knowledge.abuse_of(app.provider, app.client_id, app.name),
        )
    )
    return JudgedApp(
        ids.app_id(app.provider, app.client_id),
        app,
        holders,
        identified,
        imitates,
        classes,
        risk,
        automation_of(app.name, identified, scopes, knowledge.catalog),
    )


def _permissions(
    app: Software, holders: Holders, sets: list[frozenset[Permission]]
) -> frozenset[Permission] | None:
    """All it holds or declares; None where no export tells."""
    if not holders.sets and app.declared is None:
        return None
    return frozenset[Permission]().union(*(sets[one] for one in holders.sets), app.declared or ())


def _classes(
    provider: str,
    permissions: frozenset[Permission],
    knowledge: Knowledge,
    memo: dict[tuple[str, Permission], ScopeClass],
) -> tuple[ScopeClass, ...]:
    return tuple(classify(provider, one, knowledge, memo) for one in sorted(permissions, key=_order))


def classify(
    provider: str,
    permission: Permission,
    knowledge: Knowledge,
    memo: dict[tuple[str, Permission], ScopeClass],
) -> ScopeClass:
    """What a permission reaches, the way it was granted."""
    key = (provider, permission)
    if key not in memo:
        grant = Grant(permission.kind, permission.tenant_wide)
        memo[key] = knowledge.classify(provider, permission.scope, grant)
    return memo[key]


def _order(permission: Permission) -> tuple[str, str, bool]:
    return permission.scope, permission.kind or "", permission.tenant_wide
