"""Grids that are executed as fleets: the same records, the same resume, and what happens when a fleet fails."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.training import engine, execution, records, rounding, wanted
from lib.training.engine import Job
from lib.training.execution import Grid
from lib.training.loop import train
from lib.training.recipe import ModelSpec
from lib.training.sweep import sweep
from tests.training.small import MFN, corpus, member

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def stacked(monkeypatch) -> None:
    """What can be stacked is, also where it rounds otherwise than alone; the tests of fleets must not hang on that."""
    monkeypatch.setattr(execution, "rounds_alike", lambda members, splits: True)


def grid(**recipe):
    """Members that a CPU stacks, in two architectures."""
    sizes = dict(MFN.arguments) | {"memory": 6}
    recipe = {"batch_size": 32, **recipe}
    first = [
        replace(member(f"rate {rate:g}", seed, rate, **recipe), model=MFN) for seed in (0, 1) for rate in (0.0, 0.5)
    ]
    return [*first, replace(first[0], variant="wide", model=replace(MFN, arguments=sizes))]


def data():
    return corpus(sizes=(70, 10, 12))


def close(a: records.Record, b: records.Record) -> None:
    assert (a.variant, a.seed, a.key, a.status, a.best_epoch) == (b.variant, b.seed, b.key, b.status, b.best_epoch)
    for part in ("history", "outputs"):
        ours, theirs = getattr(a, part), getattr(b, part)
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


def alone(folder: Path, monkeypatch, **recipe) -> list[records.Record]:
    with monkeypatch.context() as patch:
        patch.setattr(engine, "SMALL", 0)
        return sweep(grid(**recipe), data(), folder)


@pytest.mark.parametrize("hidden", [1, 8, 32])
def test_the_records_have_the_bits_of_the_plain_loop_wherever_the_engine_stacks(tmp_path, monkeypatch, hidden):
    """Whether sizes round alike in a stack depends on the processor; the records must not."""
    sizes = {"hidden": {"text": hidden, "audio": hidden, "video": hidden}, "memory": hidden}
    wide = ModelSpec(MFN.name, {**MFN.arguments, **sizes, "widths": dict.fromkeys(MFN.arguments["widths"], hidden)})
    members = [replace(m, model=wide) for m in grid()[:4]]
    found = sweep(members, data(), tmp_path / "engine")
    monkeypatch.setattr(execution, "rounds_alike", lambda members, splits: False)
    for ours, alone in zip(found, sweep(members, data(), tmp_path / "loop"), strict=True):
        assert alone.engine == "loop on cpu"
        assert all(np.array_equal(ours.history[name], alone.history[name]) for name in alone.history)
        assert all(np.array_equal(ours.outputs[name], alone.outputs[name]) for name in alone.outputs)


@pytest.mark.parametrize("factor", [1.0, 1 + 1e-6])
def test_what_rounds_otherwise_in_a_stack_is_found(monkeypatch, factor):
    def in_company(members, few, streams):
        tried = [replace(m, recipe=replace(m.recipe, learning_rate=factor * m.recipe.learning_rate)) for m in members]
        return [train(member, few, source) for member, source in zip(tried, streams, strict=True)]

    monkeypatch.setattr(rounding, "train_fleet", in_company)
    splits = {name: data().batches(name) for name in data().splits}
    assert rounding.rounds_alike(grid()[:4], splits) == (factor == 1)


def test_the_records_are_those_of_the_plain_loop_but_for_the_engine(tmp_path, monkeypatch, stacked):
    seen = []
    found = sweep(grid(), data(), tmp_path / "fleet", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 5), (4, 5), (5, 5)]
    assert [record.engine for record in found] == ["fleet on cpu"] * 4 + ["loop on cpu"]
    for stacked, plain in zip(found, alone(tmp_path / "loop", monkeypatch), strict=True):
        close(stacked, plain)
        assert plain.engine == "loop on cpu"
    left = {path.suffix for path in (tmp_path / "fleet").iterdir() if path.name != wanted.NOTE}
    assert left == {".safetensors"}, "a checkpoint was left"


def test_finished_members_are_not_trained_again(tmp_path):
    first = sweep(grid()[:3], data(), tmp_path)
    written = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.safetensors")}
    again = sweep(grid(), data(), tmp_path)
    for a, b in zip(first, again, strict=False):
        close(a, b)
    assert written == {name: (tmp_path / name).stat().st_mtime_ns for name in written}


@pytest.mark.parametrize("error", [RuntimeError("no batching rule\nfor this"), MemoryError("full")])
def test_a_fleet_that_fails_is_trained_one_by_one(tmp_path, monkeypatch, stacked, error):
    def fail(*args, **options):
        raise error

    monkeypatch.setattr(execution, "train_fleet", fail)
    with pytest.warns(UserWarning, match=f"a fleet stopped, its members train one by one: {type(error).__name__}"):
        found = sweep(grid(), data(), tmp_path)
    assert [record.engine for record in found] == ["loop on cpu"] * 5
    assert {record.status for record in found} == {records.FINISHED}


def test_a_member_that_diverges_is_recorded_and_the_others_are_not_touched(tmp_path, stacked):
    good = grid()[:4]
    bad = replace(good[1], variant="bad", recipe=replace(good[1].recipe, learning_rate=1e30, epochs=3))
    found = sweep([*good, bad], data(), tmp_path / "with")
    assert (found[4].status, found[4].engine) == (records.DIVERGED, "fleet on cpu")
    assert found[4].reason == "no finite validation loss in 3 epochs"
    assert found[4].outputs == {}
    for a, b in zip(found, sweep(good, data(), tmp_path / "without"), strict=False):
        close(a, b)


def gpu_like(folder: Path, members) -> Grid:
    keys = {(m.variant, m.seed): f"{i:064x}" for i, m in enumerate(members)}
    return Grid(folder, data(), keys, "cpu")


def test_a_gpu_trains_as_many_at_once_as_fit(tmp_path, monkeypatch):
    members, sizes, advanced = grid()[:4], [], []
    monkeypatch.setattr(execution, "members_that_fit", lambda *args: 3)
    real = execution.train_fleet
    monkeypatch.setattr(
        execution,
        "train_fleet",
        lambda members, *args, **more: sizes.append(len(members)) or real(members, *args, **more),
    )
    on_gpu = gpu_like(tmp_path, members)
    on_gpu.run_on_gpu(Job(tuple(members), stacked=True), advanced.append)
    assert sizes == [3, 1]
    assert on_gpu.missing(members) == []
    assert sum(advanced) == pytest.approx(4)
    assert advanced[0] == pytest.approx(3 / 4), "three members advanced by one of four epochs"


def test_a_full_gpu_halves_the_fleet(tmp_path, monkeypatch):
    members, sizes = grid()[:4], []
    monkeypatch.setattr(execution, "members_that_fit", lambda *args: 4)
    real = execution.train_fleet

    def hungry(members, *args, **more):
        sizes.append(len(members))
        if len(members) > 1:
            raise torch.OutOfMemoryError("full")
        return real(members, *args, **more)

    monkeypatch.setattr(execution, "train_fleet", hungry)
    on_gpu = gpu_like(tmp_path, members)
    on_gpu.run_on_gpu(Job(tuple(members), stacked=True), lambda runs: None)
    assert sizes == [4, 2, 1, 1, 1, 1]
    assert {on_gpu.read(m).engine for m in members} == {"fleet on cpu"}


SCRIPT = """
import sys
from pathlib import Path
from lib.training import execution, run
from lib.training.sweep import sweep
from tests.training.test_execution import data, grid
run.Checkpoint.__init__.__defaults__ = (0.0,)  # write after every epoch
execution.rounds_alike = lambda members, splits: True
if __name__ == "__main__":
    sweep(grid(epochs=50)[:4], data(), Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_kill_nine_in_the_middle_of_a_fleet_then_resume_goes_on_in_each_member(tmp_path, stacked):
    undisturbed = sweep(grid(epochs=50)[:4], data(), tmp_path / "undisturbed")
    script, folder = tmp_path / "run.py", tmp_path / "killed"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, script, folder], env=environment, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(list(folder.glob("*.checkpoint"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    saved = [torch.load(path, weights_only=True) for path in folder.glob("*.checkpoint")]
    assert len(saved) == 4
    assert all(1 <= state["selection"]["epochs"] < 50 for state in saved), "the kill came too late to show anything"
    for a, b in zip(undisturbed, sweep(grid(epochs=50)[:4], data(), folder), strict=True):
        close(a, b)
    assert not list(folder.glob("*.checkpoint"))
