"""Gap: `${…}` in policies is compared as text, so a rule written with a principal's tag never matches.

Variables are replaced by the request's context before a statement is matched; one without a value
matches nothing (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html).
"""

import dataclasses
import re
from typing import Any

from ministack.core import iam_evaluator

from scripts.local_cloud.patches.seam import private, wrap

_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_LITERALS = frozenset("*?$")
_UNRESOLVED = "\0unresolved\0"


def apply() -> None:
    """Resolve variables in resources and conditions of identity, session, resource and trust policies."""
    wrap(iam_evaluator, "_first_match", _with_resolved_statements)
    wrap(iam_evaluator, "_conditions_met", _with_resolved_conditions)


def _with_resolved_statements(original: Any) -> Any:
    def first_match(ctx: Any, statements: list[Any], effect: str) -> Any:
        resolved = [
            dataclasses.replace(
                statement,
                resources=resolve(statement.resources, ctx),
                not_resources=resolve(statement.not_resources, ctx),
            )
            for statement in statements
        ]
        return original(ctx, resolved, effect)

    return first_match


def _with_resolved_conditions(original: Any) -> Any:
    def conditions_met(conditions: dict[str, Any], ctx: Any) -> Any:
        return original(resolve(conditions, ctx), ctx)

    return conditions_met


def resolve(value: Any, ctx: Any) -> Any:
    """Replace the variables in a policy element (text, list, mapping) by values of the request."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _value_of(match[1], ctx), value) if "${" in value else value
    if isinstance(value, list):
        return [resolve(item, ctx) for item in value]
    if isinstance(value, dict):
        return {key: resolve(item, ctx) for key, item in value.items()}
    return value


def _value_of(name: str, ctx: Any) -> str:
    if name in _LITERALS:
        return name
    key, _, default = name.partition(",")
    found = private(iam_evaluator, "_resolve_condition_key")(key.strip(), ctx)
    if found is not None:
        return str(found)
    return default.strip().strip("'") or _UNRESOLVED
