"""Reads a parameter file and turns whatever is wrong with it into one line."""

import difflib
from importlib import import_module
from pathlib import Path

import yaml
from pydantic import ValidationError

from lib.errors import InputError
from lib.params.base import Parameters

SCHEMAS = {
    "emotion_embeddings": "lib.params.emotion_embeddings:EmotionEmbeddings",
    "end_to_end_sparse": "lib.params.end_to_end:EndToEnd",
    "explore": "lib.params.explore:Explore",
    "iemocap_negative_colearning": "lib.params.colearning:IemocapColearning",
    "low_rank_fusion": "lib.params.low_rank_fusion:LowRankFusion",
    "mosi_positive_colearning": "lib.params.colearning:MosiColearning",
    "self_paced_balance": "lib.params.self_paced_balance:SelfPacedBalance",
    "summary": "lib.params.summary:Summary",
    "unseen_emotions": "lib.params.unseen_emotions:UnseenEmotions",
}


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


def schema_for(notebook: str) -> type[Parameters]:
    """The parameter model of a notebook. Raises InputError for an unknown notebook."""
    if notebook not in SCHEMAS:
        raise InputError(f"no notebook named {notebook!r}", where="params", todo=f"known: {', '.join(SCHEMAS)}")
    module, name = SCHEMAS[notebook].split(":")
    return getattr(import_module(module), name)


def load(path: Path, **given: object) -> Parameters:
    """Read `params/<notebook>/<run>.yaml`; `given` adds what the runner decides (results, data_root, cores).

    Raises InputError with file, key, the offending value and what is allowed.
    """
    path = Path(path)
    where = "/".join(path.parts[-3:])
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except FileNotFoundError:
        raise InputError("no such parameter file", where=where, todo="see `run_all.sh --help`") from None
    except RecursionError:
        raise InputError("not readable as YAML: nested too deeply", where=where) from None
    except (yaml.YAMLError, ValueError, TypeError, OSError) as error:  # also dates that no calendar has
        raise InputError(f"not readable as YAML: {error}", where=where) from None
    if not isinstance(values, dict):
        raise InputError("expected `key: value` lines", where=where)
    for reserved in given:
        if reserved in values:
            raise InputError(f"key {reserved!r} is set by the runner", where=where, todo="remove it")
    return check(schema_for(path.parent.name), {**values, **given}, where=where)


def check(schema: type[Parameters], values: dict, *, where: str) -> Parameters:
    """Validate plain values against a schema; the first fault becomes an InputError."""
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise InputError(_first_fault(schema, error), where=where) from None


def _first_fault(schema: type[Parameters], error: ValidationError) -> str:
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
