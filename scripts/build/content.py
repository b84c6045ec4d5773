"""Compile knowledge (catalog, rules, playbooks) into what the shared layer carries.

A compiler is a module `scripts/build/compile_<what>.py` with `compile_to(out_dir: Path) -> None`.
Adding one is adding a file.
"""

import pkgutil
from importlib import import_module
from pathlib import Path

_PREFIX = "compile_"


def compilers() -> list[str]:
    """Name the compilers, in order."""
    here = str(Path(__file__).parent)
    return sorted(module.name for module in pkgutil.iter_modules([here]) if module.name.startswith(_PREFIX))


def build_content(out: Path) -> list[str]:
    """Run every compiler into `out` and return the names of those that ran."""
    out.mkdir(parents=True, exist_ok=True)
    names = compilers()
    for name in names:
        import_module(f"scripts.build.{name}").compile_to(out)
    return names
