"""A grid of runs: skips what is finished, shares the cores or the GPU, and loses at most the epoch in flight.

`lib.training.engine` says which members are stacked. On a CPU each job has one thread, so its bits do not depend on
what runs beside it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from lib.data.batches import Batched
from lib.files import sha256_json
from lib.source_closure import closure
from lib.training import records, wanted
from lib.training.engine import jobs
from lib.training.execution import Grid
from lib.training.progress import GridProgress
from lib.training.recipe import Member
from lib.training.records import Record
from lib.training.trainable import refuse_untrainable
from lib.training.workers import spread

Progress = Callable[[float, int], None]
"""Called with (finished runs, all runs); runs that advance together count by the share of their epochs."""


def member_key(member: Member, data: str, device: str = "cpu") -> str:
    """Identifies a run by its settings, the digest of its data, the code that trains it, torch and the device kind."""
    code = closure([member.model.module, "lib.training.fleet"])
    about = {"member": member.as_json(), "data": data, "code": code, "torch": torch.__version__, "device": device}
    return sha256_json(about)


def sweep(
    members: Sequence[Member],
    corpus: Batched,
    folder: Path,
    *,
    cores: int = 1,
    device: str | None = None,
    progress: Progress = lambda done, total: None,
) -> list[Record]:
    """Train what is not yet in `folder` and return one record per member, in the order given.

    `device` is "cpu" or "cuda"; by default a GPU is used if there is one. A run without a finite validation loss is
    recorded as diverged, one that ends in a numerical or memory error as failed; neither touches the others, and a
    failed one is tried again on the next start. Raises ValueError if two members have the same variant and seed, and
    InputError as `refuse_untrainable` does.
    """
    grid = train_missing(members, corpus, folder, cores=cores, device=device, progress=progress)
    found = [grid.read(m) for m in members]
    if lost := [m for m, record in zip(members, found, strict=True) if record is None]:
        raise OSError(f"{len(lost)} finished runs cannot be read back from {grid.folder.name}: is the disk full?")
    wanted.note(grid.folder, [records.file_name(m, grid.key(m)) for m in members])
    return found


def recorded(members: Sequence[Member], corpus: Batched, folder: Path) -> list[Record | None]:
    """What `sweep` has left in `folder`, on a GPU or on a CPU, in the order given; None where there is none.

    Nothing is trained and nothing written. The members of a chain are those that `sweep` was given, in its order.
    """
    found: list[Record | None] = [None] * len(members)
    for device in ("cpu", "cuda"):
        grid = Grid(Path(folder), corpus, _keys(members, corpus.digest, device), device)
        found = [known or grid.read(member) for known, member in zip(found, members, strict=True)]
    return found


def sweep_grids(grids: Sequence[tuple[Batched, Sequence[Member]]], folder: Path, *, cores: int = 1) -> list[Record]:
    """`sweep` over one grid after the other into `members/` of the result folder, their progress told as one."""
    report, total = GridProgress(folder), sum(len(members) for _, members in grids)
    found: list[Record] = []
    for corpus, members in grids:
        before = len(found)
        found += sweep(
            members,
            corpus,
            Path(folder) / "members",
            cores=cores,
            progress=lambda done, _, before=before: report(before + done, total),
        )
    return found


def train_missing(
    members: Sequence[Member],
    corpus: Batched,
    folder: Path,
    *,
    cores: int = 1,
    device: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Grid:
    """The first half of `sweep`: afterwards each member has its record in the grid that is returned."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = [(m.variant, m.seed) for m in members]
    if len(set(names)) != len(names):
        raise ValueError("two members of the grid have the same variant and seed")
    refuse_untrainable(members, corpus)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    grid = Grid(folder, corpus, _keys(members, corpus.digest, device), device)
    todo = grid.missing(members)
    done = float(len(members) - len(todo))

    def advance(runs: float) -> None:
        nonlocal done
        done = min(done + runs, len(members))
        progress(round(done, 6), len(members))

    advance(0)
    on_gpu, on_cpu = [], []
    for job in jobs(todo, device, cores):
        (on_gpu if job.stacked and device == "cuda" else on_cpu).append(job)
    for job in on_gpu:
        grid.run_on_gpu(job, advance)
    workers = max(1, min(cores, len(on_cpu)))
    for runs in spread(grid.run_on_cpu, on_cpu, workers):
        advance(runs)
    return grid


def _keys(members: Sequence[Member], data: str, device: str) -> dict[tuple[str, int], str]:
    """Keys by (variant, seed); in a chain, a run also depends on the runs before it."""
    keys, before = {}, {}
    for member in members:
        key = member_key(member, data, device)
        if member.chain is not None:
            key = sha256_json([before.get(member.chain), key])
            before[member.chain] = key
        keys[member.variant, member.seed] = key
    return keys
