"""Comparing durations fairly: one process, alternating, medians of several rounds."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Timing:
    """Seconds: the median of the rounds, the fastest and the slowest, and each round's."""

    median: float
    fastest: float
    slowest: float
    rounds: tuple[float, ...]


def times_faster(slow: Timing, fast: Timing) -> dict[str, float]:
    """How many times faster `fast` is, round by round: the median ratio, the lowest and the highest."""
    ratios = [a / b for a, b in zip(slow.rounds, fast.rounds, strict=True)]
    return {"times faster": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}


def alternate(
    cases: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    warm_up: bool = True,
    clock: Callable[[Callable[[], object]], float] | None = None,
) -> dict[str, Timing]:
    """Call every case once per round, the first one changing from round to round; a call before that is not counted.

    `clock` calls a case and tells its seconds: `duration` unless another is given.
    """
    clock = clock or duration
    names, seconds = list(cases), {name: [] for name in cases}
    for name in names if warm_up else ():
        cases[name]()
    for r in range(rounds):
        for name in names[r % len(names) :] + names[: r % len(names)]:
            seconds[name].append(clock(cases[name]))
    return {name: Timing(statistics.median(s), min(s), max(s), tuple(s)) for name, s in seconds.items()}


def duration(case: Callable[[], object]) -> float:
    """Seconds of one call, work on a GPU included."""
    _wait()
    started = time.perf_counter()
    case()
    _wait()
    return time.perf_counter() - started


def processor_duration(case: Callable[[], object]) -> float:
    """Processor seconds of one call in this process, which other processes of a shared machine hardly change."""
    started = time.process_time()
    case()
    return time.process_time() - started


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Within the block torch computes with this many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
