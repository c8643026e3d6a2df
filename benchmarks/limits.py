"""How far a training step is from the machine's limit, and what lower precision gives."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
from torch.profiler import ProfilerActivity, profile

from benchmarks import fusion
from benchmarks.cases import EFLSTM, PAPER_BIEFLSTM, PAPER_MFN, SMALL_MFN, TINY_MFN, Case
from benchmarks.machine import cores, joint_matmul_rate, matmul_rate
from benchmarks.operations import operations, step_operations
from benchmarks.speed import DEVICES, NOT_MEASURED, Row, fleet_epoch, loop_epoch, on_device, there
from benchmarks.timing import alternate, threads
from lib.papers import load
from lib.papers.colearning import study as colearning
from lib.reporting import gains
from lib.study import Runs
from lib.training.sweep import sweep

ROOT = Path(__file__).resolve().parents[1]


def limit(quick: bool) -> Iterator[Row]:
    """(f) Operations of an epoch, with nothing dropped, over its time, against a large product in the same process."""
    cases = [TINY_MFN] if quick else [PAPER_MFN, SMALL_MFN, PAPER_BIEFLSTM, EFLSTM]
    for device in DEVICES:
        if not there(device):
            yield {"model": "all", "device": device, "GFLOP_per_s": NOT_MEASURED}
            continue
        for case in cases:
            splits = on_device(case, device)
            programs = {"loop": loop_epoch(case.members(1)[0], splits)}
            programs["fleet of 8"] = fleet_epoch(case.members(8), splits)
            with threads(1):
                rate = matmul_rate(device)
                found = alternate(programs, rounds=1 if quick else 3)
            work = operations(case.but(epochs=1), 1) - operations(case, 0)
            for name, timing in found.items():
                members = 8 if name == "fleet of 8" else 1
                yield {
                    "model": case.name,
                    "engine": name,
                    "device": device,
                    "GFLOP_per_minibatch": step_operations(case) / 1e9,
                    "epoch_s": timing.median,
                    "GFLOP_per_s": members * work / timing.median / 1e9,
                    "matmul_GFLOP_per_s": rate / 1e9,
                    "share": members * work / timing.median / rate,
                }
    one, all_cores = matmul_rate("cpu"), joint_matmul_rate(cores())
    yield {
        "model": f"matrix product, {cores()} at once",
        "device": "cpu",
        "GFLOP_per_s": all_cores / 1e9,
        "matmul_GFLOP_per_s": cores() * one / 1e9,
        "share": all_cores / (cores() * one),
    }


def where_time_goes(quick: bool) -> Iterator[Row]:
    """The share of each operation in an epoch: what stands between a step and the limit."""
    paper = [(PAPER_MFN, 1), (SMALL_MFN, 1), (SMALL_MFN, 8), (fusion.CASES["LMF"], 1), (fusion.CASES["TFN"], 1)]
    plan = [(TINY_MFN, 2)] if quick else paper
    for case, size in plan:
        if case in fusion.CASES.values():
            epoch = fusion.loop_epoch(fusion.member(case), fusion.corpus(case))
        else:
            splits, members = on_device(case, "cpu"), case.members(size)
            epoch = loop_epoch(members[0], splits) if size == 1 else fleet_epoch(members, splits)
        with threads(1):
            epoch()
            with profile(activities=[ProfilerActivity.CPU]) as found:
                epoch()
        events = sorted(found.key_averages(), key=lambda e: -e.self_cpu_time_total)
        total = sum(event.self_cpu_time_total for event in events)
        for event in events[:10]:
            yield {
                "model": case.name,
                "engine": "loop" if size == 1 else f"fleet of {size}",
                "operation": event.key,
                "calls": event.count,
                "ms": event.self_cpu_time_total / 1e3,
                "share": event.self_cpu_time_total / total,
            }


def precision(quick: bool) -> Iterator[Row]:
    """bfloat16 products in the forward pass: time of an epoch by minibatch."""
    cases: list[Case] = [TINY_MFN] if quick else [SMALL_MFN, PAPER_MFN.but(batch_size=32), PAPER_MFN, PAPER_BIEFLSTM]
    for device in DEVICES:
        for case in cases:
            row = {"model": case.name, "minibatch": case.recipe.batch_size, "device": device}
            if not there(device):
                yield row | {"float32_s": NOT_MEASURED}
                continue
            splits = on_device(case, device)
            kinds = ("float32", "bfloat16")
            with threads(1):
                found = alternate(
                    {kind: loop_epoch(case.but(precision=kind).members(1)[0], splits) for kind in kinds},
                    rounds=1 if quick else 3,
                )
            seconds = {f"{kind}_s": found[kind].median for kind in kinds}
            yield row | seconds | {"times faster": seconds["float32_s"] / seconds["bfloat16_s"]}


def precision_scores(quick: bool) -> Iterator[Row]:
    """Its effect on the scores and verdicts of the quick MOSI-like notebook run."""
    exact, rounded = (gain_tables(kind, quick, cores(), "cpu") for kind in ("float32", "bfloat16"))
    yield from scores_beside(exact, rounded, "bfloat16")


def scores_beside(exact: Mapping[str, pd.DataFrame], rounded: Mapping[str, pd.DataFrame], name: str) -> Iterator[Row]:
    """By metric and variant: test score, gain over the unimodal variant and verdict, in float32 and as `name`."""
    for metric, rows in exact.items():
        others = rounded[metric].set_index("variant")
        for row in rows.to_dict("records"):
            other = others.loc[row["variant"]]
            yield {
                "metric": metric,
                "variant": row["variant"],
                "float32": row["score"],
                name: other["score"],
                "difference": other["score"] - row["score"],
                "gain float32": row["gain"],
                f"gain {name}": other["gain"],
                "verdict float32": row["verdict"],
                f"verdict {name}": other["verdict"],
            }


def gain_tables(precision: str, quick: bool, workers: int, device: str) -> dict[str, pd.DataFrame]:
    """Of the quick MOSI-like notebook run, trained with `precision` of its recipes, by metric."""
    p = load(ROOT / "params" / "mosi_positive_colearning" / "quick.yaml", results="-")
    if quick:
        p = p.model_copy(update={"samples": 200, "epochs": 1, "seeds": (0, 1)})
    study = colearning.study(p)
    members = [replace(m, recipe=replace(m.recipe, precision=precision)) for _, m in study.members]
    task, folder = study.tasks[0], Path(tempfile.mkdtemp())
    try:
        records = sweep(members, task.corpus, folder, cores=workers, device=device)
    finally:
        shutil.rmtree(folder)
    runs = Runs(study, [(task, member, record) for member, record in zip(members, records, strict=True)])
    return {metric: gains.gain_table(runs.table, metric, colearning.unimodal(p)) for metric in task.metrics}
