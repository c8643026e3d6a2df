"""Fills a table in limited time by processes that may die; what they gave before is kept."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

from benchmarks.gpu.cells import Setting, Table
from benchmarks.gpu.store import Store

ROOT = Path(__file__).resolve().parents[2]
OUT_OF_TIME = "out of time"
MODULE = "benchmarks.gpu.measure"


def fill(table: Table, store: Store, setting: Setting, seconds: float) -> None:
    """Measure the missing cells for at most so long, in processes of their own.

    One that ends by itself within a cell takes this cell with it, and the next one goes on behind; one that ends
    before it began any ends the table.
    """
    end, todo = monotonic() + seconds, store.missing
    store.write()
    while todo and monotonic() < end:
        process = _Process(store)
        ended = process.run(table, setting, todo, end)
        todo = [place for place in todo if place not in store.rows]
        if ended is None:
            break
        lost = todo if process.begun is None else [place for place in todo if place == process.begun]
        for place in lost:
            how = f"the process {_words(ended)}{' at its start' if process.begun is None else ''}"
            store.add(place, [{"state": f"failed: {how}"}])
        todo = [place for place in todo if place not in store.rows]
    store.write(OUT_OF_TIME)


def _words(code: int) -> str:
    return f"ended with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"


@dataclass
class _Process:
    """A process that measures cells of one table; its rows are stored as they come. `begun` is its latest cell."""

    store: Store
    begun: int | None = None
    _read: int = field(default=0, init=False)

    def run(self, table: Table, setting: Setting, todo: list[int], end: float) -> int | None:
        """Its exit code (negative: a signal's number); None if it had to be ended, with all that it had started."""
        with tempfile.TemporaryDirectory() as place:
            lines, mode = Path(place) / "rows", "quick" if setting.quick else "full"
            command = [sys.executable, "-P", "-m", MODULE, table.name, setting.device, mode, str(lines)]
            surroundings = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": place, "OMP_NUM_THREADS": "1"}
            process = subprocess.Popen(
                command, cwd=ROOT, env=surroundings, stdin=subprocess.PIPE, text=True, start_new_session=True
            )
            try:
                self._send(process, todo)
                while True:
                    code = process.poll()
                    self._take(lines)
                    if code is not None or monotonic() >= end:
                        return code
                    sleep(0.1)
            finally:
                _end(process)

    @staticmethod
    def _send(process: subprocess.Popen[str], todo: list[int]) -> None:
        with suppress(BrokenPipeError), process.stdin:  # one that has ended already says so by its exit code
            process.stdin.write(json.dumps(todo))

    def _take(self, lines: Path) -> None:
        """What has been written since the last time, as far as lines are whole."""
        text = lines.read_text(encoding="utf-8") if lines.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        for line in whole[self._read :].splitlines():
            found = json.loads(line)
            self.begun = found["place"]
            if "rows" in found:
                self.store.add(found["place"], found["rows"])
        self._read = len(whole)


def _end(process: subprocess.Popen[str]) -> None:
    """The process and what it started, which has its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
