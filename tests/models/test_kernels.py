"""The compiled loops give the bits of Python's, and whatever is wrong with them leaves Python's in place."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lib import source_closure
from lib.errors import InputError
from lib.models import kernels
from lib.models.gated_memory import _GatedMemory
from lib.models.kernels import build
from lib.models.lstm_steps import _LSTMSteps
from lib.training.fleet import train_fleet
from lib.training.loop import train
from lib.training.recipe import Member
from lib.training.run import Checkpoint, Outcome
from lib.training.streams import SeededStreams
from lib.workflow import cli
from tests.training.small import MFN, MODEL, corpus, member

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


class Seen(TorchDispatchMode):
    """The operations that ran, by name, as torch's counter of floating-point operations sees them."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names = [*getattr(self, "names", []), func.overloadpacket.__name__]
        return func(*args, **(kwargs or {}))


def test_what_counts_operations_sees_those_of_the_python_loop(monkeypatch):
    monkeypatch.setattr(kernels, "built", lambda: "would fail")
    with Seen() as seen:
        _LSTMSteps.apply(*lstm(1, torch.float32, False, 4))[0].sum().backward()
    forwards, backwards, around = 6, 5, 4
    assert seen.names.count("bmm") == forwards + backwards + around


@pytest.mark.parametrize("error", [OSError, RuntimeError])
def test_a_library_that_cannot_be_loaded_leaves_pythons_loops(elsewhere, monkeypatch, error):
    def load(path):
        raise error("undefined symbol")

    elsewhere.mkdir()
    (elsewhere / kernels.file_name(b"of another machine")).write_bytes(b"of another machine")
    monkeypatch.setattr(kernels, "load", load)
    assert kernels.built() is None


def test_steps_count_as_compiled_only_if_all_are():
    both, neither = kernels.Tally(3, 1), kernels.Tally()
    assert (both.words, neither.words, kernels.Tally(python=2).words) == ("", "", "")
    assert (both - kernels.Tally(1, 1)).words == ", compiled steps"
    assert (kernels.Tally(2) + kernels.Tally(0, 1)).words == ""


def verb(capsys) -> tuple[int, str]:
    code = cli.main(["kernels"])
    return code, capsys.readouterr().err


def test_no_compiler_is_one_line(elsewhere, monkeypatch, capsys):
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    code, said = verb(capsys)
    assert code == 2
    assert said.startswith("run_all.sh: PATH: no C++ compiler; install one of c++, ") and said.count("\n") == 1
    assert not elsewhere.exists()


def test_a_place_that_cannot_be_written_is_one_line(elsewhere, monkeypatch, capsys):
    elsewhere.write_text("in the way of the folder")
    monkeypatch.setattr(build.shutil, "which", lambda name: "c++")
    code, said = verb(capsys)
    assert code == 1
    assert said.startswith("run_all.sh: ") and str(elsewhere) in said and said.count("\n") == 1


