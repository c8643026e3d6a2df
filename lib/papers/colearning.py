"""Negative to positive co-learning with aggressive modality dropout (spec colearning).

A model is trained on target and supporting modalities and tested on the target alone; its gain over the same
architecture trained on the target alone says whether the supporting modalities helped (positive co-learning) or hurt
(negative). Modality dropout removes the supporting modalities from whole training minibatches.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lib import data
from lib.data.corpus import Corpus
from lib.errors import InputError
from lib.metrics import scores as metrics
from lib.params import load
from lib.params.colearning import Colearning, IemocapColearning, MosiColearning
from lib.reporting import manifest
from lib.reporting.gains import summary
from lib.reporting.lost_runs import confusable
from lib.reporting.runs import run_table
from lib.reporting.words import interval, number, seeds
from lib.training.progress import GridProgress
from lib.training.recipe import Member, ModalityDropoutSpec, ModelSpec, Recipe
from lib.training.records import Record, engines
from lib.training.sweep import sweep

BLOCKS = ("att1", "att2", "gamma1", "gamma2", "out")
WORKSPACE = Path(__file__).resolve().parents[2]


def result_folder(p: Colearning) -> Path:
    """The run's result folder, relative to the workspace unless absolute, whatever the working directory."""
    return WORKSPACE / p.results


def load_corpus(p: Colearning) -> Corpus:
    """The corpus of a run. Raises InputError if it lacks a target or supporting modality."""
    options = {"samples": p.samples} if p.dataset.endswith("_like") else {}
    if isinstance(p, IemocapColearning) and p.dataset == "iemocap":
        options["split"] = p.split
    corpus = data.load(p.dataset, p.data_root or None, nonfinite=p.nonfinite, **options)
    if missing := [m for m in (*p.target, *p.support) if m not in corpus.modalities]:
        there = ", ".join(corpus.modalities)
        raise InputError(f"no modality {', '.join(missing)}", where=corpus.source.name, todo=f"there are: {there}")
    return corpus


def unimodal(p: Colearning) -> str:
    """Name of the variant that is trained on the target modalities alone."""
    return f"{'+'.join(p.target)} only"


def rate_name(rate: float) -> str:
    """Name of the variant trained with this modality-dropout rate."""
    return f"rate {rate:g}"


def model_spec(p: Colearning, corpus: Corpus) -> ModelSpec:
    """biEFLSTM for IEMOCAP, MFN for MOSI-like regression (spec colearning, section 2)."""
    features = {m: int(width) for m, width in corpus.modalities.items()}
    if isinstance(p, IemocapColearning):
        sizes = {"hidden": p.hidden, "classes": len(corpus.label_names), "dropout": p.dropout}
        return ModelSpec("ef_lstm:BiEFLSTM", {"features": features, **sizes})
    assert isinstance(p, MosiColearning)
    hidden = dict(zip(("text", "audio", "video"), p.hidden, strict=True))
    blocks = {
        "widths": dict(zip(BLOCKS, p.widths, strict=True)),
        "dropouts": dict(zip(BLOCKS, p.dropouts, strict=True)),
    }
    return ModelSpec(
        "mfn:MFN", {"features": features, "hidden": {m: hidden[m] for m in features}, "memory": p.memory, **blocks}
    )


def grid(p: Colearning, corpus: Corpus) -> list[Member]:
    """All runs: per seed the rates in their order, then the unimodal variant, as the authors run them.

    The unimodal variant draws its modality-dropout numbers too, at rate 0 (section 3).
    """
    model = model_spec(p, corpus)
    recipe = Recipe(
        loss="cross_entropy" if corpus.task == "classes" else "l1",
        epochs=p.epochs,
        batch_size=p.batch_size,
        learning_rate=p.learning_rate,
    )
    both = (*p.target, *p.support)
    settings = [(rate_name(rate), rate, both) for rate in p.rates] + [(unimodal(p), None, p.target)]
    return [
        Member(
            variant=variant,
            seed=seed,
            model=model,
            recipe=recipe,
            train_on=train_on,
            evaluate_on=p.target,
            modality_dropout=ModalityDropoutSpec(dict.fromkeys(p.support, rate or 0.0), p.dropout_draw),
            chain=f"seed {seed}" if p.seeding == "sequential" else None,
            tags={} if rate is None else {"rate": rate},
        )
        for seed in p.seeds
        for variant, rate, train_on in settings
    ]


