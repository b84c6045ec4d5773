"""Reading YAML sources strictly: duplicate keys are errors, and every error names file, entry and field."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class SourceError(Exception):
    """A knowledge source is wrong; the message lists each fault as `file: entry: field: fault`."""


# The parser in C is seven times as fast; where libyaml is missing the one in Python reads the same.
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_SafeLoader):  # type: ignore[misc,valid-type] # chosen above
    """Safe YAML in which a repeated key is an error, not a silent overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key: Hashable = self.construct_object(key_node, deep=True)
            if key in seen:
                raise SourceError(f"line {key_node.start_mark.line + 1}: {key}: is there twice")
            seen.add(key)
        made: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return made


def read_source(path: Path, model: type[Model]) -> Model:
    """Return the file at `path` checked against `model`.

    Raises:
        SourceError: If the file is not YAML, repeats a key, or breaks the schema.
    """
    try:
        data = _StrictLoader(path.read_text(encoding="utf-8")).get_single_data()
    except (SourceError, yaml.YAMLError) as error:
        raise SourceError(f"{path.name}: {error}") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = (
            f"{path.name}: {': '.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        )
        raise SourceError("\n".join(faults)) from error
