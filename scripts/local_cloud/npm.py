"""Fetch pinned npm packages into build/cache: development tools that are not on PyPI."""

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / "build" / "cache" / "npm"


class NpmError(RuntimeError):
    """npm is missing, failed, or delivered something else than what is pinned."""


def fetch_package(name: str, version: str, integrity: str, subfolder: str, cache: Path = CACHE) -> Path:
    """Return a directory with `subfolder` of a package, downloaded once and verified.

    Args:
        name: the package.
        version: its exact version.
        integrity: `sha512-<base64>` of the tarball, as lock files write it.
        subfolder: what to unpack, inside the tarball.
        cache: where it is kept.

    Raises:
        NpmError: it cannot be had, or its content is not the pinned one.
    """
    unpacked = cache / f"{name}-{version}"
    if unpacked.is_dir():
        return unpacked
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        run_npm(["pack", "--silent", "--pack-destination", scratch, f"{name}@{version}"], Path(scratch))
        (tarball,) = Path(scratch).glob("*.tgz")
        check_integrity(tarball.read_bytes(), integrity, f"{name}@{version}")
        with tarfile.open(tarball) as archive:
            members = [member for member in archive if member.name.startswith(f"package/{subfolder}/")]
            archive.extractall(scratch, members, filter="data")
        (Path(scratch) / "package" / subfolder).rename(unpacked)
    return unpacked


def install_locked(project: Path, cache: Path = CACHE) -> Path:
    """Return a directory where `package-lock.json` of `project` is installed, once per lock.

    Raises:
        NpmError: the packages cannot be had or do not match the lock.
    """
    lock = project / "package-lock.json"
    installed = cache / f"{project.name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    if installed.is_dir():
        return installed
    cache.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=cache))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(project / name, fresh / name)
    try:
        run_npm(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], fresh)
        fresh.rename(installed)
    except (NpmError, OSError):
        shutil.rmtree(fresh, ignore_errors=True)
        if not installed.is_dir():  # else another process was faster
            raise
    return installed


def check_integrity(content: bytes, integrity: str, what: str) -> None:
    """Compare content with its pinned `sha512-<base64>`; raises `NpmError` if they differ."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != integrity:
        raise NpmError(f"{what} is not what is pinned: {found}")


def run_npm(arguments: list[str], directory: Path) -> None:
    """Run npm in a directory; raises `NpmError` with its words if it fails."""
    try:
        done = subprocess.run(["npm", *arguments], cwd=directory, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NpmError("npm is not installed (Node.js 20 or newer is needed)") from error
    if done.returncode:
        raise NpmError(f"npm {arguments[0]} failed:\n{done.stderr.strip() or done.stdout.strip()}")