def train_grid(p: Colearning, corpus: Corpus) -> list[Record]:
    """Train what is missing of the grid; the records lie in the result folder under `members/`."""
    folder = result_folder(p)
    return sweep(grid(p, corpus), corpus, folder / "members", cores=p.cores, progress=GridProgress(folder))


def scores(p: Colearning, corpus: Corpus, records: Sequence[Record]) -> pd.DataFrame:
    """The long run table: every metric of validation and test, per run."""
    return run_table(
        {
            "variant": record.variant,
            "rate": record.tags.get("rate", float("nan")),
            "seed": record.seed,
            "metrics": {split: split_scores(p, corpus, split, out) for split, out in record.outputs.items()},
            "selected_on": f"epoch: {record.selected_on['epoch']}",
            "best_epoch": record.best_epoch,
            "status": record.status,
            "reason": record.reason,
            "seconds": record.seconds,
        }
        for record in records
    )


def split_scores(p: Colearning, corpus: Corpus, split: str, outputs: np.ndarray) -> dict[str, float]:
    labels = corpus.splits[split].labels
    if corpus.task == "classes":
        return metrics.classification(outputs, labels, len(corpus.label_names))
    assert isinstance(p, MosiColearning)
    return metrics.regression(outputs[:, 0], labels, neutral=p.neutral, limits=p.limits)


def score_metrics(p: Colearning, corpus: Corpus) -> tuple[str, ...]:
    """The scores the paper judges by: accuracy; for sentiment two-class accuracy and MAE."""
    if corpus.task == "classes":
        return ("acc",)
    assert isinstance(p, MosiColearning)
    return ("mae",) if p.neutral is None else ("acc2_nonneg", "mae")


def confusion_panels(
    p: Colearning, corpus: Corpus, records: Sequence[Record], rates: Sequence[float]
) -> tuple[list[tuple[str, np.ndarray]], tuple[str, ...]]:
    """(title, counts) of the test set per rate, summed over the seeds, and the names of the classes.

    A title says if seeds are missing. Sentiment is rounded and clipped to its scale, one class per whole number.
    """
    labels = corpus.splits["test"].labels
    if corpus.task == "classes":
        names = tuple(corpus.label_names)
        classes = range(len(names))
    else:
        assert isinstance(p, MosiColearning)
        low, high = (round(limit) for limit in p.limits)
        classes = range(low, high + 1)
        names = tuple(f"{value:+d}" if low < 0 and value else str(value) for value in classes)
        labels = _to_class(labels, p.limits)
    panels = []
    for rate in rates:
        runs, lacking = confusable(records, rate_name(rate), len(p.seeds))
        counts = np.zeros((len(names), len(names)), dtype=np.int64)
        for record in runs:
            out = record.outputs["test"]
            found = metrics.predicted_classes(out) if corpus.task == "classes" else _to_class(out[:, 0], p.limits)
            counts += metrics.confusion(labels, found, classes)
        panels.append((f"{rate_name(rate)}{lacking}", counts))
    return panels, names


