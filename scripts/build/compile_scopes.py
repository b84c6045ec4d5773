"""Compile `content/scopes/<provider>.yaml` into one JSON file a provider, ready to load.

Run as `python -m scripts.build.compile_scopes OUT_DIR`.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

import lantern.content
from lantern.domain.scopes import Access, Counts, DataClass, Severity, folded, severity_of, severity_rank
from lantern.services.scopes import FORMAT_VERSION
from scripts.build.sources import SourceError, read_source

SOURCES = Path(lantern.content.__file__).parent / "scopes"

Text = Annotated[str, StringConstraints(min_length=3, max_length=140)]
Pattern = Annotated[str, StringConstraints(min_length=2, max_length=140)]
Scale = dict[Access, Severity]

# Who may do the second may do at least as much harm as who may do the first.
_ORDER: tuple[tuple[Access, Access], ...] = (
    ("metadata", "read"), ("read", "write"), ("read", "delete"), ("write", "admin"),
    ("admin", "impersonate"),
)  # fmt: skip


class Row(BaseModel):
    """One scope: access, sentence, and where they differ from the rule, severity; the provider's label."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    access: Access
    says: Text
    severity: Severity | None = None
    delegated: Severity | None = None
    label: str | None = None


class Family(BaseModel):
    """A family of scopes: patterns, what they are about, and the access where no operation tells it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patterns: tuple[Pattern, ...]
    data: DataClass
    noun: Text
    access: Access | None = None
    severity: Severity | None = None
    scale: str | None = None
    label: str | None = None


class Ending(BaseModel):
    """Endings that narrow or widen a permission, by how many steps of severity, and in words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endings: tuple[str, ...]
    step: Annotated[int, Field(ge=-2, le=2)] = 0
    says: str = ""


class ScopesFile(BaseModel):
    """The scopes of one provider. Rows come first, then families in their order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: Annotated[str, StringConstraints(pattern=r"^[a-z]+$")]
    counts: Counts
    labels: tuple[str, ...] = ()
    prefix: str | None = None
    rewrites: dict[str, str] = {}
    qualifiers: tuple[Ending, ...] = ()
    operations: dict[Access, tuple[str, ...]] = {}
    default_access: Access | None = None
    scales: dict[str, Scale] = {}
    rows: dict[DataClass, dict[str, Row]]
    families: tuple[Family, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "ScopesFile":
        faults = [*self._row_faults(), *self._family_faults(), *self._scale_faults()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def key(self, scope: str) -> str:
        """The name under which a scope is looked up."""
        return folded(scope, self.rewrites.items())

    def _row_faults(self) -> Iterator[str]:
        seen: set[str] = set()
        for data, rows in self.rows.items():
            for scope, row in rows.items():
                if self.key(scope) in seen:
                    yield f"{scope} is in two groups"
                if row.label not in {None, *self.labels}:
                    yield f"{scope}: label {row.label} is not one of {', '.join(self.labels)}"
                if row.delegated and self.counts != "organisation":
                    yield f"{scope}: delegated is for tables that count for the organisation"
                whole = row.severity or severity_of(data, row.access)
                if row.delegated and severity_rank(row.delegated) > severity_rank(whole):
                    yield f"{scope}: delegated is worse than for the whole organisation"
                seen.add(self.key(scope))

    def _family_faults(self) -> Iterator[str]:
        for family in self.families:
            if family.scale and (family.severity or family.scale not in self.scales):
                yield f"{family.patterns[0]}: scale {family.scale} is not there, or beside a severity"
            if family.label not in {None, *self.labels}:
                yield f"{family.patterns[0]}: label {family.label} is not one of {', '.join(self.labels)}"

    def _scale_faults(self) -> Iterator[str]:
        for name, scale in self.scales.items():
            for less, more in _ORDER:
                if (
                    less in scale
                    and more in scale
                    and severity_rank(scale[less]) > severity_rank(scale[more])
                ):
                    yield f"scale {name}: {less} is worse than {more}"


def compile_to(out_dir: Path, sources: Path = SOURCES) -> None:
    """Write `scopes-<provider>.json` into `out_dir` for every YAML file of `sources`.

    Raises:
        SourceError: If a file breaks the schema or names no provider of its own.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    for path in sorted(sources.glob("*.yaml")):
        table = compile_table(path)
        out = out_dir / f"scopes-{table['provider']}.json"
        out.write_text(json.dumps(table, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def compile_table(path: Path) -> dict[str, Any]:
    """Return the table of one YAML file as it is written to JSON.

    Raises:
        SourceError: If the file breaks the schema or names no provider of its own.
    """
    content = read_source(path, ScopesFile)
    if content.provider != path.stem:
        raise SourceError(f"{path.name}: provider: is {content.provider}")
    return _table(content)


def _table(content: ScopesFile) -> dict[str, Any]:
    rows = {
        content.key(scope): [
            data, row.access, row.severity or severity_of(data, row.access), row.label, row.says,
            row.delegated,
        ]
        for data, group in content.rows.items()
        for scope, row in group.items()
    }  # fmt: skip
    families = [
        [folded(pattern), one.data, one.noun, one.access, one.severity, one.label, one.scale]
        for one in content.families
        for pattern in one.patterns
    ]
    qualifiers = [
        (folded(ending), one.step, one.says) for one in content.qualifiers for ending in one.endings
    ]
    operations = [
        (folded(one), access) for access, patterns in content.operations.items() for one in patterns
    ]
    if content.prefix:
        re.compile(content.prefix)
    body = {
        "provider": content.provider,
        "counts": content.counts,
        "prefix": content.prefix,
        "rewrites": list(content.rewrites.items()),
        # The longer comes first, so that ".read_write" is not taken for "write".
        "qualifiers": sorted(qualifiers, key=lambda one: (-len(one[0]), one[0])),
        "operations": sorted(operations, key=lambda one: (-len(one[0]), one[0])),
        "default_access": content.default_access,
        "scales": content.scales,
        "rows": rows,
        "families": families,
    }
    revision = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
    return {"format": FORMAT_VERSION, "revision": revision, **body}


if __name__ == "__main__":
    compile_to(Path(sys.argv[1]))
