"""The words a rule may use: fields, subjects, groups, triggers, responses and frameworks, as data.

Every word carries a sentence, so that error messages, the schema and the documentation all speak from
this one table. A fact that is not known is `None`; a list that is known to be empty is `()`, and a text
that is known to be absent is `""`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any, Final, NamedTuple, get_args

from lantern.domain.inventory import PrincipalKind, PrincipalStatus, Provider
from lantern.domain.tenancy import ConnectionStatus


class FieldType(StrEnum):
    """What kind of value a field holds."""

    TEXT = "text"
    CHOICE = "choice"
    LEVEL = "level"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXTS = "texts"


class Severity(StrEnum):
    """How much a finding matters; `rank` orders the levels from 0 (info) to 4 (critical)."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Position in the order, info first."""
        return _SEVERITY_RANK[self]


class Grade(NamedTuple):
    """A severity by the facts that are known; not `certain` when an unknown one could have decided it."""

    level: Severity
    certain: bool


_SEVERITY_RANK: Final = {level: rank for rank, level in enumerate(Severity)}


class Stage(StrEnum):
    """How far a rule may go. `off` is a tenant's choice and never written in a rule page."""

    OFF = "off"
    OBSERVE = "observe"
    ENFORCE = "enforce"


class Subject(StrEnum):
    """What one evaluation of a rule looks at."""

    GRANT = "grant"
    APP = "app"
    PERSON = "person"
    CONNECTION = "connection"


class GroupBy(StrEnum):
    """What one finding of a rule is about: finding = rule + group."""

    APP = "app"
    PERSON = "person"
    CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class Field:
    """One fact a condition may name. `values` lists the choices, or the levels from lowest to highest."""

    name: str
    type: FieldType
    about: str
    values: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """The entity the fact belongs to: the part before the dot."""
        return self.name.partition(".")[0]

    def accepts(self, value: Any) -> bool:
        """Whether `value` is a well-typed fact for this field (`None`, unknown, always is)."""
        return value is None or _ACCEPTS[self.type](self, value)


def is_number(value: Any) -> bool:
    """Whether `value` is a finite number; booleans are not numbers here."""
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


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

LEVELS: Final = ("none", "low", "medium", "high", "critical")
_ACCESS: Final = ("metadata", "read", "write", "send", "delete", "admin", "impersonate")

_T, _C, _L = FieldType.TEXT, FieldType.CHOICE, FieldType.LEVEL
_N, _B, _S = FieldType.NUMBER, FieldType.BOOLEAN, FieldType.TEXTS

_FIELDS: Final = (
    Field("app.id", _T, "Lantern's opaque id of the app"),
    Field("app.name", _T, "Name the app shows on the consent page; anyone can choose it"),
    Field("app.verdict", _C, "Whether the app is an AI tool", ("ai", "not_ai")),
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
    Field("grant.id", _T, "Lantern's opaque id of the grant"),
    Field("grant.scopes", _S, "Scopes granted, as the provider names them"),
    Field("grant.scope_severity", _L, "Most sensitive scope of the grant", LEVELS),
    Field("grant.data_classes", _S, "Kinds of data the scopes reach, such as mail or files"),
    Field("grant.access", _S, "What the scopes allow", _ACCESS),
    Field("grant.added_scopes", _S, "Scopes added to this grant recently; empty when none were"),
    Field("grant.added_scope_severity", _L, "Most sensitive of the scopes added recently", LEVELS),
    Field("grant.restricted_scopes", _S, "Scopes the provider itself labels restricted"),
    Field("grant.granted_days", _N, "Days since consent was given, where the provider tells"),
    Field("grant.first_seen_days", _N, "Days since Lantern first saw the grant"),
    Field("activity.idle_days", _N, "Days without use: since the last use seen, else the window read whole"),
    Field("activity.events_90d", _N, "Uses seen in the last 90 days"),
    Field("principal.id", _T, "Lantern's opaque id of the account"),
    Field("principal.status", _C, "State of the account", get_args(PrincipalStatus)),
    Field("principal.admin", _B, "Whether the account has administrator rights"),
    Field("principal.kind", _C, "Kind of account", get_args(PrincipalKind)),
    Field("principal.departed", _B, "Whether this account is suspended, archived or deleted"),
    Field("person.id", _T, "Lantern's opaque id of the person"),
    Field(
        "person.departed", _B, "Whether the person has left, by the directory believed most or all accounts"
    ),
    Field("person.admin", _B, "Whether any account of the person has administrator rights"),
    Field("person.grants", _N, "How many grants the person's accounts hold"),
    Field("person.ai_apps", _N, "How many AI apps the person's accounts use"),
    Field("connection.id", _T, "Lantern's opaque id of the connection"),
    Field("connection.provider", _C, "Provider of the connection", get_args(Provider)),
    Field("connection.unread_principals", _N, "Principals the last run could not read"),
    Field("connection.unread_percent", _N, "Share of principals the last run could not read, 0 to 100"),
    Field(
        "connection.status",
        _C,
        "State of the connection",
        get_args(ConnectionStatus),
    ),
    Field("connection.sync_age_hours", _N, "Hours since the last complete run ended"),
)

