"""Chunks of a run: how many, which of them are to do, and what one does.

A chunk trains its share of a run's grid into the run's `members/` and nothing else; the run itself, which is the
notebook, then finds the records and gathers them. `I-of-N.json` beside them says that chunk I is done, with which
inputs, and what it cost. A member that cannot be trained has a record that says so; the notebook tries it once more and
shows it.

Memory does not enter: on a GPU a fleet is cut to what the device holds when it starts, on a CPU a job trains as many
members at once as it has cores, whatever the size of its chunk.
"""

import os
import resource
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Literal

from lib.errors import InputError
from lib.params import Parameters
from lib.workflow.freshness import Freshness
from lib.workflow.jobs import Job, read_json
from lib.workflow.runs import Run, known_runs
from lib.workflow.usage import MOST_CHUNKS

AIM_S = 1200.0
"""Long beside what a job costs before it trains (docs/scale.md), short beside a night that a dead node would cost."""

MEMBERS_IF_UNKNOWN = 10
"""Of a notebook that has trained nothing here yet: a full fleet on a CPU core."""


@dataclass(frozen=True, order=True)
class Chunk(Job):
    """Chunk `index` (from 1) of `count`."""

    run: Run
    index: int
    count: int

    def __str__(self) -> str:
        return f"chunk {self.index} of {self.count}"

    @property
    def title(self) -> str:
        return f"{self.run}, {self}"

    @property
    def done(self) -> Path:
        return self._path("json")

    @property
    def failed(self) -> Path:
        return self._path("failure.json")

    @property
    def log(self) -> Path:
        return self._path("log")

    @property
    def lock(self) -> Path:
        return self.run.lock.with_suffix(f".{self.index}-of-{self.count}.lock")

    def _path(self, suffix: str) -> Path:
        return self.run.folder / "members" / "chunks" / f"{self.index}-of-{self.count}.{suffix}"


def chunks(run: Run, count: int) -> list[Chunk]:
    return [Chunk(run, index, count) for index in range(1, count + 1)]


def all_records(run: Run) -> list[dict]:
    """Of all chunks that were ever done and not forgotten, whatever their number."""
    records = map(read_json, sorted((run.folder / "members" / "chunks").glob("*-of-*.json")))
    return [record for record in records if record and "inputs" in record]


def forget_stale(run: Run, count: int, freshness: Freshness) -> list[Chunk]:
    """Remove the marks of chunks that were done with other inputs; returns the chunks that are to do.

    Raises InputError for inputs that cannot be used.
    """
    now, todo = freshness.inputs(run).identity, []
    for chunk in chunks(run, count):
        record = chunk.record()
        if record is None or record["inputs"] != now:
            chunk.done.unlink(missing_ok=True)
            todo.append(chunk)
    return todo


def chunk_counts(runs: Sequence[Run], wanted: int | Literal["auto"] | None, freshness: Freshness) -> dict[Run, int]:
    """Into how many to cut each run: as asked for, or so that a chunk takes about `AIM_S` by what trainings took.

    Not there are runs that need no chunks or whose notebook has no grid to cut.
    """
    if wanted is None:
        return {}
    # It loads models and readers: not for those who want no chunks.
    from lib.papers import schema_for, study_of

    def automatic(run: Run) -> int:
        try:
            members = sum(len(members) for _, members in study_of(freshness.inputs(run).parameters).grids)
        except InputError:
            return 1  # The run itself will say what is wrong.
        return count(members, seconds_per_member(run))

    counts = {run: automatic(run) if wanted == "auto" else wanted for run in runs if schema_for(run.notebook).grid}
    return {run: number for run, number in counts.items() if number > 1}


def count(members: int, seconds: float | None) -> int:
    """Chunks for a grid whose members take `seconds` each, None if that is not known."""
    per_chunk = MEMBERS_IF_UNKNOWN if seconds is None else max(1, int(AIM_S / max(seconds, 1e-9)))
    return min(MOST_CHUNKS, max(1, ceil(members / per_chunk)))


def seconds_per_member(run: Run) -> float | None:
    """As measured in chunks of this run, else of its notebook's other runs; None if none has trained anything."""
    others = [other for other in known_runs() if other.notebook == run.notebook and other != run]
    return _mean([run]) or _mean(others)


def _mean(runs: Iterable[Run]) -> float | None:
    records = [record for run in runs for record in all_records(run)]
    trained = [(r["seconds"] - r["seconds_loading"], r["trained"]) for r in records if r["trained"]]
    return sum(seconds for seconds, _ in trained) / sum(members for _, members in trained) if trained else None


def train(chunk: Chunk, parameters: Parameters) -> dict[str, object]:
    """Train the chunk's share; what it cost. Raises OSError if a member has no record then."""
    # They take seconds to load: after the lock, the log and the choice of a device.
    from lib.papers import study_of
    from lib.training.chunks import chunk as share
    from lib.training.records import FAILED
    from lib.training.sweep import train_missing

    started = time.monotonic()
    shares = share(study_of(parameters).grids, chunk.index, chunk.count)
    loaded = time.monotonic()
    records, todo = [], []
    for corpus, members in shares:
        # The first report of progress comes before any training.
        left: list[float] = []
        grid = train_missing(
            members,
            corpus,
            chunk.run.folder / "members",
            cores=parameters.cores,
            progress=lambda done, total, n=left: n.append(total - done),
        )
        todo += left[:1]
        records += [grid.read(member) for member in members]
    if None in records:
        raise OSError("finished runs cannot be read back: is the disk full?")
    own, workers = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "members": len(records),
        "trained": int(sum(todo)),
        "failed": sum(record.status == FAILED for record in records),
        "seconds": round(time.monotonic() - started, 3),
        "seconds_loading": round(loaded - started, 3),
        "seconds_of_members": round(sum(record.seconds for record in records), 3),
        "peak_mb": own // 1024,
        "worker_peak_mb": workers // 1024,
        "devices": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        "host": socket.gethostname(),
        "slurm_job": os.environ.get("SLURM_JOB_ID", ""),
    }
