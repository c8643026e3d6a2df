"""One chunk, in a process of its own: `python -m lib.workflow.chunk_runner NOTEBOOK RUN INDEX COUNT`.

Exit code 0 if each member of the chunk has a record now, 2 if something given is unusable, 1 for anything else. A
member that cannot be trained has a record that says so; the notebook tries it once more and shows it.
"""

import argparse
import logging
import os
import resource
import socket
import sys
import time
from collections.abc import Sequence

from lib.errors import InputError
from lib.workflow.chunks import Chunk, identity
from lib.workflow.devices import one_device
from lib.workflow.inputs import FileHashes, parameters
from lib.workflow.process import Stopped, locked, stop_on_signals
from lib.workflow.runner import in_words, log_to, told_outside
from lib.workflow.runs import ROOT, Run
from lib.workflow.status import Failure
from lib.workflow.surroundings import enter


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m lib.workflow.chunk_runner", description=__doc__)
    parser.add_argument("notebook")
    parser.add_argument("run")
    parser.add_argument("index", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--cores", type=int, default=1, help="worker processes the chunk may use")
    parser.add_argument("--devices", default="", help="GPUs of this machine to choose a free one from: 0,1")
    given = parser.parse_args(arguments)
    enter()
    run = Run(given.notebook, given.run)
    chunk = Chunk(run, given.index, given.count)
    stop_on_signals()
    lock = ROOT / ".reprise" / "runs" / f"{run.notebook}.{run.name}.{given.index}-of-{given.count}.lock"
    # An orphan of a killed start may still be at it, for instance on a cluster: wait, then find its records.
    with told_outside(), locked(lock, on_wait=lambda busy: print(f"{run}, {chunk}: waiting for {busy}")):
        chunk.log.parent.mkdir(parents=True, exist_ok=True)
        log_to(chunk.log)
        return attempt(chunk, given.cores, given.devices)


def attempt(chunk: Chunk, cores: int, devices: str) -> int:
    """Train once and record how it ended."""
    chunk.begin()
    try:
        hashes = FileHashes()
        # Taken before anything is read: what changes from here on makes the chunk stale.
        taken = identity(chunk.run, hashes)
        hashes.save()
        with one_device(devices):
            facts = _train(chunk, cores)
        chunk.succeed(taken, facts)
        return 0
    except InputError as error:
        failure = Failure("input_error", str(error))
    except Stopped as stopped:
        chunk.fail(Failure("interrupted", f"stopped by {stopped.signal.name}"))
        raise
    except Exception as error:
        logging.exception("the chunk failed")
        failure = Failure("crashed", in_words(error))
    chunk.fail(failure)
    return 2 if failure.state == "input_error" else 1


def _train(chunk: Chunk, cores: int) -> dict[str, object]:
    """Train the chunk's share; what it cost."""
    # They take seconds to load: after the lock, the log and the choice of a device.
    from lib.papers.grids import grids
    from lib.training.chunks import chunk as share
    from lib.training.records import FAILED
    from lib.training.sweep import train_missing

    started = time.monotonic()
    run = chunk.run
    shares = share(grids(run.notebook, parameters(run, cores)), chunk.index, chunk.count)
    loaded = time.monotonic()
    records, todo = [], []
    for corpus, members in shares:
        # The first report of progress comes before any training.
        left: list[float] = []
        grid = train_missing(
            members,
            corpus,
            run.folder / "members",
            cores=cores,
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
