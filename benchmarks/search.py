"""How busy a random search keeps the cores: draws of very different cost, the dearest first."""

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.machine import cores
from benchmarks.speed import Row
from lib.papers import load
from lib.papers.low_rank_fusion.study import cost, search, task
from lib.training.sweep import sweep

ROOT = Path(__file__).resolve().parents[1]
EVERY_S = 0.25


def busy_cores(quick: bool) -> Iterator[Row]:
    """LMF's published search space on a MOSI-sized stand-in: processor time of the workers over cores and seconds.

    `until the first core idles` is the share of the duration after which a worker had nothing left to do.
    """
    draws, samples = (4, 60) if quick else (200, 2199)
    p = load(ROOT / "params" / "low_rank_fusion" / "mosi.yaml", results="-")
    p = p.model_copy(update={"dataset": "mosi_lmf_like", "samples": samples, "search_draws": draws, "epochs": 1})
    (target,) = p.targets
    asked = task(p, target, {})
    members = sorted(search(p, asked), key=cost, reverse=True)
    folder = Path(tempfile.mkdtemp())
    try:
        sweep(members[-2 * cores() :], asked.corpus, folder / "warm up", cores=cores(), device="cpu")
        with Watch() as watch:
            sweep(members, asked.corpus, folder / "grid", cores=cores(), device="cpu")
    finally:
        shutil.rmtree(folder)
    yield {
        "draws": len(members),
        "epochs of each": p.epochs,
        "cores": cores(),
        "seconds": watch.seconds,
        "processor seconds of the workers": watch.processor_seconds,
        "busy": watch.processor_seconds / (cores() * watch.seconds),
        "until the first core idles": watch.first_idle / watch.seconds,
    }


class Watch:
    """Adds up the processor time of the worker processes within the block."""

    def __enter__(self) -> "Watch":
        self._stop, self._started = threading.Event(), time.perf_counter()
        self._before, self._last_active = self._times(), {}
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._started
        self._stop.set()
        self._thread.join()
        after = self._times()
        self.processor_seconds = sum(after[pid] - self._before.get(pid, 0.0) for pid in after)
        self.first_idle = min(self._last_active.values(), default=0.0)

    def _look(self) -> None:
        latest = self._times()
        while not self._stop.wait(EVERY_S):
            now = self._times()
            for pid, seconds in now.items():
                if seconds - latest.get(pid, 0.0) > EVERY_S / 5:
                    self._last_active[pid] = time.perf_counter() - self._started
            latest = now

    def _times(self) -> dict[int, float]:
        found = {}
        for process in psutil.Process().children(recursive=True):
            try:
                spent = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            if spent.user + spent.system > 1.0:  # leaves out what only manages the workers
                found[process.pid] = spent.user + spent.system
        return found
