"""What a permission reaches: one taxonomy for every provider.

Data class × access gives a severity and a sentence. Explicit rows say what matters, grammar says the
rest, and what neither knows is `unknown` and never low. Whom a permission reaches, one person or the whole
organisation, depends on how it was granted.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from re import Pattern
from typing import Literal

DataClass = Literal[
    "identity", "directory", "mail", "files", "calendar", "contacts", "chat", "code", "crm", "hr", "finance",
    "analytics", "device", "security", "ai_content", "infrastructure",
]  # fmt: skip
Access = Literal["metadata", "read", "write", "send", "delete", "admin", "impersonate"]
Severity = Literal["none", "low", "medium", "high", "critical"]
Source = Literal["table", "grammar", "unknown"]
Kind = Literal["application", "delegated"]
Counts = Literal["person", "organisation", "either"]

SEVERITIES: tuple[Severity, ...] = ("none", "low", "medium", "high", "critical")

# What reading this kind of data would mean to an organisation, as an index into SEVERITIES.
_SENSITIVITY: dict[DataClass, int] = {
    "identity": 1, "analytics": 1,
    "directory": 2, "calendar": 2, "contacts": 2, "device": 2, "ai_content": 2,
    "mail": 3, "files": 3, "chat": 3, "code": 3, "crm": 3, "hr": 3, "finance": 3,
    "security": 3, "infrastructure": 3,
}  # fmt: skip
# How an access moves that: (step, at least).
_ACCESS: dict[Access, tuple[int, int]] = {
    "metadata": (-1, 1), "read": (0, 1), "write": (0, 2), "send": (0, 2), "delete": (1, 2), "admin": (1, 3),
    "impersonate": (4, 4),
}  # fmt: skip
_VERBS: dict[Access, str] = {
    "metadata": "See details of",
    "read": "Read",
    "write": "Read and change",
    "send": "Send",
    "delete": "Delete",
    "admin": "Administer",
    "impersonate": "Act as",
}
_ONE_PERSON = {"{whose}": "the person's", "{who}": "the person"}
VISIT = "web:visit"
"""What a site holds that people were seen going to: no access, only what they bring there."""
_EVERYONE = {"{whose}": "everyone's", "{who}": "anyone"}
MAX_SCOPE_LENGTH = 300
_MANAGED: frozenset[DataClass] = frozenset({"directory", "security", "infrastructure", "device"})
"""Kinds of data of which administration is that of the organisation."""
_ADMIN_NAME = re.compile(r"(?:^|[./])admin[.:]")


@dataclass(frozen=True, slots=True)
class ScopeClass:
    """What one permission reaches.

    `label` is the provider's own word (`restricted`, `sensitive`), None where it gives none. `source` tells
    whether a table row or the grammar answered. With `known` False, `data_class` is
    None and `severity` is an assumption.
    """

    provider: str
    scope: str
    data_class: DataClass | None
    access: Access | None
    severity: Severity
    label: str | None
    sentence: str
    known: bool
    source: Source


def administers(one: ScopeClass) -> bool:
    """Whether a permission manages the organisation itself, and not just all of somebody's own data.

    Full access to one person's Drive or mailbox is `admin` access too, and is no administration. What an
    extension may do to a browser is not either.
    """
    if one.access not in ("admin", "impersonate") or one.scope.startswith(("chrome:", "password:")):
        return False
    return one.data_class in _MANAGED or _ADMIN_NAME.search(one.scope) is not None


@dataclass(frozen=True, slots=True)
class Grant:
    """How a permission was granted, as far as that is known.

    Attributes:
        kind: `application` acts on its own and reaches the whole organisation, `delegated` acts for a person
            and reaches what that person reaches; None is not known, or the provider does not distinguish.
        tenant_wide: A delegated permission that an administrator granted for everyone.
    """

    kind: Kind | None = None
    tenant_wide: bool = False

    def reaches_everyone(self, counts: Counts) -> bool:
        """Whether it reaches everyone; what is not known is as the provider's table counts."""
        if self.tenant_wide or self.kind == "application":
            return True
        return self.kind is None and counts == "organisation"


_PLAIN_GRANT = Grant()


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """One scope that is written out in the table; `delegated` is its severity for one person, if special."""

    data_class: DataClass
    access: Access
    severity: Severity
    label: str | None
    sentence: str
    delegated: Severity | None = None


@dataclass(frozen=True, slots=True)
class ScopeFamily:
    """Scopes of one pattern (`*`, `?`): what they are about; an operation tells the access unless it is set.

    `scale` gives the severity of each access where it is not that of the taxonomy.
    """

    pattern: str
    data_class: DataClass
    noun: str
    access: Access | None = None
    severity: Severity | None = None
    label: str | None = None
    scale: Mapping[Access, Severity] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Qualifier:
    """An ending that narrows or widens a permission (`.OwnedBy`): steps of severity, and what it says."""

    ending: str
    step: int
    says: str = ""


@dataclass(frozen=True, slots=True)
class ScopeTable:
    """What is known of one provider's scopes.

    Attributes:
        provider: Its id.
        revision: A hash of the content.
        counts: Whom the severities are written for.
        prefix: What is cut from the beginning before look-up.
        rewrites: Texts replaced before look-up, in order.
        qualifiers: Endings cut before the operation is read, longest first.
        operations: Patterns that tell the access, the most specific first.
        default_access: The access of a family whose operation is not told; None makes such a scope unknown.
        rows: Scopes by their folded name.
        families: Scopes by pattern; the first that fits counts.
    """

    provider: str
    revision: str
    counts: Counts
    prefix: Pattern[str] | None
    rewrites: tuple[tuple[str, str], ...]
    qualifiers: tuple[Qualifier, ...]
    operations: tuple[tuple[str, Access], ...]
    default_access: Access | None
    rows: Mapping[str, ScopeRow]
    families: tuple[ScopeFamily, ...]


