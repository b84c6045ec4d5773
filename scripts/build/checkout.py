"""The knowledge of this checkout, compiled once and again only when what it is made of changes.

The compilers need more memory than looking things up does, so they run in a process of their own.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import lantern.content
from scripts.build.compile_catalog import FILE_NAME

ROOT: Final = Path(__file__).resolve().parents[2]
HOME: Final = ROOT / "build" / "knowledge"
_COMPILE: Final = (
    "import sys; from pathlib import Path; from scripts.build.content import build_content; "
    "build_content(Path(sys.argv[1]))"
)
_SERVICES: Final = ("catalog.py", "reference.py", "scopes.py")
_KEEP: Final = 3


def shipped_content(home: Path = HOME) -> Path:
    """Return the folder of compiled knowledge, compiling it first where it is missing or out of date."""
    compiled = home / _revision()
    if compiled.exists():
        return compiled
    try:
        home.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=home))
    except OSError:
        # A checkout that cannot be written to: compiled anew each time.
        fresh = compiled = Path(tempfile.mkdtemp(prefix="lantern-knowledge-"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "shared"), str(ROOT)))}
    subprocess.run([sys.executable, "-c", _COMPILE, str(fresh)], check=True, env=environment, cwd=ROOT)
    if fresh != compiled:
        _settle(fresh, compiled, home)
    return compiled


def shipped_catalog(home: Path = HOME) -> Path:
    """Return the compiled catalog."""
    return shipped_content(home) / FILE_NAME


def _settle(fresh: Path, compiled: Path, home: Path) -> None:
    """Put the finished folder in its place; another process may have been faster, with the same content."""
    try:
        fresh.rename(compiled)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
    kept = sorted(home.glob("[0-9a-f]*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in kept[_KEEP:]:
        shutil.rmtree(old, ignore_errors=True)


def _revision() -> str:
    """A digest of every source, of the compilers, and of what says how names and entries are read."""
    digest = hashlib.sha256()
    sources, code = Path(lantern.content.__file__).parent, ROOT / "shared" / "lantern"
    files = [*sources.rglob("*.yaml"), *sources.rglob("*.json"), *(ROOT / "scripts" / "build").glob("*.py")]
    files += [*(code / "domain").glob("*.py"), *(code / "services" / name for name in _SERVICES)]
    files += (code / "domain" / "playbooks").glob("*.py")
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)}:{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()[:16]
