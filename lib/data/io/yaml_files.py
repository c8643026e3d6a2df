"""YAML from a user's hand, read and checked; whatever is wrong with it becomes one line."""

import difflib
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from lib.errors import InputError

Model = TypeVar("Model", bound=BaseModel)


class _UniqueKeys(yaml.SafeLoader):
    """A safe loader that refuses a key given twice (plain YAML silently keeps the last) and references.

    A few lines of references to references stand for more values than any memory holds.
    """

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "references (*name) are not used here", mark)
        return super().compose_node(parent, index)


def _mapping(loader: _UniqueKeys, node: yaml.MappingNode, deep: bool = False) -> dict:
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read(path: Path, *, where: str, absent: str = "no such file", todo: str | None = None) -> dict:
    """The mapping in a YAML file.

    Raises InputError for a file that is missing, in the words `absent` and `todo`, that is no YAML, or no mapping.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except FileNotFoundError:
        raise InputError(absent, where=where, todo=todo) from None
    except RecursionError:
        raise InputError("not readable as YAML: nested too deeply", where=where) from None
    except (yaml.YAMLError, ValueError, TypeError, OSError) as error:  # also dates that no calendar has
        raise InputError(f"not readable as YAML: {error}", where=where) from None
    if not isinstance(values, dict):
        raise InputError("expected `key: value` lines", where=where)
    return values


def check(schema: type[Model], values: dict, *, where: str) -> Model:
    """Validate plain values against a schema; the first fault becomes an InputError."""
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise InputError(_first_fault(schema, error), where=where) from None


def _first_fault(schema: type[BaseModel], error: ValidationError) -> str:
    faults = error.errors(include_url=False)
    fault = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    message = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        return message
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        close = difflib.get_close_matches(key, schema.model_fields, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"unknown key {key!r}; {hint}allowed: {', '.join(schema.model_fields)}"
    if fault["type"] == "missing":
        return f"key {key!r} is missing"
    return f"key {key!r} = {fault['input']!r}: {message}"
