"""`torch.compile` on the CPU for conversation backbones and the dense end-to-end model, a process for each."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

from benchmarks.gpu.cells import Setting
from benchmarks.gpu.compiled import VERDICT, compared
from benchmarks.gpu.families import backbones_and_end_to_end
from benchmarks.speed import Row

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 105
"""For each model, start of the process, compiling and comparison together."""


def torch_compile(quick: bool) -> Iterator[Row]:
    """Both passes of a minibatch without dropout, one thread, with nothing compiled before."""
    for family in backbones_and_end_to_end(quick):
        yield {"model": family.name, "device": "cpu"} | apart(family.name, quick)


def apart(name: str, quick: bool) -> Row:
    """The row of one model, or why there is none: too slow, or what the compiler said last."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-P", "-m", "benchmarks.torch_compile", name, "quick" if quick else "full"]
        surroundings = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        surroundings |= {"TORCHINDUCTOR_CACHE_DIR": place, "TORCHINDUCTOR_COMPILE_THREADS": "1"}
        piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=surroundings, start_new_session=True, **piped) as process:
            try:
                out, words = process.communicate(timeout=LIMIT_S)
            except subprocess.TimeoutExpired:
                return {"compiling_s": f"not within {LIMIT_S}", VERDICT: "not known"}
            finally:
                with suppress(ProcessLookupError):  # the compiler's own processes too
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode == 0:
            return json.loads(out.splitlines()[-1])
        last = next(iter(words.strip().splitlines()[-1:]), f"ended with {process.returncode}")
        return {"compiling_s": f"failed: {last[:160]}", VERDICT: "not known"}


def measured(name: str, quick: bool) -> Row:
    torch.set_num_threads(1)
    (family,) = (f for f in backbones_and_end_to_end(quick) if f.name == name)
    return compared(family, Setting("cpu", quick))


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], sys.argv[2] == "quick")))