FIELDS: Final[dict[str, Field]] = {field.name: field for field in _FIELDS}

SUBJECTS: Final[dict[Subject, tuple[str, ...]]] = {
    Subject.GRANT: ("app", "grant", "activity", "principal", "person", "connection"),
    Subject.APP: ("app",),
    Subject.PERSON: ("person",),
    Subject.CONNECTION: ("connection",),
}
"""Which entities' facts are there when a rule of that subject is evaluated."""

GROUPS: Final[dict[Subject, tuple[GroupBy, ...]]] = {
    Subject.GRANT: (GroupBy.APP, GroupBy.PERSON, GroupBy.CONNECTION),
    Subject.APP: (GroupBy.APP,),
    Subject.PERSON: (GroupBy.PERSON,),
    Subject.CONNECTION: (GroupBy.CONNECTION,),
}
"""By what a rule of that subject may group; the first one is the default."""

TRIGGERS: Final[dict[str, str]] = {
    "grant.added": "a principal granted an app access",
    "grant.changed": "the scopes of a grant changed",
    "grant.removed": "a grant is gone",
    "app.added": "an app was seen for the first time",
    "app.changed": "what is known about an app changed: verdict, risk, holders",
    "app.decided": "the organisation decided about an app or product",
    "activity.rolled": "a week of use was read completely",
    "principal.changed": "an account was suspended, archived, deleted, restored or made administrator",
    "connection.changed": "the state or coverage of a connection changed",
    "run.completed": "a full discovery run ended",
    "catalog.changed": "the catalog learned something",
    "daily": "once a day, whatever happened",
}

RESPONSES: Final[dict[str, str]] = {
    "review-app": "ask the app's owner or a reviewer to decide about the app",
    "reduce-scopes": "ask the holder to reconnect with fewer scopes",
    "nudge-then-revoke": "ask the holder whether the grant is still needed, then revoke it",
    "revoke": "revoke the affected grants, after approval",
    "offboard-person": "revoke everything the person still holds",
    "restore-coverage": "tell an administrator what cannot be read and how to repair it",
}

FRAMEWORKS: Final[dict[str, str]] = {
    "nist_ai_rmf": "NIST AI Risk Management Framework 1.0, subcategory such as GOVERN-1.6",
    "iso_42001": "ISO/IEC 42001:2023 Annex A control such as A.9.2",
    "soc2": "AICPA Trust Services Criteria such as CC6.3",
    "gdpr": "Regulation (EU) 2016/679, article such as Art.32",
    "eu_ai_act": "Regulation (EU) 2024/1689, article such as Art.26",
    "hipaa": "HIPAA Security Rule, section such as 164.308(a)(3)",
}


def fields_of(subject: Subject) -> tuple[str, ...]:
    """Names of the fields a rule of `subject` may use, in the order of the vocabulary."""
    prefixes = SUBJECTS[subject]
    return tuple(name for name, field in FIELDS.items() if field.prefix in prefixes)


def problems_of_facts(facts: Mapping[str, Any]) -> list[str]:
    """What is wrong with a mapping of facts: unknown names and badly typed values; empty when sound."""
    problems = []
    for name, value in facts.items():
        field = FIELDS.get(name)
        if field is None:
            problems.append(f"{name}: no such field")
        elif not field.accepts(value):
            problems.append(f"{name}: {value!r} is not {describe_type(field)}")
    return problems


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
