"""What stands around the results of the notebook `emotion_embeddings`: corpora, floors, published numbers, manifest."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.metrics.scores import emotion_scores
from lib.papers.emotion_embeddings import EEA, KINDS, Task, result_folder
from lib.papers.emotion_embeddings_tables import METRICS, model_kinds, pick
from lib.params.emotion_embeddings import EmotionEmbeddings
from lib.reporting import manifest, published
from lib.training.records import Record, engines
from lib.training.validation import IN_WORDS


def name_of(task: Task, stem: str) -> str:
    """File name of a table or figure: with the corpus behind it where the run has several."""
    return f"{stem}_{task.name.lower()}" if task.name else stem


def run_label(tasks: Sequence[Task]) -> str:
    """The corpora of the whole run."""
    return " and ".join(dict.fromkeys(task.corpus.source.label for task in tasks))


def titled(task: Task, text: str) -> str:
    """`text` as a caption, with the corpus in front where the run has several."""
    return f"{task.name}: {text}" if task.name else f"{text[0].upper()}{text[1:]}"


def corpus_table(task: Task) -> pd.DataFrame:
    """Samples per split, how many emotions a sample has, and the share that shows each."""
    rows = []
    for name, split in task.corpus.splits.items():
        count = split.labels.sum(axis=1)
        shares = dict(zip(task.corpus.label_names, split.labels.mean(axis=0), strict=True))
        many = {"without_emotion": float((count == 0).mean()), "with_several": float((count > 1).mean())}
        rows.append({"split": name, "samples": len(split)} | many | {k: float(v) for k, v in shares.items()})
    return pd.DataFrame(rows)


def floor_table(task: Task) -> pd.DataFrame:
    """Test scores, averaged over the emotions, of predictions that read nothing."""
    train, test = (task.corpus.splits[name].labels for name in ("train", "test"))
    predictions = {
        "no emotion, ever": np.zeros(train.shape[1]),
        "each emotion's majority in training": train.mean(axis=0) > 0.5,
        "every emotion, always": np.ones(train.shape[1]),
    }
    rows = []
    for words, present in predictions.items():
        logits = np.broadcast_to(np.where(present, 1.0, -1.0), test.shape)
        found = emotion_scores(logits, test)
        rows.append({"prediction": words} | {metric: float(np.mean(found[metric])) for metric in METRICS})
    return pd.DataFrame(rows)


def ceiling_table(task: Task) -> pd.DataFrame:
    """Best reachable scores of a stand-in; empty for real data, whose ceilings nobody knows."""
    return pd.DataFrame([{"from": subset, **best} for subset, best in task.corpus.source.ceilings.items()])


def comparison_table(p: EmotionEmbeddings, task: Task, table: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Published and reproduced scores, averaged over the emotions, and gains over the LF-RNN (see `published.compare`).

    Of the models that both have trained; empty for none. `paper` comes from `published_emotion_embeddings.runs`: a
    later paper's trainings on splits of its own.
    """
    baseline = task.variant(KINDS["lf_rnn"])
    ours = pick(table, task, model_kinds(p))
    ours = ours[ours["variant"].isin(paper["variant"])]
    if ours.empty:
        return pd.DataFrame()
    found = [_compared(task, ours, paper, metric, baseline) for metric in _published(paper)]
    return pd.concat(found, ignore_index=True)


def emotion_comparison(task: Task, table: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """The same for EEA, emotion by emotion; empty if the run has no EEA."""
    variant = task.variant(EEA)
    ours, theirs = (rows[rows["variant"] == variant] for rows in (table, paper))
    if ours.empty:
        return pd.DataFrame()
    metrics = [f"{metric}_{name}" for metric in _published(paper) for name in task.corpus.label_names]
    known = set(theirs["metric"])
    found = [_compared(task, ours, theirs, metric, variant) for metric in metrics if metric in known]
    return pd.concat(found, ignore_index=True)


def _compared(task: Task, ours: pd.DataFrame, theirs: pd.DataFrame, metric: str, baseline: str) -> pd.DataFrame:
    source = task.corpus.source
    found = published.compare(theirs, ours, metric=metric, baseline=baseline, source=source, same_corpus=False)
    return found.drop(columns="rate")


def _published(paper: pd.DataFrame) -> list[str]:
    """The metrics that have an average."""
    return [metric for metric in METRICS if metric in set(paper["metric"])]


def write_manifest(p: EmotionEmbeddings, tasks: Sequence[Task], records: Sequence[Record], seconds: float) -> None:
    """`manifest.json` of the result folder."""
    epoch = {f"epoch, {task.dataset}": IN_WORDS[p.selection(task.dataset)] for task in tasks}
    manifest.write_manifest(
        result_folder(p),
        params=p.model_dump(mode="json", exclude={"results", "data_root", "cores"}),
        sources=[task.corpus.source for task in tasks],
        seeds=p.seeds,
        engine=engines(records),
        device="cuda" if "cuda" in engines(records) else "cpu",
        selected_on={**epoch, "hyper-parameters": "none (fixed in the YAML)"},
        durations={"notebook": seconds, "training, all runs": sum(record.seconds for record in records)},
    )
