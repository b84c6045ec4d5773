"""Chrome Management API: installed apps and who has them, app details, visited SaaS applications."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from .access import Caller, Gate
from .extras import Extension, Site
from .model import digest
from .wire import ApiError, Request, Response, json_response
from .world import World

APP_FIELDS = frozenset(
    """app_name app_type install_type number_of_permissions total_install_count latest_profile_active_date
    permission_name app_id manifest_versions risk_score""".split()  # noqa: SIM905 - a table
)
APP_ORDERS = frozenset(
    """app_name app_type install_type number_of_permissions total_install_count app_id manifest_versions
    risk_score""".split()  # noqa: SIM905 - a table
)
SITE_ORDERS = frozenset(
    """app category organization founded_year headquarters primary_domain visits_count distinct_users_count
    distinct_browsers_count content_transfer_count""".split()  # noqa: SIM905 - a table
)
PROFILE_ORDERS = frozenset({"email", "profile_id", "profile_permanent_id"})
VISITOR_ORDERS = frozenset({"email", "os_platform", "first_navigation_time", "last_navigation_time"})
APP_TYPES = frozenset({"EXTENSION", "APP", "THEME", "HOSTED_APP", "ANDROID_APP"})
"""Fields and orders of the methods; a test holds them against the discovery document."""


class Chrome:
    """The Chrome Management methods; each takes the request and the variable parts of its path."""

    def __init__(self, world: World, gate: Gate) -> None:
        self._world = world
        self._gate = gate

    def count_apps(self, request: Request, customer: str) -> Response:
        """`reports.countInstalledApps`."""
        caller = self._admit(request, "chrome.customers.reports.countInstalledApps", customer)
        _check_order(request.query, APP_ORDERS)
        keep = _app_filter(request.query.get("filter", ""))
        with self._world.lock:
            rows = [_installed(one) for one in caller.org.extras.extensions.values()]
            rows = [row for row in rows if keep(row)]
        rows.sort(key=lambda row: (-int(row["profileCount"]), row["appId"]))
        return _page(request, rows, "installedApps", most=100, now=self._world.clock.now())

    def app_profiles(self, request: Request, customer: str) -> Response:
        """`reports.findInstalledAppProfiles`."""
        caller = self._admit(request, "chrome.customers.reports.findInstalledAppProfiles", customer)
        query = request.query
        _check_order(query, PROFILE_ORDERS)
        if query.get("appType", "EXTENSION") not in APP_TYPES or not query.get("appId"):
            raise _invalid("app_id")
        with self._world.lock:
            one = caller.org.extras.extensions.get(query["appId"])
            rows = [
                {
                    "email": email,
                    "profileId": f"Profile {n}",
                    "profilePermanentId": digest(email, str(n))[:20],
                }
                for n, email in enumerate(sorted(one.profiles if one else ()))
            ]
        return _page(request, rows, "profiles", most=100, now=self._world.clock.now())

    def app_details(self, request: Request, customer: str, app: str) -> Response:
        """`apps.chrome.get`."""
        caller = self._admit(request, "chrome.customers.apps.chrome.get", customer)
        identifier = app.partition("@")[0]
        with self._world.lock:
            one = caller.org.extras.extensions.get(identifier)
            if one is None or not one.listed:
                raise ApiError(404, "notFound", "Requested entity was not found.", rpc=True)
            answer = _details(one, caller.org.customer_id)
        return json_response(answer)

    def sites(self, request: Request, customer: str) -> Response:
        """`reports.findSaasUsage`."""
        caller = self._admit(request, "chrome.customers.reports.findSaasUsage", customer)
        _check_order(request.query, SITE_ORDERS)
        if request.query.get("filter"):
            raise _invalid("filter")  # nobody here asks with one
        with self._world.lock:
            rows = [_usage(site) for site in caller.org.extras.sites.values()]
        rows.sort(key=lambda row: (-int(row["distinctUsersCount"]), row["app"]))
        return _page(request, rows, "saasReports", most=200, now=self._world.clock.now(), wide=True)

    def visitors(self, request: Request, customer: str) -> Response:
        """`reports.findSaasUsageProfiles`."""
        caller = self._admit(request, "chrome.customers.reports.findSaasUsageProfiles", customer)
        query = request.query
        _check_order(query, VISITOR_ORDERS)
        if not query.get("app"):
            raise _invalid("app")
        with self._world.lock:
            site = next((s for s in caller.org.extras.sites.values() if s.name == query["app"]), None)
            rows = [
                {
                    "email": email,
                    "profilePermanentId": digest(email)[:20],
                    "osPlatform": "SYSTEM_MAC",
                    "firstNavigationTime": _iso(seen.first),
                    "lastNavigationTime": _iso(seen.last),
                }
                for email, seen in sorted(site.visits.items() if site else ())
            ]
        return _page(request, rows, "profileReports", most=200, now=self._world.clock.now(), wide=True)

    def _admit(self, request: Request, method: str, customer: str) -> Caller:
        caller = self._gate.admit(request, method, quota="chrome")
        if customer not in {"my_customer", caller.org.customer_id}:
            raise ApiError(403, "forbidden", "The caller does not have permission", rpc=True)
        return caller


def _installed(one: Extension) -> dict[str, Any]:
    row: dict[str, Any] = {
        "appId": one.id,
        "displayName": one.name,
        "appType": one.app_type,
        "appInstallType": one.install_type,
        "appSource": "CHROME_WEBSTORE" if one.listed else "APP_SOURCE_UNSPECIFIED",
        "homepageUri": one.homepage,
        "permissions": list(one.permissions),
        "profileCount": str(len(one.profiles)),
        "browserDeviceCount": str(len(one.profiles)),
        "osUserCount": "0",
    }
    if one.disabled:
        row["disabled"] = True
    if one.listed:
        row["riskAssessment"] = {"overallRiskLevel": one.risk}
    return row


def _details(one: Extension, customer: str) -> dict[str, Any]:
    return {
        "name": f"customers/{customer}/apps/chrome/{one.id}@1.0",
        "appId": one.id,
        "displayName": one.name,
        "publisher": one.publisher,
        "homepageUri": one.homepage,
        "type": "CHROME",
        "chromeAppInfo": {
            "type": "EXTENSION",
            "isCwsHosted": True,
            "manifestVersion": "3",
            "permissions": [{"type": p, "accessUserData": True} for p in one.permissions],
            "siteAccess": [{"hostMatch": host} for host in one.sites],
            "riskAssessment": {
                "overallRiskLevel": one.risk,
                "entries": [{"provider": "RISK_ASSESSMENT_PROVIDER_SPIN_AI", "riskLevel": one.risk}],
            },
        },
    }


def _usage(site: Site) -> dict[str, Any]:
    row: dict[str, Any] = {
        "app": site.name,
        "primaryDomain": site.domain,
        "domains": [site.domain, *site.domains],
        "category": site.category,
        "visitsCount": str(sum(seen.count for seen in site.visits.values())),
        "distinctUsersCount": str(len(site.visits)),
        "distinctBrowsersCount": str(len(site.visits)),
    }
    if site.visits:
        row["firstNavigationTime"] = _iso(min(seen.first for seen in site.visits.values()))
        row["lastNavigationTime"] = _iso(max(seen.last for seen in site.visits.values()))
    if site.transfers:
        row["contentTransferDetails"] = {"contentTransferCount": str(site.transfers)}
    return row


def _page(
    request: Request, rows: Sequence[dict[str, Any]], name: str, *, most: int, now: float, wide: bool = False
) -> Response:
    """A page of rows: sizes above the most are taken as the most; a token is good for its own query."""
    query = request.query
    try:
        size = int(query.get("pageSize", "100")) or 100
    except ValueError:
        raise _invalid("page_size") from None
    if size < 0:
        raise _invalid("page_size")
    size = min(size, most)
    if request.half_page:
        size = max(1, size // 2)
    asked = digest(
        request.path, *(query.get(k, "") for k in ("filter", "orderBy", "appId", "appType", "app"))
    )
    start = _start(query.get("pageToken"), asked, now)
    answer: dict[str, Any] = {name: list(rows[start : start + size])} if rows else {}
    if rows:
        answer["totalSize"] = str(len(rows)) if wide else len(rows)
    if start + size < len(rows):
        token = json.dumps([start + size, asked[:12], now])
        answer["nextPageToken"] = base64.urlsafe_b64encode(token.encode()).decode()
    return json_response(answer)


def _start(token: str | None, asked: str, now: float) -> int:
    if not token:
        return 0
    try:
        start, made_for, made = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError, binascii.Error):
        raise _invalid("page_token") from None
    if made_for != asked[:12] or now - made > 3_600:
        raise _invalid("page_token")
    return int(start)


def _app_filter(text: str) -> Callable[[dict[str, Any]], bool]:
    """The parts of the filter language that matter: `field=value` joined by AND; OR is refused."""
    if not text:
        return lambda _: True
    if re.search(r"\bOR\b", text):
        raise _invalid("filter")
    wanted: dict[str, str] = {}
    for part in re.split(r"\s+AND\s+", text):
        found = re.fullmatch(r"(\w+)\s*[=:]\s*(.+)", part.strip())
        if found is None or found[1] not in APP_FIELDS:
            raise _invalid("filter")
        wanted[found[1]] = found[2]
    names = {
        "app_type": "appType",
        "install_type": "appInstallType",
        "app_id": "appId",
        "app_name": "displayName",
    }
    return lambda row: all(str(row.get(names.get(k, k))) == v for k, v in wanted.items())


def _check_order(query: dict[str, str], known: frozenset[str]) -> None:
    order = query.get("orderBy")
    if order and order.removesuffix(" desc") not in known:
        raise _invalid("order_by")


def _invalid(parameter: str) -> ApiError:
    return ApiError(400, "badRequest", f"Request contains an invalid argument: {parameter}", rpc=True)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
