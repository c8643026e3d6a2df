"""Every strategy against plain training of the same model by the same optimiser, also without a modality."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.metrics.scores import direction
from lib.papers.bench import Bench
from lib.reporting import gains
from lib.reporting.disturbed import Subset, subset_scores
from lib.reporting.verdicts import UNDECIDED, answer, deciding_spread, has_units, what_would_decide
from lib.study import Runs
from lib.training.trained import Trained
from lib.training.workers import spread

Outputs = Mapping[Subset, np.ndarray]
"""Raw test outputs of a trained network by the modalities that are present."""


def of_corpus(runs: Runs, name: str) -> Runs:
    """The runs on one corpus: the metric of another is not defined there."""
    tasks = tuple(task for task in runs.study.tasks if task.name == name)
    done = [run for run in runs.done if run[0].name == name]
    return replace(runs, study=replace(runs.study, tasks=tasks), done=done)


def over_plain(p: Bench, runs: Runs) -> pd.DataFrame:
    """Rows of gain tables with the columns of `verdicts.SOURCES`, by corpus; Holm's p over all. Empty without a
    strategy."""
    tables = [_of_one(of_corpus(runs, name), "") for name in dict.fromkeys(task.name for task in runs.study.tasks)]
    return judged(p, tables)


def without_each(p: Bench, runs: Runs, outputs: Mapping[tuple[str, int], Outputs]) -> pd.DataFrame:
    """The same where one modality is absent at test time, by corpus and modality, which `absent` names.

    `outputs` are those of `by_subset`.
    """
    tables = []
    for name in dict.fromkeys(task.name for task in runs.study.tasks):
        mine = of_corpus(runs, name)
        for modality in several(mine):
            tables.append(_of_one(without(mine, modality, outputs), modality))
    return judged(p, tables)


def several(runs: Runs) -> tuple[str, ...]:
    """The modalities of one corpus that can be absent: none where it has one alone."""
    modalities = tuple(runs.study.tasks[0].corpus.modalities)
    return modalities if len(modalities) > 1 else ()


def _of_one(runs: Runs, absent: str) -> pd.DataFrame:
    """Of one corpus, with all modalities or without the one that is `absent`."""
    metric, end = runs.study.tasks[0].metrics[0], without_words(absent)
    about = {record.variant: record.tags for record in runs.records}
    over = [(name, f"{tags['baseline']}{end}") for name, tags in about.items()]
    over = [pair for pair in over if pair[0] != pair[1]]
    table = gains.pairs(runs.table, metric, over, runs)
    if table.empty:
        return table
    for place, column in enumerate(("dataset", "model", "strategy", "optimiser")):
        table.insert(place, column, [about[name][column] for name in table["variant"]])
    table.insert(4, "absent", absent)
    return table


def without_words(modality: str) -> str:
    """How the name of a variant ends that has lost a modality; nothing where none is absent."""
    return f" without {modality}" if modality else ""


def judged(p: Bench, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All of them in one, judged by the margins of the run, `holm_p` over all rows."""
    tables = [table for table in tables if len(table)]
    if not tables:
        return pd.DataFrame()
    table = gains.together(tables)
    found = [_judged(p, row) for row in table.to_dict("records")]
    return table.assign(**{name: [row[name] for row in found] for name in ("margin", "answer", "would_decide")})


def _judged(p: Bench, row: Mapping[str, object]) -> dict[str, object]:
    margin = p.margins.error if direction(row["metric"]) == "lower" else p.margins.score
    decides = deciding_spread(row, row["gain"], row["gain_std"], row["n"])
    said = answer(decides.mean, decides.combined, margin)
    unit = row["unit"] if has_units(row) else ""
    return {
        "margin": margin,
        "answer": said,
        "would_decide": what_would_decide(decides, margin, unit=unit) if said == UNDECIDED else "",
    }


def by_subset(trained: Sequence[Trained], workers: int) -> dict[tuple[str, int], Outputs]:
    """Raw outputs of each run with the modalities of each subset present, by variant and seed, from `workers`
    processes."""
    unscored = [replace(run, score=lambda outputs: outputs) for run in trained]

    def ask(place: int) -> tuple[int, Outputs]:
        return place, subset_scores(unscored[place])

    found = dict(spread(ask, range(len(trained)), workers))
    return {(run.name, run.seed): found[place] for place, run in enumerate(trained)}


def without(runs: Runs, modality: str, outputs: Mapping[tuple[str, int], Outputs]) -> Runs:
    """Runs of one corpus with the test outputs that they have where a modality is absent, as variants of their own."""
    done = []
    for task, member, record in runs.done:
        if (asked := outputs.get((record.variant, record.seed))) is not None:
            rest = frozenset(task.corpus.modalities) - {modality}
            changed = {"variant": f"{record.variant}{without_words(modality)}", "outputs": {"test": asked[rest]}}
            done.append((task, member, replace(record, **changed)))
    return replace(runs, done=done)
