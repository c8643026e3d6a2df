"""A model by its file: what is known of it before any of its code is run."""

import sys
from types import SimpleNamespace

import pytest

from lib.errors import InputError
from lib.files import WORKSPACE, sha256_file
from lib.model_file import ModelFile, named_in
from lib.source_closure import closure

GOOD = "import torch\n\n\nclass Mine(torch.nn.Module):\n    pass\n"


@pytest.fixture
def written(tmp_path):
    def write(text: str | bytes, name: str = "mine.py") -> ModelFile:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return ModelFile(str(path), "Mine")

    return write


@pytest.mark.parametrize("given", ["mfn", "mine.py", "mine.py:", "mine.txt:Mine", "mine.py:a.b", ":Mine", "mine.py:1"])
def test_what_is_no_path_and_class_is_refused(given):
    with pytest.raises(InputError, match=r"no model .*name it as path/to/file\.py:Class"):
        ModelFile.named(given)


def test_a_path_is_relative_to_the_workspace_whatever_the_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    inside = ModelFile.named("models/mine.py:Mine")
    assert (inside.path, inside.name, str(inside)) == (
        WORKSPACE / "models/mine.py",
        "Mine",
        "models/mine.py:Mine",
    )
    assert not inside.outside
    assert ModelFile.named(f"{WORKSPACE.parent}/mine.py:Mine").outside
    assert ModelFile.named("../mine.py:Mine").outside
    assert ModelFile.named("models/../../mine.py:Mine").outside


def test_a_link_does_not_bring_a_file_into_the_workspace(monkeypatch, tmp_path):
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    monkeypatch.setattr("lib.model_file.WORKSPACE", workspace)
    (tmp_path / "mine.py").write_text(GOOD)
    (workspace / "mine.py").symlink_to(tmp_path / "mine.py")
    (workspace / "own.py").write_text(GOOD)
    assert ModelFile("mine.py", "Mine").outside
    assert not ModelFile("own.py", "Mine").outside


def test_its_code_is_the_file_and_what_it_imports_of_the_library(written):
    model = written(GOOD)
    assert model.code() == {model.file: sha256_file(model.path)}
    model = written("from lib.models.mfn import MFN\nimport numpy.linalg, json\n\n\nclass Mine(MFN):\n    pass\n")
    assert model.code() == {model.file: sha256_file(model.path), **closure(["lib.models.mfn"])}
    assert "lib/models/gated_memory.py" in model.code()  # which mfn imports


def test_nothing_of_it_is_run(written, tmp_path):
    marker = tmp_path / "was run"
    model = written(f"open({str(marker)!r}, 'w')\n{GOOD}")
    assert named_in(SimpleNamespace(model=str(model))) == (model,)
    model.code()
    assert not marker.exists()


def test_runs_name_models_one_or_several_beside_those_of_the_library():
    one = SimpleNamespace(model="a.py:A", models=["mfn", "b/c.py:B"], dataset="x.py:X")
    assert named_in(one) == (ModelFile("a.py", "A"), ModelFile("b/c.py", "B"))
    parts = SimpleNamespace(models=(SimpleNamespace(model="mfn"), SimpleNamespace(model="c.py:C")))
    assert named_in(parts) == (ModelFile("c.py", "C"),)
    assert named_in(SimpleNamespace(models=("mfn",))) == named_in(SimpleNamespace()) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def broken(:\n", "no Python, line 1: invalid syntax"),
        (b"\xff\xfe\x00", "no Python"),
        ("class Mine:\n    x = '\0'\n", "no Python"),
        ("class Yours:\n    pass\n", "defines no class Mine; classes there: Yours"),
        ("Mine = 1\n", "defines no class Mine; classes there: none at the top level"),
        ("class Mine:\n    pass\n\n\nclass Mine:\n    pass\n", "defines 2 classes Mine"),
        (f"from .layers import Layer\n{GOOD}", "imports from beside itself"),
        (f"import neighbour\n{GOOD}", "imports neighbour, which is no installed package"),
        (f"def late():\n    import neighbour\n\n\n{GOOD}", "imports neighbour, which is no installed package"),
    ],
)
def test_what_its_text_tells_is_refused_in_one_line(written, tmp_path, monkeypatch, text, said):
    (tmp_path / "neighbour.py").write_text("")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    with pytest.raises(InputError) as refusal:
        written(text).code()
    assert said in str(refusal.value) and "mine.py" in str(refusal.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    for name in ("nothing.py", "folder.py"):
        (tmp_path / "folder.py").mkdir(exist_ok=True)
        with pytest.raises(InputError, match="cannot be read"):
            ModelFile(str(tmp_path / name), "Mine").code()
