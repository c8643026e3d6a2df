"""How a command ends, whatever state its standard streams are in: one line for what went wrong, and the exit code."""

import os
import signal
import sys
from collections.abc import Callable
from typing import TextIO

from lib.errors import InputError
from lib.workflow.advice import explained

PREFIX = "run_all.sh: "


def exit_code(work: Callable[[], int]) -> int:
    """What `work` returns; 2 for input that cannot be used, 1 for what the machine refuses, each with one line.

    Whoever stops reading what is printed, as `head` does, has seen enough: no failure of a command that only prints.
    """
    try:
        code = work()
    except InputError as error:
        complain(str(error))
        code = 2
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
