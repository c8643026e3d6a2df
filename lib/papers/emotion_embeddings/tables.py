"""What the notebook shows: scores, EEA's gains, its modality ablation, single emotions, the emotions' vectors.

`table` is the run table, a task one of its corpora; every table is of one task.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from lib.models.eea import EEA as Model
from lib.papers.emotion_embeddings import RECURRENT, Contrast, EmotionEmbeddings
from lib.papers.emotion_embeddings.study import (
    EEA,
    EXCLUSIVE,
    KINDS,
    METRICS,
    SETS,
    contrast_kind,
    contrasted,
    smaller_sets,
    subset_kind,
)
from lib.reporting import claims, gains, mended_claims
from lib.reporting.mended_claims import Comparison
from lib.reporting.modality_share import RETRAINED, retrained_scores, share_rows
from lib.reporting.published import by_emotion, compare
from lib.reporting.statistics import mean, std
from lib.reporting.verdicts import SOURCES
from lib.run_table import by_seed
from lib.study import Runs, Task
from lib.training.execution import one_thread
from lib.training.records import load_weights
from lib.training.streams import SeededStreams

BEFORE, AFTER, FROZEN = "before", "after", "frozen"
QUIRKS: dict[Contrast, str] = {
    "attention_over_time": "transformer attends across the batch",
    "final_states": "last-step pooling",
    "every_step_positions": "zero-channel position rule",
    "other_loss": "cross-entropy with float targets",
}
"""What each change mends, as `quirks.csv` calls it."""
Spaces = Mapping[tuple[str, str], Float[np.ndarray, "seeds emotions emotions"]]
"""Cosines between emotion vectors by modality and moment: before or after training, or frozen."""


def pick(table: pd.DataFrame, task: Task, kinds: Iterable[str]) -> pd.DataFrame:
    """The rows of these kinds on one corpus."""
    return table[table["variant"].isin([task.variant(kind) for kind in kinds])]


def model_kinds(p: EmotionEmbeddings) -> list[str]:
    """The models of the run, unchanged and on all their modalities."""
    return [KINDS[model] for model in p.models]


def overview(p: EmotionEmbeddings, task: Task, table: pd.DataFrame) -> pd.DataFrame:
    """Weights, number of seeds, and mean and deviation of every test metric, per model."""
    own = pick(table, task, model_kinds(p))
    found = pd.DataFrame({"variant": list(own["variant"].unique())})
    found["parameters"] = _sizes(own, found["variant"])
    for metric in (*METRICS, *((EXCLUSIVE,) if task.classes else SETS)):
        means = gains.summary(own, metric)
        found["n"], found[metric], found[f"{metric}_std"] = means["n"], means["score"], means["score_std"]
    return found


def score_table(p: EmotionEmbeddings, task: Task, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean and interval over the seeds, and the size, of every model."""
    own = pick(table, task, model_kinds(p))
    found = gains.summary(own, metric)
    found.insert(1, "parameters", _sizes(own, found["variant"]))
    return found


def _sizes(table: pd.DataFrame, variants: pd.Series) -> np.ndarray:
    return table.groupby("variant")["parameters"].first()[variants].to_numpy()


def eea_gains(p: EmotionEmbeddings, task: Task, runs: Runs, metric: str) -> pd.DataFrame:
    """What EEA gains over each baseline, paired over the seeds; empty if the run has no EEA or no baseline."""
    baselines = [kind for kind in model_kinds(p) if kind != EEA]
    return _gains(task, runs, metric, [(EEA, kind) for kind in baselines] if EEA in model_kinds(p) else [])


def contrast_gains(p: EmotionEmbeddings, task: Task, runs: Runs, metric: str) -> pd.DataFrame:
    """What each named change gains over the same model as the reference has it."""
    kinds = [(contrast_kind(p, name, model), KINDS[model]) for name, model in contrasted(p)]
    return _gains(task, runs, metric, kinds)