def _to_class(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return np.round(np.clip(values, *limits)).astype(np.int64)


def deviations(p: Colearning, notebook: str) -> list[str]:
    """How a run's settings differ from those of the paper, which are the notebook's `paper.yaml`.

    Empty on another corpus, where nothing is comparable anyway.
    """
    if not published_corpus(p):
        return []
    paper = load(WORKSPACE / "params" / notebook / "paper.yaml", results="-")
    ours, theirs = p.model_dump(mode="json"), paper.model_dump(mode="json")
    # What is run on, how often and where says nothing against comparing one variant with its published twin.
    free = {"results", "data_root", "cores", "dataset", "samples", "rates", "seeds", "contrast", "seeding"}
    return [
        f"{key} {_words(ours[key])} instead of {_words(theirs[key])}"
        for key in ours
        if key not in free and ours[key] != theirs[key]
    ]


def _words(value: object) -> str:
    values = value if isinstance(value, list) else [value]
    return " ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)


def published_corpus(p: Colearning) -> bool:
    """Whether the run is on the corpus of the published numbers."""
    return p.dataset in ("iemocap", "mosi")


def score_caption(p: Colearning, metric: str) -> str:
    """What a table of scores shows."""
    return f"Test {metric} with {'+'.join(p.target)} only as input, mean and 95 % t-interval over the seeds"


def corpus_table(p: Colearning, corpus: Corpus) -> pd.DataFrame:
    """Samples per split, and per class or per range of the label."""
    rows = []
    for name, split in corpus.splits.items():
        row = {"split": name, "samples": len(split)}
        if corpus.task == "classes":
            row |= {label: int((split.labels == i).sum()) for i, label in enumerate(corpus.label_names)}
        else:
            assert isinstance(p, MosiColearning)
            values = {"lowest": split.labels.min(), "mean": split.labels.mean(), "highest": split.labels.max()}
            row |= {key: float(value) for key, value in values.items()}
            if p.neutral is not None:
                row[f"share of {p.neutral:g} or more"] = float((split.labels >= p.neutral).mean())
        rows.append(row)
    return pd.DataFrame(rows)


def confusion_table(panels: Sequence[tuple[str, np.ndarray]], names: Sequence[str]) -> pd.DataFrame:
    """Confusion counts in long form: one row per matrix and true class, one column per predicted class."""
    rows = [
        {"matrix": title, "true class": names[i], **{f"predicted {n}": int(c) for n, c in zip(names, row, strict=True)}}
        for title, counts in panels
        for i, row in enumerate(counts)
    ]
    return pd.DataFrame(rows)


def conclusions(
    p: Colearning, corpus: Corpus, table: pd.DataFrame, found: Mapping[tuple[str, str], pd.DataFrame]
) -> list[str]:
    """What the tables say, in sentences made from their numbers; `found` holds gain tables by (metric, baseline)."""
    sentences, base = [], unimodal(p)
    for metric in score_metrics(p, corpus):
        over_unimodal = found[metric, base].set_index("variant")
        for variant in ("rate 0", rate_name(p.contrast)):
            if variant in over_unimodal.index:
                row = over_unimodal.loc[variant]
                said = row["verdict"] if row["verdict"] == "no verdict" else f"{row['verdict']} co-learning"
                sentences.append(f"{metric}, {variant} against {base}: {_gain_words(row)}, {said}.")
        if p.contrast > 0:
            row = found[metric, "rate 0"].set_index("variant").loc[rate_name(p.contrast)]
            sentences.append(f"{metric}, {rate_name(p.contrast)} against rate 0: {_gain_words(row)}.")
        if best := corpus.source.ceilings.get("+".join(p.target), {}).get(metric):
            mean = summary(table, metric).set_index("variant").loc[base, "score"]
            sentences.append(
                f"{metric}: {base} scores {number(mean)}; the best reachable in expectation is {best:.4f}."
            )
    where = "these are stand-in data, so this shows the mechanism, not the corpus" if corpus.source.synthetic else None
    return [*sentences, *([f"All on {corpus.source.label}: {where}."] if where else [f"All on {corpus.source.label}."])]


def _gain_words(row: pd.Series) -> str:
    between = interval(row["t_interval_low"], row["t_interval_high"])
    return f"gain {number(row['gain'], '+.4f')} ({between}, {seeds(row['n'])})"


def write_manifest(p: Colearning, corpus: Corpus, records: Sequence[Record], seconds: float) -> None:
    """`manifest.json` of the result folder."""
    manifest.write_manifest(
        result_folder(p),
        params=p.model_dump(mode="json", exclude={"results", "data_root", "cores"}),
        sources=[corpus.source],
        seeds=p.seeds,
        engine=engines(records),
        device="cuda" if "cuda" in engines(records) else "cpu",
        selected_on=records[0].selected_on,
        durations={"notebook": seconds, "training, all runs": sum(record.seconds for record in records)},
    )


def reference_table(p: Colearning, corpus: Corpus) -> pd.DataFrame:
    """What a model must beat and cannot beat: the best constant of the training labels, scored on the test set, and
    for a stand-in corpus the best reachable scores. Of real data nobody knows the latter.
    """
    train, test = (corpus.splits[name].labels for name in ("train", "test"))
    if corpus.task == "classes":
        floor = {"acc": float(np.mean(test == np.bincount(train).argmax()))}
    else:
        assert isinstance(p, MosiColearning)
        floor = {"mae": float(np.abs(test - np.median(train)).mean())}
        if p.neutral is not None:
            likelier = np.mean(train >= p.neutral) >= 0.5
            floor["acc2_nonneg"] = float(np.mean((test >= p.neutral) == likelier))
    rows = [{"reference": "constant: majority class or median of the training labels", **floor}]
    rows += [{"reference": f"best reachable from {subset}", **best} for subset, best in corpus.source.ceilings.items()]
    return pd.DataFrame(rows)
