"""Compile `content/scopes/<provider>.yaml` into one JSON file a provider, ready to load.

Run as `python -m scripts.build.compile_scopes OUT_DIR`.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

import lantern.content
from lantern.domain.scopes import Access, DataClass, Severity, severity_of
from lantern.services.scopes import FORMAT_VERSION
from scripts.build.sources import SourceError, read_source

SOURCES = Path(lantern.content.__file__).parent / "scopes"

Text = Annotated[str, StringConstraints(min_length=3, max_length=140)]


class Row(BaseModel):
    """One scope: access, sentence, and where they differ from the rule, severity; the provider's label."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    access: Access
    says: Text
    severity: Severity | None = None
    label: str | None = None


class Family(BaseModel):
    """A family of scopes: patterns, what they are about, and the access where no suffix tells it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patterns: tuple[Text, ...]
    data: DataClass
    noun: Text
    access: Access | None = None
    severity: Severity | None = None
    label: str | None = None


class ScopesFile(BaseModel):
    """The scopes of one provider. Rows come first, then families in their order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: Annotated[str, StringConstraints(pattern=r"^[a-z]+$")]
    labels: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    suffixes: dict[str, Access]
    default_access: Access
    rows: dict[DataClass, dict[str, Row]]
    families: tuple[Family, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "ScopesFile":
        seen: set[str] = set()
        for rows in self.rows.values():
            for scope, row in rows.items():
                if scope in seen:
                    raise ValueError(f"{scope} is in two groups")
                if row.label not in {None, *self.labels}:
                    raise ValueError(f"{scope}: label {row.label} is not one of {', '.join(self.labels)}")
                seen.add(scope)
        return self


def compile_to(out_dir: Path, sources: Path = SOURCES) -> None:
    """Write `scopes-<provider>.json` into `out_dir` for every YAML file of `sources`.

    Raises:
        SourceError: If a file breaks the schema or names no provider of its own.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    for path in sorted(sources.glob("*.yaml")):
        content = read_source(path, ScopesFile)
        if content.provider != path.stem:
            raise SourceError(f"{path.name}: provider: is {content.provider}")
        out = out_dir / f"scopes-{content.provider}.json"
        out.write_text(
            json.dumps(_table(content), ensure_ascii=False, separators=(",", ":")), encoding="utf-8"
        )


def _table(content: ScopesFile) -> dict[str, Any]:
    rows = {
        scope: [data, row.access, row.severity or severity_of(data, row.access), row.label, row.says]
        for data, group in content.rows.items()
        for scope, row in group.items()
    }
    families = [
        [pattern, family.data, family.noun, family.access, family.severity, family.label]
        for family in content.families
        for pattern in family.patterns
    ]
    # Longer suffixes first, so that ".read_write" is not taken for "write".
    suffixes = sorted(content.suffixes.items(), key=lambda item: (-len(item[0]), item[0]))
    body = {
        "provider": content.provider,
        "prefixes": sorted(content.prefixes, key=len, reverse=True),
        "suffixes": suffixes,
        "default_access": content.default_access,
        "rows": rows,
        "families": families,
    }
    revision = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
    return {"format": FORMAT_VERSION, "revision": revision, **body}


if __name__ == "__main__":
    compile_to(Path(sys.argv[1]))
