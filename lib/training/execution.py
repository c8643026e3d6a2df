"""How the jobs of a grid are carried out, on a CPU core or on a GPU, each run leaving a record."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from lib.data.batches import Batched, Batches, Examples
from lib.training import records
from lib.training.allocator import keep_freed_memory
from lib.training.engine import Job
from lib.training.fleet import members_that_fit, train_fleet
from lib.training.loop import train
from lib.training.recipe import Member
from lib.training.records import Record
from lib.training.rounding import rounds_alike
from lib.training.run import Checkpoint, Outcome, Run
from lib.training.streams import ReplayStreams, SeededStreams, Streams

ERRORS = (RuntimeError, ArithmeticError, MemoryError)
"""What a run may end in without ending the grid."""


@dataclass(frozen=True)
class Grid:
    """Where the records of a grid lie, what it is trained on and where, and the key of each run."""

    folder: Path
    corpus: Batched
    keys: Mapping[tuple[str, int], str]
    device: str

    def key(self, member: Member) -> str:
        return self.keys[member.variant, member.seed]

    def read(self, member: Member) -> Record | None:
        return records.read(self.folder, member, self.key(member))

    def missing(self, members: Sequence[Member]) -> list[Member]:
        """What is to be trained; a chain from its beginning."""
        todo = [m for m in members if (r := self.read(m)) is None or r.status == records.FAILED]
        chains = {m.chain for m in todo} - {None}
        names = {(m.variant, m.seed) for m in todo}
        return [m for m in members if m.chain in chains or (m.variant, m.seed) in names]

    def run_on_cpu(self, job: Job) -> int:
        """Train the members of a job with one thread, stacked where that leaves the same bits. How many they are."""
        keep_freed_memory()
        with one_thread():
            if job.stacked:
                splits = self._splits(job.members[0], "cpu")
                with one_by_one_after_errors():
                    if rounds_alike(job.members, splits):
                        self._stacked(job.members, splits)
            chained = ReplayStreams(job.members[0].seed) if job.members[0].chain is not None else None
            for member in self.missing(job.members):
                self._alone(member, self._splits(member, "cpu"), chained or SeededStreams(member.seed))
        return len(job.members)

    def run_on_gpu(self, job: Job, advance: Callable[[float], None]) -> None:
        """Train a fleet, in parts if the memory does not hold all of it."""
        splits, first = self._splits(job.members[0], self.device), job.members[0]
        with one_by_one_after_errors():
            limit = members_that_fit(first, splits, SeededStreams(first.seed))
            while left := self.missing(job.members):
                try:
                    self._stacked(left[:limit], splits, advance)
                except torch.OutOfMemoryError:
                    if limit == 1:
                        raise
                    limit = limit // 2
        for member in self.missing(job.members):
            self._alone(member, splits, SeededStreams(member.seed))
            advance(1)

    def _splits(self, member: Member, device: str) -> dict[str, Batches]:
        dtype = member.recipe.dtype
        return {name: self.corpus.batches(name, dtype=dtype, device=device) for name in self.corpus.splits}

    def _stacked(
        self,
        members: Sequence[Member],
        splits: Mapping[str, Examples],
        advance: Callable[[float], None] = lambda runs: None,
    ) -> None:
        started = time.perf_counter()

        def finished(member: Member, outcome: Outcome) -> None:
            seconds = (time.perf_counter() - started) / len(members)
            records.write(self.folder, member, self.key(member), outcome, seconds)
            self._checkpoint(member).remove()
            advance(1 - outcome.epochs_run / member.recipe.epochs)

        def after_epoch(runs: Sequence[Run]) -> None:
            advance(sum(1 / run.recipe.epochs for run in runs))

        train_fleet(
            members,
            splits,
            [SeededStreams(member.seed) for member in members],
            checkpoints=[self._checkpoint(member) for member in members],
            finished=finished,
            after_epoch=after_epoch,
        )

    def _alone(self, member: Member, splits: Mapping[str, Batches], streams: Streams) -> None:
        started = time.perf_counter()
        checkpoint = self._checkpoint(member)
        try:
            outcome = train(member, splits, streams, checkpoint=checkpoint)
        except ERRORS as error:
            outcome = Outcome(failure=in_words(error))
        records.write(self.folder, member, self.key(member), outcome, time.perf_counter() - started)
        checkpoint.remove()

    def _checkpoint(self, member: Member) -> Checkpoint:
        key = self.key(member)
        return Checkpoint(self.folder / f"{records.file_name(member, key)}.checkpoint", key)


@contextmanager
def one_by_one_after_errors() -> Iterator[None]:
    """What a fleet has left to do is done by the plain loop afterwards, so that only what is wrong fails."""
    try:
        yield
    except ERRORS as error:
        warnings.warn(f"a fleet stopped, its members train one by one: {in_words(error)}", stacklevel=3)


def in_words(error: BaseException) -> str:
    """Kind and first line."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


@contextmanager
def one_thread() -> Iterator[None]:
    """Within the block torch uses one thread, so sums are taken in the same order everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
