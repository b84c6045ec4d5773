"""Check that a dependency tree runs on Lambda: wheel tags, machine code, unzipped size."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.build.targets import LAMBDA

UNZIPPED_LIMIT = 250 * 1024 * 1024  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html

_MACHINE_AARCH64 = 0xB7
_GLIBC = (2, 28)
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_aarch64")
_LEGACY_MANYLINUX = {"manylinux2014_aarch64": (2, 17)}


def wheel_problems(packages: Path) -> list[str]:
    """Say which installed distributions do not run on arm64 python3.13; empty if all do."""
    metadata = sorted(packages.glob("*.dist-info/WHEEL"))
    if not metadata:
        return [f"{packages} holds no installed distribution"]
    problems = []
    for wheel in metadata:
        tags = [
            line.removeprefix("Tag:").strip()
            for line in wheel.read_text().splitlines()
            if line.startswith("Tag:")
        ]
        if not any(runs_on_lambda(tag) for tag in tags):
            problems.append(f"{wheel.parent.name}: {', '.join(tags) or 'no tag'}")
    return [*problems, *_foreign_binaries(packages)]


def runs_on_lambda(tag: str) -> bool:
    """Tell whether a wheel tag (`python-abi-platform`, sets joined by dots) fits the function's runtime."""
    pythons, abis, platforms = tag.split("-")
    return any(
        _python_fits(python, abi) and _platform_fits(platform)
        for python in pythons.split(".")
        for abi in abis.split(".")
        for platform in platforms.split(".")
    )


def unzipped_size(trees: Iterable[Path]) -> int:
    """Return the bytes that the trees take on Lambda's disk."""
    return sum(path.stat().st_size for tree in trees for path in tree.rglob("*") if path.is_file())


def _python_fits(python: str, abi: str) -> bool:
    minor = int(LAMBDA.python.split(".")[1])
    if abi == "none":
        return python in {"py3", f"cp3{minor}", f"py3{minor}"}
    if abi == "abi3":
        version = re.fullmatch(r"cp3(\d+)", python)
        return bool(version) and int(version[1]) <= minor if version else False
    return python == abi == f"cp3{minor}"


def _platform_fits(platform: str) -> bool:
    if platform == "any":
        return True
    named = _MANYLINUX.fullmatch(platform)
    needed = (int(named[1]), int(named[2])) if named else _LEGACY_MANYLINUX.get(platform)
    return needed is not None and needed <= _GLIBC


def _foreign_binaries(packages: Path) -> Iterator[str]:
    """Name shared objects for another machine: a wheel's tag is only its maker's word."""
    for library in sorted(packages.rglob("*.so*")):
        head = library.read_bytes()[:20]
        if head[:4] == b"\x7fELF" and int.from_bytes(head[18:20], "little") != _MACHINE_AARCH64:
            yield f"{library.relative_to(packages)}: not aarch64"
