"""A grid of runs: skips what is finished, shares the cores, and loses at most the epoch in flight.

On a CPU each run has one thread, so its bits do not depend on what runs beside it.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import torch

from lib.data.corpus import Corpus
from lib.files import sha256_json
from lib.source_closure import closure
from lib.training import records
from lib.training.examples import examples
from lib.training.loop import Checkpoint, Outcome, train
from lib.training.recipe import Member
from lib.training.records import Record
from lib.training.streams import ReplayStreams, SeededStreams

Progress = Callable[[int, int], None]
"""Called with (finished runs, all runs)."""


def corpus_hash(corpus: Corpus) -> str:
    """SHA-256 over everything that training reads: names, widths, features, labels."""
    digest = hashlib.sha256(repr((corpus.task, corpus.label_names, dict(corpus.modalities))).encode())
    for name, split in corpus.splits.items():
        for label, array in [(name, split.labels), *split.features.items()]:
            digest.update(f"{label} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def member_key(member: Member, data: str) -> str:
    """Identifies a run by its settings, its data, the code that trains it, torch and the device kind."""
    code = closure([member.model.module, "lib.training.loop"])
    return sha256_json({"member": member.as_json(), "data": data, "code": code, "torch": torch.__version__})


def sweep(
    members: Sequence[Member],
    corpus: Corpus,
    folder: Path,
    *,
    cores: int = 1,
    progress: Progress = lambda done, total: None,
) -> list[Record]:
    """Train what is not yet in `folder` and return one record per member, in the order given.

    A run without a finite validation loss is recorded as diverged, one that ends in a numerical or memory error as
    failed; neither touches the others, and a failed one is tried again on the next start. Raises ValueError if two
    members have the same variant and seed, RuntimeError if every run failed.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = [(m.variant, m.seed) for m in members]
    if len(set(names)) != len(names):
        raise ValueError("two members of the grid have the same variant and seed")
    data = corpus_hash(corpus)
    keys = _keys(members, data)
    jobs = [
        job for job in _jobs(members) if not all(_done(records.read(folder, m, keys[m.variant, m.seed])) for m in job)
    ]
    missing = sum(len(job) for job in jobs)
    progress(len(members) - missing, len(members))
    tasks = (joblib.delayed(_run)(job, [keys[m.variant, m.seed] for m in job], corpus, folder) for job in jobs)
    workers = max(1, min(cores, len(jobs)))
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        done = len(members) - missing
        for finished in joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(tasks):
            done += finished
            progress(done, len(members))
    found = [records.read(folder, m, keys[m.variant, m.seed]) for m in members]
    if lost := [m for m, record in zip(members, found, strict=True) if record is None]:
        raise OSError(f"{len(lost)} finished runs cannot be read back from {folder.name}: is the disk full?")
    if all(record.status == records.FAILED for record in found):
        raise RuntimeError(f"every run failed, the first with {found[0].reason}")
    return found


def _done(record: Record | None) -> bool:
    return record is not None and record.status != records.FAILED


def _keys(members: Sequence[Member], data: str) -> dict[tuple[str, int], str]:
    """Keys by (variant, seed); in a chain, a run also depends on the runs before it."""
    keys, before = {}, {}
    for member in members:
        key = member_key(member, data)
        if member.chain is not None:
            key = sha256_json([before.get(member.chain), key])
            before[member.chain] = key
        keys[member.variant, member.seed] = key
    return keys


def _jobs(members: Sequence[Member]) -> list[list[Member]]:
    """What must run one after another: each member alone, or all members of one chain."""
    chains: dict[object, list[Member]] = {}
    for i, member in enumerate(members):
        chains.setdefault(i if member.chain is None else member.chain, []).append(member)
    return list(chains.values())


def _run(job: list[Member], keys: list[str], corpus: Corpus, folder: Path) -> int:
    """Train the members of one job in order; returns how many."""
    chained = ReplayStreams(job[0].seed) if job[0].chain is not None else None
    with one_thread():
        for member, key in zip(job, keys, strict=True):
            splits = {name: examples(corpus, name, dtype=member.recipe.dtype) for name in corpus.splits}
            checkpoint = Checkpoint(folder / f"{records.file_name(member, key)}.checkpoint", key)
            started = time.perf_counter()
            try:
                outcome = train(member, splits, chained or SeededStreams(member.seed), checkpoint=checkpoint)
            except (RuntimeError, ArithmeticError, MemoryError) as error:
                outcome = Outcome(failure=f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}")
            records.write(folder, member, key, outcome, time.perf_counter() - started)
            checkpoint.remove()
    return len(job)


@contextmanager
def one_thread() -> Iterator[None]:
    """Within the block torch uses one thread, so sums are taken in the same order everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
