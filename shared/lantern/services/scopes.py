"""The compiled scope tables: one JSON file a provider, read on first use."""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from lantern.domain.scopes import (
    Access,
    Grant,
    Qualifier,
    ScopeClass,
    ScopeFamily,
    ScopeRow,
    ScopeTable,
    Severity,
    classify,
    common_scope,
    unknown_provider_scope,
)

FORMAT_VERSION = 2


class ScopeTableError(Exception):
    """A compiled scope table is damaged or of another format."""


class Scopes:
    """Classes of permissions from the tables in `directory` (`scopes-<provider>.json`).

    Nothing is read before the first question about a provider. Answers are kept: an organisation has few
    different scopes and many grants.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.table = lru_cache(maxsize=None)(self._read)
        self.classify = lru_cache(maxsize=8192)(self._classify)

    def _classify(self, provider: str, scope: str, grant: Grant | None = None) -> ScopeClass:
        """Return what `scope` reaches; without a table for the provider it is unknown, never low."""
        table = self.table(provider)
        found = (
            unknown_provider_scope(provider, scope)
            if table is None
            else classify(provider, scope, table=table, grant=grant or Grant())
        )
        return found if found.known else common_scope(provider, scope) or found

    def _read(self, provider: str) -> ScopeTable | None:
        """Return the provider's table, None where none is shipped.

        Raises:
            ScopeTableError: If the file is not a table of this format.
        """
        path = self._directory / f"scopes-{provider}.json"
        try:
            return load_table(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ScopeTableError(f"{path.name} is not a scope table: {error}") from error


def load_table(data: dict[str, Any]) -> ScopeTable:
    """Return the table that `scripts/build/compile_scopes.py` wrote as JSON.

    Raises:
        ValueError: If it has another format version.
        KeyError: If a field is missing.
    """
    if data["format"] != FORMAT_VERSION:
        raise ValueError(f"format {data['format']}, expected {FORMAT_VERSION}")
    return ScopeTable(
        provider=data["provider"],
        revision=data["revision"],
        counts=data["counts"],
        prefix=re.compile(data["prefix"]) if data["prefix"] else None,
        rewrites=tuple((old, new) for old, new in data["rewrites"]),
        qualifiers=tuple(Qualifier(*fields) for fields in data["qualifiers"]),
        operations=tuple((pattern, access) for pattern, access in data["operations"]),
        default_access=data["default_access"],
        rows={scope: ScopeRow(*fields) for scope, fields in data["rows"].items()},
        families=tuple(_family(fields, data["scales"]) for fields in data["families"]),
    )


def _family(fields: list[Any], scales: dict[str, dict[Access, Severity]]) -> ScopeFamily:
    pattern, data_class, noun, access, severity, label, scale = fields
    return ScopeFamily(pattern, data_class, noun, access, severity, label, scales.get(scale, {}))
