"""How far a grid is: a small file for the command line, and a bar when a person watches in JupyterLab."""

import os
import time
from pathlib import Path

from tqdm.auto import tqdm

from lib.files import write_json


class GridProgress:
    """Call it with (finished, all) runs; it writes `progress.json` into the result folder.

    Runs that advance together count by parts, so a fleet does not stand at 0 until it is done. `eta_s` is the
    remaining time at the mean pace of this start, or null before anything has advanced. The bar is shown only by a
    kernel that a Jupyter server started, so that no batch run stores one.
    """

    def __init__(self, folder: Path):
        self.path = Path(folder) / "progress.json"
        self._started, self._first = time.monotonic(), None
        self._bar = tqdm(unit="run", leave=False) if "JPY_SESSION_NAME" in os.environ else None

    def __call__(self, done: float, total: int) -> None:
        if self._first is None:
            self._first = done
        new = done - self._first
        pace = (time.monotonic() - self._started) / new if new else None
        remaining = None if pace is None else pace * (total - done)
        write_json(self.path, {"done": int(done), "total": total, "eta_s": remaining})
        if self._bar is not None:
            self._bar.total, self._bar.n = total, done
            self._bar.refresh()
            if done == total:
                self._bar.close()
