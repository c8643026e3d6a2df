"""Peak memory of each engine, and what the workflow costs around a training."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.cases import PAPER_MFN, TINY_MFN, Case
from benchmarks.machine import cores
from benchmarks.speed import DEVICES, NOT_MEASURED, Row, fleet_epoch, loop_epoch, on_device, there

ROOT = Path(__file__).resolve().parents[1]
CASES = {case.name: case for case in (PAPER_MFN, TINY_MFN)}
COPIED = ("run_all.sh", "Snakefile", "pyproject.toml", "lib", "notebooks", "params")
RUN = "mosi_positive_colearning/quick"


def memory(quick: bool) -> Iterator[Row]:
    """(e) Peak memory of a process that trains an epoch: resident on a CPU, allocated on a GPU."""
    case = TINY_MFN if quick else PAPER_MFN
    for device in DEVICES:
        for engine, members in [("nothing trained", 0), ("loop", 1), ("fleet", 8), ("fleet", 40)]:
            if quick and members > 8:
                continue
            row = {"model": case.name, "device": device, "engine": engine, "members": members}
            if not there(device):
                yield row | {"peak_MiB": NOT_MEASURED}
                continue
            output = told("-m", "benchmarks.resources", case.name, engine, str(members), device)
            yield row | {"peak_MiB": float(output)}


def peak(case: Case, engine: str, members: int, device: str) -> float:
    """Train one epoch in this process and tell its peak memory in MiB."""
    torch.set_num_threads(1)
    splits = on_device(case, device)
    if engine == "loop":
        loop_epoch(case.members(1)[0], splits)()
    elif engine == "fleet":
        fleet_epoch(case.members(members), splits)()
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resident_peak() / 2**10


def resident_peak() -> float:
    """KiB. The kernel's number where it has one: that of `getrusage` starts at the peak of the parent process."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return float(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def overhead(quick: bool) -> Iterator[Row]:
    """(d) `run_all.sh` on one quick notebook run, in a copy of the workspace, and what is inside it.

    The whole command, the notebook's cells, and the training of its grid by itself. The difference between the first
    two is the environment check, papermill, the kernel's start and the report; between the last two, the
    tables and figures.
    """
    if quick:
        return
    with tempfile.TemporaryDirectory() as place:
        copy = copied(Path(place))
        variables = environment(copy) | {"VIRTUAL_ENV": sys.prefix}
        command = [sys.executable, "-P", "-m", "lib.workflow.cli", "--only", RUN, "--cores", str(cores())]
        started = time.perf_counter()
        subprocess.run(command, cwd=copy, env=variables, stdout=subprocess.DEVNULL, check=True)
        whole = time.perf_counter() - started
        manifest = json.loads((copy / "results" / RUN / "manifest.json").read_text(encoding="utf-8"))
        notebook = manifest["volatile"]["durations"]["notebook"]
        bare = float(told("-m", "benchmarks.bare_training", RUN))
    parts = [("run_all.sh", whole), ("cells of the notebook", notebook), ("training of the grid alone", bare)]
    for name, seconds in parts:
        yield {"run": RUN, "part": name, "seconds": seconds, "share": seconds / whole}


def copied(place: Path) -> Path:
    """What a run needs of the workspace, copied into this folder, which is returned."""
    for name in COPIED:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, place / name)
    return place


def told(*arguments: str) -> str:
    """What a new process of this Python prints, with one thread. Raises CalledProcessError if it fails."""
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(command, env=environment(ROOT), capture_output=True, text=True, check=True).stdout


def environment(root: Path) -> dict[str, str]:
    """Of a process that finds the workspace at `root`, with one thread."""
    return os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}


if __name__ == "__main__":
    name, engine, members, device = sys.argv[1:]
    print(peak(CASES[name], engine, int(members), device))
