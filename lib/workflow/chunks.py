"""Chunks of a run: what is known of each, in files beside the records that they write.

A chunk trains its share of a run's grid into the run's `members/` and nothing else; the run itself, which is the
notebook, then finds the records and gathers them. `I-of-N.json` says that chunk I is done, with which inputs, and what
it cost; it is written last and atomically. `I-of-N.failure.json` says why there is none, from the first moment on.
"""

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from lib.files import sha256_json, write_json
from lib.workflow import status
from lib.workflow.inputs import FileHashes, inputs
from lib.workflow.runs import Run
from lib.workflow.status import Failure


@dataclass(frozen=True, order=True)
class Chunk:
    """Chunk `index` (from 1) of `count`."""

    run: Run
    index: int
    count: int

    def __str__(self) -> str:
        return f"chunk {self.index} of {self.count}"

    @property
    def done(self) -> Path:
        return self._path("json")

    @property
    def failed(self) -> Path:
        return self._path("failure.json")

    @property
    def log(self) -> Path:
        return self._path("log")

    def _path(self, suffix: str) -> Path:
        return self.run.folder / "members" / "chunks" / f"{self.index}-of-{self.count}.{suffix}"

    def begin(self) -> None:
        """Invalidate the previous attempt, then record that one is under way."""
        self.done.unlink(missing_ok=True)
        self.fail(Failure(status.UNFINISHED, f"process {os.getpid()} on {socket.gethostname()} has not ended it"))

    def fail(self, failure: Failure) -> None:
        write_json(self.failed, asdict(failure) | {"recorded": status.now()})

    def succeed(self, identity: str, facts: Mapping[str, object]) -> None:
        write_json(self.done, {"inputs": identity, "finished": status.now(), **facts})
        self.failed.unlink(missing_ok=True)

    def record(self) -> dict | None:
        """What its success left; None if it has not succeeded."""
        return record_in(self.done)

    def failure(self) -> Failure | None:
        record = _read(self.failed)
        return Failure(*(record.get(name) for name in Failure.__dataclass_fields__)) if record else None


def record_in(done: Path) -> dict | None:
    record = _read(done)
    return record if record and "inputs" in record else None


def all_records(run: Run) -> list[dict]:
    """Of all chunks that were ever done and not forgotten, whatever their number."""
    paths = sorted((run.folder / "members" / "chunks").glob("*-of-*.json"))
    return [record for path in paths if (record := record_in(path))]


def chunks(run: Run, count: int) -> list[Chunk]:
    return [Chunk(run, index, count) for index in range(1, count + 1)]


def identity(run: Run, hashes: FileHashes) -> str:
    """Of all that a run reads: what was trained under another identity is looked at again. Raises InputError."""
    return sha256_json(inputs(run, hashes))


def forget_stale(run: Run, count: int, hashes: FileHashes) -> list[Chunk]:
    """Remove the marks of chunks that were done with other inputs; returns the chunks that are to do."""
    now = identity(run, hashes)
    todo = []
    for chunk in chunks(run, count):
        record = chunk.record()
        if record is None or record["inputs"] != now:
            chunk.done.unlink(missing_ok=True)
            todo.append(chunk)
    return todo


def _read(path: Path) -> dict | None:
    with suppress(OSError, ValueError):
        record = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(record, dict):
            return record
    return None
