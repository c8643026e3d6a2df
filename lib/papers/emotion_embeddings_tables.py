"""What the notebook `emotion_embeddings` shows: scores, EEA's gains, its modality ablation, single emotions."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from lib.metrics import scores as metrics
from lib.metrics.presence import decisions
from lib.metrics.scores import emotion_scores, emotion_set_scores
from lib.papers.emotion_embeddings import EEA, KINDS, Task, contrast_kind, smaller_sets, subset_kind
from lib.params.emotion_embeddings import CONTRASTED, EmotionEmbeddings
from lib.reporting import gains
from lib.reporting.lost_runs import confusable
from lib.run_table import by_seed, run_table
from lib.training.records import Record

METRICS = ("acc", "weighted_acc", "weighted_f1", "f1_positive", "auc")
"""Per emotion, and as the plain mean over the emotions."""
SETS = ("strict", "subset", "intersect_in_order", "intersect")
EXCLUSIVE = "acc_exclusive"
"""Share of samples whose highest logit is their emotion, where each has exactly one."""


def score_metrics(p: EmotionEmbeddings, task: Task) -> tuple[str, ...]:
    """The metrics that comparisons are made in: what the reference calls accuracy here, and two that it lacks."""
    return (p.selection(task.dataset), "f1_positive", "auc")


def scores(p: EmotionEmbeddings, tasks: Sequence[Task], records: Sequence[Record]) -> pd.DataFrame:
    """The long run table: every metric of validation and test, averaged over the emotions and for each."""
    by_name = {task.name: task for task in tasks}
    return run_table(_run(p, by_name[record.tags["task"]], record) for record in records)


def _run(p: EmotionEmbeddings, task: Task, record: Record) -> dict[str, object]:
    return {
        "variant": record.variant,
        "seed": record.seed,
        "metrics": {split: split_scores(task, split, out, p.threshold) for split, out in record.outputs.items()},
        "selected_on": f"epoch: {record.selected_on['epoch']}; hyper-parameters: fixed in the YAML",
        "best_epoch": record.best_epoch,
        "status": record.status,
        "reason": record.reason,
        "task": task.name,
        "kind": record.tags["kind"],
        "parameters": record.tags["parameters"],
        "epochs": len(record.history.get("train_loss", ())),
        "seconds": record.seconds,
    }


def split_scores(task: Task, split: str, logits: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """`<metric>_<emotion>`, their means, and what is scored of whole samples: emotion sets, or the one emotion."""
    truths = task.corpus.splits[split].labels
    found: dict[str, float] = {}
    for metric, values in emotion_scores(logits, truths, threshold).items():
        found[metric] = float(np.mean(values))
        found |= {f"{metric}_{name}": float(v) for name, v in zip(task.corpus.label_names, values, strict=True)}
    if task.exclusive:
        whole = {EXCLUSIVE: float(np.mean(logits.argmax(axis=1) == truths.argmax(axis=1)))}
    else:
        whole = emotion_set_scores(decisions(logits, threshold), truths == 1)
    return found | (whole if np.isfinite(logits).all() else dict.fromkeys(whole, np.nan))


def pick(table: pd.DataFrame, task: Task, kinds: Iterable[str]) -> pd.DataFrame:
    """The rows of these kinds on one corpus."""
    return table[table["variant"].isin([task.variant(kind) for kind in kinds])]


def model_kinds(p: EmotionEmbeddings) -> list[str]:
    """The models of the run, unchanged and on all their modalities."""
    return [KINDS[model] for model in p.models]


def overview(p: EmotionEmbeddings, task: Task, table: pd.DataFrame) -> pd.DataFrame:
    """Weights, number of seeds, and mean and deviation of every test metric, per model."""
    own = pick(table, task, model_kinds(p))
    shown = [*METRICS, *((EXCLUSIVE,) if task.exclusive else SETS)]
    found = pd.DataFrame({"variant": list(own["variant"].unique())})
    found["parameters"] = own.groupby("variant")["parameters"].first()[found["variant"]].to_numpy()
    for metric in shown:
        means = gains.summary(own, metric)
        found["n"], found[metric], found[f"{metric}_std"] = means["n"], means["score"], means["score_std"]
    return found


def score_table(p: EmotionEmbeddings, task: Task, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean and interval over the seeds, and the size, of every model."""
    own = pick(table, task, model_kinds(p))
    found = gains.summary(own, metric).drop(columns="rate")
    found.insert(1, "parameters", own.groupby("variant")["parameters"].first()[found["variant"]].to_numpy())
    return found


