"""Time and memory: epochs of every family, grids by fleet and by plain loop, growth in members, a published grid."""

import shutil
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from benchmarks.cases import PAPER_BIEFLSTM, PAPER_MFN, SMALL_MFN, TINY_MFN, Case
from benchmarks.gpu.cells import Cell, Row, Setting
from benchmarks.gpu.families import PRECISIONS, Family, all_families, arithmetic
from benchmarks.speed import fleet_epoch, grid_seconds, loop_epoch, on_device
from benchmarks.timing import duration
from lib.papers import load
from lib.papers.colearning import study as colearning
from lib.training.loop import train
from lib.training.streams import SeededStreams
from lib.training.sweep import sweep

ROOT = Path(__file__).resolve().parents[2]
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
MOSI_SAMPLES = 2199
"""Utterances of CMU-MOSI, all splits."""
WARM_UP = 4
"""Calls before timing: a fleet records its steps as CUDA graphs after three."""


def epoch_cells(setting: Setting) -> list[Cell]:
    """Float32 of every family first, then the other types."""
    return [
        Cell(
            {"model": family.name, "computed in": precision, "unit": family.unit},
            partial(epoch, family, precision, setting),
        )
        for precision in sorted(PRECISIONS, key=lambda p: p != "float32")
        for family in all_families(setting.quick)
    ]


def epoch(family: Family, precision: str, setting: Setting) -> Row:
    """Median seconds of the unit and its peak memory."""
    with arithmetic(precision), torch.random.fork_rng(devices=[]):
        return timed(family.training(setting.device, precision), setting)


def timed(program: Callable[[], object], setting: Setting) -> Row:
    """One call by itself (on a GPU it also loads what it needs), then the median of up to five calls or 10 seconds."""
    reset_peak(setting)
    first, seconds = duration(program), []
    while len(seconds) < (1 if setting.quick else 5) and sum(seconds) < 10:
        seconds.append(duration(program))
    times = {"median_s": statistics.median(seconds), "fastest_s": min(seconds), "slowest_s": max(seconds)}
    return times | {"first_s": first, "calls": len(seconds), "peak_MiB": peak_mib(setting)}


def reset_peak(setting: Setting) -> None:
    if setting.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_mib(setting: Setting) -> float | str:
    """Allocated on the GPU since `reset_peak`, data and weights included; a process on a CPU has no such number."""
    return torch.cuda.max_memory_allocated() / 2**20 if setting.device == "cuda" else ""


def grid_cells(setting: Setting) -> list[Cell]:
    """40 members for three epochs by one fleet and by the plain loop, every member trained."""
    cases, members = ([TINY_MFN], 4) if setting.quick else ([PAPER_MFN, PAPER_BIEFLSTM], 40)
    return [
        Cell({"model": case.name, "members": members, "engine": engine}, partial(run, case, members, setting))
        for case in cases
        for engine, run in (("fleet", by_fleet), ("plain loop", by_loop))
    ]


def by_fleet(case: Case, members: int, setting: Setting) -> Row:
    """A sweep from nothing to its records."""
    reset_peak(setting)
    seconds = grid_seconds(case, case.members(members), "fleet", 1, setting.device)
    return {"epochs": case.recipe.epochs, "seconds": seconds, "peak_MiB": peak_mib(setting)}


def by_loop(case: Case, members: int, setting: Setting) -> Row:
    """One member after the other, without records."""
    reset_peak(setting)
    splits = on_device(case, setting.device)

    def whole() -> None:
        for member in case.members(members):
            train(member, splits, SeededStreams(member.seed))

    return {"epochs": case.recipe.epochs, "seconds": duration(whole), "peak_MiB": peak_mib(setting)}


def member_cells(setting: Setting) -> list[Cell]:
    """Growth in members; one is also what a recorded step is worth against the plain loop's calls."""
    cases, sizes = ([TINY_MFN], (1, 2)) if setting.quick else ([PAPER_MFN, SMALL_MFN], SIZES)
    return [
        Cell({"model": case.name, "members": size}, partial(stacked, case, size, setting))
        for size in sizes
        for case in cases
    ]


def stacked(case: Case, size: int, setting: Setting) -> Row:
    """Seconds of an epoch of all members as one fleet, and of as many epochs of one member by the plain loop."""
    splits, members = on_device(case, setting.device), case.members(size)
    reset_peak(setting)
    together = fleet_epoch(members, splits)
    for _ in range(1 if setting.quick else WARM_UP):
        together()
    rounds = 1 if setting.quick else 3
    fleet = statistics.median(duration(together) for _ in range(rounds))
    peak = peak_mib(setting)
    alone = loop_epoch(members[0], splits)
    alone()
    loop = size * statistics.median(duration(alone) for _ in range(rounds))
    return {"fleet_s": fleet, "loop_s": loop, "times faster": loop / fleet, "peak_MiB": peak}


def published_cells(setting: Setting) -> list[Cell]:
    """The co-learning grid as published, on the stand-in."""
    run = "quick" if setting.quick else "paper"
    key = {"run": f"mosi_positive_colearning/{run}", "engine": "fleet"}
    return [Cell(key, partial(published, run, setting))]


def published(run: str, setting: Setting) -> Row:
    """From nothing to all records of the grid; the corpus is a stand-in of the published size."""
    p = load(ROOT / "params" / "mosi_positive_colearning" / f"{run}.yaml", results="-")
    size = {"samples": 100, "epochs": 1, "seeds": (0,)} if setting.quick else {"samples": MOSI_SAMPLES}
    p = p.model_copy(update={"dataset": "mosi_like"} | size)
    study = colearning.study(p)
    ((corpus, members),) = study.grids
    folder = Path(tempfile.mkdtemp())
    reset_peak(setting)
    try:
        seconds = duration(lambda: sweep(members, corpus, folder, cores=1, device=setting.device))
    finally:
        shutil.rmtree(folder)
    return {"members": len(members), "epochs": p.epochs, "seconds": seconds, "peak_MiB": peak_mib(setting)}
