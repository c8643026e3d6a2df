"""What differs in the origin of two result folders: code, data, parameters, versions, device."""

from collections.abc import Iterator, Mapping

from lib.reporting.result_folders import ResultFolder

NOTHING = "–"
Difference = tuple[str, str, str]
"""What, in A, in B."""


def origins(a: ResultFolder, b: ResultFolder, inputs: tuple[Mapping[str, str], Mapping[str, str]]) -> list[Difference]:
    """Everything of two runs' origin that differs, but times.

    `inputs` are the hashes of what each run read, where it kept them: then library files, notebook and parameter file
    are compared by content, whatever the commits.
    """
    found: list[Difference] = []
    for group in ("code", "run", "environment"):
        found += _unequal(*(dict(_flat(folder.manifest.get(group, {}), group)) for folder in (a, b)))
    found += _unequal(*(dict(_data(folder)) for folder in (a, b)))
    if all(inputs):
        found += _unequal(*({f"file {name}": digest[:12] for name, digest in side.items()} for side in inputs))
    return found


def _data(folder: ResultFolder) -> Iterator[tuple[str, str]]:
    for number, source in enumerate(folder.manifest["data"], 1):
        yield f"data {number}", source["label"]
        yield f"data {number}, split", str(source.get("split_rule"))
        yield from ((f"data {number}, file {name}", digest[:12]) for name, digest in source.get("files", {}).items())


def _unequal(a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[Difference]:
    for name in dict.fromkeys((*a, *b)):
        if a.get(name) != b.get(name):
            yield name, a.get(name, NOTHING), b.get(name, NOTHING)


def _flat(value: object, name: str) -> Iterator[tuple[str, str]]:
    """Dotted names and values in words."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}")
    else:
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
