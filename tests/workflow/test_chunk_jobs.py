"""Into how many chunks a run is cut, what Snakemake is told of them, and what a chunk leaves."""

import json
import os

import pytest

from lib.errors import InputError
from lib.workflow import chunk_jobs, process
from lib.workflow.chunk_jobs import Chunk, all_records, chunk_counts
from lib.workflow.freshness import Freshness
from lib.workflow.jobs import UNFINISHED, Failure
from lib.workflow.process import locked, one_device
from lib.workflow.runs import Run
from lib.workflow.scheduler import command
from lib.workflow.usage import parse

RUN = Run("mosi_positive_colearning", "quick")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Runs keep their results in a folder of the test."""
    monkeypatch.setattr("lib.workflow.runs.ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("members", "seconds", "number"),
    [
        (20, 60.0, 1),
        (21, 60.0, 2),
        (1000, 60.0, 50),
        (5, 4000.0, 5),
        (25, None, 3),
        (0, 1.0, 1),
        (9, 0.0, 1),
        (10**6, 60.0, 10_000),
    ],
)
def test_a_chunk_takes_about_twenty_minutes(members, seconds, number):
    assert chunk_jobs.count(members, seconds) == number


def test_the_pace_is_that_of_the_runs_own_chunks_else_of_its_notebook(here, monkeypatch):
    other = Run(RUN.notebook, "paper")
    monkeypatch.setattr(chunk_jobs, "known_runs", lambda: [RUN, other, Run("another", "quick")])
    assert chunk_jobs.seconds_per_member(RUN) is None
    Chunk(other, 1, 2).succeed("x", {"seconds": 50.0, "seconds_loading": 10.0, "trained": 4})
    Chunk(other, 2, 2).succeed("x", {"seconds": 10.0, "seconds_loading": 10.0, "trained": 0})
    assert chunk_jobs.seconds_per_member(RUN) == 10.0
    Chunk(RUN, 1, 1).succeed("x", {"seconds": 7.0, "seconds_loading": 1.0, "trained": 2})
    assert chunk_jobs.seconds_per_member(RUN) == 3.0


def test_what_a_chunk_leaves(here):
    chunk = Chunk(RUN, 3, 8)
    chunk.begin()
    assert chunk.failure().state == UNFINISHED
    chunk.fail(Failure("crashed", "no GPU"))
    assert (str(chunk), str(chunk.failure()), chunk.record()) == ("chunk 3 of 8", "no GPU", None)
    chunk.succeed("inputs", {"trained": 2})
    assert chunk.failure() is None
    assert chunk.record()["trained"] == 2
    chunk.done.write_text(chunk.done.read_text()[:20])
    assert chunk.record() is None
    assert all_records(RUN) == []
    chunk.done.write_text(json.dumps({"some": "other file"}))
    assert chunk.record() is None


def test_chunks_are_for_notebooks_with_a_grid():
    assert chunk_counts([RUN, Run("summary", "quick")], 4, Freshness()) == {RUN: 4}
    assert chunk_counts([RUN], None, Freshness()) == chunk_counts([RUN], 1, Freshness()) == {}
    # 4 settings x 5 seeds, ten members a chunk where nothing has been measured.
    assert chunk_jobs.count(20, None) == 2


def test_snakemake_is_told_of_chunks_and_devices():
    words = command([RUN], 4, None, {RUN: 8}, ("0", "1"))
    assert {"chunks=mosi_positive_colearning/quick:8", "devices=0,1", "chunk_threads=2"} <= set(words)
    assert words[words.index("--resources") + 1] == "device=2"
    plain = command([RUN, Run("low_rank_fusion", "quick")], 4, None)
    assert "snakemake" in plain
    assert not any(word.startswith(("chunks=", "devices=", "--resources")) for word in plain)


def test_one_run_alone_goes_without_snakemake():
    assert command([RUN], 4, None)[-5:] == ["lib.workflow.runner", RUN.notebook, RUN.name, "--cores", "4"]
    for more in ({"chunks": {RUN: 2}}, {"devices": ("0",)}):
        assert "snakemake" in command([RUN], 4, None, **more)
    assert "snakemake" in command([RUN], 4, "slurm")


@pytest.mark.parametrize("options", ["--chunks 0", "--chunks many", "--devices 0,0", "--devices 0;1", "--chunks"])
def test_unusable_options(options):
    with pytest.raises(InputError):
        parse(options.split())


def test_options():
    request = parse(["--only", "mosi_positive_colearning", "--chunks", "auto", "--devices", "0,1"])
    assert (request.chunks, request.devices) == ("auto", ("0", "1"))
    assert parse(["--chunks", "12"]).chunks == 12
    with pytest.raises(InputError, match="GPUs of this machine"):
        parse(["--profile", "slurm", "--devices", "0"])


def test_a_process_takes_a_device_that_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "ROOT", tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "all")
    with locked(tmp_path / ".reprise/devices/0.lock"), one_device("0,1"):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
    with one_device("0,1"):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
