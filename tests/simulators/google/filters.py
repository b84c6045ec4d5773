"""The `filters` expression of the Reports API: conditions on event parameters, joined by commas."""

import re
from typing import Any

from .wire import invalid_input


def matches_filters(item: dict[str, Any], filters: str) -> bool:
    """Whether one event of the activity satisfies every condition of a `filters` expression."""
    conditions = [condition(part) for part in filters.split(",") if part]
    return any(
        all(_satisfied(event, name, operator, value) for name, operator, value in conditions)
        for event in item["events"]
    )


def condition(text: str) -> tuple[str, str, str]:
    """One condition: parameter name, operator, value."""
    found = re.fullmatch(r"([^<>=]+)(==|<>|<=|>=|<|>)(.*)", text)
    if found is None:
        raise invalid_input("filters")
    return found[1], found[2], found[3]


def _satisfied(event: dict[str, Any], name: str, operator: str, value: str) -> bool:
    for parameter in event["parameters"]:
        if parameter["name"] == name:
            return any(_compare(held, operator, value) for held in _values(parameter))
    return False


def _values(parameter: dict[str, Any]) -> list[str]:
    if "multiValue" in parameter:
        return list(parameter["multiValue"])
    for key in ("value", "intValue"):
        if key in parameter:
            return [str(parameter[key])]
    return [str(parameter["boolValue"]).lower()] if "boolValue" in parameter else []


def _compare(held: str, operator: str, value: str) -> bool:
    left: Any = held
    right: Any = value
    if operator not in {"==", "<>"}:
        try:
            left, right = int(held), int(value)
        except ValueError:
            return False
    outcomes = {
        "==": left == right, "<>": left != right, "<": left < right,
        "<=": left <= right, ">": left > right, ">=": left >= right,
    }  # fmt: skip
    return bool(outcomes[operator])
