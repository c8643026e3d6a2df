"""How seconds and peak memory grow with sequence length, dialogue length and number of samples; fitted exponents.

Small widths: what is looked for is the exponent. A family and axis is one process (in the quick mode all families of an
axis), whose sizes rise, so that its peak after a size is that size's.
"""

import gc
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from benchmarks.growth_cases import AXES, FAMILIES, QUADRATIC, Epoch, prepare, title
from benchmarks.resources import resident_peak, told
from benchmarks.speed import Row

ENOUGH_S, CALLS = 0.25, 5
"""An epoch is repeated until it has taken so long, or so often; the least counts."""
LEAST_MIB = 1.0
"""A rise of the peak below this is pages, not the model's memory; it takes part in no exponent."""


def growth(quick: bool) -> Iterator[Row]:
    """CPU seconds of an epoch and memory above that of the process before it, against each axis.

    The exponents are slopes of the logarithms: over all sizes, and between the last two (`at the end`), where what an
    epoch costs whatever its size weighs least.
    """
    for axis, (_, names, full, few) in AXES.items():
        sizes = few if quick else full
        found = [_apart(axis, names, sizes)] if quick else (_apart(axis, [name], sizes) for name in names)
        for name, points in ((name, points) for part in found for name, points in part.items()):
            seconds = [(size, s) for size, s, _ in points]
            memory = [(size, m) for size, _, m in points if m >= LEAST_MIB]
            for size, cpu_s, more in points:
                yield {
                    "model": title(name),
                    "axis": axis,
                    "size": size,
                    "cpu_s": cpu_s,
                    "more_MiB": more,
                    "of its mathematics": mathematics(axis, name),
                    "exponent of seconds": exponent(seconds),
                    "at the end": exponent(seconds[-2:]),
                    "exponent of memory": exponent(memory),
                    "of memory at the end": exponent(memory[-2:]),
                }


def mathematics(axis: str, name: str) -> int:
    """The largest exponent that the definition of the model asks for.

    Two for sequences whose steps attend to each other, and for dialogues, in which every backbone joins each
    utterance with all others; else one.
    """
    if axis == "samples":
        return 1
    return 1 if axis == "sequence length" and name in set(FAMILIES) - QUADRATIC else 2


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """Slope of log(second) over log(first) by least squares; NaN for fewer than two points or a number not positive."""
    if len(points) < 2 or min(min(point) for point in points) <= 0:
        return math.nan
    x, y = np.log(np.array(points, dtype=float)).T
    return float(np.polyfit(x, y, 1)[0])


def _apart(axis: str, names: Sequence[str], sizes: Sequence[int]) -> dict[str, list[tuple[int, float, float]]]:
    """By family the size, CPU seconds and additional MiB of each point, measured by one fresh process."""
    return json.loads(told("-m", "benchmarks.growth", axis, json.dumps(names), json.dumps(sizes)))


def points(axis: str, name: str, sizes: Sequence[int], calls: int = CALLS) -> Iterator[tuple[int, float, float]]:
    """Measure in this process; the first size warms up and is told by nobody."""
    torch.set_num_threads(1)
    before = None
    for size in sizes:
        epoch = prepare(axis, name, size)
        seconds = _least(epoch, calls)
        if before is None:
            before = resident_peak()
        else:
            yield size, seconds, (resident_peak() - before) / 2**10
        del epoch
        gc.collect()


def _least(epoch: Epoch, calls: int) -> float:
    """CPU seconds of the quickest of at most `calls` calls."""
    found: list[float] = []
    while len(found) < calls and sum(found) < ENOUGH_S:
        started = time.process_time()
        epoch()
        found.append(time.process_time() - started)
    return min(found)


if __name__ == "__main__":
    chosen, rising = map(json.loads, sys.argv[2:])
    print(
        json.dumps({name: list(points(sys.argv[1], name, rising, CALLS if len(chosen) == 1 else 1)) for name in chosen})
    )