def claims_mended(p: EmotionEmbeddings, task: Task, runs: Runs, metric: str) -> pd.DataFrame:
    """What each named change does to EEA's gains; rows of `mended_claims.table`.

    A change of EEA concerns the recurrent baselines as well, so that there is a row where both were trained with it.
    The transformer and MulT are no baselines of the claim, which their rows say. Of the two losses cross-entropy is the
    published one.
    """
    claim, each = claims.named("embeddings_beat_recurrent"), gains.sides(runs.table, metric, runs=runs)
    margin, there, found = claim.margin_in(f"gain_{metric}"), contrasted(p), []
    for name, model in there if "eea" in p.models else ():
        if model == "eea":
            continue
        new = contrast_kind(p, name, "eea") if (name, "eea") in there else EEA, contrast_kind(p, name, model)
        pairs = [tuple(each[task.variant(kind)] for kind in kinds) for kinds in ((EEA, KINDS[model]), new)]
        published, mended = reversed(pairs) if name == "other_loss" and p.loss == "bce" else pairs
        found.append(
            Comparison(
                quirk=QUIRKS[name],
                mend=name,
                claim=claim,
                margin=margin,
                what=f"{task.variant(EEA)} over {KINDS[model]}",
                published=published,
                mended=mended,
                note="" if model in RECURRENT else "beside the claim, which is about recurrent baselines",
            )
        )
    return mended_claims.table(found, metric)


def modality_gains(p: EmotionEmbeddings, task: Task, runs: Runs, metric: str) -> pd.DataFrame:
    """What EEA on all its modalities gains over EEA on fewer; empty without an ablation."""
    return _gains(task, runs, metric, [(EEA, subset_kind(subset)) for subset in smaller_sets(p)])


def _gains(task: Task, runs: Runs, metric: str, kinds: Iterable[tuple[str, str]]) -> pd.DataFrame:
    over = [(task.variant(kind), task.variant(baseline)) for kind, baseline in kinds]
    return gains.pairs(runs.table, metric, over, runs)


def ablation(p: EmotionEmbeddings, task: Task, table: pd.DataFrame, gain: pd.DataFrame) -> pd.DataFrame:
    """Score of EEA by the modalities it reads, and what all of them together gain over each; empty without one.

    `gain` is from `modality_gains`.
    """
    if gain.empty:
        return pd.DataFrame()
    kinds = {EEA: "+".join(p.modalities)} | {subset_kind(subset): "+".join(subset) for subset in smaller_sets(p)}
    found = gains.summary(pick(table, task, kinds), gain["metric"].iloc[0])
    found.insert(1, "modalities", list(kinds.values()))
    columns = {"gain": "gain_of_all", "t_interval_low": "gain_low", "t_interval_high": "gain_high"}
    columns |= {name: name for name in SOURCES if name in gain}
    return found.join(gain.set_index("baseline")[list(columns)].rename(columns=columns), on="variant")


def retrained(p: EmotionEmbeddings, task: Task, table: pd.DataFrame, floor: float) -> pd.DataFrame:
    """Shares of EEA from the ablation's own networks; `floor` is the score with no modality. Empty without one."""
    smaller, metric = smaller_sets(p), task.metrics[0]
    if not smaller:
        return pd.DataFrame()
    kinds = {frozenset(p.modalities): EEA} | {frozenset(subset): subset_kind(subset) for subset in smaller}
    own = pick(table, task, kinds.values())
    games = retrained_scores(own, {subset: task.variant(kind) for subset, kind in kinds.items()}, metric, floor)
    return share_rows(f"{task.variant(EEA)}, trained again", games.values(), metric, RETRAINED)


def best_baseline(p: EmotionEmbeddings, task: Task, table: pd.DataFrame) -> str | None:
    """The baseline with the highest mean validation score, which no test sample has chosen; None without one."""
    kinds = [kind for kind in model_kinds(p) if kind != EEA]
    if not kinds:
        return None
    means = gains.summary(pick(table, task, kinds), task.metrics[0], split="valid").set_index("variant")
    if means["score"].isna().all():
        return None
    best = means["score"].idxmax()
    return next(kind for kind in kinds if task.variant(kind) == best)


def looked_at(p: EmotionEmbeddings, task: Task, table: pd.DataFrame) -> list[str]:
    """Kinds that are asked what they confuse and rely on: the best baseline, and EEA, as far as the run has them."""
    return [kind for kind in (best_baseline(p, task, table), EEA) if kind in model_kinds(p)]


