"""What the notebook `low_rank_fusion` shows: scores, comparisons, rank sweep, and what the search's selection adds."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from lib.metrics import scores as metrics
from lib.papers.low_rank_fusion import (
    LMF,
    SEARCHED,
    TFN,
    WINNER,
    Task,
    best_draw,
    rank_kind,
    valid_loss,
)
from lib.params.low_rank_fusion import LowRankFusion
from lib.reporting import gains
from lib.reporting.statistics import t_interval
from lib.reporting.words import seeds
from lib.run_table import by_seed, run_table
from lib.training.records import FINISHED, Record

MEAN = "mean"
"""Name of the mean over the traits, where each trait has a network of its own."""
ROUNDED = (-3, 3)
_SCORES = {"mosi": ("mae", "acc2_nonneg"), "pom": ("mae", "corr"), "iemocap": ("weighted_f1", "f1_class_1")}
PAPER_SCORES = {
    "mosi": ("mae", "corr", "acc2_nonneg", "f1_binary_weighted", "acc7_rounded"),
    "pom": ("mae", "corr", "acc7_rounded"),
    "iemocap": ("weighted_f1",),
}
"""The columns of the paper's table 2."""


def score_metrics(p: LowRankFusion) -> tuple[str, ...]:
    """The metrics that comparisons are made in."""
    return _SCORES[p.family]


def groups(p: LowRankFusion, tasks: Sequence[Task]) -> list[str]:
    """Names under which variants stand in the run table: one per task, and the mean over several traits."""
    several_traits = p.family == "pom" and len(tasks) > 1
    return [task.name for task in tasks] + [MEAN] * several_traits


def variant(group: str, kind: str) -> str:
    """Name of a variant in the run table."""
    return f"{group}: {kind}" if group else kind


def scores(p: LowRankFusion, tasks: Sequence[Task], records: Sequence[Record]) -> pd.DataFrame:
    """The long run table: every metric of validation and test, per run, and means over traits."""
    by_name = {task.name: task for task in tasks}
    runs = [_run(p, by_name[record.tags["task"]], record) for record in records]
    if MEAN in groups(p, tasks):
        runs += _means(runs, len(tasks))
    return run_table(runs)


def _run(p: LowRankFusion, task: Task, record: Record) -> dict[str, object]:
    kind = record.tags["kind"]
    origin = {WINNER: f"validation loss of {p.search_draws} draws"}.get(kind, "fixed in the YAML")
    if record.tags.get("search") == SEARCHED:
        origin = "drawn at random"
    return {
        "variant": record.variant,
        "seed": record.seed,
        "metrics": {split: split_scores(p, task, split, out) for split, out in record.outputs.items()},
        "selected_on": f"epoch: {record.selected_on['epoch']}; hyper-parameters: {origin}",
        "best_epoch": record.best_epoch,
        "status": record.status,
        "reason": record.reason,
        "task": task.name,
        "kind": kind,
        "rank": record.tags["rank"],
        "parameters": record.tags["parameters"],
        "epochs": len(record.history.get("train_loss", ())),
        "seconds": record.seconds,
    }


def split_scores(p: LowRankFusion, task: Task, split: str, outputs: np.ndarray) -> dict[str, float]:
    labels = task.corpus.splits[split].labels
    if p.family == "iemocap":
        return metrics.classification(outputs, labels, 2)
    if p.family == "mosi":
        return metrics.regression(outputs[:, 0], labels)
    columns = slice(None) if task.column is None else task.column
    return metrics.regression(outputs[:, columns], labels[:, columns], neutral=None, limits=(1.0, 7.0))


def _means(runs: Sequence[dict], tasks: int) -> list[dict]:
    """Per kind and seed the mean over the traits, where every trait's network finished."""
    found = []
    for kind, seed in dict.fromkeys((run["kind"], run["seed"]) for run in runs):
        own = [run for run in runs if (run["kind"], run["seed"]) == (kind, seed) and run["metrics"]]
        if len(own) < tasks:
            continue
        means = {
            split: {name: float(np.mean([run["metrics"][split][name] for run in own])) for name in values}
            for split, values in own[0]["metrics"].items()
        }
        found.append({**own[0], "variant": variant(MEAN, kind), "task": MEAN, "metrics": means, "best_epoch": -1})
    return found


def pick(table: pd.DataFrame, group: str, kinds: Iterable[str]) -> pd.DataFrame:
    """The rows of these kinds in one group."""
    return table[table["variant"].isin([variant(group, kind) for kind in kinds])]


