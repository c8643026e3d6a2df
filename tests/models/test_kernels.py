"""The compiled loops give the bits of Python's, and whatever is wrong with them leaves Python's in place."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lib import source_closure
from lib.models import kernels
from lib.models.gated_memory import _GatedMemory
from lib.models.kernels import build
from lib.models.lstm_steps import _LSTMSteps

ROOT = Path(__file__).resolve().parents[2]
needs_compiler = pytest.mark.skipif(not any(map(shutil.which, build.COMPILERS)), reason="needs a C++ compiler")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch, _python_loops):
    """An empty place for the library, and nothing remembered."""
    monkeypatch.setattr(kernels, "folder", lambda: tmp_path / "kernels")
    monkeypatch.setattr(kernels, "built", _python_loops)
    kernels.built.cache_clear()
    yield tmp_path / "kernels"
    kernels.built.cache_clear()


def test_nothing_built_nothing_found(elsewhere):
    assert kernels.built() is None
    assert kernels.for_tensors(torch.zeros(1)) is None


def test_a_damaged_or_foreign_library_is_not_loaded(elsewhere):
    elsewhere.mkdir()
    (elsewhere / "loops-0123456789abcdef.so").write_bytes(b"half of it")
    foreign = b"no library at all"
    (elsewhere / kernels.file_name(foreign)).write_bytes(foreign)
    assert kernels.built() is None


@pytest.mark.parametrize(
    "tensors",
    [
        (torch.zeros(1, dtype=torch.bfloat16),),
        (torch.zeros(1), torch.zeros(1, dtype=torch.float64)),
        (torch.zeros(1, device="meta"),),
    ],
)
def test_only_plain_tensors_of_one_floating_type_are_theirs(tensors, monkeypatch):
    monkeypatch.setattr(kernels, "built", lambda: "loops")
    assert kernels.for_tensors(torch.zeros(1), None) == "loops"
    assert kernels.for_tensors(*tensors) is None
    with torch.autocast("cpu"):
        assert kernels.for_tensors(torch.zeros(1)) is None


def test_no_compiler_is_one_line(elsewhere, monkeypatch, capsys):
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    assert build.main() == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "no C++ compiler" in said
    assert not elsewhere.exists()


def test_the_key_of_a_training_knows_the_source():
    path = "lib/models/kernels/loops.cpp"
    assert path in source_closure.closure(["lib.models.lstm_steps"])
    assert path not in source_closure.closure(["lib.models.dropout"])


def bits(loops: object, function: type, given: list, outputs: int, monkeypatch) -> list[torch.Tensor]:
    monkeypatch.setattr(kernels, "built", lambda: loops)
    leaves = [None if t is None else t.detach().clone().requires_grad_(t.requires_grad) for t in given]
    found = function.apply(*leaves)[:outputs]
    sum((out * out).sum() for out in found).backward()
    return [*found, *(t.grad for t in leaves if t is not None and t.grad is not None)]


def lstm(members: int, dtype: torch.dtype, to_initial: bool, hidden: int, time: int = 6) -> list[torch.Tensor]:
    shapes = [(members, time, 5, 3), (members, 4 * hidden, 3), (members, 4 * hidden, hidden), (members, 4 * hidden)]
    given = [torch.randn(shape, dtype=dtype).requires_grad_() for shape in shapes]
    return given + [torch.randn(members, 5, hidden, dtype=dtype).requires_grad_(to_initial) for _ in range(2)]


def memory(members: int, dtype: torch.dtype, dropped: bool, size: int, time: int = 6) -> list[torch.Tensor | None]:
    widths = 2 * size + 5
    shapes = [(time, 5, size), (time, 5, widths), (time, 5, widths), (widths, size), (size, size + 2), (size,)]
    shapes += [(size, size + 3), (size,)]
    given = [torch.randn(members, *shape, dtype=dtype).requires_grad_(i != 2) for i, shape in enumerate(shapes)]
    return given if dropped else [*given[:2], None, *given[3:]]


@pytest.fixture(scope="module")
def library(tmp_path_factory, _python_loops):
    """Built once for this file, by way of what the verb does."""
    place = tmp_path_factory.mktemp("built") / "kernels"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "folder", lambda: place)
        patch.setattr(kernels, "built", _python_loops)
        return build.build()


@pytest.fixture(scope="module")
def loops(library):
    return kernels.load(library)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 7, 32, 33])
@pytest.mark.parametrize("members", [1, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("option", [True, False])
@pytest.mark.parametrize(("function", "case", "outputs"), [(_LSTMSteps, lstm, 2), (_GatedMemory, memory, 1)])
def test_compiled_bits_are_pythons(loops, function, case, outputs, option, dtype, members, size, monkeypatch):
    torch.manual_seed(0)
    given = case(members, dtype, option, size)
    python = bits(None, function, given, outputs, monkeypatch)
    before = kernels.calls()
    compiled = bits(loops, function, given, outputs, monkeypatch)
    assert kernels.calls() == before + 2
    assert len(python) == len(compiled)
    assert all(torch.equal(a, b) for a, b in zip(python, compiled, strict=True))


ONE_PROCESS = """
import sys, torch
from pathlib import Path
from lib.models import kernels
from lib.models.kernels import build
torch.set_num_threads(int(sys.argv[1]))
sys.exit(not build.same_bits(kernels.load(Path(sys.argv[2]))))
"""


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("capability", ["default", "avx2", "avx512"])
def test_the_same_with_other_instructions_and_threads(library, capability, threads):
    """A capability that the processor lacks is lowered by torch."""
    surroundings = {**os.environ, "ATEN_CPU_CAPABILITY": capability, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-c", ONE_PROCESS, str(threads), str(library)]
    assert subprocess.run(command, env=surroundings).returncode == 0
