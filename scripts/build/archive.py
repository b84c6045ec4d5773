"""Zip files that depend on their content alone: the same tree gives the same bytes on every machine."""

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644 << 16
_SKIPPED_DIRECTORIES = frozenset({"__pycache__", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
_SKIPPED_SUFFIXES = frozenset({".pyc", ".pyo"})


def files_in(directory: Path) -> Iterator[tuple[str, Path]]:
    """Yield the relative name and path of every file that belongs into an artifact."""
    for path in sorted(directory.rglob("*")):
        relative = path.relative_to(directory)
        skipped = _SKIPPED_DIRECTORIES.intersection(relative.parts) or path.suffix in _SKIPPED_SUFFIXES
        if path.is_file() and not skipped:
            yield relative.as_posix(), path


def zip_trees(trees: Mapping[str, Path]) -> bytes:
    """Zip directories, each under its prefix: sorted names, one date, one mode.

    Raises:
        ValueError: two trees have a file of the same name.
    """
    entries: dict[str, Path] = {}
    for prefix, directory in trees.items():
        for name, path in files_in(directory):
            member = f"{prefix}{name}"
            if member in entries:
                raise ValueError(f"{member} comes from both {entries[member]} and {path}")
            entries[member] = path
    return _zip(sorted(entries.items()))


def _zip(entries: Iterable[tuple[str, Path]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, path in entries:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = _FILE_MODE
            info.create_system = 3
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, path.read_bytes())
    return buffer.getvalue()
