"""One run, or one chunk of it, in a process of its own: `python -m lib.workflow.runner NOTEBOOK RUN [--chunk I-of-N]`.

Exit code 0 if it succeeded, 2 if something given is unusable, 1 for anything else. What happened stands in the run's
folder: `executed.ipynb` (also after a failure), `log.txt`, and one of `status.json` and `failure.json`; of a chunk in
`members/chunks`.
"""

import argparse
import logging
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from lib.errors import InputError
from lib.files import remove_unfinished, sha256_file, write_text
from lib.reporting.result_folders import write_contents
from lib.workflow.chunk_jobs import Chunk, train
from lib.workflow.freshness import Freshness, Inputs, loaded_files
from lib.workflow.jobs import Failure, Job, RunFailed, now, read_json
from lib.workflow.kernel_process import TRAINS, WORKERS
from lib.workflow.messages import complain, told
from lib.workflow.process import Busy, Stopped, locked, one_device, stop_on_signals
from lib.workflow.runs import Run
from lib.workflow.surroundings import enter

TRAINING = "lib/training/workers.py"
THREE_DAYS = 3 * 24 * 3600.0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m lib.workflow.runner", description=__doc__)
    parser.add_argument("notebook")
    parser.add_argument("run")
    parser.add_argument("--chunk", default="", metavar="I-of-N", help="train this part of its grid and nothing else")
    parser.add_argument("--cores", type=int, default=1, help="worker processes it may use")
    parser.add_argument("--devices", default="", help="GPUs of this machine to choose a free one from: 0,1")
    parser.add_argument("--timeout", type=float, default=THREE_DAYS, help="seconds until the run is given up")
    given = parser.parse_args(arguments)
    enter()
    stop_on_signals()
    run = Run(given.notebook, given.run)
    job = Chunk(run, *map(int, given.chunk.split("-of-"))) if given.chunk else run
    # An orphan of a killed start may still be at a chunk, on a cluster for instance: wait, then find its records.
    wait = (lambda busy: print(f"{job.title}: waiting for {busy}")) if given.chunk else None
    with told_outside():
        try:
            with locked(job.lock, on_wait=wait):
                job.log.parent.mkdir(parents=True, exist_ok=True)
                log_to(job.log)
                with one_device(given.devices):
                    return attempt(job, given.cores, given.timeout)
        except Busy as busy:
            complain(f"{run}: {busy} is running it")
            return 1


def attempt(job: Job, cores: int, timeout: float) -> int:
    """Do it once and record how it ended."""
    job.begin()
    try:
        freshness = Freshness(cores)
        if isinstance(job, Chunk):
            # Taken before anything is read: what changes from here on makes the chunk stale.
            taken = freshness.inputs(job.run)
            facts = train(job, taken.parameters)
            job.succeed(taken.identity, facts)
        else:
            _reach_results(job, freshness, timeout)
        return 0
    except InputError as error:
        failure = Failure("input_error", str(error))
    except RunFailed as error:
        failure = error.failure
    except Stopped as stopped:
        job.fail(Failure("interrupted", f"stopped by {stopped.signal.name}"))
        raise
    except Exception as error:
        logging.exception("the runner itself failed")
        words = told(error) if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"
        failure = Failure("crashed", words)
    logging.error("%s: %s", failure.state, failure)
    job.fail(failure)
    return 2 if failure.state == "input_error" else 1


def _reach_results(run: Run, freshness: Freshness, timeout: float) -> None:
    # The records are left alone: an orphan of a killed start, on a cluster for instance, may still be writing one.
    remove_unfinished(run.folder, but="members")
    started, clock, earlier = now(), time.monotonic(), _identities(run)
    # Taken before anything runs: what changes from here on makes the results stale.
    taken, code = freshness.inputs(run), freshness.library()
    # It takes papermill a second to load: not for input that cannot be used.
    from lib.workflow.kernel import execute

    executed, given = run.folder / "executed.ipynb", taken.parameters.model_dump(mode="json")
    loaded = loaded_files(execute(run.source, executed, given, timeout, _ahead(taken)))
    _check_results(run, earlier)
    from lib.workflow.report_page import report

    write_text(run.folder / "report.html", report(executed))
    write_contents(run.folder)
    packages = ("torch", "numpy", "papermill", "ipykernel", "snakemake")
    facts = {
        "state": "success",
        "outputs": {name: sha256_file(run.folder / name) for name in run.outputs()},
        "started": started,
        "seconds": round(time.monotonic() - clock, 3),
        "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in packages},
    }
    run.succeed(taken.files | {name: code.get(name, "written while it ran") for name in loaded}, facts)


def _ahead(taken: Inputs) -> list[str]:
    """What the kernel may get ready for, by the code that the run reads."""
    if TRAINING not in taken.files:
        return []
    return [TRAINS, WORKERS] if taken.parameters.cores > 1 else [TRAINS]


def _identities(run: Run) -> dict[str, tuple[int, int, int]]:
    """Of the files among the results; a file that is written, also with the same content, gets another identity."""
    stats = {name: (run.folder / name).stat() for name in run.outputs()}
    return {name: (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in stats.items()}


def _check_results(run: Run, earlier: dict[str, tuple[int, int, int]]) -> None:
    """Remove results of earlier attempts; what is left must hold a readable manifest and no empty file.

    Identities are compared, never times, because a clock may jump.
    """
    for name, identity in _identities(run).items():
        if earlier.get(name) == identity:
            (run.folder / name).unlink()
    if read_json(run.folder / "manifest.json") is None:
        raise RunFailed(Failure("bad_output", "the notebook wrote no readable manifest.json"))
    if empty := [name for name in run.outputs() if not (run.folder / name).stat().st_size]:
        raise RunFailed(Failure("bad_output", f"empty: {', '.join(empty)}"))


@contextmanager
def told_outside() -> Iterator[None]:
    """Ends the process with exit code 1, and a line where its messages went at first, if the block cannot even record
    what went wrong.
    """
    outside = os.dup(sys.stderr.fileno())
    try:
        yield
    except OSError as error:
        os.dup2(outside, sys.stderr.fileno())
        complain(told(error))
        sys.exit(1)
    finally:
        os.close(outside)


def log_to(path: Path) -> None:
    """Send everything that this process and its children print to `path`."""
    with path.open("w", encoding="utf-8") as log:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(log.fileno(), stream.fileno())
    # jupyter_client and nbconvert warn here of closing sockets and missing alternative texts.
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
