"""Google's `fields` parameter: partial responses such as `nextPageToken,users(id,name/fullName)`."""

from typing import Any

from .wire import bad_request

Mask = dict[str, "Mask"]


def parse_mask(text: str) -> Mask:
    """A tree of the selected fields; an empty sub-tree selects everything below."""
    mask, position = _selection(text, 0)
    if position != len(text):
        raise _invalid(text)
    return mask


def _selection(text: str, position: int) -> tuple[Mask, int]:
    mask: Mask = {}
    while True:
        position = _path(text, position, mask)
        if position >= len(text) or text[position] != ",":
            return mask, position
        position += 1


def _path(text: str, position: int, mask: Mask) -> int:
    start = position
    while position < len(text) and text[position] not in ",()/":
        position += 1
    name = text[start:position].strip()
    if not name:
        raise _invalid(text)
    below = mask.setdefault(name, {})
    if position < len(text) and text[position] == "/":
        return _path(text, position + 1, below)
    if position < len(text) and text[position] == "(":
        inner, position = _selection(text, position + 1)
        if position >= len(text) or text[position] != ")":
            raise _invalid(text)
        below.update(inner)
        return position + 1
    return position


def _invalid(text: str) -> Exception:
    return bad_request(f"Invalid field selection {text}", "invalidParameter")


def select(value: Any, mask: Mask) -> Any:
    """`value` with only the selected fields."""
    if not mask or "*" in mask:
        return value
    if isinstance(value, list):
        return [select(item, mask) for item in value]
    if isinstance(value, dict):
        return {key: select(item, mask[key]) for key, item in value.items() if key in mask}
    return value
