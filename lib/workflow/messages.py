"""How a command ends, whatever state its standard streams are in: one line for what went wrong and what to do next, and
the exit code. Standard library only.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import TextIO

from lib.errors import InputError
from lib.workflow.runs import ROOT

PREFIX = "run_all.sh: "
FAULTS_OF_THE_MACHINE = {
    "No space left on device": "free some space",
    "Disk quota exceeded": "free some space, or have the quota raised",
    "File too large": "raise the limit on the size of files (ulimit -f)",
    "Read-only file system": "make it writable, or copy the workspace to where it is",
    "Permission denied": f"let user {os.getuid()} read and write it, or copy the workspace to where that is so",
    "Operation not permitted": f"let user {os.getuid()} read and write it, or copy the workspace to where that is so",
    "Too many open files": "raise the limit on open files (ulimit -n)",
    "Resource temporarily unavailable": "raise the limit on processes (ulimit -u), or use fewer --cores",
    "can't start new thread": "raise the limit on processes (ulimit -u), or use fewer --cores",
    "Cannot allocate memory": "use fewer --cores, or a machine with more memory",
    "MemoryError": "use fewer --cores, or a machine with more memory",
    "out of memory": "use fewer --cores, a smaller batch_size, or a machine with more memory",
}
"""By what the system says."""

AGAIN = "start again: what is finished is kept"
BY_STATE = {
    "unfinished": f"{AGAIN}; if it is killed again, use fewer --cores or see the system's log",
    "input_error": "mend what the line names, then start again",
    "diverged": "change params/{run}.yaml, then start again; results/{run}/executed.ipynb lists what was trained",
    "cell_error": "see results/{run}/executed.ipynb and log.txt; mend the cause, then start again",
    "kernel_died": f"see results/{{run}}/log.txt; {AGAIN}",
    "timeout": f"{AGAIN}; --chunks cuts a run into shorter jobs",
    "start_failed": "see results/{run}/log.txt; if it happens again, remove .venv and start again",
    "bad_output": "the notebook must write it: mend notebooks/{notebook}.ipynb, then start again",
    "interrupted": AGAIN,
    "crashed": f"see results/{{run}}/log.txt; {AGAIN}",
    "not_started": "see .reprise/snakemake.log",
    "chunk_failed": f"see results/{{run}}/members/chunks; {AGAIN}",
}
"""By how a run ended: every state that `jobs.Failure` may have."""


def exit_code(work: Callable[[], int]) -> int:
    """What `work` returns; 2 for input that cannot be used, 1 for what the machine refuses, each with one line.

    Whoever stops reading what is printed, as `head` does, has seen enough: no failure of a command that only prints.
    """
    try:
        code = work()
    except InputError as error:
        complain(str(error))
        code = 2
    except SystemExit as end:  # help has been printed, or a signal asked for the end
        code = end.code
    except BrokenPipeError:
        code = 0
    except OSError as error:
        # The system does not say of what it speaks if that is an open file: try whether it is this one.
        full = error.filename is None and flushed(sys.stdout, more="\n") is not None
        complain(explained(error, "standard output" if full else None))
        code = 1
    except KeyboardInterrupt:
        complain("interrupted")
        code = 128 + signal.SIGINT
    if (error := flushed(sys.stdout)) is not None:
        if code == 0 and not isinstance(error, BrokenPipeError):
            complain(explained(error, "standard output"))
            code = 1
        _discard(sys.stdout)
    return code


def complain(text: str, *, prefix: str = PREFIX) -> None:
    """A line on standard error, if that can be written."""
    try:
        print(f"{prefix}{text}", file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)


def flushed(stream: TextIO, more: str = "") -> OSError | None:
    """Why what was printed, and `more`, cannot be written; None if it is."""
    try:
        stream.write(more)
        stream.flush()
    except OSError as error:
        return error
    return None


def is_terminal(stream: TextIO) -> bool:
    """Whether lines on it can be rewritten."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _discard(stream: TextIO) -> None:
    """Let what cannot be written go nowhere, so that Python does not try once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def next_step(state: str, message: str, notebook: str, run: str) -> str:
    """What to do about a failed run; `run` is NOTEBOOK/NAME."""
    by_cause = of_the_machine(message) if state != "input_error" else ""
    return f"{by_cause}, then {AGAIN}" if by_cause else BY_STATE[state].format(notebook=notebook, run=run)


def of_the_machine(message: str) -> str:
    """What to do about a limit of the machine that a message speaks of; empty if it speaks of none."""
    return next((todo for words, todo in FAULTS_OF_THE_MACHINE.items() if words in message), "")


def explained(error: OSError, where: object = None) -> str:
    """What, where and what to do, in one line."""
    said = told(error, where)
    return "; ".join(filter(None, [said, of_the_machine(said)]))


def told(error: OSError, where: object = None) -> str:
    """What and where, the place in the workspace if it is there."""
    what, place = error.strerror or str(error), error.filename or where
    return f"{str(place).removeprefix(f'{ROOT}/')}: {what}" if place else what