def eea_gains(p: EmotionEmbeddings, task: Task, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """What EEA gains over each baseline, paired over the seeds; empty if the run has no EEA or no baseline."""
    baselines = [kind for kind in model_kinds(p) if kind != EEA]
    return _gains(task, table, metric, [(EEA, kind) for kind in baselines] if EEA in model_kinds(p) else [])


def contrast_gains(p: EmotionEmbeddings, task: Task, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """What each named change gains over the same model as the reference has it."""
    pairs = [(contrast_kind(p, name), KINDS[CONTRASTED[name]]) for name in p.contrasts]
    return _gains(task, table, metric, pairs)


def _gains(task: Task, table: pd.DataFrame, metric: str, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    rows = [gains.gain_table(pick(table, task, pair), metric, task.variant(pair[1])) for pair in pairs]
    return pd.concat(rows, ignore_index=True).drop(columns="rate") if rows else pd.DataFrame()


def ablation(p: EmotionEmbeddings, task: Task, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Score of EEA by the modalities it reads, and what all of them together gain over each; empty without one."""
    kinds = {EEA: "+".join(p.modalities)} | {subset_kind(subset): "+".join(subset) for subset in smaller_sets(p)}
    if len(kinds) == 1:
        return pd.DataFrame()
    own = pick(table, task, kinds)
    found = gains.summary(own, metric).drop(columns="rate")
    found.insert(1, "modalities", list(kinds.values()))
    gain = _gains(task, table, metric, [(EEA, kind) for kind in list(kinds)[1:]])
    columns = {"gain": "gain_of_all", "t_interval_low": "gain_low", "t_interval_high": "gain_high"}
    kept = gain.set_index("baseline")[list(columns)].rename(columns=columns)
    return found.join(kept, on="variant")


def per_emotion(task: Task, table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Test scores of one kind by emotion, beside the accuracy of never finding it."""
    own = pick(table, task, [kind])
    present = task.corpus.splits["test"].labels.mean(axis=0)
    rows = []
    for name, share in zip(task.corpus.label_names, present, strict=True):
        row = {"emotion": name, "share_present": float(share), "acc_of_never": 1 - float(share)}
        for metric in METRICS:
            values = by_seed(own, f"{metric}_{name}")[task.variant(kind)].dropna().to_numpy()
            row[metric] = values.mean() if len(values) else np.nan
            row[f"{metric}_std"] = np.std(values, ddof=1) if len(values) > 1 else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def best_baseline(p: EmotionEmbeddings, task: Task, table: pd.DataFrame) -> str | None:
    """The baseline with the highest mean validation score, which no test sample has chosen; None without one."""
    kinds = [kind for kind in model_kinds(p) if kind != EEA]
    if not kinds:
        return None
    means = gains.summary(pick(table, task, kinds), p.selection(task.dataset), split="valid").set_index("variant")
    if means["score"].isna().all():
        return None
    best = means["score"].idxmax()
    return next(kind for kind in kinds if task.variant(kind) == best)


def confusion_panels(task: Task, records: Sequence[Record], kinds: Sequence[str]) -> list[tuple[str, np.ndarray]]:
    """(kind, counts) on the test set, summed over the seeds: the emotion with the highest logit.

    A kind says if seeds are missing.
    """
    classes = range(len(task.corpus.label_names))
    nothing = np.zeros((len(classes), len(classes)), dtype=np.int64)
    seeds = len({record.seed for record in records})
    true = task.corpus.splits["test"].labels.argmax(axis=1)
    panels = []
    for kind in kinds:
        runs, lacking = confusable(records, task.variant(kind), seeds)
        counts = sum((metrics.confusion(true, r.outputs["test"].argmax(axis=1), classes) for r in runs), start=nothing)
        panels.append((f"{kind}{lacking}", counts))
    return panels
