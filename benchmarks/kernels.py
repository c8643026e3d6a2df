"""The compiled loops (`lib/models/kernels`) against Python's, on one thread."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from unittest.mock import patch

from benchmarks.cases import PAPER_BIEFLSTM, PAPER_MFN, SMALL_MFN, TINY_MFN, Case
from benchmarks.speed import loop_epoch, new_run, on_device
from benchmarks.timing import alternate, processor_duration, threads, times_faster
from lib.models import kernels
from lib.training.allocator import keep_freed_memory
from lib.training.fleet import Fleet


def compiled(quick: bool) -> Iterator[dict[str, object]]:
    """A row per model: processor seconds of an epoch, and Python's over the compiled loops' in alternating pairs.

    One row of "not built" where they are not there: `./run_all.sh kernels`.
    """
    if (loops := kernels.built()) is None:
        yield {"model": "not built", "engine": "", "python_s": "not measured"}
        return
    keep_freed_memory()
    long = replace(PAPER_BIEFLSTM, name="biEFLSTM, 50 steps", time=50)
    measured = [(case, 1) for case in (SMALL_MFN, PAPER_MFN, PAPER_BIEFLSTM, long)] + [(SMALL_MFN, 8)]
    with threads(1):
        for case, members in [(TINY_MFN, 1), (TINY_MFN, 2)] if quick else measured:
            epoch = _epoch(case, members)
            cases = {"python": _with(None, epoch), "compiled": _with(loops, epoch)}
            found = alternate(cases, rounds=1 if quick else 15, clock=processor_duration)
            ratios = times_faster(found["python"], found["compiled"])
            yield {
                "model": case.name,
                "engine": f"fleet of {members}" if members > 1 else "loop",
                "python_s": found["python"].median,
                "compiled_s": found["compiled"].median,
                "times_faster": ratios["times faster"],
                "slowest_pair": ratios["low"],
                "fastest_pair": ratios["high"],
            }


def _epoch(case: Case, members: int) -> Callable[[], object]:
    splits = on_device(case, "cpu")
    if members == 1:
        return loop_epoch(case.members(1)[0], splits)
    return Fleet([new_run(member, splits) for member in case.members(members)], splits).train_epoch


def _with(loops: object, epoch: Callable[[], object]) -> Callable[[], None]:
    def one() -> None:
        with patch.object(kernels, "built", lambda: loops):
            epoch()

    return one
