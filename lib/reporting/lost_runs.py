"""Trainings without a score: which they are, when and at which loss they left, and what to change.

They are results like any other: whatever else a notebook shows is made of the runs that are left, and says how many.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lib.errors import Diverged
from lib.reporting import tables
from lib.training.records import DIVERGED, FAILED, FINISHED, UNSELECTED, Record

TABLE = "lost_runs"
SHOWN = ("variant", "seed", "status", "epoch", "train_loss", "valid_loss", "reason")
_ADVICE = {
    DIVERGED: "choose a smaller learning rate, and check that the features are finite and of moderate size",
    UNSELECTED: "select the epoch by another score (`select_by`), or give validation samples that it is defined for",
    FINISHED: "check that the features of that split are finite and of the size of the training split's",
    FAILED: "see the error; a failed training is tried again at the next start",
}
"""What to change, by status."""
_WORDS = {
    DIVERGED: "diverged",
    UNSELECTED: "have no epoch to test",
    FINISHED: "gave outputs that are not finite",
    FAILED: "failed",
}


def lost_table(records: Sequence[Record]) -> pd.DataFrame:
    """One row per run without a score: `epoch` (from 1) is the one in which a loss or the selecting score was first not
    finite (of an error, the last whole one; 0 before the first), and the losses are those of that epoch.

    Losses are words, so that `nan` and `inf` stand there as what they are.
    """
    return pd.DataFrame([_row(record) for record in records if not record.scored], columns=SHOWN)


def _row(record: Record) -> dict[str, object]:
    epoch = _left_in(record)
    losses = {name: f"{record.history[name][epoch - 1]:.4g}" if epoch else "" for name in ("train_loss", "valid_loss")}
    about = {"variant": record.variant, "seed": record.seed, "status": record.status, "epoch": epoch}
    return about | losses | {"reason": record.reason}


def _left_in(record: Record) -> int:
    epochs = len(record.history.get("valid_loss", ()))
    if record.status == FINISHED:
        return record.best_epoch + 1
    watched = [values for name, values in record.history.items() if name == "train_loss" or name.startswith("valid_")]
    lost = ~np.isfinite(watched).all(axis=0) if watched else np.array([], bool)
    return int(np.argmax(lost)) + 1 if lost.any() else epochs


def write(
    records: Sequence[Record], folder: Path, *, label: str, compared: Sequence[Record] | None = None
) -> Iterator[str]:
    """Write the table `lost_runs` into a result folder; what is to be shown of it, as Markdown. Nothing if none is.

    Raises Diverged after the last of them if none of the runs that the question rests on, `compared` (by default all),
    has a score, RuntimeError if every one of these ended in an error. To be shown one by one, so that the list stands
    in the notebook before it ends.
    """
    compared = records if compared is None else compared
    lost = [record for record in records if not record.scored]
    if not lost:
        return
    table, caption = lost_table(lost), f"Trainings without a score: {len(lost)} of {len(records)}"
    tables.save(table, Path(folder) / "tables" / TABLE, caption=caption, label=label)
    yield tables.markdown(table, caption=caption, label=label)
    what, todo = sentence(lost, len(records))
    said = f"**{what[0].upper()}{what[1:]}.** To change: {todo}."
    if any(record.scored for record in compared):
        yield f"{said} What follows is made of the others; `n` counts the seeds behind each number."
        return
    yield said
    if len(lost) < len(records):
        what, todo = sentence(compared, len(compared))
    listed = f"{what}; they are listed in tables/{TABLE}.csv of the result folder"
    if all(record.status == FAILED for record in compared):
        raise RuntimeError(f"{listed}; {todo}")
    raise Diverged(listed, todo=todo)


def sentence(lost: Sequence[Record], trainings: int) -> tuple[str, str]:
    """How many of the trainings have no score and why, with the first of each kind; and what to change."""
    counts = Counter(record.status for record in lost)
    kinds = []
    for status, count in counts.items():
        row = _row(next(record for record in lost if record.status == status))
        where = f"epoch {row['epoch']}, training loss {row['train_loss']}, validation loss {row['valid_loss']}"
        place = f"; {where}" if row["epoch"] else ""
        first = f"{'the first: ' if count > 1 else ''}{row['variant']}, seed {row['seed']}: {row['reason']}{place}"
        kinds.append((count, f"{_WORDS[status]} ({first})"))
    number = f"all {trainings}" if len(lost) == trainings else f"{len(lost)} of {trainings}"
    if len(kinds) == 1:
        what = f"{number} trainings {kinds[0][1]}"
    else:
        what = f"{number} trainings have no score: {'; '.join(f'{count} {words}' for count, words in kinds)}"
    return what, "; ".join(_ADVICE[status] for status in counts)
