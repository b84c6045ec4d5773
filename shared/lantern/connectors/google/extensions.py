"""Browser extensions in managed Chrome: which there are, what each may do and where, and who has it.

Chrome Management counts installations for the whole organisation and names the profiles of one extension at a
time. Profiles name people by address; an installation on a device that nobody is signed in to names nobody,
and is not seen here. Disabled extensions may do nothing and are left out.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from lantern.connectors.fanout import fan_out
from lantern.connectors.google.api import CHROME_QUERY, GoogleApi, segment
from lantern.connectors.google.listing import Count, Gathered, Listing, number, rows
from lantern.connectors.google.normalize import label
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HaltedError
from lantern.connectors.resolution import CallError
from lantern.domain import ids
from lantern.domain.inventory import App, ObservedGrant

log = logging.getLogger(__name__)

CUSTOMER: Final = "/v1/customers/my_customer"
MOST: Final = 1_000
"""So many extensions are asked about, those that most people have first: two calls each, at 600 a minute."""
SITES: Final = 20
"""An extension that names more websites than this is said to work on many."""
_PAGE: Final = "100"  # the most that these lists give
_ID: Final = re.compile(r"[a-p]{32}")
_PERMISSION: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,60}")
_PUBLIC: Final = frozenset({"com", "net", "org", "io", "ai", "dev", "app", "co", "eu", "de", "uk", "fr"})
_RISKS: Final = {"RISK_LEVEL_LOW": "low", "RISK_LEVEL_MEDIUM": "medium", "RISK_LEVEL_HIGH": "high"}
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension that somebody has; `sites` None: on which websites it works is not known.

    `risk` is the worst that an assessor known to Google says: low, medium or high.
    """

    id: str
    name: str
    permissions: frozenset[str]
    profiles: int
    installs: int
    sites: frozenset[str] | None = None
    publisher: str | None = None
    risk: str | None = None
    by_policy: bool = False

    @property
    def grant(self) -> ObservedGrant:
        """What whoever has it lets it do."""
        app = App(ids.app_id("google", self.id), "google", self.id, self.name, "extension", self.publisher)
        sites = {"chrome:site:unknown"} if self.sites is None else self.sites
        return ObservedGrant(app, frozenset(self.permissions | sites), source="extension")


@dataclass(frozen=True, slots=True)
class Extensions:
    """All extensions (`all_seen`: the list is complete), and who has them."""

    found: tuple[Extension, ...]
    all_seen: bool
    listing: Listing


@dataclass(slots=True)
class _Told:
    """What was found out about one extension; `emails` None: not to its end."""

    extension: Extension
    emails: set[str] | None = field(default=None)


def read(api: GoogleApi, now: datetime, halt: Halt, *, details: bool, cap: int) -> Extensions:
    """All extensions and their people.

    What could not be read to its end makes the listing incomplete; an extension whose websites could not be
    asked for is left out of it, so that it does not seem to have lost them.

    Args:
        api: Chrome Management.
        now: when this begins.
        halt: when to stop; what was read by then is told.
        details: whether the consent lets us ask on which websites an extension works.
        cap: calls at once.

    Raises:
        CallError: the list itself did not come as documented.
    """
    count = Count()
    found: dict[str, Extension] = {}
    ended = True
    try:
        params = {"pageSize": _PAGE, "orderBy": "total_install_count desc"}
        for row in rows(api, f"{CUSTOMER}/reports:countInstalledApps", "installedApps", params, halt, count):
            one = _extension(row)
            if one:
                found[one.id] = _joined(found.get(one.id), one)
    except HaltedError:
        ended = False
    whole = ended and count.whole
    chosen = list(found.values())[:MOST]
    gathered, complete, known = Gathered(), whole and len(found) <= MOST, dict(found)
    halted = not ended

    def work(one: Extension, _: bool) -> _Told | None:  # noqa: FBT001 - every call waits for its own turn
        return _about(api, one, halt, details=details)

    told = 0
    known_people: set[str] = set()
    for about in fan_out(chosen, lambda: True, work, halt=halt, cap=min(cap, _AT_ONCE)):
        told += 1
        if about is None:
            complete = False
            continue
        known[about.extension.id] = about.extension
        complete = complete and about.emails is not None
        if about.emails is not None:
            known_people.add(about.extension.grant.app.id)
        for email in about.emails or ():
            gathered.add(email, about.extension.grant)
    complete = complete and not halted and told == len(chosen)
    listing = Listing(now, complete, gathered.grants, frozenset(known_people))
    return Extensions(tuple(known.values()), whole, listing)


