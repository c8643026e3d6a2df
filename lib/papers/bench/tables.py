"""What a bench measures: scores, costs, ranks over corpora, and what is left without a modality."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lib.metrics.scores import direction
from lib.papers.bench import CORPORA
from lib.papers.bench.comparisons import (
    METHOD,
    Outputs,
    names,
    of_corpus,
    several,
    with_method,
    without,
    without_words,
)
from lib.papers.bench.ranks import Ranking, ranking
from lib.reporting import gains
from lib.reporting.modality_share import share_table
from lib.reporting.statistics import mean, std
from lib.study import Runs
from lib.training.trained import Trained

SCORE = [*METHOD, "metric", "n", "score", "t_interval"]
COST = [*METHOD, "parameters", "epochs", "seconds_per_epoch"]
GAINS = [
    *METHOD,
    "metric",
    "n",
    "units",
    "score",
    "baseline_score",
    "gain",
    "combined",
    "holm_p",
    "answer",
    "would_decide",
]
GAIN_GLANCE = [*METHOD, "gain", "combined", "holm_p", "answer"]
ABSENT = ["absent", *METHOD, "metric", "score", "score_all", "change"]


def scores(runs: Runs) -> pd.DataFrame:
    """Test score of every method on every corpus, mean and interval over the seeds, and its weights."""
    tables = []
    for name in names(runs):
        mine = of_corpus(runs, name)
        tables.append(_described(gains.summary(mine.table, mine.study.tasks[0].metrics[0]), mine))
    return pd.concat(tables, ignore_index=True)


def _described(table: pd.DataFrame, runs: Runs) -> pd.DataFrame:
    """With the columns of `METHOD` in front, and the weights."""
    about = {record.variant: record.tags for record in runs.records}
    return with_method(table, runs).assign(parameters=[int(about[name]["parameters"]) for name in table["variant"]])


def costs(runs: Runs) -> pd.DataFrame:
    """Weights, epochs, and seconds per epoch of wall clock, on one thread, whatever ran beside; of trainings that were
    stacked, their share."""
    rows = []
    for variant in dict.fromkeys(record.variant for record in runs.records):
        same = [record for record in runs.records if record.variant == variant]
        epochs = np.array([len(record.history.get("train_loss", ())) for record in same])
        pace = np.array([record.seconds for record in same]) / np.maximum(epochs, 1)
        tags = same[0].tags
        row = {"variant": variant} | {column: tags[column] for column in METHOD} | {"parameters": tags["parameters"]}
        times = {"seconds_per_epoch": mean(pace), "seconds_per_epoch_std": std(pace)}
        rows.append(row | {"epochs": mean(epochs)} | times)
    return pd.DataFrame(rows)


def without_scores(runs: Runs, outputs: Mapping[tuple[str, int], Outputs]) -> pd.DataFrame:
    """Test score of every method where one modality is absent, the score with all of them, and the change, of which
    negative is worse. Empty where every corpus has one modality."""
    tables = []
    for name in names(runs):
        mine = of_corpus(runs, name)
        metric = mine.study.tasks[0].metrics[0]
        sign = -1.0 if direction(metric) == "lower" else 1.0
        whole = gains.summary(mine.table, metric).set_index("variant")["score"]
        for modality in several(mine):
            gone = without(mine, modality, outputs)
            if not gone.done:
                continue
            found = gains.summary(gone.table, metric)
            found["score_all"] = [whole[name.removesuffix(without_words(modality))] for name in found["variant"]]
            found = _described(found, gone).assign(change=sign * (found["score"] - found["score_all"]))
            found.insert(0, "absent", modality)
            tables.append(found)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def unprefixed(table: pd.DataFrame, corpus: str) -> pd.DataFrame:
    """For a figure of one corpus: its methods without the name of the corpus in front."""
    named = [column for column in ("variant", "baseline", "model") if column in table]
    return table.assign(**{column: table[column].str.removeprefix(f"{corpus}: ") for column in named})


def shares(runs: Runs, trained: Sequence[Trained], outputs: Mapping[tuple[str, int], Outputs]) -> pd.DataFrame:
    """Modality share of every method on one corpus, whose `trained` runs these are."""
    games = [{subset: run.score(out) for subset, out in outputs[run.name, run.seed].items()} for run in trained]
    return share_table(trained, runs.study.tasks[0].metrics[0], scores=games)


def rankings(scores: pd.DataFrame) -> dict[str, Ranking]:
    """Ranks over the corpora of utterances and over those of dialogues, whose models differ; each with the methods that
    have a score on all of its corpora. `scores` is the table of that name. Without two of both there is none.
    """
    found = {}
    for kind, words in (("utterances", "corpora of utterances"), ("dialogues", "corpora of dialogues")):
        mine = scores[[(CORPORA[name] == "conversation") == (kind == "dialogues") for name in scores["dataset"]]]
        if mine.empty:
            continue
        sign = np.array([-1.0 if direction(metric) == "lower" else 1.0 for metric in mine["metric"]])
        methods = [_method(row) for row in mine.to_dict("records")]
        each = mine.assign(method=methods, oriented=sign * mine["score"])
        wide = each.pivot_table(index="method", columns="dataset", values="oriented", sort=False).dropna()
        if min(wide.shape) > 1:
            found[words] = ranking(wide)
    return found


def _method(row: Mapping[str, str]) -> str:
    """The name of a variant without its corpus."""
    return row["variant"].removeprefix(f"{row['dataset']}: ")


def rank_table(found: Mapping[str, Ranking]) -> pd.DataFrame:
    """Mean rank of each method, Friedman's p, the least that so few corpora could give, and Nemenyi's difference."""
    rows = [
        {
            "over": words,
            "corpora": len(each.corpora),
            "method": method,
            "mean_rank": rank,
            "friedman_p": each.p,
            "least_p": each.least_p,
            "critical_difference": each.difference,
        }
        for words, each in found.items()
        for method, rank in each.mean_ranks.items()
    ]
    return pd.DataFrame(rows)
