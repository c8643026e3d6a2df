"""What is seen of runs from outside, and what the terminal shows of it: events as lines, progress as one line that is
rewritten (or now and then, in a log), and the closing table.
"""

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lib.workflow.chunk_jobs import Chunk
from lib.workflow.jobs import UNFINISHED, Failure, Job, read_json
from lib.workflow.messages import is_terminal, next_step
from lib.workflow.runs import Run

LOG_EVERY_S = 30.0


@dataclass(frozen=True)
class Outcome:
    """How a run stands at the end. `seconds` is how long it took, when known."""

    run: Run
    state: str
    seconds: float | None = None
    failure: Failure | None = None


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
    record = read_json(run.progress) or {}
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


class Watched:
    """A run or a chunk as its files show it to another process, on this machine or on a shared disk. From before it
    starts, `look` again and again.
    """

    def __init__(self, job: Job):
        self.job = job
        self.started: float | None = None
        self.ended: float | None = None
        self.failure: Failure | None = None
        """What it left last, also if it left only that it began; None once it is done."""
        self._old = self._identities()

    @property
    def is_running(self) -> bool:
        return self.started is not None and self.ended is None

    @property
    def is_done(self) -> bool:
        """Nothing changes that any more; Snakemake touches the file afterwards."""
        return self.ended is not None and self.failure is None

    def seconds(self) -> float | None:
        """How long it has been running, or ran."""
        return None if self.started is None else (self.ended or time.monotonic()) - self.started

    def look(self) -> str:
        """What has happened since the last look, in a line; empty if nothing has."""
        if self.is_done:
            return ""
        now = self._identities()
        done, failed = (new != old for new, old in zip(now, self._old, strict=True))
        if done and (record := self.job.record()):
            self._old, self.ended, self.failure = now, time.monotonic(), None
            return f"finished  {self.job.title} ({_cost(record)})"
        failure = self.job.failure() if failed else None
        if failure is None:
            return ""
        self._old, self.failure = now, failure
        if failure.state == UNFINISHED:  # again after a failure, where a cluster sends a job once more
            self.started, self.ended = self.started or time.monotonic(), None
            return f"started   {self.job.title}"
        self.ended = time.monotonic()
        return f"FAILED    {self.job.title}: {failure.state}: {failure}"

    def _identities(self) -> tuple[tuple[int, int] | None, ...]:
        return _identity(self.job.done), _identity(self.job.failed)


def _cost(record: dict) -> str:
    chunk = "trained" in record
    return f"{record['trained']} of {record['members']} trained" if chunk else f"{record['seconds']:.0f} s"


def _identity(path: Path) -> tuple[int, int] | None:
    """Changes whenever a file is replaced by a new one of the same name."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns


class Followed:
    """One run and the chunks that come before it; ask for the `outcome` when nothing runs any more."""

    def __init__(self, run: Run, chunks: Sequence[Chunk] = ()):
        self.run = run
        self.whole, self._chunks = Watched(run), [Watched(chunk) for chunk in chunks]

    def look(self) -> list[str]:
        """What has happened since the last look, in lines."""
        return [line for watched in (*self._chunks, self.whole) if (line := watched.look())]

    def outcome(self, last_words: str, refused: str = "") -> Outcome:
        """How it stands.

        `last_words` explain why a run never started; `refused` is what the machine refuses, so that a run could not
        even record its end.
        """
        run, seconds = self.run, self.whole.seconds()
        if self.whole.is_running:
            killed = Failure(UNFINISHED, refused or "the process that ran it was killed")
            return Outcome(run, "FAILED", seconds, killed)
        if self.whole.failure:
            return Outcome(run, "FAILED", seconds, self.whole.failure)
        if self.whole.is_done:
            return Outcome(run, "ran", run.record()["seconds"])
        for watched in self._chunks:
            if failure := watched.failure:
                if failure.state != "input_error":  # as the run itself would have ended, on the same input
                    failure = Failure("chunk_failed", f"{watched.job}: {failure.state}: {failure}")
                return Outcome(run, "FAILED", None, failure)
        return Outcome(run, "NOT RUN", None, Failure("not_started", last_words))
