"""What is known of the last attempt at a job (a run, or a chunk of one), in files that are whole or absent.

`done` exists only while the job's results are complete: it is removed before anything is touched and written last.
`failed` says why there is none; from the first moment of an attempt it says `unfinished`, so a process that was killed
leaves the truth behind. Standard library only.
"""

import json
import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from lib.files import write_json

UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Failure:
    """Why an attempt has no results. `state` is one that `messages.BY_STATE` knows; `cell` is the number in `In [n]` of
    the executed notebook.
    """

    state: str
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


class Job:
    """What has one of these records; `title` names it to the user."""

    title: str
    done: Path
    failed: Path
    log: Path
    lock: Path

    def begin(self) -> None:
        """Invalidate the previous attempt, then record that one is under way."""
        self.done.unlink(missing_ok=True)
        self.fail(Failure(UNFINISHED, f"process {os.getpid()} on {socket.gethostname()} has not ended it"))

    def fail(self, failure: Failure) -> None:
        write_json(self.failed, asdict(failure) | {"recorded": now()})

    def succeed(self, inputs: object, facts: dict[str, object]) -> None:
        """Record as complete what was made from `inputs`."""
        write_json(self.done, {"inputs": inputs, "finished": now(), **facts})
        self.failed.unlink(missing_ok=True)

    def record(self) -> dict | None:
        """What its success left; None if it has not succeeded."""
        record = read_json(self.done)
        return record if record and "inputs" in record else None

    def failure(self) -> Failure | None:
        record = read_json(self.failed)
        return Failure(*(record.get(name) for name in Failure.__dataclass_fields__)) if record else None


def read_json(path: Path) -> dict | None:
    """The object that a file holds; None if it holds anything else, or is not there."""
    with suppress(OSError, ValueError):
        record = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(record, dict):
            return record
    return None


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
