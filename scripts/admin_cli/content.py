"""`content`: check, explain and test rules, in a file or a folder; needs no cloud and no deployment.

Rules are data that customers write too: same words, same errors, same tests as for shipped ones.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from lantern.domain.playbooks.loading import load_playbooks
from lantern.domain.rules.authoring import Problem, RulesInvalidError
from lantern.domain.rules.model import Rule, rule_from_data
from lantern.domain.rules.parsing import Problems
from lantern.domain.rules.reading import condition_words
from lantern.domain.rules.selftest import run_tests
from lantern.domain.rules.vocabulary import FIELDS, RESPONSES, TRIGGERS
from scripts.build.compile_playbooks import compile_pages
from scripts.build.compile_rules import PAGES, compile_file, read_page, schema_text
from scripts.build.references import unresolved

_BAD: Final = 1
_USAGE: Final = 2

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
    help="Rules as data: their schema, checks, product pages and tests. Works on any file or folder.",
)
Where = Annotated[
    list[Path] | None, typer.Argument(metavar="PATH", help="Files or folders; the shipped rules if none.")
]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]


@dataclass(frozen=True, slots=True)
class Tried:
    """One test of a rule; `problem` is None where it passed."""

    rule: str
    name: str
    expect: str
    problem: str | None


@app.command()
def schema(
    *, as_json: Annotated[bool, typer.Option("--json", help="It is JSON already.", hidden=True)] = False
) -> None:
    """Print the JSON Schema of a rule's page, with every word and its sentence; for editors."""
    del as_json
    sys.stdout.write(schema_text())


@app.command()
def validate(where: Where = None, *, as_json: AsJson = False) -> None:
    """Check pages: every word, every type, every test; names file, line and the valid words."""
    files = _files(where)
    compiled = [_compiled(path) for path in files]
    problems = [problem for _, found in compiled for problem in found]
    if not where:
        rules = [rule for rule, _ in compiled if rule is not None]
        problems += unresolved(rules, load_playbooks(json.dumps(compile_pages()).encode()).books)
    if as_json:
        _print({"files": len(files), "problems": [asdict(one) for one in problems]})
    else:
        for one in problems:
            Console(stderr=True).print(Text(str(one)), soft_wrap=True)
        _say(f"pages: {len(files)}, problems: {len(problems)}", good=not problems)
    if problems:
        raise typer.Exit(_BAD)


@app.command("test")
def run(where: Where = None, *, as_json: AsJson = False) -> None:
    """Run the tests inside the pages, one by one."""
    tried, broken = list[Tried](), list[Problem]()
    for path in _files(where):
        rule, problems = _compiled(path)
        if rule is None and any(not one.path.startswith("tests") for one in problems):
            broken += problems
            continue
        tried += _tests(path, rule, problems)
    failed = [one for one in tried if one.problem]
    if as_json:
        _print({"tests": [asdict(one) for one in tried], "problems": [asdict(one) for one in broken]})
    else:
        _draw_tests(tried)
        for problem in broken:
            Console(stderr=True).print(Text(str(problem)), soft_wrap=True)
        _say(f"tests: {len(tried)}, failed: {len(failed)}", good=not failed and not broken)
    if failed or broken:
        raise typer.Exit(_BAD)


