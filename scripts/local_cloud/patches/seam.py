"""The one place that reaches into MiniStack's private names.

MiniStack is pinned to an exact version, and every seam fails loudly when a name is gone: a patch must
never turn silently into a no-op.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any


class SeamError(RuntimeError):
    """A name or text that a patch relies on is missing from this MiniStack."""


def private(owner: Any, name: str) -> Any:
    """Return the attribute `name` of a MiniStack module or class; raise `SeamError` if it is gone."""
    try:
        return getattr(owner, name)
    except AttributeError as error:
        raise SeamError(f"{_label(owner)} has no {name}: the patch must be revised") from error


def install(owner: Any, name: str, value: Any) -> None:
    """Set an attribute that must already exist."""
    private(owner, name)
    setattr(owner, name, value)


def wrap(owner: Any, name: str, make: Callable[[Any], Any], *, also: tuple[ModuleType, ...] = ()) -> None:
    """Replace `owner.name` by `make(original)`, in `owner` and wherever it was imported by name (`also`)."""
    replacement = make(private(owner, name))
    for holder in (owner, *also):
        install(holder, name, replacement)


def edit_text(owner: Any, name: str, old: str, new: str) -> None:
    """Replace the only occurrence of `old` in a text attribute; raise `SeamError` if there is not one."""
    text = private(owner, name)
    if text.count(old) != 1:
        raise SeamError(
            f"{_label(owner)}.{name}: expected one occurrence of {old[:60]!r}, found {text.count(old)}"
        )
    install(owner, name, text.replace(old, new))


def _label(owner: Any) -> str:
    return str(getattr(owner, "__name__", owner))
