"""What an Enterprise organisation has beside installed apps: MCP servers, workflows, decisions on apps."""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HaltedError
from lantern.connectors.resolution import CallError
from lantern.connectors.slack.api import SlackApi, rows
from lantern.connectors.slack.manifest import APPS, WORKFLOWS
from lantern.connectors.slack.normalize import Owner, host, instant, label, scheme
from lantern.connectors.slack.snapshot import Lists, Placed
from lantern.domain import ids
from lantern.domain.assets import Asset, AssetKind, AssetListing, AssetState, Fact

log = logging.getLogger(__name__)

_PAGE: Final = "1000"
_WORKFLOWS: Final = "50"
_APPS_AT_ONCE: Final = 50  # admin.functions.list
_STATES: Final[Mapping[str, AssetState]] = {
    "approved": "active",
    "restricted": "disabled",
    "requested": "unknown",
}

Listing = Callable[[Halt], tuple[Asset, ...]]


class Assets:
    """The listings of one Enterprise organisation."""

    def __init__(self, api: SlackApi, owner: Owner, lists: Lists) -> None:
        self._api = api
        self._owner = owner
        self._lists = lists

    def listings(self, granted: frozenset[str], halt: Halt) -> Iterator[AssetListing]:
        """Complete listings; a kind without permission, or that failed, is absent.

        Raises:
            CallError: our access is gone.
        """
        kinds: tuple[tuple[AssetKind, str, Listing], ...] = (
            ("app_policy", APPS, self._policies),
            ("mcp_server", APPS, self._servers),
            ("automation", WORKFLOWS, self._automations),
        )
        for kind, scope, read in kinds:
            if granted and scope not in granted:
                continue
            try:
                yield AssetListing(kind, read(halt))
            except HaltedError:
                return
            except CallError as error:
                if error.resolution.connection_wide:
                    raise
                log.warning("slack: %s not listed", kind, extra={"detail": error.detail})

    def _asset(self, kind: AssetKind, native_id: str, name: str, **more: Any) -> Asset:
        cid = self._owner.connection_id
        return Asset(ids.asset_id(cid, kind, native_id), cid, kind, native_id, name or native_id, **more)

    def _principal(self, native_id: str | None) -> str | None:
        return (
            ids.principal_id("slack", self._owner.organisation_id, native_id)
            if native_id is not None
            else None
        )

    def _policies(self, halt: Halt) -> tuple[Asset, ...]:
        """What was decided or asked about each app, by where it holds. A decision outranks a request."""
        found: dict[str, Asset] = {}
        for policy in ("approved", "restricted", "requested"):
            for placed in self._lists.read(policy, halt):
                asset = self._policy(placed)
                found.setdefault(asset.native_id, asset)
        return tuple(found[key] for key in sorted(found))

    def _policy(self, placed: Placed) -> Asset:
        row = placed.row
        facts: dict[str, Fact] = {"policy": row.policy, "place": placed.place}
        if row.permissions is not None:
            facts["scopes"] = tuple(sorted(row.permissions))
        return self._asset(
            "app_policy",
            f"{placed.place}:{row.app.client_id}",
            row.app.name,
            state=_STATES[row.policy],
            owner=self._principal(row.by),
            client_id=row.app.client_id,
            created_at=row.at,
            facts=facts,
        )

    def _servers(self, halt: Halt) -> tuple[Asset, ...]:
        """The MCP servers on the organisation's list of allowed ones, with who may use them.

        The list tells what is allowed, not what is used: servers of uninstalled apps stay on it
        (reference page).
        """
        found = list(
            self._api.pages("admin.apps.mcp.servers.list", "servers", halt, {"limit": _PAGE}, whose="user")
        )
        used: dict[str, Mapping[str, Any]] = {}
        for app_id in sorted({row["app_id"] for row in found if isinstance(row, dict) and "app_id" in row}):
            body = self._api.get(
                "admin.apps.mcp.servers.permissions.list", halt, {"app_id": str(app_id)}, whose="user"
            )
            used |= {_server_id(row): row for row in rows(body, "servers")}
        return tuple(self._server(row, used.get(_server_id(row), {})) for row in found)

    def _server(self, row: Mapping[str, Any], use: Mapping[str, Any]) -> Asset:
        app_id = row.get("app_id")
        facts: dict[str, Fact] = {}
        address, allowed = host(row.get("url")), use.get("permission_type")
        if address:
            facts["address"] = address
            facts["transport"] = scheme(row.get("url"))
        if isinstance(allowed, str):
            facts["allowed"] = allowed
        for name, key in (("users", "user_ids"), ("groups", "usergroup_ids")):
            if isinstance(use.get(key), list) and use[key]:
                facts[name] = len(use[key])
        return self._asset(
            "mcp_server",
            _server_id(row),
            label(row.get("server_name")) or label(row.get("name")),
            client_id=app_id if isinstance(app_id, str) else None,
            state="disabled" if allowed == "no_one" else "active",
            facts=facts,
        )

    def _automations(self, halt: Halt) -> tuple[Asset, ...]:
        """Published workflows, with the apps whose steps they run."""
        apps = {
            placed.row.app.client_id: placed.row.app.name for placed in self._lists.read("approved", halt)
        }
        steps = self._functions(sorted(apps), halt)
        found = self._api.pages(
            "admin.workflows.search", "workflows", halt, {"limit": _WORKFLOWS}, whose="user"
        )
        return tuple(self._automation(row, steps, apps) for row in found)

    def _functions(self, apps: list[str], halt: Halt) -> dict[str, str]:
        """Function id → the app that runs it."""
        owners: dict[str, str] = {}
        for start in range(0, len(apps), _APPS_AT_ONCE):
            params = {"app_ids": ",".join(apps[start : start + _APPS_AT_ONCE]), "limit": _PAGE}
            for row in self._api.pages("admin.functions.list", "functions", halt, params, whose="user"):
                if isinstance(row, dict) and isinstance(row.get("app_id"), str):
                    owners[str(row.get("id"))] = row["app_id"]
        return owners

    def _automation(self, row: Any, steps: Mapping[str, str], apps: Mapping[str, str]) -> Asset:
        if not isinstance(row, dict) or not isinstance(row.get("id"), str):
            raise CallError(GARBLED, detail="a workflow without id")
        functions = [s.get("function_id") for s in _list(row, "steps") if isinstance(s, dict)]
        called = sorted({steps[f] for f in functions if isinstance(f, str) and f in steps})
        people = [p for p in (*_list(row, "collaborators"), row.get("last_updated_by")) if isinstance(p, str)]
        app_id, source = row.get("app_id"), row.get("source")
        return self._asset(
            "automation",
            row["id"],
            label(row.get("title")),
            owner=self._principal(people[0] if people else None),
            client_id=app_id if isinstance(app_id, str) and app_id else None,
            state="active" if row.get("is_published") is not False else "disabled",
            created_at=None,
            facts={
                "steps": len(functions),
                "apps": tuple(called),
                "calls": tuple(apps.get(one, one) for one in called),
                "source": source if isinstance(source, str) else None,
                "updated": _day(row.get("date_updated")),
            },
        )


def _server_id(row: Any) -> str:
    found = (row.get("server_id") or row.get("id")) if isinstance(row, dict) else None
    if not isinstance(found, str) or not found:
        raise CallError(GARBLED, detail="an MCP server without id")
    return found


def _list(row: Mapping[str, Any], key: str) -> list[Any]:
    value = row.get(key)
    return value if isinstance(value, list) else []


def _day(value: Any) -> str | None:
    at = instant(value)
    return at.date().isoformat() if at else None
