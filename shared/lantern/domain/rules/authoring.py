"""Checking a rule page and turning it into compiled data. Needs pydantic; nothing at run time imports it.

The build compiles the shipped pages with it, and the API can compile a tenant's own rules with the same
words and the same errors. Every problem names the source, the rule, the path inside the page and the
words that would have been valid.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from lantern.domain.errors import LanternError
from lantern.domain.playbooks.names import NAMES
from lantern.domain.rules.conditions import Node, comparisons, to_data
from lantern.domain.rules.model import FORMAT, Param, rule_from_data
from lantern.domain.rules.parsing import ConditionParser, Problems
from lantern.domain.rules.selftest import run_tests
from lantern.domain.rules.titles import holes, stray_braces
from lantern.domain.rules.vocabulary import (
    FIELDS,
    FRAMEWORKS,
    GROUPS,
    RESPONSES,
    SUBJECTS,
    TRIGGERS,
    GroupBy,
    Severity,
    Subject,
    is_number,
)

_ID: Final = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=20, max_length=4000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ParamPage(_Strict):
    """A figure (`min`, `max`) or a word (`choices`) that a tenant may tune."""

    about: Line
    default: int | float | str
    min: int | float | None = None
    max: int | float | None = None
    choices: list[Line] = Field(default_factory=list)


class TestPage(_Strict):
    """One example: the facts `given`, and what the rule must say about them."""

    name: Line
    given: dict[str, Any]
    expect: bool | Literal["unknown"]
    severity: str | None = None
    title: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)


class RulePage(_Strict):
    """A rule as a product page. `where` and the `when` of a severity row are conditions."""

    id: Annotated[str, StringConstraints(pattern=_ID, max_length=60)]
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=10, max_length=160)]
    why: Prose
    runbook: Prose
    severity: str | list[dict[str, Any]]
    stage: Literal["observe", "enforce"]
    triggers: Annotated[list[str], Field(min_length=1)]
    subject: str
    group_by: str | None = None
    params: dict[str, ParamPage] = Field(default_factory=dict)
    where: dict[str, Any]
    respond: str | None = None
    frameworks: dict[str, list[Line]] = Field(default_factory=dict)
    tests: Annotated[list[TestPage], Field(min_length=3)]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one page."""

    source: str
    rule_id: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.source}: rule {self.rule_id}: {self.path}: {self.message}"


class RulesInvalidError(LanternError):
    """Pages that do not compile; `problems` has them all."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def compile_page(raw: Any, source: str) -> dict[str, Any]:
    """Check one page, run its tests, and return it as compiled data.

    Args:
        raw: the page as parsed YAML or JSON.
        source: where it came from, for the errors.

    Raises:
        RulesInvalidError: with every problem found.
    """
    rule_id = str(raw.get("id", "?")) if isinstance(raw, dict) else "?"
    found = Problems()
    data = _checked(raw, found)
    if data is not None and not found:
        run_tests(rule_from_data(data), raw["tests"], found)
    if found or data is None:
        raise RulesInvalidError([Problem(source, rule_id, path, message) for path, message in found.items])
    return data


def compile_rule_set(compiled: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Assemble compiled rules into the file `load_rules` reads; its revision is a digest of the content.

    Raises:
        RulesInvalidError: two rules share an id.
    """
    rules = sorted(compiled, key=lambda rule: str(rule["id"]))
    ids = [str(rule["id"]) for rule in rules]
    if doubles := sorted({rule_id for rule_id in ids if ids.count(rule_id) > 1}):
        raise RulesInvalidError([Problem("rules", rule_id, "id", "used twice") for rule_id in doubles])
    return {"format": FORMAT, "revision": _digest(rules), "rules": rules}


def _digest(data: Any) -> str:
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _checked(raw: Any, found: Problems) -> dict[str, Any] | None:
    try:
        page = RulePage.model_validate(raw)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            found.add(".".join(map(str, detail["loc"])) or "page", _in_words(detail))
        return None
    subject = _word(page.subject, tuple(Subject), "subject", found)
    if subject is None:
        return None
    params = _params(page, found)
    parser = ConditionParser(Subject(subject), params, found)
    where = parser.parse(page.where, "where")
    severity = _severity(page, parser, found)
    group_by = _group(page, Subject(subject), found)
    _words(page, found)
    if where is not None:
        _unused_params(params, where, severity, found)
    if group_by is not None:
        _title(page, group_by, params, found)
    if found or where is None or group_by is None:
        return None
    return _data(page, group_by, where, severity, params)


def _data(
    page: RulePage,
    group_by: GroupBy,
    where: Node,
    severity: list[tuple[Node | None, str]],
    params: Mapping[str, Param],
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": page.id,
        "title": page.title,
        "why": page.why,
        "runbook": page.runbook,
        "severity": [
            {"when": None if when is None else to_data(when), "then": then} for when, then in severity
        ],
        "stage": page.stage,
        "triggers": sorted(page.triggers),
        "subject": page.subject,
        "group_by": group_by.value,
        "params": {
            name: {
                "about": param.about,
                "default": param.default,
                "min": param.minimum,
                "max": param.maximum,
                "choices": list(param.choices),
            }
            for name, param in params.items()
        },
        "where": to_data(where),
        "respond": page.respond,
        "frameworks": page.frameworks,
    }
    return {**data, "version": _digest(data)}