def score_table(p: LowRankFusion, tasks: Sequence[Task], table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean and interval over the seeds, and the size, of every variant that was trained with all seeds."""
    searched = {
        variant(task.name, kind) for task in tasks for kind in table["kind"].unique() if kind.startswith("draw")
    }
    repeated = table[~table["variant"].isin(searched)]
    size = repeated.groupby("variant")["parameters"].first()
    found = gains.summary(repeated, metric).drop(columns="rate")
    found.insert(1, "parameters", [int(size[name]) for name in found["variant"]])
    return found


def fusion_gain(p: LowRankFusion, tasks: Sequence[Task], table: pd.DataFrame, metric: str, over: str) -> pd.DataFrame:
    """What LMF gains over another kind (`TFN`, `LMF legacy`), paired over the seeds, per task."""
    rows = [
        gains.gain_table(pick(table, group, (LMF, over)), metric, variant(group, over)) for group in groups(p, tasks)
    ]
    return pd.concat(rows, ignore_index=True).drop(columns="rate")


def rank_table(p: LowRankFusion, task: Task, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Score, size and time against the rank, ascending. Seconds are wall clock, whatever ran beside."""
    ranks = sorted({*p.ranks, task.setting.rank})
    kinds = {rank: LMF if rank == task.setting.rank else rank_kind(rank) for rank in ranks}
    own = pick(table, task.name, kinds.values())
    summary = gains.summary(own, metric).set_index("variant")
    rows = []
    for rank, kind in kinds.items():
        name = variant(task.name, kind)
        runs = own[own["variant"] == name].drop_duplicates("seed")
        pace = (runs["seconds"] / runs["epochs"].clip(lower=1)).to_numpy()
        kept = summary.loc[name, ["n", "score", "score_std", "t_interval_low", "t_interval_high"]].to_dict()
        times = {
            "seconds_per_epoch": pace.mean() if len(pace) else np.nan,
            "seconds_per_epoch_std": np.std(pace, ddof=1) if len(pace) > 1 else np.nan,
        }
        rows.append({"rank": rank, "parameters": int(runs["parameters"].iloc[0]), **kept, **times})
    return pd.DataFrame(rows).astype({"n": int})


def selection_table(p: LowRankFusion, task: Task, table: pd.DataFrame, records: Sequence[Record], metric: str):
    """How much of a number is selection: the search's own number beside repeats of its winner.

    Row "best draw by test" is what a search reports that looks at its test set; it is shown to be measured, and is
    never a result. Empty without a draw that has a score.
    """
    own = [r for r in records if r.tags["task"] == task.name]
    winner = best_draw(own)
    if winner is None:
        return pd.DataFrame()
    test = by_seed(table, metric).loc[p.search_seed]
    draws = test[[r.variant for r in own if r.tags.get("search") == SEARCHED and r.scored]].dropna()
    if draws.empty:
        return pd.DataFrame()
    top = draws.idxmin() if metrics.direction(metric) == "lower" else draws.idxmax()
    seeds = by_seed(table, metric).loc[list(p.seeds)]
    rows = [
        ("all draws, mean", draws.to_numpy(), "nothing"),
        ("best draw by validation, as searched", draws[[winner.variant]].to_numpy(), "validation loss"),
        ("its setting, other seeds", seeds[task.variant(WINNER)].dropna().to_numpy(), "validation loss"),
        ("best draw by test, as searched", draws[[top]].to_numpy(), "the test set: not a result"),
        ("setting of the YAML", seeds[task.variant(LMF)].dropna().to_numpy(), "nothing"),
    ]
    found = []
    for choice, values, chosen_by in rows:
        low, high = t_interval(values) if choice != "all draws, mean" else (np.nan, np.nan)
        spread = np.std(values, ddof=1) if len(values) > 1 else np.nan
        found.append((choice, chosen_by, len(values), values.mean() if len(values) else np.nan, spread, low, high))
    columns = ("choice", "chosen_by", "n", "score", "score_std", "t_interval_low", "t_interval_high")
    return pd.DataFrame(found, columns=columns)


def draw_table(records: Sequence[Record], table: pd.DataFrame, task: Task, metrics: Sequence[str]) -> pd.DataFrame:
    """Every draw: validation loss and test scores, best validation loss first; one that did not finish comes last."""
    rows = []
    for record in records:
        if record.tags.get("search") == SEARCHED and record.tags["task"] == task.name:
            test = table[(table["variant"] == record.variant) & (table["split"] == "test")].set_index("metric")["value"]
            loss = valid_loss(record) if record.status == FINISHED else np.nan
            scores = {name: test.get(name, np.nan) for name in metrics}
            rows.append(
                {"variant": record.variant, "rank": record.tags["rank"], "status": record.status}
                | {"validation_loss": loss}
                | scores
            )
    return pd.DataFrame(rows).sort_values("validation_loss", ignore_index=True) if rows else pd.DataFrame()


def confusion_panels(
    p: LowRankFusion, task: Task, records: Sequence[Record]
) -> tuple[list[tuple[str, np.ndarray]], tuple[str, ...]]:
    """(title, counts) for TFN and LMF on the test set, summed over the seeds, and the class names.

    Sentiment is rounded and clipped to its scale. Only for one output or two classes.
    """
    labels = task.corpus.splits["test"].labels
    low, high = ROUNDED
    if p.family == "iemocap":
        classes, names = range(2), ("absent", "present")
    else:
        classes, names = range(low, high + 1), tuple(f"{value:+d}" for value in range(low, high + 1))
        labels = np.round(np.clip(labels, low, high)).astype(int)
    panels = []
    for kind in (TFN, LMF):
        outputs = [r.outputs["test"] for r in records if r.variant == task.variant(kind) and r.scored]
        counts = np.zeros((len(names), len(names)), dtype=np.int64)
        for out in outputs:
            if p.family == "iemocap":
                found = metrics.predicted_classes(out)
            else:
                found = np.round(np.clip(out[:, 0], low, high)).astype(int)
            counts += metrics.confusion(labels, found, classes)
        panels.append((f"{kind}, {seeds(len(outputs))}", counts))
    return panels, names
