"""One run, in a process of its own: `python -m lib.workflow.runner NOTEBOOK RUN`.

Exit code 0 if the run succeeded, 2 if something given is unusable, 1 for anything else. What happened stands in the
run's folder: `executed.ipynb` (also after a failure), `log.txt`, and one of `status.json` and `failure.json`.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lib.errors import InputError
from lib.files import remove_unfinished, write_text
from lib.reporting.result_folders import write_contents
from lib.workflow import status
from lib.workflow.advice import told
from lib.workflow.devices import one_device
from lib.workflow.inputs import FileHashes, inputs, library, library_files, parameters
from lib.workflow.process import Busy, Stopped, locked, stop_on_signals
from lib.workflow.runs import ROOT, Run
from lib.workflow.streams import complain
from lib.workflow.surroundings import enter

THREE_DAYS = 3 * 24 * 3600.0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m lib.workflow.runner", description=__doc__)
    parser.add_argument("notebook")
    parser.add_argument("run")
    parser.add_argument("--cores", type=int, default=1, help="worker processes the notebook may use")
    parser.add_argument("--devices", default="", help="GPUs of this machine to choose a free one from: 0,1")
    parser.add_argument("--timeout", type=float, default=THREE_DAYS, help="seconds until the run is given up")
    given = parser.parse_args(arguments)
    enter()
    run = Run(given.notebook, given.run)
    stop_on_signals()
    with told_outside():
        return _main(run, given.cores, given.devices, given.timeout)


def _main(run: Run, cores: int, devices: str, timeout: float) -> int:
    try:
        with locked(ROOT / ".reprise" / "runs" / f"{run.notebook}.{run.name}.lock"):
            run.folder.mkdir(parents=True, exist_ok=True)
            log_to(run.folder / status.LOG)
            with one_device(devices):
                return attempt(run, cores, timeout)
    except Busy as busy:
        complain(f"{run}: {busy} is running it")
        return 1


def attempt(run: Run, cores: int, timeout: float) -> int:
    """Run once and record how it ended."""
    status.begin(run)
    # The records are left alone: an orphan of a killed start, on a cluster for instance, may still be writing one.
    remove_unfinished(run.folder, but="members")
    try:
        _reach_results(run, cores, timeout)
        return 0
    except InputError as error:
        failure = status.Failure("input_error", str(error))
    except status.RunFailed as error:
        failure = error.failure
    except Stopped as stopped:
        status.fail(run, status.Failure("interrupted", f"stopped by {stopped.signal.name}"))
        raise
    except Exception as error:
        logging.exception("the runner itself failed")
        failure = status.Failure("crashed", in_words(error))
    logging.error("%s: %s", failure.state, failure)
    status.fail(run, failure)
    return 2 if failure.state == "input_error" else 1


def _reach_results(run: Run, cores: int, timeout: float) -> None:
    started, clock, earlier = status.now(), time.monotonic(), _identities(run)
    hashes = FileHashes()
    # Taken before anything runs: what changes from here on makes the results stale.
    taken, code = inputs(run, hashes), library()
    hashes.save()
    values = parameters(run, cores).model_dump(mode="json")
    # It takes papermill a second to load: not for input that cannot be used.
    from lib.workflow.execution import execute
    from lib.workflow.report_page import report

    executed = run.folder / "executed.ipynb"
    loaded = library_files(execute(run.source, executed, values, timeout))
    taken |= {name: code.get(name, "written while it ran") for name in library(loaded)}
    _check_results(run, earlier)
    write_text(run.folder / "report.html", report(executed))
    write_contents(run.folder)
    status.succeed(run, taken, started, time.monotonic() - clock)


def _identities(run: Run) -> dict[str, tuple[int, int, int]]:
    """Of the files among the results; a file that is written, also with the same content, gets another identity."""
    stats = {name: (run.folder / name).stat() for name in status.outputs(run)}
    return {name: (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in stats.items()}


def _check_results(run: Run, earlier: dict[str, tuple[int, int, int]]) -> None:
    """Remove results of earlier attempts; what is left must hold a readable manifest and no empty file.

    Identities are compared, never times, because a clock may jump.
    """
    for name, identity in _identities(run).items():
        if earlier.get(name) == identity:
            (run.folder / name).unlink()
    try:
        json.loads((run.folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise status.RunFailed(status.Failure("bad_output", "the notebook wrote no readable manifest.json")) from None
    if empty := [name for name in status.outputs(run) if not (run.folder / name).stat().st_size]:
        raise status.RunFailed(status.Failure("bad_output", f"empty: {', '.join(empty)}"))


def in_words(error: Exception) -> str:
    return told(error) if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"


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
