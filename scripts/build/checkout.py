"""The catalog of this checkout, compiled once and again only when what it is made of changes."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

from lantern.domain import calibration, catalog_listing, names
from lantern.domain import catalog as catalog_domain
from lantern.domain import catalog_schema as shared_schema
from lantern.services import catalog as catalog_service
from scripts.build import catalog_schema, compile_catalog

ROOT: Final = Path(__file__).resolve().parents[2]
_CODE: Final = (
    *(calibration, names, catalog_domain, catalog_service),
    *(catalog_listing, shared_schema, catalog_schema, compile_catalog),
)


def shipped_catalog(out: Path = ROOT / "build" / "catalog") -> Path:
    """Return the compiled catalog, compiling it first where it is missing or older than its sources."""
    path = out / f"{_digest()}.sqlite"
    if path.exists():
        return path
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        compile_catalog.compile_to(Path(folder))
        # Two commands may compile at the same time: the rename lets one whole file win.
        os.replace(Path(folder) / compile_catalog.FILE_NAME, path)  # noqa: PTH105 # replaces on every system
    for old in out.glob("*.sqlite"):
        if old != path:
            old.unlink(missing_ok=True)
    return path


def _digest() -> str:
    sources = [*sorted(compile_catalog.SOURCES.glob("*.yaml")), compile_catalog.CALIBRATION]
    code = [Path(str(module.__file__)) for module in _CODE]
    whole = hashlib.sha256()
    for path in (*sources, *code):
        content = path.read_bytes()
        whole.update(f"{path.name} {len(content)}\n".encode())
        whole.update(content)
    return whole.hexdigest()[:20]
