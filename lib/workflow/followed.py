"""A run as its files show it to another process, on this machine or on a shared disk."""

import time
from pathlib import Path

from lib.workflow import status
from lib.workflow.display import Outcome
from lib.workflow.runs import Run


class Followed:
    """Watches one run from before it starts; `look` again and again, then ask for the `outcome`."""

    def __init__(self, run: Run):
        self.run = run
        self._started = self._ended = None
        self._failure: status.Failure | None = None
        self._old = self._identities()

    def look(self) -> str:
        """What has happened since the last look, as a line; empty if nothing has."""
        if self._ended is not None:
            return ""
        success, failed = (new != old for new, old in zip(self._identities(), self._old, strict=True))
        if success and (record := status.read_status(self.run)):
            self._ended = time.monotonic()
            return f"finished  {self.run} ({record['seconds']:.0f} s)"
        failure = status.read_failure(self.run) if failed else None
        if failure is None:
            return ""
        if failure.state == status.UNFINISHED:
            if self._started is not None:
                return ""
            self._started = time.monotonic()
            return f"started   {self.run}"
        self._ended, self._failure = time.monotonic(), failure
        return f"FAILED    {self.run}: {failure.state}: {failure}"

    @property
    def is_running(self) -> bool:
        return self._started is not None and self._ended is None

    def seconds(self) -> float | None:
        """How long it has been running, or ran."""
        if self._started is None:
            return None
        return (self._ended or time.monotonic()) - self._started

    def outcome(self, last_words: str) -> Outcome:
        """How it stands now that nothing runs any more; `last_words` explain why a run never started."""
        if self._failure:
            return Outcome(self.run, "FAILED", self.seconds(), self._failure)
        if self._ended is not None:
            return Outcome(self.run, "ran", status.read_status(self.run)["seconds"])
        if self._started is not None:
            killed = status.Failure(status.UNFINISHED, "the process that ran it was killed")
            return Outcome(self.run, "FAILED", self.seconds(), killed)
        return Outcome(self.run, "NOT RUN", None, status.Failure("not_started", last_words))

    def _identities(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_identity(self.run.folder / name) for name in (status.STATUS, status.FAILURE))


def _identity(path: Path) -> tuple[int, int] | None:
    """Changes whenever a file is replaced by a new one of the same name."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns
