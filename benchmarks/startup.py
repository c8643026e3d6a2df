"""How long it takes until something trains, and how much of a quick run is training."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from benchmarks.machine import cores
from benchmarks.resources import RUN, copied, environment, told
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
TRAINING_CELL = "study.train()"


def startup(quick: bool) -> Iterator[Row]:
    """(s) Seconds of an import of the sweep, of a worker's start, of `--dry-run` and of a quick run; the least of three
    but for the run. Each in a new process; the share is of the whole run.
    """
    rounds = 1 if quick else 3
    yield {"part": "import of the sweep", "seconds": min(_told(IMPORT)[0] for _ in range(rounds))}
    starts = [_told(WORKERS) for _ in range(rounds)]
    yield {"part": "a worker's start, two at once, the first of a process", "seconds": min(s[0] for s in starts)}
    yield {"part": "a worker's start, later", "seconds": min(s[1] for s in starts)}
    if quick:
        return
    with tempfile.TemporaryDirectory() as place:
        copy = copied(Path(place))
        dry = min(_seconds(copy, "--only", RUN, "--dry-run") for _ in range(rounds))
        yield {"part": "run_all.sh --dry-run", "seconds": dry}
        whole = _seconds(copy, "--only", RUN, "--cores", str(cores()))
        training = _training(copy / "results" / RUN / "executed.ipynb")
    yield {"part": f"run_all.sh --only {RUN}", "seconds": whole, "share": 1.0}
    yield {"part": "the cell that trains", "seconds": training, "share": training / whole}


def _told(code: str) -> list[float]:
    return [float(word) for word in told("-c", code).split()]


def _seconds(copy: Path, *arguments: str) -> float:
    """Wall time of the command, in an environment that is there already."""
    started = time.perf_counter()
    command = [str(copy / "run_all.sh"), *arguments]
    variables = environment(copy) | {"VIRTUAL_ENV": sys.prefix}
    subprocess.run(command, cwd=copy, env=variables, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def _training(executed: Path) -> float:
    for cell in json.loads(executed.read_text(encoding="utf-8"))["cells"]:
        if TRAINING_CELL in "".join(cell["source"]) and cell["cell_type"] == "code":
            told = cell["metadata"]["papermill"]
            ended, started = (datetime.fromisoformat(told[name]) for name in ("end_time", "start_time"))
            return (ended - started).total_seconds()
    raise ValueError(f"{executed.name} has no cell with {TRAINING_CELL}")
