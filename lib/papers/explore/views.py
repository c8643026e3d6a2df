"""What the explorer shows of a trained setting: curves, answers, confusion, and what changes without a modality."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.data.corpus import Corpus
from lib.metrics.presence import decisions
from lib.reporting import figures
from lib.reporting.figures import BLUE, ORANGE, new_figure
from lib.reporting.words import seeds
from lib.study import Task
from lib.training.records import Record
from lib.training.trained import Trained

LISTED = 12
"""Utterances in a list."""


def curve(histories: Mapping[int, Mapping[str, Sequence[float]]], *, label: str) -> Figure:
    """Training and validation loss by epoch, one pair of lines per seed; a dot is the epoch that was tested."""
    with plt.rc_context(figures.STYLE):
        figure, axes = new_figure(7.2, 3.6, "Loss by epoch", label)
        draw_curve(axes, histories)
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def draw_curve(axes: Axes, histories: Mapping[int, Mapping[str, Sequence[float]]]) -> None:
    """The lines of `curve`."""
    for number, history in enumerate(histories.values()):
        train, valid = (np.asarray(history.get(f"{side}_loss", ()), float) for side in ("train", "valid"))
        epochs = np.arange(1, len(valid) + 1)
        named = {"label": "training"}, {"label": "validation"}, {"label": "lowest validation loss"}
        shown = [words if number == 0 else {} for words in named]
        axes.plot(epochs, train, "--", color=ORANGE, alpha=0.7, linewidth=1.2, **shown[0])
        axes.plot(epochs, valid, "-", color=BLUE, alpha=0.7, linewidth=1.2, **shown[1])
        if np.isfinite(valid).any():
            best = int(np.nanargmin(valid))
            axes.plot(epochs[best], valid[best], "o", color=BLUE, markersize=4, **shown[2])
    axes.set_xlabel(f"epoch, {seeds(len(histories))}")
    axes.set_ylabel("loss (lower is better)")
    axes.xaxis.get_major_locator().set_params(integer=True)


def histories(found: Sequence[Record]) -> dict[int, Mapping[str, np.ndarray]]:
    """By seed."""
    return {record.seed: record.history for record in found}


def utterance_ids(corpus: Corpus) -> list[str]:
    """Of the test set, in the order of the outputs; in a conversation its dialogue and its place there."""
    part = corpus.splits["test"]
    if part.speakers is None:
        return list(part.ids)
    spoken = [(name, i + 1) for name, length in zip(part.ids, part.lengths, strict=True) for i in range(length)]
    return [f"dialogue {name}, utterance {place}" for name, place in spoken]


def answers(task: Task, outputs: np.ndarray) -> np.ndarray:
    """Raw outputs as words: the class, the emotions that are present, or the rounded score."""
    if task.corpus.task == "multilabel":
        return _emotions(task, decisions(outputs))
    return np.array(task.classes.names)[task.classes.of_outputs(outputs) - task.classes.first]


def truths(task: Task) -> np.ndarray:
    """The labels of the test set in the words of `answers`."""
    labels = task.corpus.splits["test"].labels
    if task.corpus.task == "multilabel":
        return _emotions(task, labels == 1)
    return np.array(task.classes.names)[task.classes.of_labels(labels) - task.classes.first]


def _emotions(task: Task, present: np.ndarray) -> np.ndarray:
    names = np.array(task.corpus.label_names)
    return np.array([", ".join(names[row]) or "none" for row in present])


def without_each(run: Trained) -> dict[str, np.ndarray]:
    """Raw outputs with everything, and without each modality."""
    return {"": run.outputs()} | {m: run.outputs({m: True}) for m in run.modalities}


def change_table(task: Task, runs: Sequence[Trained]) -> pd.DataFrame:
    """How many answers change without a modality, mean over the seeds: and how many of them for better or worse."""
    true, rows = truths(task), []
    said = [{m: answers(task, out) for m, out in without_each(run).items()} for run in runs]
    for modality in runs[0].modalities if runs else ():
        changed, lost, found = [], [], []
        for one in said:
            before, after = one[""], one[modality]
            changed.append(int((before != after).sum()))
            lost.append(int(((before == true) & (after != true)).sum()))
            found.append(int(((before != true) & (after == true)).sum()))
        means = {"changed": changed, "right_to_wrong": lost, "wrong_to_right": found}
        row = {"without": modality, "utterances": len(true), "seeds": len(runs)}
        rows.append(row | {name: float(np.mean(values)) for name, values in means.items()})
    return pd.DataFrame(rows)


def prediction_table(task: Task, run: Trained) -> pd.DataFrame:
    """The first test utterances: what is true, what is said, and what is said without each modality."""
    return _listed(task, run, np.arange(min(LISTED, len(truths(task)))))


def changed_table(task: Task, run: Trained, rows: int = LISTED) -> pd.DataFrame:
    """The first test utterances whose answer changes when any single modality is removed."""
    said = {m: answers(task, out) for m, out in without_each(run).items()}
    moved = np.any([said[m] != said[""] for m in run.modalities], axis=0)
    return _listed(task, run, np.flatnonzero(moved)[:rows])


def _listed(task: Task, run: Trained, rows: np.ndarray) -> pd.DataFrame:
    said = {m: answers(task, out)[rows] for m, out in without_each(run).items()}
    columns = {f"without {m}" if m else "said": words for m, words in said.items()}
    return pd.DataFrame(
        {"utterance": np.array(utterance_ids(task.corpus))[rows], "true": truths(task)[rows], **columns}
    )


def sentences(changes: pd.DataFrame) -> list[str]:
    """What the table of changes says."""
    return [
        f"Without {row['without']} {row['changed']:.1f} of {row['utterances']} answers change: "
        f"{row['right_to_wrong']:.1f} from right to wrong, {row['wrong_to_right']:.1f} from wrong to right "
        f"({'means over ' if row['seeds'] > 1 else ''}{seeds(row['seeds'])})."
        for row in changes.to_dict("records")
    ]
