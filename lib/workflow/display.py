"""What the terminal shows: events as lines, progress as one line that is rewritten (or now and then, in a log)."""

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lib.workflow import status
from lib.workflow.advice import next_step
from lib.workflow.runs import Run
from lib.workflow.streams import is_terminal

LOG_EVERY_S = 30.0


@dataclass(frozen=True)
class Outcome:
    """How a run stands at the end. `seconds` is how long it took, when known."""

    run: Run
    state: str
    seconds: float | None = None
    failure: status.Failure | None = None


class Display:
    """Prints to standard output; a terminal also gets a line that shows what is running."""

    def __init__(self) -> None:
        self._live = is_terminal(sys.stdout)
        self._logged = time.monotonic()

    def line(self, text: str) -> None:
        """A line that stays."""
        print(f"\r\x1b[K{text}" if self._live else text, flush=True)

    def running(self, runs: Mapping[Run, float]) -> None:
        """Show the progress of running runs; `runs` maps each to its seconds so far."""
        if not self._live:
            if time.monotonic() - self._logged < LOG_EVERY_S:
                return
            self._logged = time.monotonic()
        text = " | ".join(f"{run} {_progress(run, seconds)}" for run, seconds in runs.items()) or "starting"
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{text[:width]}", end="", flush=True)
        elif runs:
            self.line(f"running   {text}")


def _progress(run: Run, seconds: float) -> str:
    record = status.read_progress(run) or {}
    done, total, eta = record.get("done"), record.get("total"), record.get("eta_s")
    if not total:
        return f"{seconds:.0f} s"
    return f"{done}/{total}" + (f", {eta:.0f} s left" if eta is not None else "")


def plan(reasons: Mapping[Run, str]) -> str:
    """The table of `--dry-run`."""
    width = max(len(str(run)) for run in reasons)
    return "\n".join(
        f"{run!s:{width}}  {f'would run ({why})' if why else 'up to date'}" for run, why in reasons.items()
    )


def summary(outcomes: Sequence[Outcome]) -> str:
    """The closing table; under each failed run, the failing cell, its error, and what to do."""
    runs, states = max(len(str(o.run)) for o in outcomes), max(5, *(len(o.state) for o in outcomes))
    lines = ["", f"{'run':{runs}}  {'state':{states}}  seconds  results"]
    for o in outcomes:
        seconds = "" if o.seconds is None else f"{o.seconds:.1f}"
        lines.append(f"{o.run!s:{runs}}  {o.state:{states}}  {seconds:>7}  {o.run.results}")
        if o.failure:
            lines.append(f"  {o.failure.state}: {o.failure}")
            lines.append(f"  next: {next_step(o.failure.state, o.failure.message, o.run.notebook, str(o.run))}")
    return "\n".join(lines)
