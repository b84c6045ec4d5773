"""This checkout's catalog, permissions and rules, compiled when they changed and kept in `build/`.

The compilers need more memory than reading an export does, so they run in a process of their own.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import lantern.content
from lantern.domain.abuse import KnownAbuse
from lantern.domain.rules.model import RuleSet, load_rules
from lantern.domain.scopes import Grant, ScopeClass
from lantern.domain.vendors import VendorProfile
from lantern.services.catalog import Catalog
from lantern.services.domains import registrable_domain
from lantern.services.reference import Reference
from lantern.services.scopes import Scopes

ROOT: Final = Path(__file__).resolve().parents[3]
_COMPILE: Final = "import sys; from pathlib import Path; from scripts.build.content import build_content; "
_KEEP: Final = 3


@dataclass(frozen=True)
class ExportKnowledge:
    """What judgement looks things up in (see `lantern.domain.exports.judge.Knowledge`)."""

    directory: Path

    @cached_property
    def catalog(self) -> Catalog:
        """Products and vendors."""
        return Catalog(self.directory / "catalog.sqlite")

    @cached_property
    def scopes(self) -> Scopes:
        """Tables of permissions."""
        return Scopes(self.directory)

    @cached_property
    def rules(self) -> RuleSet:
        """The rules."""
        return load_rules(self.directory / "rules.json")

    def classify(self, provider: str, scope: str, grant: Grant) -> ScopeClass:
        """What a permission reaches."""
        return self.scopes.classify(provider, scope, grant)

    def registrable(self, host: str) -> str | None:
        """The registrable domain of a host."""
        return registrable_domain(host)

    @cached_property
    def reference(self) -> Reference:
        """Vendors, frameworks and reports of abuse."""
        return Reference(self.directory)

    def vendor(self, name: str | None) -> VendorProfile | None:
        """What is publicly known of a vendor."""
        return self.reference.vendor(name)

    def abuse_of(self, provider: str, client_id: str, name: str) -> KnownAbuse | None:
        """The public report that an app fits."""
        return self.reference.abuse.match(provider, client_id, name)


def knowledge() -> ExportKnowledge:
    """The knowledge of this checkout, compiled where that has not been done since it changed."""
    home = ROOT / "build" / "knowledge"
    compiled = home / _revision()
    if (compiled / "complete").exists():
        return ExportKnowledge(compiled)
    try:
        home.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=home))
    except OSError:
        # A checkout that cannot be written to: compiled anew each time.
        fresh = compiled = Path(tempfile.mkdtemp(prefix="lantern-knowledge-"))
    _compile(fresh)
    (fresh / "complete").touch()
    if fresh != compiled:
        _settle(fresh, compiled, home)
    return ExportKnowledge(compiled)


def _settle(fresh: Path, compiled: Path, home: Path) -> None:
    """Put the finished folder in its place; another process may have been faster, with the same content."""
    try:
        fresh.rename(compiled)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
    kept = sorted(home.glob("[0-9a-f]*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in kept[_KEEP:]:
        shutil.rmtree(old, ignore_errors=True)


def _compile(out: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "shared"), str(ROOT)))}
    code = f"{_COMPILE}build_content(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(out)], check=True, env=environment, cwd=ROOT)


def _revision() -> str:
    """A digest of every source and of the compilers."""
    digest = hashlib.sha256()
    sources = Path(lantern.content.__file__).parent
    files = [*sources.rglob("*.yaml"), *sources.rglob("*.json"), *(ROOT / "scripts" / "build").glob("*.py")]
    files += (ROOT / "shared" / "lantern" / "services").glob("*.py")
    files += (ROOT / "shared" / "lantern" / "domain").glob("*.py")
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)}:{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()[:16]