@app.command()
def explain(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A shipped rule's id, or a file.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Print a rule as its product page: what it finds, why, what to do, how grave, with what facts."""
    path = Path(rule) if Path(rule).suffix in (".yaml", ".yml") else PAGES / f"{rule}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in PAGES.glob("*.yaml")))
        _fail(f"There is no rule {rule[:80]!r}.", f"Name a file, or one of: {known}.")
    found, problems = _compiled(path)
    if found is None:
        for one in problems:
            Console(stderr=True).print(Text(str(one)), soft_wrap=True)
        raise typer.Exit(_BAD)
    raw = read_page(path)
    if as_json:
        _print({**raw, "version": found.version, "condition": condition_words(found.where)})
    else:
        Console().print(Markdown(page(found, raw["tests"])))


def page(rule: Rule, tests: list[dict[str, Any]]) -> str:
    """The product page of a rule, in Markdown."""
    levels = [
        f"- **{row.then}** when {condition_words(row.when)}" if row.when else f"- **{row.then}** otherwise"
        for row in rule.severity
    ]
    params = [
        f"- `{one.name}`: {one.about}; {one.default}"
        + (f" (one of {', '.join(one.choices)})" if one.choices else f" ({one.minimum:g} to {one.maximum:g})")
        for one in rule.params.values()
    ]
    fields = [f"- `{name}`: {FIELDS[name].about}" for name in sorted(rule.fields)]
    shown = [f"- {one['name']}: {str(one['expect']).lower()}" for one in tests]
    parts = [
        f"# {rule.title}",
        f"`{rule.id}` · {rule.stage} · looks at each {rule.subject} · one finding per {rule.group_by}",
        f"## Why it matters\n\n{rule.why}",
        f"## What to do\n\n{rule.runbook}",
        f"## When\n\n{condition_words(rule.where)}",
        "## How grave\n\n" + "\n".join(levels),
        "## What you can set\n\n" + "\n".join(params) if params else "",
        f"## What is proposed\n\n{RESPONSES[rule.respond]}" if rule.respond else "",
        "## Evaluated\n\n" + "\n".join(f"- {TRIGGERS[one]}" for one in sorted(rule.triggers)),
        "## Facts\n\n" + "\n".join(fields),
        "## Frameworks\n\n"
        + "\n".join(f"- {name}: {', '.join(items)}" for name, items in rule.frameworks.items()),
        "## Tests\n\n" + "\n".join(shown),
    ]
    return "\n\n".join(part for part in parts if part)


def _files(where: list[Path] | None) -> list[Path]:
    files: list[Path] = []
    for path in where or [PAGES]:
        if path.is_dir():
            found = sorted((*path.glob("*.yaml"), *path.glob("*.yml")))
            if not found:
                _fail(f"{path} holds no *.yaml.", "Name a file or a folder with pages.")
            files += found
        elif path.is_file():
            files.append(path)
        else:
            _fail(f"{path} is not there.", "Name a file or a folder with pages.")
    return files


def _compiled(path: Path) -> tuple[Rule | None, tuple[Problem, ...]]:
    try:
        return rule_from_data(compile_file(path)), ()
    except RulesInvalidError as error:
        return None, error.problems


def _tests(path: Path, rule: Rule | None, problems: tuple[Problem, ...]) -> Iterator[Tried]:
    """Every test of a page; of one whose tests fail, what the check said of each."""
    raw = read_page(path)
    for index, test in enumerate(raw["tests"]):
        said = next((one.message for one in problems if one.path.startswith(f"tests.{index} ")), None)
        if rule is not None:
            found = Problems()
            run_tests(rule, [test], found)
            said = next((m for p, m in found.items if p.startswith("tests.0 ")), None)
        yield Tried(str(raw["id"]), str(test["name"]), str(test["expect"]).lower(), said)
    for one in problems:
        if one.path == "tests":
            yield Tried(str(raw["id"]), "the tests together", "complete", one.message)


def _draw_tests(tried: list[Tried]) -> None:
    table = Table("rule", "test", "expects", "result", box=None)
    for one in tried:
        result = Text("passed", "green") if one.problem is None else Text(one.problem, "red")
        table.add_row(Text(one.rule), Text(one.name), one.expect, result)
    Console().print(table)


def _print(data: object) -> None:
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n")


def _say(text: str, *, good: bool) -> None:
    Console().print(Text(text, style="green" if good else "red"))


def _fail(problem: str, remedy: str) -> None:
    sys.stderr.write(f"{problem} {remedy}\n")
    raise typer.Exit(_USAGE)
