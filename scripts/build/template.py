"""Read and write CloudFormation templates, and find what in them is to be uploaded."""

from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import yaml_parse

_REFERENCES = ("CodeUri", "ContentUri")


def load_template(path: Path) -> dict[str, Any]:
    """Read a template; short forms such as `!Ref` become their long forms.

    Raises:
        FileNotFoundError: there is no template.
        ValueError: the file is not a template.
    """
    template = yaml_parse(path.read_text())
    if not isinstance(template, dict) or "Resources" not in template:
        raise ValueError(f"{path} has no Resources")
    return dict(template)


def dump_template(template: dict[str, Any]) -> str:
    """Write a template as YAML, every value in full."""

    class _NoAliases(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - CloudFormation reads no YAML aliases
            return True

    return yaml.dump(_plain(template), Dumper=_NoAliases, sort_keys=False, width=120)


def local_references(template: dict[str, Any]) -> list[tuple[str, str, str]]:
    """List (resource, property, uri) for every property that names something on this machine."""
    return [
        (resource, name, properties[name].removeprefix("./").rstrip("/"))
        for resource, properties in _properties(template)
        for name in _REFERENCES
        if isinstance(properties.get(name), str) and not properties[name].startswith("s3://")
    ]


def replace_reference(template: dict[str, Any], resource: str, name: str, value: Any) -> None:
    """Point a resource at another artifact."""
    template["Resources"][resource]["Properties"][name] = value


def _properties(template: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    resources = template["Resources"].items()
    return [(name, resource.get("Properties") or {}) for name, resource in resources]


def _plain(value: Any) -> Any:
    """Turn the parser's ordered mappings into ordinary ones."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