def per_emotion(task: Task, table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Test scores of one kind by emotion, beside the accuracy of never finding it."""
    own = pick(table, task, [kind])
    present = task.corpus.splits["test"].labels.mean(axis=0)
    rows = []
    for name, share in zip(task.corpus.label_names, present, strict=True):
        row = {"emotion": name, "share_present": float(share), "acc_of_never": 1 - float(share)}
        for metric in METRICS:
            values = by_seed(own, f"{metric}_{name}")[task.variant(kind)].dropna().to_numpy()
            row[metric] = mean(values)
            row[f"{metric}_std"] = std(values)
        rows.append(row)
    return pd.DataFrame(rows)


def published_averages(
    p: EmotionEmbeddings, task: Task, runs: Runs, paper: pd.DataFrame, comparable: Mapping[str, object]
) -> pd.DataFrame:
    """Published and reproduced scores, averaged over the emotions, and gains over the LF-RNN (see `published.compare`).

    Of the models that both have trained; empty for none. `paper` has the published runs on this corpus; `comparable`
    says how ours stand beside them.
    """
    ours = pick(runs.table, task, model_kinds(p))
    metrics = [metric for metric in METRICS if metric in set(paper["metric"])]
    ours = ours[ours["variant"].isin(paper["variant"])]
    return _compared(task, ours, paper, metrics, KINDS["lf_rnn"], {"runs": runs, **comparable})


def published_emotions(
    task: Task, table: pd.DataFrame, paper: pd.DataFrame, comparable: Mapping[str, object]
) -> pd.DataFrame:
    """The same for EEA, emotion by emotion; empty if the run has no EEA."""
    ours, theirs = (pick(rows, task, [EEA]) for rows in (table, paper))
    metrics = [f"{metric}_{name}" for metric in METRICS for name in task.corpus.label_names]
    metrics = [metric for metric in metrics if metric in set(theirs["metric"])]
    return _compared(task, ours, theirs, metrics, EEA, comparable)


def all_published(
    p: EmotionEmbeddings, task: Task, table: pd.DataFrame, paper: pd.DataFrame, metric: str
) -> pd.DataFrame:
    """Every published model on the same utterances, labels and split, and ours (`published.by_emotion`); empty where
    nothing was published on them."""
    if paper.empty:
        return paper
    ours, theirs = pick(table, task, model_kinds(p)), "text, audio, video"
    return by_emotion(
        paper, ours, metric, task.corpus.label_names, theirs_read=theirs, ours_read=", ".join(p.modalities)
    )


def _compared(
    task: Task,
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
    metrics: Iterable[str],
    baseline: str,
    comparable: Mapping[str, object],
) -> pd.DataFrame:
    options = {"baseline": task.variant(baseline), "source": task.corpus.source, **comparable}
    found = [compare(theirs, ours, metric=metric, **options) for metric in metrics] if len(ours) else []
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def spaces(runs: Runs, task: Task) -> Spaces:
    """The text's word vectors, which stay as they are, and what the maps make of them; empty without EEA.

    The words are there also where no text is read.
    """
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    for _, member, record in runs.scored([task.variant(EEA)]):
        streams = SeededStreams(member.seed)
        with streams.session(), streams.initial_weights():
            model = member.model.build()
        for when in (BEFORE, AFTER):
            for modality in dict.fromkeys(("text", *model.modalities)):
                if (modality, when) != ("text", AFTER):
                    key = (modality, FROZEN if modality == "text" else when)
                    found.setdefault(key, []).append(cosines(model, modality))
            model.load_state_dict(load_weights(runs.study.folder / "members", record))
    modalities = list(dict.fromkeys(("text", *runs.study.p.modalities)))
    order = sorted(found, key=lambda key: (modalities.index(key[0]), key[1] != BEFORE))
    return {key: np.stack(found[key]) for key in order}


def cosines(model: Model, modality: str) -> Float[np.ndarray, "emotions emotions"]:
    """Of the emotion vectors with each other, to the same bits whatever the number of threads."""
    with one_thread(), torch.no_grad():
        vectors = torch.nn.functional.normalize(model.emotion_space(modality), dim=-1)
        return (vectors @ vectors.T).numpy()


def space_table(found: Spaces) -> pd.DataFrame:
    """Mean cosine of two different emotions, and how far the pairs are ordered as in the word vectors.

    The latter is the correlation over pairs of emotions with the text's cosines; NaN for text.
    """
    pairs = {key: values[:, *np.triu_indices(values.shape[-1], k=1)] for key, values in found.items()}
    text = next((own[0] for (_, when), own in pairs.items() if when == FROZEN), None)
    rows = []
    for (modality, when), own in pairs.items():
        alike = own.mean(axis=1)
        order = np.full(len(own), np.nan)
        if text is not None and when != FROZEN and len(text) > 2:
            order = np.array([np.corrcoef(text, one)[0, 1] for one in own])
        rows.append(
            {
                "modality": modality,
                "training": when,
                "n": len(own),
                "mean_cosine": alike.mean(),
                "mean_cosine_std": std(alike),
                "correlation_with_text": order.mean(),
                "correlation_with_text_std": std(order),
            }
        )
    return pd.DataFrame(rows)
