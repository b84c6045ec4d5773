"""Compile the rule pages of `shared/lantern/content/rules` to `rules.json`, running the tests inside them.

python -m scripts.build.compile_rules build/content      compile, or say what is wrong
python -m scripts.build.compile_rules --reference        print the vocabulary as Markdown
python -m scripts.build.compile_rules --schema           print the JSON Schema of a page
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml

from lantern.domain.rules.authoring import (
    Problem,
    RulesInvalidError,
    compile_page,
    compile_rule_set,
    page_schema,
)
from lantern.domain.rules.model import RuleSet, load_rules
from lantern.domain.rules.reference import reference_markdown

PAGES: Final = Path(__file__).resolve().parents[2] / "shared" / "lantern" / "content" / "rules"
FILE_NAME: Final = "rules.json"
DOCS: Final = Path(__file__).resolve().parents[2] / "docs" / "rules.md"
SCHEMA: Final = DOCS.with_name("rules.schema.json")
_MARK: Final = "<!-- what follows is written by scripts.build.compile_rules -->\n"


class _PageLoader(yaml.SafeLoader):
    """YAML as people mean it: only `true` and `false` are booleans, and no key may appear twice."""


# YAML 1.1 reads on, off, yes and no as booleans; in a page they are words.
_PageLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_PageLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def _mapping(loader: _PageLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    mapping = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node)
        if key in mapping:
            raise yaml.constructor.ConstructorError(None, None, f"{key!r} twice", key_node.start_mark)
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


_PageLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_page(path: Path) -> Any:
    """One page as plain data.

    Raises:
        RulesInvalidError: the file is not YAML, or names a key twice.
    """
    try:
        # A SafeLoader subclass: it builds plain data only.
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_PageLoader)  # noqa: S506  # nosec B506
    except yaml.YAMLError as error:
        raise RulesInvalidError([Problem(path.name, path.stem, "file", str(error))]) from error


def compile_file(path: Path) -> dict[str, Any]:
    """One page, checked and tested.

    Raises:
        RulesInvalidError: with every problem found, and the line of each.
    """
    raw = read_page(path)
    try:
        return compile_page(raw, path.name)
    except RulesInvalidError as error:
        lines = page_lines(path.read_text(encoding="utf-8"))
        located = [replace(one, line=_line_of(one.path, lines)) for one in error.problems]
        raise RulesInvalidError(located) from error


def page_lines(text: str) -> dict[str, int]:
    """Line of every path in a page, such as `where.all.0.field`; of the page itself under the empty path."""
    lines = {"": 1}

    def walk(node: yaml.Node, path: str) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = f"{path}.{key.value}" if path else str(key.value)
                lines[inner] = key.start_mark.line + 1
                walk(value, inner)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                lines[f"{path}.{index}"] = value.start_mark.line + 1
                walk(value, f"{path}.{index}")

    root = yaml.compose(text, Loader=_PageLoader)
    if root is not None:
        walk(root, "")
    return lines


def _line_of(path: str, lines: dict[str, int]) -> int:
    """The line of a problem, or of the nearest thing around it that the page has."""
    # `tests.0 (its name).given`: what stands in brackets is for people.
    parts = re.sub(r" \(.*\)", "", path).split(".")
    while parts and ".".join(parts) not in lines:
        parts.pop()
    return lines[".".join(parts)]


def compile_pages(folder: Path = PAGES) -> dict[str, Any]:
    """Every page of a folder, checked, tested and assembled.

    Raises:
        RulesInvalidError: with the problems of all pages, or because there is no page.
    """
    problems: list[Problem] = []
    compiled = []
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise RulesInvalidError([Problem(str(folder), "?", "folder", "holds no *.yaml")])
    for path in paths:
        try:
            rule = compile_file(path)
        except RulesInvalidError as error:
            problems += error.problems
            continue
        if rule["id"] != path.stem:
            problems.append(Problem(path.name, rule["id"], "id", f"must be the file's name, {path.stem}"))
        compiled.append(rule)
    if problems:
        raise RulesInvalidError(problems)
    return compile_rule_set(compiled)


def compile_to(out_dir: Path) -> None:
    """Compile the shipped pages to `out_dir/rules.json`; the same pages give the same bytes.

    Raises:
        RulesInvalidError: a page is wrong or one of its tests fails; nothing is written.
    """
    text = json.dumps(compile_pages(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    out_dir.mkdir(parents=True, exist_ok=True)
    (out_dir / FILE_NAME).write_text(text + "\n", encoding="utf-8")


def with_reference(text: str) -> str:
    """A document with everything after its mark replaced: the shipped rules, and the vocabulary's tables."""
    written, mark, _ = text.partition(_MARK)
    rules = load_rules(json.dumps(compile_pages()))
    return f"{written}{mark}\n## Shipped rules\n\n{_listed(rules)}\n## Vocabulary\n\n{reference_markdown()}"


def _listed(rules: RuleSet) -> str:
    head = [
        "| rule | finds | levels | stage | looks at | proposes |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    rows = [
        f"| [`{rule.id}`](../shared/lantern/content/rules/{rule.id}.yaml) | {rule.title} "
        f"| {', '.join(dict.fromkeys(row.then for row in rule.severity))} | {rule.stage} "
        f"| {rule.subject}, by {rule.group_by} | {rule.respond or ''} |"
        for rule in rules.rules
    ]
    return "\n".join([f"{len(rules.rules)} rules.", "", *head, *rows]) + "\n"


def schema_text() -> str:
    """The JSON Schema of a page as it is committed."""
    return json.dumps(page_schema(), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Command line entry; 1 when a page is wrong."""
    parser = argparse.ArgumentParser(description="Compile Lantern's rule pages.")
    parser.add_argument("out_dir", nargs="?", type=Path, help="where rules.json goes")
    parser.add_argument("--docs", action="store_true", help="write docs/rules.md and its schema")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of a page")
    options = parser.parse_args()
    if options.docs:
        DOCS.write_text(with_reference(DOCS.read_text(encoding="utf-8")), encoding="utf-8")
        SCHEMA.write_text(schema_text(), encoding="utf-8")
    elif options.schema:
        print(json.dumps(page_schema(), indent=2))
    elif options.out_dir is None:
        parser.error("name a folder for rules.json, or ask for --docs or --schema")
    else:
        try:
            compile_to(options.out_dir)
        except RulesInvalidError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