def classify(provider: str, scope: str, *, table: ScopeTable, grant: Grant = _PLAIN_GRANT) -> ScopeClass:
    """Return what `scope` reaches, by row, else by family and operation, else as unknown.

    Raises:
        ValueError: If `table` is another provider's.
    """
    if table.provider != provider:
        raise ValueError(f"the scope table is {table.provider}'s, not {provider}'s")
    shown = scope.strip()[:MAX_SCOPE_LENGTH]
    everyone = grant.reaches_everyone(table.counts)
    for name in _names(shown, table):
        row = table.rows.get(name)
        if row is not None:
            severity = _reached(row.severity, table.counts, everyone=everyone, one_person=row.delegated)
            return ScopeClass(
                provider, shown, row.data_class, row.access, severity, row.label,
                _filled(row.sentence, everyone=everyone), known=True, source="table",
            )  # fmt: skip
    return _by_grammar(shown, table, everyone=everyone)


def common_scope(provider: str, scope: str) -> ScopeClass | None:
    """Return the class of a scope that means the same at every provider, Lantern's own; None for others."""
    shown = scope.strip()
    if shown != VISIT:
        return None
    # No kind of data: it is known that something may be typed or uploaded there, and never what.
    said = "People go there with a browser: what they type or upload is not known"
    return ScopeClass(provider, shown, None, None, "low", None, said, known=True, source="table")


def unknown_provider_scope(provider: str, scope: str) -> ScopeClass:
    """Return the class of a scope whose provider has no table yet."""
    return _unknown(provider, scope.strip()[:MAX_SCOPE_LENGTH], None)


def folded(scope: str, rewrites: Iterable[tuple[str, str]] = ()) -> str:
    """Return the form in which scopes are compared: case and a slash at the end do not matter."""
    name = scope.casefold().rstrip("/")
    for old, new in rewrites:
        name = name.replace(old, new)
    return name


def severity_of(data_class: DataClass, access: Access) -> Severity:
    """Return the severity of an access to a class of data where no row says otherwise."""
    step, least = _ACCESS[access]
    return SEVERITIES[min(4, max(least, _SENSITIVITY[data_class] + step))]


def severity_rank(severity: Severity) -> int:
    """Return 0 (none) to 4 (critical)."""
    return SEVERITIES.index(severity)


def worst(classes: Iterable[ScopeClass]) -> Severity:
    """Return the highest severity among `classes`, `none` where there is none."""
    return max((one.severity for one in classes), key=severity_rank, default="none")


def _names(shown: str, table: ScopeTable) -> tuple[str, ...]:
    """The scope as it is, and without what providers put before it."""
    whole = folded(shown, table.rewrites)
    found = table.prefix.match(whole) if table.prefix else None
    return (whole, whole[found.end() :] or whole) if found else (whole,)


def _by_grammar(shown: str, table: ScopeTable, *, everyone: bool) -> ScopeClass:
    name = _names(shown, table)[-1]
    qualifier = next((one for one in table.qualifiers if name.endswith(one.ending)), None)
    core = name.removesuffix(qualifier.ending) if qualifier else name
    told = _access(core, table) or _access(name, table)
    family = next((family for family in table.families if fnmatchcase(name, family.pattern)), None)
    access = (family.access or told or table.default_access) if family else None
    if family is None or access is None:
        return _unknown(table.provider, shown, told)
    severity = family.severity or family.scale.get(access) or severity_of(family.data_class, access)
    if qualifier:
        severity = _stepped(severity, qualifier.step)
    aside = f", {qualifier.says}" if qualifier and qualifier.says else ""
    return ScopeClass(
        table.provider,
        shown,
        family.data_class,
        access,
        _reached(severity, table.counts, everyone=everyone),
        family.label,
        _filled(f"{_VERBS[access]} {family.noun}{aside}", everyone=everyone),
        known=True,
        source="grammar",
    )


def _reached(
    severity: Severity, counts: Counts, *, everyone: bool, one_person: Severity | None = None
) -> Severity:
    """Return a severity written for one person or for all as that of those it reaches."""
    if counts == "person" and everyone:
        return _stepped(severity, 1)
    if counts == "organisation" and not everyone:
        return one_person or _stepped(severity, -1)
    return severity


def _stepped(severity: Severity, step: int) -> Severity:
    """Return a severity moved by `step`; nothing stays nothing, and something never becomes nothing."""
    rank = severity_rank(severity)
    return SEVERITIES[min(4, max(1, rank + step))] if rank else severity


def _filled(sentence: str, *, everyone: bool) -> str:
    for place, text in (_EVERYONE if everyone else _ONE_PERSON).items():
        sentence = sentence.replace(place, text)
    return sentence


def _access(name: str, table: ScopeTable) -> Access | None:
    return next((access for pattern, access in table.operations if fnmatchcase(name, pattern)), None)


def _unknown(provider: str, scope: str, access: Access | None) -> ScopeClass:
    severity: Severity = "medium" if access in {"read", "metadata"} else "high"
    sentence = "Not known to Lantern: what it reaches must be looked up, until then it is taken as risky"
    return ScopeClass(provider, scope, None, access, severity, None, sentence, known=False, source="unknown")
