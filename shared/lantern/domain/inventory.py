"""Who holds access to what: principals, apps, scope sets, grants and the bundles they travel in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final, Literal

from lantern.domain import ids

ConsentProvider = Literal["google", "entra", "okta", "slack", "github", "salesforce"]
"""Whom an organisation can connect by a consent."""
Provider = Literal[ConsentProvider, "web"]
"""Who names accounts and apps; `web` is what logs of the web name, which no provider vouches for."""
PrincipalKind = Literal["user", "group", "service", "organisation", "shared"]
"""`service` acts without a person, `shared` is used by several, `organisation` is all of them at once."""
PrincipalStatus = Literal["active", "suspended", "archived", "deleted"]
AppKind = Literal[
    "oauth", "native", "extension", "anonymous", "sso", "integration", "agent", "password", "seat", "web",
    "account",
]  # fmt: skip
"""`web` is a site that people go to, `account` one where they seem to have an account: a hint and no more."""
GrantSource = Literal[
    "consent",
    "application",
    "assignment",
    "installation",
    "credential",
    "seat",
    "extension",
    "password",
    "use",
    "visit",
    "mail",
]
"""What a grant rests on.

`consent`: a person or an administrator let the app act for people. `application`: the app acts for itself.
`assignment`: people may sign in to it. `installation`: it was added to the organisation. `credential`:
somebody authorised a token of it. `seat`: a licence. `extension`: software in a browser. `password`: it signs
in with a password of its own. `use`: it was seen in use, `visit`: people were seen going there, which gives
it nothing but what they type or upload; neither says what else it may do. `mail`: a message said that
somebody has an account there, which anybody could have sent: a hint to look, and no access.
"""
Confidence = Literal["low", "high"]
"""How sure it is that a grant is there: the provider or a log of what was done says so, or only a hint."""
_HINTS: Final = frozenset[GrantSource]({"mail"})


def confidence(source: GrantSource) -> Confidence:
    """How sure it is that a grant with this source is there."""
    return "low" if source in _HINTS else "high"


Cause = Literal["run", "hint", "act"]
DeltaKind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Principal:
    """One account at one connection.

    `admin`, `email`, `last_login` are None where the provider did not say. `person_id` joins accounts
    of one human being across connections. `aliases` are further addresses that the provider itself says
    belong to the account. `manager` is whom the directory names as the manager, by id or address there; empty
    where it names nobody, None where it did not say.
    """

    id: str
    connection_id: str
    native_id: str
    kind: PrincipalKind
    status: PrincipalStatus
    person_id: str
    email: str | None = None
    name: str | None = None
    admin: bool | None = None
    org_unit: str | None = None
    last_login: date | None = None
    aliases: tuple[str, ...] = ()
    manager: str | None = None

    @property
    def departed(self) -> bool:
        """Whether the account no longer belongs to somebody who works here."""
        return self.status != "active"


@dataclass(frozen=True, slots=True)
class App:
    """Software that holds grants, as the provider names it; `id` is derived from provider and client id."""

    id: str
    provider: Provider
    client_id: str
    name: str
    kind: AppKind = "oauth"
    publisher: str | None = None
    domains: tuple[str, ...] = ()
    verified_publisher: bool | None = None
    first_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """One app's access to one principal's data.

    `granted_on` is None where no source dates it. `prior_scope_set` is what the grant held before
    its last expansion, on `expanded_on`; both None for a grant that never grew. A bundle holds one grant of
    an app, whatever it rests on.
    """

    app_id: str
    scope_set: str
    first_seen: date
    granted_on: date | None = None
    prior_scope_set: str | None = None
    expanded_on: date | None = None
    source: GrantSource = "consent"


@dataclass(frozen=True, slots=True)
class GrantDelta:
    """How one grant of a bundle differs from what was stored; scope set ids, None where absent."""

    kind: DeltaKind
    app_id: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything known of one principal: the account and all its grants, stored as one item.

    `grants` is None while they have never been read (unknown), and empty only after a complete read
    said so. `rev` counts writes; 0 means not stored yet. `delta` is what the last write changed.
    """

    principal: Principal
    grants: tuple[Grant, ...] | None
    rev: int = 0
    cause: Cause = "run"
    delta: tuple[GrantDelta, ...] = ()
    changed_at: datetime | None = None

    def grant(self, app_id: str) -> Grant | None:
        """The grant of `app_id`, if this bundle holds one."""
        return next((g for g in self.grants or () if g.app_id == app_id), None)


@dataclass(frozen=True, slots=True)
class ObservedGrant:
    """A grant as the provider listed it just now.

    `told` False: it did not say what the app may do. `scopes` are empty then; what is known of them stays.
    """

    app: App
    scopes: frozenset[str]
    granted_on: date | None = None
    source: GrantSource = "consent"
    told: bool = True

    @property
    def scope_set(self) -> str:
        """Id of the set of scopes held."""
        return ids.scope_set_id(self.scopes)


