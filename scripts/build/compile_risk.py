"""Compile `content/risk/*.yaml` into `risk.json`: frameworks, abuse, consumer domains, transfers, APIs.

Run as `python -m scripts.build.compile_risk OUT_DIR`.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

import lantern.content
from lantern.domain.inventory import Provider
from lantern.domain.scopes import Access, DataClass
from lantern.domain.vendors import FactName
from lantern.services.reference import FORMAT_VERSION
from scripts.build.sources import read_source

SOURCES = Path(lantern.content.__file__).parent / "risk"
FILE_NAME = "risk.json"

Sentence = Annotated[str, StringConstraints(min_length=10, max_length=160)]
Url = Annotated[str, StringConstraints(pattern=r"^https://[^\s]+$", max_length=300)]
Month = Annotated[str, StringConstraints(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Host = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([-_][a-z0-9]+)*$")]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Closed):
    """One reason why an app matters for a framework."""

    says: Sentence
    refs: Annotated[tuple[str, ...], Field(min_length=1)]
    kind: Literal["applies", "gap"] = "applies"
    verdict: tuple[Literal["ai", "embedded_ai", "not_ai"], ...] = ()
    category: tuple[str, ...] = ()
    data: tuple[DataClass, ...] = ()
    access: tuple[Access, ...] = ()
    facts: dict[FactName, tuple[Literal["yes", "no", "unknown"], ...]] = {}
    transfer: tuple[Literal["adequate", "partly", "other", "unknown"], ...] = ()


class FrameworkEntry(_Closed):
    """A law or standard."""

    title: str
    source: Url
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]


class ComplianceFile(_Closed):
    """`compliance.yaml`."""

    frameworks: dict[Slug, FrameworkEntry]


class Report(_Closed):
    """A publicly reported abuse of an app."""

    names: Annotated[tuple[str, ...], Field(min_length=1)]
    how: Sentence
    confidence: Annotated[float, Field(gt=0, le=1)]
    source: Url
    date: Month
    legitimate: str | None = None
    ids: dict[Provider, tuple[str, ...]] = {}


class AbuseFile(_Closed):
    """`abuse.yaml`."""

    reports: dict[Slug, Report]


class AccountsFile(_Closed):
    """`accounts.yaml`."""

    consumer_domains: tuple[Host, ...]


class TransfersFile(_Closed):
    """`transfers.yaml`."""

    source: Url
    date: Month
    eea: tuple[Country, ...]
    adequate: tuple[Country, ...]
    partly: tuple[Country, ...]


class ApisFile(_Closed):
    """`apis.yaml`."""

    apis: dict[Provider, dict[str, tuple[DataClass, ...]]]


def compile_to(out_dir: Path, sources: Path = SOURCES) -> None:
    """Write `risk.json` into `out_dir`.

    Raises:
        SourceError: If a file breaks its schema.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    compliance = read_source(sources / "compliance.yaml", ComplianceFile)
    abuse = read_source(sources / "abuse.yaml", AbuseFile)
    accounts = read_source(sources / "accounts.yaml", AccountsFile)
    transfers = read_source(sources / "transfers.yaml", TransfersFile)
    apis = read_source(sources / "apis.yaml", ApisFile)
    body = {
        "frameworks": [
            {"id": name, **entry.model_dump(mode="json", exclude_defaults=True)}
            for name, entry in compliance.frameworks.items()
        ],
        "abuse": [
            {"id": name, **entry.model_dump(mode="json", exclude_defaults=True)}
            for name, entry in abuse.reports.items()
        ],
        "consumer_domains": sorted(accounts.consumer_domains),
        "transfers": {
            **dict.fromkeys(transfers.partly, "partly"),
            **dict.fromkeys((*transfers.eea, *transfers.adequate), "adequate"),
        },
        "apis": apis.model_dump(mode="json")["apis"],
    }
    revision = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
    text = json.dumps({"format": FORMAT_VERSION, "revision": revision, **body}, ensure_ascii=False)
    (out_dir / FILE_NAME).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    compile_to(Path(sys.argv[1]))
