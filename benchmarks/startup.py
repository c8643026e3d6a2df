"""How long it takes until something trains, and how much of a quick run is training."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from operator import itemgetter
from pathlib import Path

from benchmarks.machine import cores
from benchmarks.resources import copied, environment, told
from benchmarks.speed import Row

IMPORT = """
import time
started = time.perf_counter()
import lib.training.sweep
print(time.perf_counter() - started)
"""
WORKERS = """
import time
from lib.training.workers import spread
for call in range(2):
    started = time.perf_counter()
    list(spread(abs, [1, 2], 2))
    print((time.perf_counter() - started) / 2)
"""
KERNEL = f"""
import torch
from lib.training.workers import prepare
from lib.workflow.kernel_process import DRAWS
prepare(further=DRAWS, fork=True)
import ipykernel.kernelapp, lib.papers.colearning.study, lib.reporting.report, scipy.stats
{WORKERS}
"""
"""As a notebook's kernel does it: workers get ready beside what it has to load anyway."""
RUN = "iemocap_negative_colearning/quick"
"""The smallest of those that train a grid."""
TRAINING_CELL = "study.train()"


def startup(quick: bool) -> Iterator[Row]:
    """(s) Seconds of an import of the sweep, of a worker's start, of `--dry-run` and of a small quick run; the least of
    three, each in a new process. The share is of the whole run.
    """
    rounds = 1 if quick else 3
    yield {"part": "import of the sweep", "seconds": min(_told(IMPORT)[0] for _ in range(rounds))}
    starts = [_told(WORKERS) for _ in range(rounds)]
    yield {"part": "a worker's start, two at once, the first of a process", "seconds": min(s[0] for s in starts)}
    first = min(_told(KERNEL)[0] for _ in range(rounds))
    yield {"part": "a worker's start, two at once, the first of a notebook", "seconds": first}
    yield {"part": "a worker's start, later", "seconds": min(s[1] for s in starts)}
    if quick:
        return
    with tempfile.TemporaryDirectory() as place:
        copy = copied(Path(place))
        dry = min(_seconds(copy, "--only", RUN, "--dry-run") for _ in range(rounds))
        yield {"part": "run_all.sh --dry-run", "seconds": dry}
        whole, phases = min((_run(copy) for _ in range(rounds)), key=itemgetter(0))
    yield {"part": f"run_all.sh --only {RUN}", "seconds": whole, "share": 1.0}
    for name, seconds in phases.items():
        yield {"part": name, "seconds": seconds, "share": seconds / whole}


def _run(copy: Path) -> tuple[float, dict[str, float]]:
    """Seconds of the run from nothing, and of its phases. What other runs left behind of corpora and code is there."""
    shutil.rmtree(copy / "results" / RUN, ignore_errors=True)
    started = time.time()
    whole = _seconds(copy, "--only", RUN, "--cores", str(cores()))
    return whole, _phases(copy / "results" / RUN / "executed.ipynb", started, started + whole)


def _told(code: str) -> list[float]:
    return [float(word) for word in told("-c", code).split()]


def _seconds(copy: Path, *arguments: str) -> float:
    """Wall time of the command, in an environment that is there already."""
    started = time.perf_counter()
    command = [str(copy / "run_all.sh"), *arguments]
    variables = environment(copy) | {"VIRTUAL_ENV": sys.prefix}
    subprocess.run(command, cwd=copy, env=variables, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def _phases(executed: Path, started: float, ended: float) -> dict[str, float]:
    """What a run is made of, one part after the other, by the clock times that its executed notebook says."""
    cells = [cell for cell in json.loads(executed.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    training = [cell for cell in cells if TRAINING_CELL in "".join(cell["source"])]
    if not training:
        raise ValueError(f"{executed.name} has no cell with {TRAINING_CELL}")
    times = [started, _time(cells[0], "start"), _time(training[0], "start"), _time(training[0], "end")]
    times += [_time(cells[-1], "end"), ended]
    names = ("until the first cell", "the cells before training", "the cell that trains", "the cells after it")
    return dict(zip((*names, "report, hashes and page"), (b - a for a, b in pairwise(times)), strict=True))


def _time(cell: dict, which: str) -> float:
    return datetime.fromisoformat(cell["metadata"]["papermill"][f"{which}_time"]).timestamp()
