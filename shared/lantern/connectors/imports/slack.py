"""Slack: `admin.apps.approved.list`, `admin.apps.restricted.list` and `team.integrationLogs`, as JSON."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from lantern.connectors.imports import values
from lantern.connectors.imports.formats import JsonFormat, Options, Rows
from lantern.connectors.imports.jsonstream import Element
from lantern.domain.apps import AppStatus
from lantern.domain.exports.rows import AppRow, BadRow, GrantRow, Permission, Row

_GONE: Final = frozenset({"removed", "disabled"})
_STATUS: Final[Mapping[str, AppStatus]] = {"approved_apps": "approved", "restricted_apps": "not_allowed"}

Value = Mapping[str, Any]


def _is_log(value: Value) -> bool:
    return "change_type" in value and ("app_id" in value or "service_id" in value)


def _is_listed(value: Value) -> bool:
    app = value.get("app")
    return isinstance(app, dict) and "id" in app


def _recognises(element: Element) -> bool:
    return _is_log(element.value) or _is_listed(element.value) or element.place in _STATUS


def _read(found: Iterable[Element | BadRow], _options: Options) -> Rows:
    latest: dict[tuple[str | None, str], tuple[float, Row | None]] = {}
    for element in found:
        if isinstance(element, BadRow):
            yield element
            continue
        value = element.value
        try:
            if _is_log(value):
                _fold(value, latest)
            elif _is_listed(value):
                yield _listed(value, element.place)
            elif value.keys() - {"ok", "response_metadata", "approved_apps", "restricted_apps", "paging"}:
                yield BadRow(element.line, "the record is no Slack app and no line of the integration log")
        except values.ValueProblemError as problem:
            yield BadRow(element.line, str(problem))
    yield from (row for _, row in latest.values() if row is not None)


def _fold(value: Value, latest: dict[tuple[str | None, str], tuple[float, Row | None]]) -> None:
    """The log tells changes; what counts is the last one of each app and person."""
    app = values.identifier(value.get("app_id")) or values.identifier(value.get("service_id"))
    if app is None:
        raise values.ValueProblemError("the line names no app_id and no service_id")
    written = values.identifier(value.get("date"))
    day = values.day(written)
    at = (
        float(written)
        if written and written.replace(".", "", 1).isdigit()
        else float(day.toordinal() if day else 0)
    )
    account = values.identifier(value.get("user_id"))
    key = (account, app)
    if key in latest and latest[key][0] > at:
        return
    scope = value.get("scope")
    gone = str(value.get("change_type")).casefold() in _GONE
    row = None if gone else GrantRow(
        provider="slack",
        account=account,
        app=app,
        permissions=values.permissions(scope) if isinstance(scope, str) else None,
        client_id=app,
        app_name=values.text(value.get("app_type")) or values.text(value.get("service_type")),
        account_alias=values.text(value.get("user_email")),
        granted_on=day,
    )  # fmt: skip
    latest[key] = (at, row)


def _listed(value: Value, place: str) -> AppRow:
    app: Value = value["app"]
    key = values.identifier(app.get("id"))
    if key is None:
        raise values.ValueProblemError("the app has no id")
    listed = app.get("is_app_directory_approved")
    return AppRow(
        provider="slack",
        key=key,
        client_id=key,
        name=values.text(app.get("name")),
        publisher=values.text(app.get("developer_name")),
        domains=values.addresses(app.get("app_homepage_url"), app.get("privacy_policy_url")),
        verified_publisher=listed if isinstance(listed, bool) else None,
        status=_STATUS.get(place),
        declared=_declared(value.get("scopes")),
    )


def _declared(scopes: object) -> frozenset[Permission] | None:
    if not isinstance(scopes, list):
        return None
    named = (one.get("name") if isinstance(one, dict) else one for one in scopes)
    return values.permissions([name for name in named if isinstance(name, str)])


FORMAT: Final = JsonFormat(
    id="slack",
    title="Slack apps JSON",
    expects="answers of admin.apps.approved.list, admin.apps.restricted.list or team.integrationLogs",
    recognises=_recognises,
    read=_read,
    cannot_say=(
        "Slack's lists of apps do not say who uses an app; only the integration log names who added it.",
        "Slack does not say when an app was last used.",
    ),
)
