"""What the notebook `end_to_end_sparse` shows of its runs: scores per emotion, baselines, thresholds, changes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.metrics import mme2e_metrics
from lib.papers.end_to_end import BASELINES, Corpora, variant
from lib.params.end_to_end import EndToEnd
from lib.reporting import gains
from lib.run_table import by_seed, run_table
from lib.training.records import Record

METRICS = ("acc", "weighted_acc", "f1_positive", "auc")
"""Plain and weighted accuracy, F1 of presence, area under the ROC curve; alone, the mean over the emotions."""
NEVER = "no emotion, ever"
EMOTION_NAMES = {"acc": "accuracy", "weighted_acc": "weighted accuracy", "f1_positive": "F1", "auc": "AUC"}
SELECTED = "epoch: {}; thresholds of all splits: validation (quirk Q11); hyper-parameters: fixed in the YAML"


def scores(p: EndToEnd, corpora: Corpora, records: Sequence[Record]) -> pd.DataFrame:
    """The long run table: every metric of validation and test, as mean over the emotions and for each emotion.

    The decision thresholds of a run are those with the best F1 on validation, for the test as well.
    """
    return run_table(
        {
            "variant": record.variant,
            "seed": record.seed,
            "metrics": _metrics(corpora, record),
            "selected_on": SELECTED.format(record.selected_on["epoch"]),
            "best_epoch": record.best_epoch,
            "status": record.status,
            "reason": record.reason,
            **{name: record.tags[name] for name in ("model", "threshold", "change")},
            "epochs": len(record.history.get("train_loss", ())),
            "seconds": record.seconds,
        }
        for record in records
    )


def _metrics(corpora: Corpora, record: Record) -> dict[str, dict[str, float]]:
    if not record.outputs:
        return {}
    corpus = corpora.of(record.tags["model"])
    thresholds = mme2e_metrics.best_thresholds(record.outputs["valid"], corpus.labels("valid"))
    return {
        split: _named(mme2e_metrics.detection_scores(logits, corpus.labels(split), thresholds), corpus.label_names)
        for split, logits in record.outputs.items()
    }


def _named(found: dict[str, np.ndarray], names: Sequence[str]) -> dict[str, float]:
    means = {metric: float(np.mean(found[metric])) for metric in METRICS}
    each = {f"{m}_{name}": float(v) for m in METRICS for name, v in zip(names, found[m], strict=True)}
    return means | each


def floor(corpora: Corpora) -> dict[str, float]:
    """Scores of the constant answer no on the test split; on exclusive classes its accuracy is 1 - 1/6."""
    corpus = corpora.any
    return _named(mme2e_metrics.never_present(corpus.labels("test")), corpus.label_names)


def main_variants(p: EndToEnd) -> list[str]:
    """The models of the main comparison, in the order of the parameters."""
    return [variant(m, p.threshold if m == "mme2e_sparse" else None) for m in p.models.chosen()]


def overview_table(p: EndToEnd, corpora: Corpora, table: pd.DataFrame) -> pd.DataFrame:
    """Mean test scores of the models beside the constant answer."""
    rows = []
    for name in main_variants(p):
        row = {"variant": name}
        for metric in METRICS:
            values = by_seed(table, metric)[name].dropna()
            row |= {"n": len(values), metric: float(values.mean()), f"{metric}_std": float(values.std(ddof=1))}
        rows.append(row)
    never = {"variant": NEVER, "n": 0, **{metric: floor(corpora)[metric] for metric in METRICS}}
    return pd.DataFrame([*rows, never])


def emotion_table(p: EndToEnd, corpora: Corpora, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean test score of each emotion by model, the mean over the emotions last, the constant answer below."""
    names, never = corpora.any.label_names, floor(corpora)
    columns = {name: f"{metric}_{name}" for name in names} | {"average": metric}
    rows = [
        {"variant": v} | {name: float(by_seed(table, column)[v].mean()) for name, column in columns.items()}
        for v in main_variants(p)
    ]
    return pd.DataFrame([*rows, {"variant": NEVER} | {name: never[column] for name, column in columns.items()}])


def score_table(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean and interval over the seeds of every variant."""
    return gains.summary(table, metric).drop(columns="rate")


def beats_floor(p: EndToEnd, corpora: Corpora, table: pd.DataFrame) -> pd.DataFrame:
    """F1 of each model against the constant answer's, whose F1 is 0, and accuracy against its 1 - 1/6 or so."""
    never, rows = floor(corpora), []
    for name in main_variants(p):
        row = {"variant": name}
        for metric in ("f1_positive", "acc", "weighted_acc"):
            values = by_seed(table, metric)[name].dropna()
            row |= {f"{metric}_gain": float((values - never[metric]).mean())}
            row[f"{metric}_seeds_better"] = f"{int((values > never[metric]).sum())} of {len(values)}"
        rows.append(row)
    return pd.DataFrame(rows)


def change_table(p: EndToEnd, table: pd.DataFrame) -> pd.DataFrame:
    """What each change of the sparse model does to its scores, paired over the seeds."""
    base = variant("mme2e_sparse", p.threshold)
    changed = [variant("mme2e_sparse", p.threshold, change) for change in p.changes]
    found = [
        gains.gain_table(table[table["variant"].isin((base, *changed))], metric, base)
        for metric in ("f1_positive", "acc")
    ]
    return pd.concat(found, ignore_index=True).drop(columns=["rate", "paper_rule"])


def dense_table(p: EndToEnd, table: pd.DataFrame) -> pd.DataFrame:
    """The sparse model at every threshold against the dense one, paired over the seeds."""
    dense = variant("mme2e")
    sparse = [variant("mme2e_sparse", t) for t in sweep_thresholds(p)]
    found = [
        gains.gain_table(table[table["variant"].isin((dense, *sparse))], metric, dense)
        for metric in ("f1_positive", "acc")
    ]
    return pd.concat(found, ignore_index=True).drop(columns=["rate", "paper_rule"])


def sweep_thresholds(p: EndToEnd) -> list[float]:
    """All thresholds of the sparse model, ascending."""
    return sorted({p.threshold, *p.thresholds})


def problem_table(corpora: Corpora) -> pd.DataFrame:
    """What is wrong with how many utterances, and what became of them; empty if nothing is."""
    rows = []
    for words, corpus in (("raw", corpora.raw), ("hand-crafted", corpora.handcrafted)):
        for (outcome, what), count in sorted(corpus.problem_counts().items()) if corpus else ():
            rows.append({"data": words, "outcome": outcome, "what": what, "utterances": count})
    return pd.DataFrame(rows)


def corpus_table(p: EndToEnd, corpora: Corpora) -> pd.DataFrame:
    """Utterances per split, those with hand-crafted features, and the share that shows each emotion."""
    corpus, rows = corpora.any, []
    for split, batches in corpus.splits.items():
        row = {"split": split, "utterances": len(batches)}
        if corpora.handcrafted and set(p.models.chosen()) & set(BASELINES):
            row["with_features"] = len(corpora.handcrafted.splits[split])
        shares = corpus.labels(split).mean(axis=0)
        rows.append(row | {name: float(v) for name, v in zip(corpus.label_names, shares, strict=True)})
    return pd.DataFrame(rows)


def threshold_scores(p: EndToEnd, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Scores by threshold with intervals over the seeds, the dense model at 1."""
    names = {variant("mme2e"): 1.0} | {variant("mme2e_sparse", t): t for t in sweep_thresholds(p)}
    found = score_table(table, metric)
    found = found[found["variant"].isin(names)]
    return found.assign(threshold=found["variant"].map(names)).sort_values("threshold", ignore_index=True)
