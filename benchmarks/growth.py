"""How seconds and peak memory grow with sequence length, dialogue length and number of samples; fitted exponents.

Small widths: what is looked for is the exponent. Each point is a process of its own, so that its peak is its own.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks import conversations
from benchmarks.cases import BLOCKS, Case
from benchmarks.resources import resident_peak
from benchmarks.speed import Row, loop_epoch, on_device
from lib.training.recipe import ModelSpec, Recipe

ROOT = Path(__file__).resolve().parents[1]
WIDTHS = {"text": 16, "audio": 8, "video": 8}
SIXTEEN = dict.fromkeys(WIDTHS, 16)
RECIPE = Recipe(loss="l1", epochs=1, batch_size=16, learning_rate=0.001)
CLASSES = Recipe(loss="cross_entropy", epochs=1, batch_size=16, learning_rate=0.001)
FAMILIES = {
    "MFN": (
        ModelSpec(
            "mfn:MFN",
            {
                "features": WIDTHS,
                "hidden": SIXTEEN,
                "memory": 16,
                "widths": dict.fromkeys(BLOCKS, 16),
                "dropouts": dict.fromkeys(BLOCKS, 0.1),
            },
        ),
        RECIPE,
    ),
    "EF-LSTM": (
        ModelSpec("ef_lstm:EFLSTM", {"features": WIDTHS, "hidden": 16, "outputs": 1, "dropout": 0.1}),
        RECIPE,
    ),
    "biEFLSTM": (
        ModelSpec("ef_lstm:BiEFLSTM", {"features": WIDTHS, "hidden": 16, "classes": 4, "dropout": 0.1}),
        CLASSES,
    ),
}
"""By family: model and recipe. What is left out is said in the page."""
AXES: Mapping[str, Sequence[int]] = {
    "sequence length": (20, 50, 200, 1000),
    "samples": (64, 640, 6400),
    "dialogue length": (20, 60, 110, 400),
}
QUICK: Mapping[str, Sequence[int]] = {"sequence length": (4, 8), "samples": (16, 32), "dialogue length": (4, 8)}


def growth(quick: bool) -> Iterator[Row]:
    """CPU seconds of an epoch and memory above that of the process before it, against each axis.

    The exponent is the slope of a straight line through the logarithms, over all points of a family and axis; small
    points hold what an epoch costs whatever its size, so the slope between the last two points stands beside it.
    """
    for axis, sizes in (QUICK if quick else AXES).items():
        for family in conversations.BACKBONES if axis == "dialogue length" else FAMILIES:
            points = [(size, *_alone(family, axis, size)) for size in sizes]
            seconds = [(size, s) for size, s, _ in points]
            memory = [(size, m) for size, _, m in points]
            for size, cpu_s, more in points:
                yield {
                    "model": family,
                    "axis": axis,
                    "size": size,
                    "cpu_s": cpu_s,
                    "more_MiB": more,
                    "exponent of seconds": exponent(seconds),
                    "at the end": exponent(seconds[-2:]),
                    "exponent of memory": exponent(memory),
                }


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """Slope of log(second) over log(first) by least squares; NaN where a number is not positive."""
    x, y = np.array(points, dtype=float).T
    if (x <= 0).any() or (y <= 0).any():
        return float("nan")
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def _alone(family: str, axis: str, size: int) -> tuple[float, float]:
    """CPU seconds and additional MiB of one point, measured by a fresh process."""
    command = [sys.executable, "-P", "-m", "benchmarks.growth", family, axis, str(size)]
    surroundings = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=True)
    seconds, memory = done.stdout.split()
    return float(seconds), float(memory)


def point(family: str, axis: str, size: int) -> tuple[float, float]:
    """One epoch in this process: CPU seconds, and MiB of the peak above what lay there before."""
    torch.set_num_threads(1)
    epoch = _dialogues(family, size) if axis == "dialogue length" else _sequences(family, axis, size)
    before, started = resident_peak(), time.process_time()
    epoch()
    return time.process_time() - started, (resident_peak() - before) / 2**10


def _sequences(family: str, axis: str, size: int) -> Callable[[], object]:
    """Training of 64 samples of `size` steps, or of `size` samples of 20; validation on as many at most as 64."""
    model, recipe = FAMILIES[family]
    steps, samples = (size, 64) if axis == "sequence length" else (20, size)
    case = Case(family, model, recipe, samples=(samples, min(samples, 64), 8), time=steps)
    return loop_epoch(case.members(1)[0], on_device(case, "cpu"))


def _dialogues(backbone: str, size: int) -> Callable[[], object]:
    """Training of four dialogues of `size` utterances at once, with small features."""
    p = conversations.parameters(True).model_copy(update={"batch_size": 4})
    whole = conversations.corpus([size] * 4, p.widths)
    member = conversations.self_paced.member(p, whole, 12, backbone, "atv", spcl=True)
    return conversations.our_epoch(member, whole.batches("train"))


if __name__ == "__main__":
    print(*point(sys.argv[1], sys.argv[2], int(sys.argv[3])))
