"""Dependency layers: hash-pinned wheels for the target, without what the Lambda runtime has."""

import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from scripts.build.archive import zip_trees
from scripts.build.targets import Target

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "cache" / "dependencies"
UV = ROOT / ".venv" / "bin" / "uv"

# The python3.13 runtime has boto3 and what boto3 needs
# (https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html). urllib3 stays: requests has its own pin.
RUNTIME_DISTRIBUTIONS = frozenset({"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six"})

_LAYOUT_VERSION = 1  # part of the cache key: raise it when pruning changes
_PRUNED_DIRECTORIES = frozenset({"tests", "test", "__pycache__"})
_PRUNED_SUFFIXES = frozenset({".pyi", ".pyx", ".pxd"})
_KEPT_METADATA = frozenset({"METADATA", "RECORD", "WHEEL"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def dependency_tree(requirements: Path, target: Target, cache: Path = CACHE) -> Path:
    """Return a directory with `python/…` for a layer; installed once per requirements and target.

    Raises:
        RuntimeError: a wheel is missing for the target or does not match its hash; the message is uv's.
    """
    wanted = without_distributions(requirements.read_text(), RUNTIME_DISTRIBUTIONS)
    tree = cache / _key(wanted, target)
    if not tree.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=cache))
        _install(wanted, fresh, target)
        prune(fresh / "python")
        _publish(fresh, tree)
    return tree


def dependency_zip(requirements: Path, target: Target, cache: Path = CACHE) -> bytes:
    """Return the zipped layer; zipping is cached too."""
    tree = dependency_tree(requirements, target, cache)
    zipped = tree.with_suffix(".zip")
    if not zipped.exists():
        partial = Path(tempfile.mkstemp(dir=cache)[1])
        partial.write_bytes(zip_trees({"": tree}))
        partial.rename(zipped)
    return zipped.read_bytes()


def without_distributions(requirements: str, names: frozenset[str]) -> str:
    """Drop the blocks of a compiled requirements file that pin one of `names`."""
    kept: list[str] = []
    dropping = False
    for line in requirements.splitlines(keepends=True):
        name = _NAME.match(line)
        if name:
            dropping = _normal(name[0]) in names
        if not dropping:
            kept.append(line)
    return "".join(kept)


def prune(packages: Path) -> None:
    """Remove tests, type stubs, scripts and metadata that nothing reads; wheel tags and licences stay."""
    for path in sorted(packages.rglob("*"), reverse=True):
        if path.is_dir():
            if path.name in _PRUNED_DIRECTORIES:
                shutil.rmtree(path)
        elif path.suffix in _PRUNED_SUFFIXES or _is_idle_metadata(path):
            path.unlink()
    shutil.rmtree(packages / "bin", ignore_errors=True)
    (packages / ".lock").unlink(missing_ok=True)


def _is_idle_metadata(path: Path) -> bool:
    if not path.parent.name.endswith(".dist-info"):
        return False
    return path.name not in _KEPT_METADATA and not path.name.upper().startswith(
        ("LICEN", "COPYING", "NOTICE")
    )


def _install(requirements: str, directory: Path, target: Target) -> None:
    pinned = directory / "requirements.txt"
    pinned.write_text(requirements)
    command = [
        str(UV),
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
    ]
    command += ["--target", str(directory / "python"), "--requirement", str(pinned)]
    command += ["--python-version", target.python]
    if target.platform:
        command += ["--python-platform", target.platform]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(directory)
        raise RuntimeError(f"dependency layer for {target.name}:\n{done.stderr.strip()}")
    pinned.unlink()


def _publish(fresh: Path, tree: Path) -> None:
    """Move a finished tree to its name; another process may have been faster."""
    fresh.chmod(0o755)
    try:
        fresh.rename(tree)
    except OSError:
        if not tree.is_dir():
            raise
        shutil.rmtree(fresh)


def _key(requirements: str, target: Target) -> str:
    parts = (requirements, target.python, target.platform or "host", str(_LAYOUT_VERSION))
    return f"{target.name}-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:20]}"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
