"""A run as its files show it to another process, on this machine or on a shared disk."""

import time
from collections.abc import Sequence
from pathlib import Path

from lib.workflow import status
from lib.workflow.chunks import Chunk
from lib.workflow.display import Outcome
from lib.workflow.runs import Run


class Followed:
    """Watches one run and its chunks from before they start; `look` again and again, then ask for the `outcome`."""

    def __init__(self, run: Run, chunks: Sequence[Chunk] = ()):
        self.run = run
        self._chunks = list(chunks)
        self._chunk_failures: dict[Chunk, status.Failure] = {}
        self._failures_seen = {chunk: _identity(chunk.failed) for chunk in chunks}
        self._started = self._ended = None
        self._failure: status.Failure | None = None
        self._old = self._identities()

    def look(self) -> list[str]:
        """What has happened since the last look, in lines."""
        return [line for line in (*map(self._look_at, list(self._chunks)), self._look_at_run()) if line]

    def _look_at(self, chunk: Chunk) -> str:
        if record := chunk.record():
            self._chunks.remove(chunk)
            self._chunk_failures.pop(chunk, None)
            return f"finished  {self.run}, {chunk} ({record['trained']} of {record['members']} trained)"
        identity = _identity(chunk.failed)
        if identity == self._failures_seen[chunk] or (failure := chunk.failure()) is None:
            return ""
        self._failures_seen[chunk] = identity
        self._chunk_failures[chunk] = failure
        if failure.state == status.UNFINISHED:
            return f"started   {self.run}, {chunk}"
        return f"FAILED    {self.run}, {chunk}: {failure.state}: {failure}"

    def _look_at_run(self) -> str:
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

    @property
    def has_ended(self) -> bool:
        """Whether the run itself said how."""
        return self._ended is not None

    def seconds(self) -> float | None:
        """How long it has been running, or ran."""
        if self._started is None:
            return None
        return (self._ended or time.monotonic()) - self._started

    def outcome(self, last_words: str, refused: str = "") -> Outcome:
        """How it stands now that nothing runs any more.

        `last_words` explain why a run never started; `refused` is what the machine refuses, so that a run could not
        even record its end.
        """
        if self._failure:
            return Outcome(self.run, "FAILED", self.seconds(), self._failure)
        if self._ended is not None:
            return Outcome(self.run, "ran", status.read_status(self.run)["seconds"])
        if self._started is not None:
            killed = status.Failure(status.UNFINISHED, refused or "the process that ran it was killed")
            return Outcome(self.run, "FAILED", self.seconds(), killed)
        for chunk, failure in self._chunk_failures.items():
            if failure.state == "input_error":  # as the run itself would have ended, on the same input
                return Outcome(self.run, "FAILED", None, failure)
            words = f"{chunk}: {failure.state}: {failure}"
            return Outcome(self.run, "FAILED", None, status.Failure("chunk_failed", words))
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