def _extension(row: Mapping[str, Any]) -> Extension | None:
    """A row of `countInstalledApps`; None for what is no extension in use."""
    identifier = row.get("appId")
    if row.get("appType") != "EXTENSION" or row.get("disabled") is True:
        return None
    if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
        return None
    name, listed = row.get("displayName"), row.get("permissions", [])
    if not isinstance(listed, list):
        raise CallError(GARBLED, detail="chrome: permissions")
    profiles = number(row.get("profileCount")) or 0
    devices = number(row.get("browserDeviceCount")) or 0
    return Extension(
        identifier,
        (label(name) if isinstance(name, str) else "") or identifier,
        permissions(listed),
        profiles,
        max(profiles, devices, number(row.get("osUserCount")) or 0),
        risk=_risk(row.get("riskAssessment")),
        by_policy=row.get("appInstallType") == "ADMIN",
    )


def _joined(known: Extension | None, one: Extension) -> Extension:
    """Two rows of one extension, which is listed once for each way it was installed."""
    if known is None:
        return one
    return replace(
        known,
        permissions=known.permissions | one.permissions,
        profiles=known.profiles + one.profiles,
        installs=known.installs + one.installs,
        risk=known.risk or one.risk,
        by_policy=known.by_policy or one.by_policy,
    )


def _about(api: GoogleApi, one: Extension, halt: Halt, *, details: bool) -> _Told | None:
    """One extension's websites and people; None where it cannot be told what it may do."""
    try:
        full = _detailed(api, one, halt) if details else one
    except HaltedError:
        return None
    except CallError as error:
        log.warning("chrome: the details of an extension did not come: %s", error.detail)
        return None
    if not full.profiles:
        return _Told(full, set())
    emails: set[str] = set()
    count = Count()
    params = {"appId": one.id, "appType": "EXTENSION", "pageSize": _PAGE}
    try:
        for row in rows(api, f"{CUSTOMER}/reports:findInstalledAppProfiles", "profiles", params, halt, count):
            email = row.get("email")
            if isinstance(email, str) and email:
                emails.add(email.lower())
    except HaltedError:
        return _Told(full)
    except CallError as error:
        log.warning("chrome: the profiles of an extension did not come: %s", error.detail)
        return _Told(full)
    return _Told(full, emails) if count.whole else _Told(full)


def _detailed(api: GoogleApi, one: Extension, halt: Halt) -> Extension:
    """The extension with what its page in the store says; what is in no store stays as it is."""
    try:
        body = api.ask(f"{CUSTOMER}/apps/chrome/{segment(one.id)}", halt, params={}, quotas=CHROME_QUERY)
    except CallError as error:
        if error.reason == "not_found":
            return one
        raise
    info, publisher = body.get("chromeAppInfo"), body.get("publisher")
    if body.get("appId") != one.id or not isinstance(info, dict):
        raise CallError(GARBLED, detail="chrome: app details")
    hosts = [row.get("hostMatch") for row in _objects(info.get("siteAccess"))]
    listed = permissions(row.get("type") for row in _objects(info.get("permissions")))
    return replace(
        one,
        permissions=one.permissions | listed,
        sites=sites(hosts),
        publisher=label(publisher) or None if isinstance(publisher, str) else None,
        risk=_risk(info.get("riskAssessment")) or one.risk,
    )


def _objects(value: object) -> list[Mapping[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise CallError(GARBLED, detail="chrome: app details")
    return value


def _risk(value: object) -> str | None:
    level = value.get("overallRiskLevel") if isinstance(value, Mapping) else None
    return _RISKS.get(level) if isinstance(level, str) else None


def permissions(listed: Iterable[object]) -> frozenset[str]:
    """Permissions of a manifest as scopes: `chrome:tabs`; websites among them as `sites` says."""
    names = [one for one in listed if isinstance(one, str) and one]
    hosts = [name for name in names if "/" in name or name == "<all_urls>"]
    plain = {f"chrome:{name}" for name in names if _PERMISSION.fullmatch(name)}
    return frozenset(plain) | (sites(hosts) if hosts else frozenset())


def sites(patterns: Iterable[object]) -> frozenset[str]:
    """Match patterns of websites as scopes: `chrome:site:<host>`, `chrome:site:all` where any may be meant.

    Match patterns: developer.chrome.com "Match patterns". What has no host we can read is taken for all.
    """
    found = {_site(pattern) for pattern in patterns if isinstance(pattern, str) and pattern}
    if "all" in found:
        return frozenset({"chrome:site:all"})
    if len(found) > SITES:
        weighty = {host for host in found if host.endswith("google.com") or host in _WEIGHTY}
        found = {"many", *weighty}
    return frozenset(f"chrome:site:{host}" for host in found)


_WEIGHTY: Final = frozenset(
    {"outlook.office.com", "outlook.live.com", "github.com", "salesforce.com", "slack.com"}
)


def _site(pattern: str) -> str:
    text = pattern.strip().casefold()
    if text == "<all_urls>":
        return "all"
    rest = text.partition("://")[2] if "://" in text else text
    host = rest.partition("/")[0].partition(":")[0].removeprefix("*.").removeprefix("www.")
    if not host and text.startswith("file:"):
        return "file"
    if not host or "*" in host or host in _PUBLIC or not re.fullmatch(r"[a-z0-9.\-\[\]_]{1,253}", host):
        return "all"
    return host
