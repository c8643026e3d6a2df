"""What is known of a run's last attempt, in files that are whole or absent.

`status.json` exists only while the run's results are complete: it is removed before anything is touched and written
last. `failure.json` says why there is none; from the first moment of an attempt it says `unfinished`, so a runner
that was killed leaves the truth behind. `progress.json` is written by the notebook: {"done", "total", "eta_s"}.
"""

import json
import os
import platform
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Literal

from lib.files import sha256_file, write_json
from lib.workflow.runs import Run

STATUS, FAILURE, PROGRESS, LOG = "status.json", "failure.json", "progress.json", "log.txt"
UNFINISHED = "unfinished"
State = Literal[
    "unfinished",
    "input_error",
    "diverged",
    "cell_error",
    "kernel_died",
    "timeout",
    "start_failed",
    "bad_output",
    "interrupted",
    "crashed",
    "not_started",
    "chunk_failed",
]
# What a reader of results looks at. Records of single members are the notebook's business: it resumes from them.
NOT_RESULTS = (STATUS, FAILURE, PROGRESS, LOG, "members")


@dataclass(frozen=True)
class Failure:
    """Why an attempt has no results. `cell` is the number in `In [n]` of the executed notebook."""

    state: State
    message: str
    cell: int | None = None
    source: str = ""

    def __str__(self) -> str:
        place = f"cell [{self.cell}] `{self.source}`: " if self.cell is not None else ""
        return f"{place}{self.message}"


class RunFailed(Exception):
    """The run has no results."""

    def __init__(self, failure: Failure):
        super().__init__(str(failure))
        self.failure = failure


def begin(run: Run) -> None:
    """Invalidate the previous attempt, then record that one is under way."""
    for name in (STATUS, PROGRESS):
        (run.folder / name).unlink(missing_ok=True)
    fail(run, Failure(UNFINISHED, f"process {os.getpid()} on {socket.gethostname()} has not ended it"))


def fail(run: Run, failure: Failure) -> None:
    write_json(run.folder / FAILURE, asdict(failure) | {"recorded": now()})


def succeed(run: Run, inputs: dict[str, str], started: str, seconds: float) -> None:
    """Record the results that stand in the folder as complete."""
    record = {
        "state": "success",
        "inputs": inputs,
        "outputs": {name: sha256_file(run.folder / name) for name in outputs(run)},
        "started": started,
        "finished": now(),
        "seconds": round(seconds, 3),
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in ("torch", "numpy", "papermill", "ipykernel", "snakemake")},
    }
    write_json(run.folder / STATUS, record)
    (run.folder / FAILURE).unlink()


def outputs(run: Run) -> list[str]:
    """The result files in the run's folder, relative to it."""
    paths = (path.relative_to(run.folder) for path in sorted(run.folder.rglob("*")) if path.is_file())
    return [
        path.as_posix()
        for path in paths
        if path.parts[0] not in NOT_RESULTS and not any(part.startswith(".") for part in path.parts)
    ]


def read_status(run: Run) -> dict | None:
    """The record of a success, None if there is none."""
    record = _read(run.folder / STATUS)
    return record if record and record.get("state") == "success" else None


def read_failure(run: Run) -> Failure | None:
    record = _read(run.folder / FAILURE)
    return Failure(*(record.get(name) for name in Failure.__dataclass_fields__)) if record else None


def read_progress(run: Run) -> dict | None:
    return _read(run.folder / PROGRESS)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read(path: Path) -> dict | None:
    with suppress(OSError, ValueError):
        record = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(record, dict):
            return record
    return None
