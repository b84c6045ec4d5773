"""The facts a rule may name, as data: every field with its type and a sentence.

A fact that is not known is `None`; a list that is known to be empty is `()`, and a text that is known to be
absent is `""`. Use the names from `vocabulary`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any, Final, get_args

from lantern.domain.anomalies import AnomalyKind
from lantern.domain.assets import AssetKind, AssetState
from lantern.domain.inventory import AppKind, GrantSource, PrincipalKind, PrincipalStatus, Provider
from lantern.domain.tenancy import ConnectionKind, ConnectionStatus
from lantern.domain.vendor_changes import Changeable
from lantern.domain.vendors import OwnerKind, Transfer


class FieldType(StrEnum):
    """What kind of value a field holds."""

    TEXT = "text"
    CHOICE = "choice"
    LEVEL = "level"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True)
class Field:
    """One fact a condition may name. `values` lists the choices, or the levels from lowest to highest.

    `room` is how many characters of it the title of a finding shows.
    """

    name: str
    type: FieldType
    about: str
    values: tuple[str, ...] = ()
    room: int = 80

    @property
    def prefix(self) -> str:
        """The entity the fact belongs to: the part before the dot."""
        return self.name.partition(".")[0]

    def accepts(self, value: Any) -> bool:
        """Whether `value` is a well-typed fact for this field (`None`, unknown, always is)."""
        return value is None or _ACCEPTS[self.type](self, value)


def is_number(value: Any) -> bool:
    """Whether `value` is a finite number; booleans are not numbers here, nor what no float can hold."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return isfinite(value)
    except OverflowError:
        return False


_ACCEPTS: Final[dict[FieldType, Callable[[Field, Any], bool]]] = {
    FieldType.TEXT: lambda _field, value: isinstance(value, str),
    FieldType.CHOICE: lambda field, value: isinstance(value, str) and value in field.values,
    FieldType.LEVEL: lambda field, value: isinstance(value, str) and value in field.values,
    FieldType.NUMBER: lambda _field, value: is_number(value),
    FieldType.BOOLEAN: lambda _field, value: isinstance(value, bool),
    FieldType.TEXTS: lambda field, value: (
        isinstance(value, list | tuple | set | frozenset)
        and all(isinstance(item, str) and (not field.values or item in field.values) for item in value)
    ),
}

_CUT: Final = 80
_SENTENCE: Final = 160
LEVELS: Final = ("none", "low", "medium", "high", "critical")
_ACCESS: Final = ("metadata", "read", "write", "send", "delete", "admin", "impersonate")

_T, _C, _L = FieldType.TEXT, FieldType.CHOICE, FieldType.LEVEL
_N, _B, _S = FieldType.NUMBER, FieldType.BOOLEAN, FieldType.TEXTS

