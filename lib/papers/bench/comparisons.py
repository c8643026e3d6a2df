"""Every strategy against plain training of the same model by the same optimiser, also without a modality."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.metrics.scores import direction
from lib.papers.bench import Bench
from lib.reporting import gains
from lib.reporting.disturbed import Subset, subset_scores
from lib.reporting.verdicts import judged
from lib.study import Runs
from lib.training.trained import Trained
from lib.training.workers import spread

METHOD = ["dataset", "model", "strategy", "optimiser"]
"""What is compared on a corpus."""
Outputs = Mapping[Subset, np.ndarray]
"""Raw test outputs of a trained network by the modalities that are present."""


def names(runs: Runs) -> list[str]:
    """The corpora of a study, in their order."""
    return list(dict.fromkeys(task.name for task in runs.study.tasks))


def of_corpus(runs: Runs, name: str) -> Runs:
    """The runs on one corpus: the metric of another is not defined there."""
    tasks = tuple(task for task in runs.study.tasks if task.name == name)
    done = [run for run in runs.done if run[0].name == name]
    return replace(runs, study=replace(runs.study, tasks=tasks), done=done)


def over_plain(p: Bench, runs: Runs) -> pd.DataFrame:
    """Rows of gain tables with the columns of `verdicts.SOURCES`, by corpus; Holm's p over all. Empty without a
    strategy."""
    tables = [_of_one(of_corpus(runs, name), "") for name in names(runs)]
    return _judged(p, tables)


def without_each(p: Bench, runs: Runs, outputs: Mapping[tuple[str, int], Outputs]) -> pd.DataFrame:
    """The same where one modality is absent at test time, by corpus and modality, which `absent` names.

    `outputs` are those of `by_subset`.
    """
    tables = []
    for name in names(runs):
        mine = of_corpus(runs, name)
        for modality in several(mine):
            tables.append(_of_one(without(mine, modality, outputs), modality))
    return _judged(p, tables)


def several(runs: Runs) -> tuple[str, ...]:
    """The modalities of one corpus that can be absent: none where it has one alone."""
    modalities = tuple(runs.study.tasks[0].corpus.modalities)
    return modalities if len(modalities) > 1 else ()


def _of_one(runs: Runs, absent: str) -> pd.DataFrame:
    """Of one corpus, with all modalities or without the one that is `absent`; empty where all trainings are lost."""
    if not runs.done:
        return pd.DataFrame()
    metric, end = runs.study.tasks[0].metrics[0], without_words(absent)
    about = {record.variant: record.tags for record in runs.records}
    over = [(name, f"{tags['baseline']}{end}") for name, tags in about.items()]
    over = [pair for pair in over if pair[0] != pair[1]]
    table = gains.pairs(runs.table, metric, over, runs)
    if table.empty:
        return table
    table = with_method(table, runs)
    table.insert(len(METHOD), "absent", absent)
    return table


def with_method(table: pd.DataFrame, runs: Runs) -> pd.DataFrame:
    """The table of variants with the columns of `METHOD` in front."""
    about = {record.variant: record.tags for record in runs.records}
    front = {column: [about[name][column] for name in table["variant"]] for column in METHOD}
    return pd.concat([pd.DataFrame(front), table.reset_index(drop=True)], axis=1)


def without_words(modality: str) -> str:
    """How the name of a variant ends that has lost a modality; nothing where none is absent."""
    return f" without {modality}" if modality else ""


def _judged(p: Bench, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All of them in one, judged by the margins of the run, `holm_p` over all rows."""
    tables = [table for table in tables if len(table)]
    if not tables:
        return pd.DataFrame()
    table = gains.together(tables)
    margins = {"lower": p.margins.error, "higher": p.margins.score}
    found = [judged(row, margins[direction(row["metric"])]) for row in table.to_dict("records")]
    return table.assign(**{name: [row[name] for row in found] for name in ("margin", "answer", "would_decide")})


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
