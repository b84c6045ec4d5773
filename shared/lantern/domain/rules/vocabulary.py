"""The words a rule may use: fields, subjects, groups, triggers, responses and frameworks, as data.

Every word carries a sentence, so that error messages, the schema and the documentation all speak from
this one table. A fact that is not known is `None`; a list that is known to be empty is `()`, and a text
that is known to be absent is `""`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from lantern.domain.rules.fields import FIELDS, LEVELS, Field, FieldType, describe_type, is_number, shown

__all__ = [
    "FIELDS", "FRAMEWORKS", "GROUPS", "LEVELS", "LISTED", "RESPONSES", "SUBJECTS",
    "TITLED", "TRIGGERS", "Field", "FieldType", "Grade", "GroupBy", "Severity",
    "Stage", "Subject", "describe_type", "fields_of", "is_number", "problems_of_facts",
]  # fmt: skip


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
    ASSET = "asset"


LISTED: Final = frozenset({Subject.GRANT, Subject.ASSET})
"""Subjects of which a finding lists those that it is about; of others it is about the whole group."""


class GroupBy(StrEnum):
    """What one finding of a rule is about: finding = rule + group."""

    APP = "app"
    PERSON = "person"
    CONNECTION = "connection"
    ASSET = "asset"


SUBJECTS: Final[dict[Subject, tuple[str, ...]]] = {
    Subject.GRANT: ("app", "vendor", "grant", "activity", "principal", "person", "connection"),
    Subject.APP: ("app", "vendor"),
    Subject.PERSON: ("person",),
    Subject.CONNECTION: ("connection",),
    Subject.ASSET: ("asset", "app", "vendor", "connection"),
}
"""Which entities' facts are there when a rule of that subject is evaluated."""

GROUPS: Final[dict[Subject, tuple[GroupBy, ...]]] = {
    Subject.GRANT: (GroupBy.APP, GroupBy.PERSON, GroupBy.CONNECTION),
    Subject.APP: (GroupBy.APP,),
    Subject.PERSON: (GroupBy.PERSON,),
    Subject.CONNECTION: (GroupBy.CONNECTION,),
    Subject.ASSET: (GroupBy.ASSET, GroupBy.APP, GroupBy.CONNECTION),
}
"""By what a rule of that subject may group; the first one is the default."""

TITLED: Final[dict[GroupBy, tuple[str, ...]]] = {
    GroupBy.APP: ("app", "vendor"),
    GroupBy.PERSON: ("person",),
    GroupBy.CONNECTION: ("connection",),
    GroupBy.ASSET: ("asset", "app", "vendor", "connection"),
}
"""Entities whose facts everything in such a group shares, so that the title of a finding may name them."""

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
    "asset.changed": "a credential, agent, server or extension was added or changed, or is gone",
    "vendor.changed": "what is publicly known of a vendor changed",
    "policy.changed": "the organisation changed its rules",
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
    "rotate-credential": "ask whoever owns a credential to replace or end it",
    "assign-owner": "find somebody who answers for it",
    "remove-extension": "take an extension out of browsers, by the administrator's policy",
    "reclaim-seat": "take back a licence that nobody uses",
    "vendor-incident": "find out who is exposed and rotate what the vendor held",
    "review-person": "look at what one person uses and point them to what is approved",
    "restore-coverage": "tell an administrator what cannot be read and how to repair it",
}

TOLD: Final = frozenset({"review-person", "restore-coverage"})
"""Responses that no playbook does: the alert itself is all of it."""

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
            problems.append(f"{name}: {shown(value)} is not {describe_type(field)}")
    return problems
