"""What docs/architecture.md names is there: files, classes, functions, commands, and what runs write."""

import ast
import re

import pytest

from tests.docs.clone import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([^`\n]+)`", PAGE)))
FILES = [name for name in NAMED if name.startswith("lib/") and name.endswith(".py")]
EXAMPLE = ROOT / "results" / "mosi_positive_colearning" / "utterances"


def defined_in(file: str) -> set[str]:
    """Classes, functions and methods of a module."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    kinds = (ast.ClassDef, ast.FunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def is_written(name: str) -> bool:
    """Whether the parts of a path in a result folder stand as such in the library; `<run>` stands for any."""
    code = [path.read_text(encoding="utf-8") for path in (ROOT / "lib").rglob("*.py")]
    parts = [part for part in name.strip("/").split("/") if not re.fullmatch(r"<\w+>", part)]
    return all(any(f'"{part}"' in text or f"{{folder}}/{part}" in text for text in code) for part in parts)


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_is_there(name):
    if command := re.fullmatch(r"python -m ([\w.]+)|\./run_all\.sh (--only |data )(\S+)", name):
        module, verb, what = command.groups()
        file = f"{module.replace('.', '/')}.py" if module else f"params/{what}.yaml"
        assert is_written(what) if verb == "data " else (ROOT / file).is_file()
    elif name.isidentifier():
        assert (ROOT / "lib" / name).is_dir() or any(name in defined_in(file) for file in FILES)
    else:
        assert (ROOT / name).exists() or (EXAMPLE / name).exists() or is_written(name)


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert links and all((ROOT / "docs" / link).is_file() for link in links)


def test_it_names_the_five_types_and_every_layer_and_is_short():
    assert {"Corpus", "Member", "Study", "Runs", "Report"} <= set(NAMED)
    layers = {path.name for path in (ROOT / "lib").iterdir() if (path / "__init__.py").is_file()}
    drawing = "".join(re.findall(r"^    .*\n", PAGE, re.MULTILINE))
    assert layers - {"params"} <= set(re.findall(r"\w+", drawing))
    assert len(PAGE.splitlines()) <= 60