@dataclass(frozen=True, slots=True)
class Observation:
    """A complete read of one principal's bundle.

    `grants` None: the account was seen but its grants were not read (its listing failed or was not
    asked for): nothing may be concluded about them. `gone`: the provider says the account does not
    exist any more, so nor do its grants.

    `sources` are those that were read completely; None is all of them. What a grant of another source holds
    stays as it is known. `as_of` is when the reading began, where that was before this account was asked for
    (a list of the whole organisation that many accounts are looked up in); None is just now.

    `ended` are apps (by id) that the account is known not to hold, though their source was not read to its
    end: the provider said that the grant was taken back, or named everybody who has that one app.
    """

    principal: Principal
    grants: tuple[ObservedGrant, ...] | None
    gone: bool = False
    sources: frozenset[GrantSource] | None = None
    as_of: datetime | None = None
    ended: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Merge:
    """What storing an observation takes: the bundle to write, or None where nothing changed."""

    bundle: Bundle | None
    apps: tuple[App, ...] = field(default=())
    scope_sets: Mapping[str, frozenset[str]] = field(default_factory=dict)


def merge(
    stored: Bundle | None,
    seen: Observation,
    *,
    now: datetime,
    cause: Cause,
    dates: Mapping[str, date] | None = None,
) -> Merge:
    """Fold a complete observation into what is stored; the only place where a removal is concluded.

    Args:
        stored: the bundle read before the provider was asked, or None.
        seen: what the provider answered.
        now: time of the write.
        cause: why it was read.
        dates: when grants were given, by app id, as far as an audit feed said; the latest counts.

    Returns:
        The next bundle with its delta, or no bundle where the logical content is the same.
    """
    known = {g.app_id: g for g in (stored.grants or ())} if stored else {}
    # Which person an account belongs to is our knowledge, not the provider's.
    principal = replace(seen.principal, person_id=stored.principal.person_id) if stored else seen.principal
    grants: tuple[Grant, ...] | None
    delta: tuple[GrantDelta, ...]
    if seen.grants is None and not seen.gone:
        grants, delta = (stored.grants if stored else None), ()
    else:
        unread = () if seen.gone or seen.sources is None else _unread(known, seen.sources, seen.ended)
        grants, delta = _fold(known, seen.grants or (), now.date(), dates or {}, unread)
    if stored and stored.principal == principal and stored.grants == grants:
        return Merge(None)
    bundle = Bundle(
        principal=principal,
        grants=grants,
        rev=stored.rev if stored else 0,
        cause=cause,
        delta=delta,
        changed_at=now,
    )
    fresh = {d.app_id for d in delta}
    observed = [g for g in seen.grants or () if g.app.id in fresh]
    return Merge(bundle, tuple(g.app for g in observed), {g.scope_set: g.scopes for g in observed})


def _latest(one: date | None, other: date | None) -> date | None:
    return max(filter(None, (one, other)), default=None)


def _unread(
    known: Mapping[str, Grant], sources: frozenset[GrantSource], ended: frozenset[str]
) -> tuple[Grant, ...]:
    """What is known of sources that were not read, but for what was said to have ended."""
    return tuple(g for g in known.values() if g.source not in sources and g.app_id not in ended)


def _fold(
    known: Mapping[str, Grant],
    observed: Iterable[ObservedGrant],
    today: date,
    dates: Mapping[str, date],
    unread: Iterable[Grant],
) -> tuple[tuple[Grant, ...], tuple[GrantDelta, ...]]:
    grants: list[Grant] = []
    delta: list[GrantDelta] = []
    seen: set[str] = set()
    for item in observed:
        app, after = item.app.id, item.scope_set
        seen.add(app)
        before = known.get(app)
        if before is not None and not item.told:
            after = before.scope_set
        granted_on = item.granted_on or _latest(dates.get(app), before.granted_on if before else None)
        if before is None:
            grants.append(Grant(app, after, first_seen=today, granted_on=granted_on, source=item.source))
            delta.append(GrantDelta("added", app, None, after))
        elif before.scope_set != after:
            grants.append(
                replace(
                    before,
                    scope_set=after,
                    granted_on=granted_on,
                    prior_scope_set=before.scope_set,
                    expanded_on=today,
                    source=item.source,
                )
            )
            delta.append(GrantDelta("changed", app, before.scope_set, after))
        else:
            grants.append(replace(before, granted_on=granted_on, source=item.source))
    kept = [grant for grant in unread if grant.app_id not in seen]
    grants.extend(kept)
    seen.update(grant.app_id for grant in kept)
    delta.extend(
        GrantDelta("removed", app, grant.scope_set, None) for app, grant in known.items() if app not in seen
    )
    return tuple(sorted(grants, key=lambda g: g.app_id)), tuple(sorted(delta, key=lambda d: d.app_id))
