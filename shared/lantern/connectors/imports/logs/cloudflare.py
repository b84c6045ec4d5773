"""Cloudflare Gateway: HTTP and DNS logs of Logpush, JSON lines.

Fields: developers.cloudflare.com, Logpush datasets `gateway_http` (Datetime, Email, UserID, HTTPHost, URL,
Action) and `gateway_dns` (Datetime, Email, QueryName, ResolverDecision). Datetime is RFC 3339, or seconds or
nanoseconds since 1970, as the job was told. Neither dataset has sizes.
"""

from collections.abc import Iterable
from typing import Final

from lantern.connectors.imports.formats import JsonFormat, Options, Rows
from lantern.connectors.imports.jsonstream import Element
from lantern.connectors.imports.logs.fields import refused, visit
from lantern.connectors.imports.values import ValueProblemError
from lantern.domain.exports.rows import BadRow, VisitRow

_NO_SIZES: Final = ("Cloudflare Gateway does not log how much went to a site.",)
_SERVICE: Final = "non_identity@"
"""Cloudflare's own word for a device that is enrolled by a service token."""


def _user(element: Element) -> str | None:
    email = element.value.get("Email")
    return email if isinstance(email, str) and not email.startswith(_SERVICE) else None


def _of_http(element: Element) -> VisitRow:
    value = element.value
    host = value.get("HTTPHost") or value.get("URL")
    if not isinstance(host, str):
        raise ValueProblemError("neither HTTPHost nor URL is there")
    return visit(
        element.line,
        at=value.get("Datetime"),
        user=_user(element),
        host=host,
        blocked=refused(str(value.get("Action", ""))),
    )


def _of_dns(element: Element) -> VisitRow:
    name = element.value.get("QueryName")
    if not isinstance(name, str):
        raise ValueProblemError("QueryName is not there")
    blocked = refused(str(element.value.get("ResolverDecision", "")))
    return visit(
        element.line, at=element.value.get("Datetime"), user=_user(element), host=name, blocked=blocked
    )


def _read_http(found: Iterable[Element | BadRow], _options: Options) -> Rows:
    for element in found:
        try:
            yield element if isinstance(element, BadRow) else _of_http(element)
        except ValueProblemError as problem:
            yield BadRow(element.line, str(problem))


def _read_dns(found: Iterable[Element | BadRow], _options: Options) -> Rows:
    for element in found:
        try:
            yield element if isinstance(element, BadRow) else _of_dns(element)
        except ValueProblemError as problem:
            yield BadRow(element.line, str(problem))


FORMATS: Final = (
    JsonFormat(
        id="cloudflare-gateway-http",
        title="Cloudflare Gateway HTTP log",
        expects="Logpush records with Datetime, Email and HTTPHost",
        recognises=lambda element: {"Datetime", "HTTPHost"} <= element.value.keys(),
        read=_read_http,
        cannot_say=_NO_SIZES,
        subject="visits",
    ),
    JsonFormat(
        id="cloudflare-gateway-dns",
        title="Cloudflare Gateway DNS log",
        expects="Logpush records with Datetime, Email and QueryName",
        recognises=lambda element: {"Datetime", "QueryName"} <= element.value.keys(),
        read=_read_dns,
        cannot_say=_NO_SIZES,
        subject="visits",
    ),
)