def _in_words(detail: Any) -> str:
    if detail["type"] == "extra_forbidden":
        owners: dict[int, type[BaseModel]] = {1: RulePage}
        model = owners.get(len(detail["loc"])) or (TestPage if detail["loc"][0] == "tests" else ParamPage)
        return f"no such key; keys are {', '.join(model.model_fields)}"
    return str(detail["msg"])


def _word(value: str, valid: Sequence[str], path: str, found: Problems) -> str | None:
    if value in valid:
        return value
    found.add(path, f"{value!r} is not known; use one of {', '.join(valid)}")
    return None


def _words(page: RulePage, found: Problems) -> None:
    for index, trigger in enumerate(page.triggers):
        _word(trigger, tuple(TRIGGERS), f"triggers.{index}", found)
    if page.respond is not None:
        _word(page.respond, (*RESPONSES, *NAMES), "respond", found)
    for name in page.frameworks:
        _word(name, tuple(FRAMEWORKS), f"frameworks.{name}", found)


def _group(page: RulePage, subject: Subject, found: Problems) -> GroupBy | None:
    valid = tuple(group.value for group in GROUPS[subject])
    word = _word(page.group_by or valid[0], valid, "group_by", found)
    return None if word is None else GroupBy(word)


def _params(page: RulePage, found: Problems) -> dict[str, Param]:
    params = {}
    for name, spec in page.params.items():
        param = Param(name, spec.about, spec.default, spec.min, spec.max, tuple(spec.choices))
        params[name] = param
        path = f"params.{name}"
        if isinstance(spec.default, str):
            if not spec.choices or spec.min is not None or spec.max is not None:
                found.add(path, "a word needs choices, and neither min nor max")
                continue
        elif spec.choices or not is_number(spec.min) or not is_number(spec.max):
            found.add(path, "a number needs min and max, and no choices")
            continue
        if problem := param.problem(spec.default):
            found.add(f"{path}.default", problem)
    return params


def _severity(page: RulePage, parser: ConditionParser, found: Problems) -> list[tuple[Node | None, str]]:
    """Rows of (condition, level), the last without a condition."""
    if isinstance(page.severity, str):
        _word(page.severity, tuple(Severity), "severity", found)
        return [(None, page.severity)]
    rows: list[tuple[Node | None, str]] = []
    last = len(page.severity) - 1
    for index, row in enumerate(page.severity):
        path = f"severity.{index}"
        wanted = {"otherwise"} if index == last else {"when", "then"}
        if set(row) != wanted:
            found.add(path, "a row is {when, then}, and the last row is {otherwise}")
            continue
        level = row["otherwise" if index == last else "then"]
        _word(str(level), tuple(Severity), path, found)
        when = None if index == last else parser.parse(row["when"], f"{path}.when")
        rows.append((when, str(level)))
    if not rows:
        found.add("severity", "needs a level, or rows of {when, then} and a last {otherwise}")
    return rows


def _unused_params(
    params: Mapping[str, Param],
    where: Node,
    severity: Sequence[tuple[Node | None, str]],
    found: Problems,
) -> None:
    nodes = [where, *(when for when, _ in severity if when is not None)]
    used = {leaf.param for node in nodes for leaf in comparisons(node)}
    for name in params:
        if name not in used:
            found.add(f"params.{name}", f"is not used; write ${name} in a condition")


def _title(page: RulePage, group_by: GroupBy, params: Mapping[str, Param], found: Problems) -> None:
    """A finding has one title for many grants: only facts its whole group shares may appear in it."""
    if stray_braces(page.title):
        found.add("title", "a brace outside a {entity.name} hole")
    valid = [name for name, field in FIELDS.items() if field.prefix == group_by.value]
    valid += [f"params.{name}" for name in params]
    for name in holes(page.title):
        if name not in valid:
            found.add("title", f"{{{name}}} is not shared by the group; use one of {', '.join(valid)}")


def page_schema() -> dict[str, Any]:
    """JSON Schema of a rule page, with the vocabulary spelled out, for editors and the API."""
    from lantern.domain.rules.reference import condition_schema

    schema = RulePage.model_json_schema()
    conditions = condition_schema()
    schema["$defs"]["Condition"] = conditions
    properties = schema["properties"]
    properties["where"] = {"$ref": "#/$defs/Condition"}
    properties["subject"] = {"enum": [subject.value for subject in SUBJECTS]}
    properties["group_by"] = {"enum": [group.value for group in GroupBy]}
    properties["triggers"]["items"] = {"enum": list(TRIGGERS)}
    properties["respond"] = {"enum": [*RESPONSES, *NAMES]}
    properties["frameworks"]["propertyNames"] = {"enum": list(FRAMEWORKS)}
    levels = {"enum": [level.value for level in Severity]}
    row = {
        "type": "object",
        "properties": {"when": {"$ref": "#/$defs/Condition"}, "then": levels, "otherwise": levels},
        "additionalProperties": False,
    }
    properties["severity"] = {"oneOf": [levels, {"type": "array", "items": row, "minItems": 1}]}
    return schema