_FIELDS: Final = (
    Field("app.id", _T, "Lantern's opaque id of the app"),
    Field("app.name", _T, "Name the app shows on the consent page; anyone can choose it"),
    Field("app.verdict", _C, "Whether the app is an AI tool", ("ai", "embedded_ai", "not_ai")),
    Field("app.confidence", _N, "Confidence in the verdict, 0 to 1"),
    Field("app.category", _T, "Catalog category, such as ai_assistant or ai_agent"),
    Field("app.vendor", _T, "Catalog id of the vendor; empty when identified as belonging to none"),
    Field("app.product", _T, "Catalog id of the product; empty when identified as belonging to none"),
    Field("app.risk", _N, "Risk score, 0 to 100"),
    Field("app.risk_level", _L, "Risk score as a level", LEVELS),
    Field(
        "app.status",
        _C,
        "The organisation's decision about the app or its product",
        ("unreviewed", "under_review", "approved", "restricted", "not_allowed"),
    ),
    Field(
        "app.lookalike_of", _T, "Known product whose name this app imitates; empty when compared and clear"
    ),
    Field("app.holders", _N, "How many principals hold a grant of the app now"),
    Field("app.first_seen_days", _N, "Days since Lantern first saw the app in this organisation"),
    Field("app.scope_severity", _L, "Most sensitive scope any holder granted the app", LEVELS),
    Field("app.is_new", _B, "Whether the app appeared after the first complete inventory"),
    Field("app.kind", _C, "What kind of software it is", get_args(AppKind)),
    Field("app.provider", _C, "Whose app it is, as far as its id tells", get_args(Provider)),
    Field("app.publisher_verified", _B, "Whether the provider says that it verified the publisher"),
    Field("app.abused", _B, "Whether a public report of abuse fits the app"),
    Field("app.connections", _N, "At how many connections somebody holds it"),
    Field("app.data_classes", _S, "Kinds of data that any of its grants reaches"),
    Field("app.access", _S, "What any of its grants allows", _ACCESS),
    Field("app.anomalies", _S, "What stands out in its use in the last whole week", get_args(AnomalyKind)),
    Field("app.odd_accounts", _N, "Accounts whose use of it stood out when they were last looked at"),
    Field("app.unused_scopes", _N, "Scopes granted whose data it was never seen to touch"),
    Field("app.unused_severity", _L, "Most sensitive of the scopes never used", LEVELS),
    Field("app.bytes_sent", _N, "Bytes seen going to it, where a log counts them"),
    Field("app.last_used_days", _N, "Days since the last use that was seen"),
    Field("app.status_days", _N, "Days since the organisation's decision about it was last changed"),
    Field("app.exception_ended", _B, "Whether an exception for it ended that nobody renewed or took back"),
    Field("app.exception_ended_days", _N, "Days since that exception ended; less than 0 while it holds"),
    Field("app.approval_ended", _B, "Whether an approval for a time ran out and nobody decided since"),
    Field("app.approval_ended_days", _N, "Days since that approval ran out"),
    Field("app.lapsed_exceptions", _N, "People who still hold it after their own exception ended"),
    Field("app.chain_connections", _N, "Connections of which one product or vendor behind it reaches data"),
    Field("app.chain_data_classes", _S, "Kinds of data that such a chain brings together; empty without one"),
    Field("vendor.id", _T, "Lantern's id of the vendor's profile"),
    Field("vendor.name", _T, "Vendor of the app, as the catalog calls it"),
    Field("vendor.trains_on_business_data", _B, "Whether it trains models on data of business customers"),
    Field("vendor.trains_on_consumer_data", _B, "Whether it trains models on data of consumer accounts"),
    Field("vendor.retention_stated", _B, "Whether its profile holds a stated retention or zero retention"),
    Field("vendor.retention_days", _N, "Days it keeps content by default at most, where stated"),
    Field("vendor.zero_retention", _B, "Whether it can be used without anything being kept"),
    Field("vendor.soc2", _B, "Whether it has a SOC 2 Type 2 report"),
    Field("vendor.iso27001", _B, "Whether it is certified to ISO/IEC 27001"),
    Field("vendor.iso42001", _B, "Whether it is certified to ISO/IEC 42001"),
    Field("vendor.hipaa_baa", _B, "Whether it signs a HIPAA business associate agreement"),
    Field("vendor.dpa", _B, "Whether it offers a data processing agreement"),
    Field("vendor.eu_residency", _B, "Whether it can keep customer data in the EU"),
    Field("vendor.subprocessors_published", _B, "Whether it publishes its sub-processors"),
    Field("vendor.owner", _C, "Who owns it", get_args(OwnerKind)),
    Field("vendor.country", _T, "Where it has its seat, as ISO 3166-1 alpha-2"),
    Field("vendor.transfer", _C, "Whether the EU finds data as safe in its country", get_args(Transfer)),
    Field("vendor.incidents", _N, "Public incidents its profile lists"),
    Field("vendor.incident_months", _N, "Months since the latest incident its profile lists"),
    Field("vendor.changed", _S, "What changed in its profile in the last 30 days", get_args(Changeable)),
    Field(
        "vendor.treatment_change",
        _T,
        "The latest change of how it treats data in 30 days: old and new, date, page; empty for none",
        room=_SENTENCE,
    ),
    Field(
        "vendor.ownership_change",
        _T,
        "The latest change of its owner in 30 days: old and new, date, page; empty for none",
        room=_SENTENCE,
    ),
    Field("grant.id", _T, "Lantern's opaque id of the grant"),
    Field("grant.scopes", _S, "Scopes granted, as the provider names them"),
    Field("grant.scope_severity", _L, "Most sensitive scope of the grant", LEVELS),
    Field("grant.data_classes", _S, "Kinds of data the scopes reach, such as mail or files"),
    Field("grant.access", _S, "What the scopes allow", _ACCESS),
    Field("grant.added_scopes", _S, "Scopes added to this grant recently; empty when none were"),
    Field("grant.added_scope_severity", _L, "Most sensitive of the scopes added recently", LEVELS),
    Field(
        "grant.admin_severity",
        _L,
        "Most sensitive scope that administers the organisation: accounts, sign-in, policies, clouds",
        LEVELS,
    ),
    Field("grant.restricted_scopes", _S, "Scopes the provider itself labels restricted"),
    Field("grant.granted_days", _N, "Days since consent was given, where the provider tells"),
    Field("grant.first_seen_days", _N, "Days since Lantern first saw the grant"),
    Field("grant.source", _C, "What the grant rests on", get_args(GrantSource)),
    Field("activity.idle_days", _N, "Days without use: since the last use seen, else the window read whole"),
    Field(
        "activity.never_used", _B, "Whether use was read whole since the grant is there, and there was none"
    ),
    Field("principal.id", _T, "Lantern's opaque id of the account"),
    Field("principal.status", _C, "State of the account", get_args(PrincipalStatus)),
    Field("principal.admin", _B, "Whether the account has administrator rights"),
    Field("principal.kind", _C, "Kind of account", get_args(PrincipalKind)),
    Field("principal.departed", _B, "Whether this account is suspended, archived or deleted"),
    Field("principal.personal", _B, "Whether its address is known to be a private one"),
    Field("principal.shared", _B, "Whether no single person is behind it: shared, service or group"),
    Field("principal.login_days", _N, "Days since its last sign-in, where the provider tells"),
    Field("person.id", _T, "Lantern's opaque id of the person"),
    Field(
        "person.departed", _B, "Whether the person has left, by the directory believed most or all accounts"
    ),
    Field("person.admin", _B, "Whether any account of the person has administrator rights"),
    Field("person.accounts", _N, "How many accounts the person has"),
    Field("person.grants", _N, "How many grants the person's accounts hold"),
    Field("person.ai_apps", _N, "How many AI apps the person's accounts use"),
    Field("connection.id", _T, "Lantern's opaque id of the connection"),
    Field("connection.provider", _C, "Provider of the connection", get_args(Provider)),
    Field(
        "connection.kind",
        _C,
        "Whether it was connected by consent or is made of files",
        get_args(ConnectionKind),
    ),
    Field(
        "connection.missing_scopes", _N, "Permissions that the consent does not give, each costing a feature"
    ),
    Field("connection.connected_days", _N, "Days since it was connected"),
    Field("connection.changes_age_hours", _N, "Hours since changes were last read"),
    Field("connection.unread_principals", _N, "Principals the last run could not read"),
    Field("connection.unread_percent", _N, "Share of principals the last run could not read, 0 to 100"),
    Field(
        "connection.status",
        _C,
        "State of the connection",
        get_args(ConnectionStatus),
    ),
    Field("connection.sync_age_hours", _N, "Hours since the last complete run ended"),
    Field("asset.id", _T, "Lantern's opaque id of the asset"),
    Field("asset.name", _T, "Name of the asset; anyone may have chosen it"),
    Field("asset.kind", _C, "What it is", get_args(AssetKind)),
    Field("asset.state", _C, "Whether it can be used", get_args(AssetState)),
    Field("asset.owned", _B, "Whether the provider names somebody who answers for it"),
    Field("asset.owner_departed", _B, "Whether whoever answers for it left"),
    Field("asset.age_days", _N, "Days since it was made"),
    Field("asset.first_seen_days", _N, "Days since Lantern first saw it"),
    Field("asset.idle_days", _N, "Days since its last use, where the provider tells"),
    Field("asset.expires", _B, "Whether an end of its life is set"),
    Field("asset.expires_in_days", _N, "Days until it ends; less than 0 once it has"),
    Field("asset.permissions", _S, "What it may do, as the provider names it"),
    Field("asset.transport", _C, "How a server is spoken to", ("https", "http", "local", "other")),
    Field("asset.by_policy", _B, "Whether the organisation itself installed or allowed it"),
    Field("asset.installations", _N, "Browsers that have it"),
    Field("asset.people", _N, "People who were seen using it"),
    Field("asset.visits", _N, "Visits that were seen"),
    Field("asset.transfers", _N, "Uploads, downloads and pastes that were seen"),
)

FIELDS: Final[dict[str, Field]] = {field.name: field for field in _FIELDS}


def describe_type(field: Field) -> str:
    """The type of a field in words, naming its values where they are listed."""
    words = {
        FieldType.TEXT: "a text",
        FieldType.CHOICE: "one of",
        FieldType.LEVEL: "one of",
        FieldType.NUMBER: "a number",
        FieldType.BOOLEAN: "true or false",
        FieldType.TEXTS: "a list of texts",
    }[field.type]
    return f"{words} {', '.join(field.values)}" if field.values else words


def shown(value: Any) -> str:
    """A value as it was written, cut: who sends a page may send anything."""
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python prints
        return "that"
    return text if len(text) <= _CUT else text[:_CUT] + "…"
