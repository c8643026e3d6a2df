"""`./run_all.sh bench --gpu`: as many of the tables as the time allows, going on where an earlier start ended."""

import subprocess
import time
from pathlib import Path

import torch

from benchmarks.gpu.cells import Setting
from benchmarks.gpu.filling import fill
from benchmarks.gpu.store import Store, code_version
from benchmarks.gpu.tables import ALL
from benchmarks.machine import description
from lib.errors import InputError
from lib.files import write_json

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks" / "results" / "gpu"


def run(*, quick: bool, minutes: float, out: Path | None) -> Path:
    """Measure what is missing and return the folder of the results.

    Raises InputError without a GPU, unless `quick`, which then runs on the CPU and needs `out`: what a CPU gave never
    lies among the results of a GPU.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not quick:
        raise InputError("no GPU that torch can use", where="bench --gpu", todo="with --quick it runs on the CPU")
    if quick and (out is None or out.resolve() == FOLDER):
        raise InputError("--quick measures nothing of worth", where="bench --gpu", todo="name another folder: --out")
    if not minutes > 0:
        raise InputError(f"--minutes {minutes:g}", where="bench --gpu", todo="give a number above 0")
    folder, setting = out or FOLDER, Setting(device, quick)
    machine = description() | {"driver": driver(), "device": device, "mode": "quick" if quick else "full"}
    stamp = {"device": machine["GPU"] or "cpu", "torch": torch.__version__, "mode": machine["mode"]}
    stamp["code"] = code_version()
    write_json(folder / "machine.json", machine)
    stores = [(table, Store(folder / f"{table.name}.csv", table.listed(setting), stamp)) for table in ALL]
    end = time.monotonic() + 60 * minutes
    for i, (table, store) in enumerate(stores):
        shares = sum(other.share for other, its in stores[i:] if its.missing) or 1
        left = max(0.0, end - time.monotonic())
        fill(table, store, setting, left * table.share / shares)
        print(f"{table.name:10} {len(store.rows):3} of {len(store.cells):3} cells", flush=True)
    return folder


def driver() -> str | None:
    """Version of the GPU's driver, where it can be asked."""
    try:
        command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.split("\n")[0]
    except (OSError, subprocess.SubprocessError):
        return None
