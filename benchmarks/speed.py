"""Epochs, grids, and cost against size."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.cases import EFLSTM, PAPER_BIEFLSTM, PAPER_MFN, SMALL_MFN, TINY_MFN, Case
from benchmarks.direct import MODALITIES, DirectTraining
from benchmarks.machine import cores, matmul_rate
from benchmarks.operations import operations
from benchmarks.timing import Timing, alternate, duration, threads, times_faster
from lib.data.batches import Examples
from lib.training import engine
from lib.training.allocator import keep_freed_memory
from lib.training.fleet import Fleet
from lib.training.loop import evaluate, train_epoch
from lib.training.recipe import Member
from lib.training.run import Run
from lib.training.strategies import ModalityDropout
from lib.training.streams import SeededStreams
from lib.training.sweep import sweep

Row = dict[str, object]
NOT_MEASURED = "not measured"
DEVICES = ("cpu", "cuda")


def there(device: str) -> bool:
    return device == "cpu" or torch.cuda.is_available()


def on_device(case: Case, device: str) -> dict[str, Examples]:
    corpus = case.corpus()
    return {name: corpus.batches(name, device=device) for name in corpus.splits}


def new_run(member: Member, splits: dict[str, Examples]) -> Run:
    streams = SeededStreams(member.seed)
    with streams.session():
        return Run(member, splits["train"], streams)


def loop_epoch(member: Member, splits: dict[str, Examples]) -> Callable[[], object]:
    """One more epoch of the plain loop at every call: training and validation."""
    run, strategy = new_run(member, splits), ModalityDropout(member.modality_dropout)
    ordered = splits["train"].only(member.train_on).take(run.start_epoch())
    valid, epoch = splits["valid"].only(member.evaluate_on), count()

    def one() -> None:
        run.streams.start_epoch(next(epoch))
        train_epoch(run, ordered, strategy)
        evaluate(run.model, valid, run.recipe)

    return one


def fleet_epoch(members: Sequence[Member], splits: dict[str, Examples]) -> Callable[[], object]:
    """One more epoch of all members at every call."""
    return Fleet([new_run(member, splits) for member in members], splits).train_epoch


def direct_epoch(member: Member, case: Case, device: str) -> Callable[[], object]:
    """One more epoch of the direct implementation at every call."""
    arrays = {
        name: (np.concatenate([split.features[m] for m in MODALITIES], axis=-1), split.labels)
        for name, split in case.corpus().splits.items()
    }
    return DirectTraining(member, arrays, device).epoch


def epochs(quick: bool) -> Iterator[Row]:
    """(a) An epoch of each model, the direct implementation against the plain loop, with and without dropping."""
    cases = [TINY_MFN] if quick else [PAPER_MFN, SMALL_MFN, PAPER_BIEFLSTM, EFLSTM]
    for device in DEVICES:
        for case in cases:
            for member in (m for m in case.members(8) if m.variant in ("rate 0", "rate 0.8")):
                row = {"model": case.name, "variant": member.variant, "device": device}
                if not there(device):
                    yield row | {"direct_s": NOT_MEASURED}
                    continue
                with threads(1):
                    found = alternate(
                        {
                            "direct": direct_epoch(member, case, device),
                            "loop": loop_epoch(member, on_device(case, device)),
                        },
                        rounds=1 if quick else 5,
                    )
                yield (
                    row
                    | {
                        "minibatches": case.samples[0] // case.recipe.batch_size,
                        "direct_s": found["direct"].median,
                        "loop_s": found["loop"].median,
                    }
                    | times_faster(found["direct"], found["loop"])
                )


@contextmanager
def on_cpu_engine(name: str) -> Iterator[None]:
    """Within the block a sweep stacks everything on a CPU ("fleet"), or nothing ("workers")."""
    with patch.object(engine, "pays_on_cpu", lambda member: name == "fleet"):
        yield


def grid_seconds(case: Case, members: Sequence[Member], engine_name: str, workers: int, device: str = "cpu") -> float:
    """Seconds of a sweep from nothing to its records, workers already started."""
    folder, corpus = Path(tempfile.mkdtemp()), case.corpus()
    try:
        with on_cpu_engine(engine_name):
            return duration(lambda: sweep(members, corpus, folder, cores=workers, device=device))
    finally:
        shutil.rmtree(folder)


def grid(quick: bool) -> Iterator[Row]:
    """(b) A grid by the plain loop in one process, by worker processes, and by fleets in them.

    The paper-scale grid is trained whole by the workers only; loop and fleets train the first eight members, one of
    each setting, and their seconds are multiplied up.
    """
    workers = cores()
    rate = matmul_rate("cpu")
    plan = (
        [(TINY_MFN, 8, {"loop": 8, "workers": 8, "fleet": 8})]
        if quick
        else [
            (PAPER_MFN, 40, {"loop": 8, "workers": 40, "fleet": 8}),
            (SMALL_MFN, 40, {"loop": 40, "workers": 40, "fleet": 40}),
        ]
    )
    for case, size, trained in plan:
        grid_seconds(TINY_MFN, TINY_MFN.members(workers), "workers", workers)  # starts the workers
        work = size * operations(case, epochs=case.recipe.epochs)
        found = {}
        for name, part in trained.items():
            one_by_one = workers if name != "loop" else 1
            kind = "fleet" if name == "fleet" else "workers"
            found[name] = grid_seconds(case, case.members(part), kind, one_by_one) * size / part
            yield {
                "model": case.name,
                "members": size,
                "epochs": case.recipe.epochs,
                "device": "cpu",
                "engine": {"loop": "plain loop, one process"}.get(name, f"{name}, {workers} processes"),
                "trained": part,
                "seconds": found[name],
                "times faster": found["loop"] / found[name],
                "share of the matmul rate": work / found[name] / (one_by_one * rate),
            }
    yield from gpu_grid(quick)


def gpu_grid(quick: bool) -> Iterator[Row]:
    """(b) on a GPU: the grid for 50 epochs by one fleet; the plain loop for a few epochs of two members, multiplied."""
    case, row = PAPER_MFN.but(epochs=50), {"model": PAPER_MFN.name, "members": 40, "epochs": 50, "device": "cuda"}
    if not there("cuda"):
        yield row | {"engine": "plain loop", "seconds": NOT_MEASURED}
        yield row | {"engine": "fleet", "seconds": NOT_MEASURED}
        return
    splits = on_device(case, "cuda")
    one = [loop_epoch(member, splits) for member in case.members(2)]
    loop = np.median([duration(epoch) for epoch in one for _ in range(4)]) * 40 * 50
    fleet = grid_seconds(case, case.members(40), "fleet", 1, "cuda")
    yield row | {"engine": "plain loop", "trained": 2, "seconds": loop, "times faster": 1.0}
    yield row | {"engine": "fleet", "trained": 40, "seconds": fleet, "times faster": loop / fleet}


def members(quick: bool) -> Iterator[Row]:
    """(c) An epoch of 1 to 64 members, stacked and one after another, on one thread or a GPU."""
    case = TINY_MFN if quick else SMALL_MFN
    plan = [("cpu", case), ("cuda", case), ("cuda", TINY_MFN if quick else PAPER_MFN)]
    for device, chosen in plan:
        for size in (1, 2) if quick else (1, 2, 4, 8, 16, 32, 64):
            row = {"model": chosen.name, "device": device, "members": size}
            if not there(device):
                yield row | {"fleet_s": NOT_MEASURED}
                continue
            yield row | _fleet_against_loop(chosen, size, device, rounds=1 if quick else 5 if size < 16 else 3)


def sizes(quick: bool) -> Iterator[Row]:
    """(c) Eight members against width, minibatch and sequence length."""
    plan = (
        [(4, 32, 3)]
        if quick
        else [(hidden, batch, 20) for hidden in (32, 64, 128) for batch in (32, 64, 128)]
        + [(32, 32, 50), (32, 32, 200), (32, 128, 50), (32, 128, 200)]
    )
    for device in DEVICES:
        for hidden, batch, time in plan:
            case = replace(TINY_MFN if quick else SMALL_MFN, time=time, samples=(2 * batch, 32, 32)).but(
                batch_size=batch
            )
            arguments = case.model.arguments | {
                "hidden": dict.fromkeys(MODALITIES, hidden),
                "memory": hidden,
                "widths": dict.fromkeys(case.model.arguments["widths"], hidden),
            }
            case = replace(case, model=replace(case.model, arguments=arguments))
            row = {"model": "MFN", "device": device, "hidden": hidden, "minibatch": batch, "time steps": time}
            if not there(device):
                yield row | {"fleet_s": NOT_MEASURED}
                continue
            stacked = engine.pays_on_cpu(case.members(1)[0]) if device == "cpu" else True
            yield (
                row | _fleet_against_loop(case, 8, device, rounds=1 if quick else 3) | {"stacked by the rule": stacked}
            )


def _fleet_against_loop(case: Case, size: int, device: str, rounds: int) -> Row:
    """Seconds of an epoch of `size` members, stacked, and of one member alone, times `size`."""
    splits, grid = on_device(case, device), case.members(size)
    keep_freed_memory()
    with threads(1):
        found: dict[str, Timing] = alternate(
            {"fleet": fleet_epoch(grid, splits), "loop": loop_epoch(grid[0], splits)}, rounds
        )
    loop = size * found["loop"].median
    return {"fleet_s": found["fleet"].median, "loop_s": loop, "times faster": loop / found["fleet"].median}