def test_a_compiler_that_fails_is_one_line_and_leaves_nothing(elsewhere, monkeypatch, capsys, tmp_path):
    broken = tmp_path / "c++"
    broken.write_text("#!/bin/sh\necho 'error: no such header' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(build.shutil, "which", lambda name: str(broken))
    code, said = verb(capsys)
    assert code == 2
    assert (
        said.startswith(f"run_all.sh: {broken}: error: no such header; try another compiler") and said.count("\n") == 1
    )
    assert not list(elsewhere.iterdir())


def test_the_compiler_hears_nothing_of_the_users_settings(elsewhere, monkeypatch, tmp_path):
    wrapper, heard = tmp_path / "c++", tmp_path / "heard"
    wrapper.write_text(f'#!/bin/sh\nenv > {heard}; echo "$@" >> {heard}; exit 1\n')
    wrapper.chmod(0o755)
    monkeypatch.setattr(build.shutil, "which", lambda name: str(wrapper))
    for name in ("CXX", "CFLAGS", "CXXFLAGS", "CPATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "TORCH_EXTENSIONS_DIR"):
        monkeypatch.setenv(name, "-ffast-math")
    with pytest.raises(InputError):
        build.build()
    assert "-ffp-contract=off" in heard.read_text()
    assert "fast-math" not in heard.read_text() and "march" not in heard.read_text()


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
    before = kernels.tally()
    compiled = bits(loops, function, given, outputs, monkeypatch)
    assert kernels.tally() - before == (2, 0)
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


BUILD = """
import sys
from pathlib import Path
from lib.models import kernels
from lib.models.kernels import build
kernels.folder = lambda: Path(sys.argv[1])
build.main()
"""


@needs_compiler
@pytest.mark.slow
def test_of_two_that_build_at_once_both_are_right(tmp_path):
    place, surroundings = tmp_path / "kernels", {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-c", BUILD, str(place)]
    other = surroundings | {"CXX": "false", "CXXFLAGS": "-ffast-math", "CPATH": str(tmp_path)}
    both = [subprocess.Popen(command, env=env) for env in (surroundings, other)]
    assert [process.wait() for process in both] == [0, 0]
    found = list(place.iterdir())
    assert found, "nothing was built"
    assert all(path.name == kernels.file_name(path.read_bytes()) for path in found)
    assert (
        subprocess.run([sys.executable, "-P", "-c", ONE_PROCESS, "1", str(found[0])], env=surroundings).returncode == 0
    )


def members(model) -> list[Member]:
    """Three that are stacked, one of which stops before the others."""
    return [
        replace(member("", seed, rate, epochs=2 + seed % 2), model=model) for seed, rate in enumerate((0, 0.5, 0.9))
    ]


def splits() -> dict:
    return {name: corpus().batches(name) for name in ("train", "valid", "test")}


def same_training(one: Outcome, other: Outcome) -> bool:
    tensors = [(one.outputs, other.outputs), (one.best_state, other.best_state)]
    return one.history == other.history and all(
        a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a) for a, b in tensors
    )


def alone(which: Member, **options) -> Outcome:
    return train(which, splits(), SeededStreams(which.seed), **options)


def stacked(which: list[Member]) -> list[Outcome]:
    return train_fleet(which, splits(), [SeededStreams(m.seed) for m in which])


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("model", [MFN, MODEL], ids=["MFN", "biEFLSTM"])
def test_whole_trainings_have_the_bits_and_the_words(loops, model, monkeypatch):
    """One by one and stacked. What steps through time in Python only when stacked has no compiled steps alone."""
    monkeypatch.setattr(kernels, "built", lambda: None)
    python = [alone(m) for m in members(model)], stacked(members(model))
    monkeypatch.setattr(kernels, "built", lambda: loops)
    compiled = [alone(m) for m in members(model)], stacked(members(model))
    for ours, theirs in zip(python, compiled, strict=True):
        assert all(same_training(a, b) for a, b in zip(ours, theirs, strict=True))
    assert {o.engine for o in (*python[0], *python[1])} == {"loop on cpu", "fleet on cpu"}
    assert {o.engine for o in compiled[1]} == {"fleet on cpu, compiled steps"}
    assert {o.engine for o in compiled[0]} == {"loop on cpu, compiled steps" if model is MFN else "loop on cpu"}


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("compiled_first", [True, False])
def test_a_training_that_changes_loops_has_the_same_bits_and_no_such_words(
    loops, compiled_first, tmp_path, monkeypatch
):
    one = replace(member(epochs=4), model=MFN)
    monkeypatch.setattr(kernels, "built", lambda: None)
    undisturbed = alone(one)
    order = (lambda: loops, lambda: None) if compiled_first else (lambda: None, lambda: loops)

    def interrupt(epoch):
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(kernels, "built", order[0])
    with pytest.raises(KeyboardInterrupt):
        alone(one, checkpoint=Checkpoint(tmp_path / "c", "key", every_s=0), after_epoch=interrupt)
    monkeypatch.setattr(kernels, "built", order[1])
    epochs = []
    resumed = alone(one, checkpoint=Checkpoint(tmp_path / "c", "key", every_s=0), after_epoch=epochs.append)
    assert epochs == [2, 3]
    assert same_training(undisturbed, resumed)
    assert resumed.engine == "loop on cpu"


@needs_compiler
@pytest.mark.slow
def test_the_benchmark_compares_the_built_loops_with_pythons(loops, monkeypatch):
    from benchmarks.kernels import compiled

    monkeypatch.setattr(kernels, "built", lambda: loops)
    rows = list(compiled(quick=True))
    assert [row["engine"] for row in rows] == ["loop", "fleet of 2"]
    assert all(row["slowest_pair"] <= row["times_faster"] <= row["fastest_pair"] for row in rows)
