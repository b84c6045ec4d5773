"""What a permission reaches: one taxonomy for every provider.

Data class × access gives a severity and a sentence. Explicit rows say what matters, grammar says the
rest, and what neither knows is `unknown` and never low.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

DataClass = Literal[
    "identity", "directory", "mail", "files", "calendar", "contacts", "chat", "code", "crm", "hr", "finance",
    "analytics", "device", "security", "ai_content", "infrastructure",
]  # fmt: skip
Access = Literal["metadata", "read", "write", "send", "delete", "admin", "impersonate"]
Severity = Literal["none", "low", "medium", "high", "critical"]
Source = Literal["table", "grammar", "unknown"]

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
MAX_SCOPE_LENGTH = 300


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


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """One scope that is written out in the table."""

    data_class: DataClass
    access: Access
    severity: Severity
    label: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class ScopeFamily:
    """Scopes of one pattern (`*`, `?`): what they are about; the suffix tells the access unless it is set."""

    pattern: str
    data_class: DataClass
    noun: str
    access: Access | None = None
    severity: Severity | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class ScopeTable:
    """What is known of one provider's scopes. `prefixes` are cut before look-up, `suffixes` tell access."""

    provider: str
    revision: str
    prefixes: tuple[str, ...]
    suffixes: tuple[tuple[str, Access], ...]
    default_access: Access
    rows: Mapping[str, ScopeRow]
    families: tuple[ScopeFamily, ...]


def classify(provider: str, scope: str, *, table: ScopeTable) -> ScopeClass:
    """Return what `scope` reaches, by row, else by family and suffix, else as unknown.

    Raises:
        ValueError: If `table` is another provider's.
    """
    if table.provider != provider:
        raise ValueError(f"the scope table is {table.provider}'s, not {provider}'s")
    shown = scope.strip()[:MAX_SCOPE_LENGTH]
    short = _without_prefix(shown, table)
    row = table.rows.get(short) or table.rows.get(short.casefold())
    if row is not None:
        return ScopeClass(
            provider, shown, row.data_class, row.access, row.severity, row.label, row.sentence, known=True,
            source="table",
        )  # fmt: skip
    lowered = short.casefold()
    family = next((family for family in table.families if fnmatchcase(lowered, family.pattern)), None)
    if family is None:
        return _unknown(provider, shown, _access(lowered, table))
    access = family.access or _access(lowered, table) or table.default_access
    severity = family.severity or severity_of(family.data_class, access)
    sentence = f"{_VERBS[access]} {family.noun}"
    return ScopeClass(
        provider,
        shown,
        family.data_class,
        access,
        severity,
        family.label,
        sentence,
        known=True,
        source="grammar",
    )


def unknown_provider_scope(provider: str, scope: str) -> ScopeClass:
    """Return the class of a scope whose provider has no table yet."""
    return _unknown(provider, scope.strip()[:MAX_SCOPE_LENGTH], None)


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


def _without_prefix(scope: str, table: ScopeTable) -> str:
    prefix = next((prefix for prefix in table.prefixes if scope.startswith(prefix)), "")
    return scope[len(prefix) :] or scope


def _access(short: str, table: ScopeTable) -> Access | None:
    return next((access for suffix, access in table.suffixes if short.endswith(suffix)), None)


def _unknown(provider: str, scope: str, access: Access | None) -> ScopeClass:
    severity: Severity = "medium" if access in {"read", "metadata"} else "high"
    sentence = "Not known to Lantern: what it reaches must be looked up, until then it is taken as risky"
    return ScopeClass(provider, scope, None, access, severity, None, sentence, known=False, source="unknown")
