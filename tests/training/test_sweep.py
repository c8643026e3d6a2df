"""Grids: what runs beside a member must not matter, and a killed grid goes on where it stopped."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lib.training import records
from lib.training.sweep import member_key, sweep
from tests.training.small import corpus, member

ROOT = Path(__file__).resolve().parents[2]


def grid(**recipe):
    return [member(f"rate {rate:g}", seed, rate, **recipe) for seed in (0, 1) for rate in (0.0, 0.5)]


def same(a: records.Record, b: records.Record) -> None:
    assert (a.variant, a.seed, a.key, a.best_epoch) == (b.variant, b.seed, b.key, b.best_epoch)
    for part in ("history", "outputs"):
        ours, theirs = getattr(a, part), getattr(b, part)
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_a_member_does_not_depend_on_its_neighbours_or_on_the_number_of_workers(tmp_path):
    alone = [sweep([m], corpus(), tmp_path / f"alone{i}")[0] for i, m in enumerate(grid())]
    together = sweep(grid(), corpus(), tmp_path / "together", cores=2)
    reversed_order = sweep(grid()[::-1], corpus(), tmp_path / "reversed")[::-1]
    for a, b, c in zip(alone, together, reversed_order, strict=True):
        same(a, b)
        same(a, c)


def test_finished_members_are_not_trained_again(tmp_path):
    seen = []
    first = sweep(grid()[:2], corpus(), tmp_path)
    again = sweep(grid(), corpus(), tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(2, 4), (3, 4), (4, 4)]
    same(first[1], again[1])


def test_a_damaged_record_is_trained_again(tmp_path):
    first = sweep(grid(), corpus(), tmp_path)
    path = next(p for p in tmp_path.glob("*.safetensors") if "weights" not in p.name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for a, b in zip(first, sweep(grid(), corpus(), tmp_path), strict=True):
        same(a, b)


def test_settings_data_and_chain_are_part_of_the_key():
    data = corpus().digest
    base = member_key(member(), data)
    assert member_key(member(learning_rate=0.02), data) != base
    assert member_key(replace(member(), evaluate_on=("text", "audio")), data) != base
    assert member_key(member(), corpus(seed=1).digest) != base
    assert member_key(member(), data) == base


def test_a_diverging_member_is_recorded_with_its_reason_and_leaves_the_others_alone(tmp_path):
    data = corpus()
    data.splits["valid"].features["audio"][0] = np.nan  # only a member that is evaluated on audio sees it
    bad = replace(member("bad"), evaluate_on=("text", "audio"))
    good, found = sweep([member("good"), bad], data, tmp_path)
    assert (good.status, found.status) == (records.FINISHED, records.DIVERGED)
    assert found.reason == "no finite validation loss in 4 epochs"
    assert found.outputs == {}
    same(good, sweep([member("good")], data, tmp_path / "alone")[0])


def test_a_failing_member_is_recorded_and_tried_again(tmp_path):
    enormous = {**member().model.arguments, "hidden": 2**40}
    bad = replace(member("bad"), model=replace(member().model, arguments=enormous))  # no memory holds it
    good, found = sweep([member("good"), bad], corpus(), tmp_path)
    assert (good.status, found.status) == (records.FINISHED, records.FAILED)
    assert found.reason.startswith("RuntimeError: ")
    seen = []
    sweep([member("good"), bad], corpus(), tmp_path, progress=lambda done, total: seen.append(done))
    assert seen == [1, 2]
    (alone,) = sweep([bad], corpus(), tmp_path / "alone")
    assert alone.status == records.FAILED


def test_sequential_seeding_depends_on_the_runs_before_and_survives_a_partial_grid(tmp_path):
    chain = [replace(m, chain="seed 0") for m in grid()[:2]]
    whole = sweep(chain, corpus(), tmp_path / "whole")
    second_alone = sweep(chain[1:], corpus(), tmp_path / "second")[0]
    assert not np.array_equal(whole[1].outputs["test"], second_alone.outputs["test"])
    for path in (tmp_path / "whole").glob("rate-0.5*"):
        path.unlink()
    for a, b in zip(whole, sweep(chain, corpus(), tmp_path / "whole"), strict=True):
        same(a, b)


def test_weights_come_back(tmp_path):
    record = sweep([member()], corpus(), tmp_path)[0]
    model = member().model.build()
    model.load_state_dict(records.load_weights(tmp_path, record), strict=True)


def test_two_members_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="same variant and seed"):
        sweep([member(), member(learning_rate=0.5)], corpus(), tmp_path)


SCRIPT = """
import sys
from pathlib import Path
from lib.training import loop
from lib.training.sweep import sweep
from tests.training.small import corpus
from tests.training.test_sweep import grid
if __name__ == "__main__":
    sweep(grid(epochs=60), corpus(), Path(sys.argv[1]), cores=2)
"""


@pytest.mark.slow
def test_kill_nine_in_the_middle_then_resume_gives_the_same_bits(tmp_path):
    undisturbed = sweep(grid(epochs=60), corpus(), tmp_path / "undisturbed")
    script, folder = tmp_path / "run.py", tmp_path / "killed"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, script, folder], env=environment, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(folder.glob("*[0-9a-f].safetensors")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = [p for p in folder.glob("*.safetensors") if "weights" not in p.name]
    assert 1 <= len(finished) < 4, "the kill came too late to show anything"
    before = {p.name: p.stat().st_mtime_ns for p in finished}
    for a, b in zip(undisturbed, sweep(grid(epochs=60), corpus(), folder), strict=True):
        same(a, b)
    assert before == {name: (folder / name).stat().st_mtime_ns for name in before}, "a finished run was repeated"
