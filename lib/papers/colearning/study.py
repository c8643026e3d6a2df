"""Which networks are trained on what, and what the tables of co-learning say (spec colearning)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.corpus import Corpus
from lib.errors import InputError
from lib.files import WORKSPACE
from lib.metrics import scores
from lib.papers import load
from lib.papers.colearning import Colearning, IemocapColearning
from lib.params import CorpusOptions
from lib.reporting import published, seed_plan
from lib.reporting.gains import summary
from lib.reporting.verdicts import outcome
from lib.reporting.words import deciding, decision, number, told, unseen
from lib.study import Classes, Study, Task, corpus_with, in_turns, once
from lib.training.recipe import Member, ModalityDropoutSpec, ModelSpec, Recipe

BLOCKS = ("att1", "att2", "gamma1", "gamma2", "out")
PUBLISHED_ON = {"iemocap_negative_colearning": "iemocap", "mosi_positive_colearning": "mosi"}
"""The paper's corpus by notebook."""
DRAWS = {"sample": "drawn by utterance", "modality": "drawn by modality"}
_KINDS = {"better": ", positive co-learning", "worse": ", negative co-learning"}
FREE = {
    *("results", "data_root", "cores", "dataset", "samples"),
    *("rates", "seeds", "most_seeds", "contrast", "seeding", "mended_draw"),
}
"""What is run on, how often, where and beside what says nothing against comparing a variant with its published twin."""


def study(p: Colearning) -> Study:
    """Per seed the rates in their order, then the mended draw, if asked for, and the unimodal variant.

    Raises InputError for a missing modality, and as `task`.
    """
    fixed = {"split": p.split} if isinstance(p, IemocapColearning) and p.dataset == "iemocap" else {}

    def ask(options: CorpusOptions) -> Task:
        return task(corpus_with(p, (*p.target, *p.support), **options))

    tasks = in_turns(p.dataset, p.corpus_options, p.possible_seeds, ask, fixed=fixed)
    return Study(
        p,
        tuple(once(tasks.values())),
        lambda task: [m for m in grid(p, task.corpus) if tasks[m.seed] is task],
        pairs=lambda task: pairs(p),
        plan=seed_plan.wanted if p.most_seeds else None,
    )


def pairs(p: Colearning) -> list[tuple[str, str]]:
    """What the paper claims something of: training with the support, and dropping it, each against the other."""
    none, dropped = rate(0.0), rate(p.contrast)
    found = [(none, unimodal(p)), (dropped, unimodal(p)), (dropped, none)]
    return found if p.contrast > 0 else found[:1]


def unimodal(p: Colearning) -> str:
    """Name of the variant that is trained on the target modalities alone."""
    return f"{'+'.join(p.target)} only"


def rate(value: float) -> str:
    """Name of the variant trained with this modality-dropout rate."""
    return f"rate {value:g}"


def mended(p: Colearning) -> str:
    """Name of the variant whose modality dropout is drawn as `mended_draw` says."""
    return f"{rate(p.contrast)}, {DRAWS[p.mended_draw]}"


def task(corpus: Corpus) -> Task:
    """Accuracy of classes; for sentiment MAE, and two-class accuracy where the scale has a neutral point.

    Raises InputError for a corpus with several scores of an utterance.
    """
    labels = {name: split.labels for name, split in corpus.splits.items()}
    if corpus.task == "classes":
        names = corpus.label_names

        def accuracy(split: str, out: np.ndarray) -> dict[str, float]:
            return scores.classification(out, labels[split], len(names))

        def classed(out: Mapping[str, np.ndarray]) -> scores.Answers:
            return scores.classed(out["test"], labels["test"])

        return Task(corpus, accuracy, ("acc",), Classes.exclusive(names), answers=classed)
    if (several := len(corpus.label_names)) > 1:
        what = f"{several} scores of an utterance ({', '.join(corpus.label_names)})"
        todo = "co-learning's models say one: import a corpus with one label, or use the bench"
        raise InputError(what, where=corpus.source.name, todo=todo)
    scale = corpus.scale

    def sentiment(split: str, out: np.ndarray) -> dict[str, float]:
        return scores.regression(out[:, 0], labels[split], neutral=scale.neutral, limits=scale.limits)

    def rated(out: Mapping[str, np.ndarray]) -> scores.Answers:
        return scores.Rated(out["test"][:, 0], labels["test"], scale.limits, scale.neutral)

    judged = ("mae",) if scale.neutral is None else ("acc2_nonneg", "mae")
    return Task(corpus, sentiment, judged, Classes.rounded(scale.limits), answers=rated)


def model(p: Colearning, corpus: Corpus) -> ModelSpec:
    """biEFLSTM or MFN, by the notebook (section 2); MFN with one output for a score, and one for each class."""
    features = {m: int(width) for m, width in corpus.modalities.items()}
    if isinstance(p, IemocapColearning):
        sizes = {"hidden": p.hidden, "classes": len(corpus.label_names), "dropout": p.dropout}
        return ModelSpec("ef_lstm:BiEFLSTM", {"features": features, **sizes})
    hidden = dict(zip(("text", "audio", "video"), p.hidden, strict=True))
    blocks = {name: dict(zip(BLOCKS, getattr(p, name), strict=True)) for name in ("widths", "dropouts")}
    sizes = {"hidden": {m: hidden[m] for m in features}, "memory": p.memory}
    outputs = {"outputs": len(corpus.label_names)} if corpus.task == "classes" else {}
    return ModelSpec("mfn:MFN", {"features": features, **sizes, **blocks, **outputs})


def grid(p: Colearning, corpus: Corpus) -> list[Member]:
    """The unimodal variant draws its modality-dropout numbers too, at rate 0, as the authors' does (section 3)."""
    loss = "cross_entropy" if corpus.task == "classes" else "l1"
    recipe = Recipe(loss=loss, epochs=p.epochs, batch_size=p.batch_size, learning_rate=p.learning_rate)
    both = (*p.target, *p.support)
    variants = {rate(value): (value, both, p.dropout_draw) for value in p.rates}
    if p.mended_draw:
        variants[mended(p)] = (p.contrast, both, p.mended_draw)
    variants[unimodal(p)] = (0.0, p.target, p.dropout_draw)
    return [
        Member(
            variant=variant,
            seed=seed,
            model=model(p, corpus),
            recipe=recipe,
            train_on=train_on,
            evaluate_on=p.target,
            modality_dropout=ModalityDropoutSpec(dict.fromkeys(p.support, value), draw),
            chain=f"seed {seed}" if p.seeding == "sequential" else None,
            tags={"rate": value} if variant == rate(value) else {},
        )
        for seed in p.possible_seeds
        for variant, (value, train_on, draw) in variants.items()
    ]


def paper(corpus: str) -> pd.DataFrame:
    """The five published repeats on `iemocap` or `mosi` as a run table."""
    return published.runs(Path(__file__).with_name("published.csv"), corpus)


def comparable(p: Colearning, notebook: str) -> dict[str, object]:
    """Whether the run is on the paper's corpus, and how it then differs from the paper, which is `paper.yaml`."""
    if p.dataset != PUBLISHED_ON[notebook]:
        return {"same_corpus": False}
    protocol = load(WORKSPACE / "params" / notebook / "paper.yaml", results="-")
    return {"same_corpus": True, "deviations": p.differences(protocol, free=FREE)}


def describe(tasks: Sequence[Task]) -> pd.DataFrame:
    """Samples per split, and per class or range of the label; of a corpus that is tested in folds from the fewest in
    any fold to the most.
    """
    each = [_described(task.corpus) for task in tasks]
    if len(each) == 1:
        return each[0]
    spans = pd.concat(each).groupby("split", sort=False).agg(_span).reset_index()
    spans.insert(1, "folds", len(each))
    return spans


def _span(values: pd.Series) -> str:
    low, high = f"{values.min():g}", f"{values.max():g}"
    return low if low == high else f"{low} to {high}"


def _described(corpus: Corpus) -> pd.DataFrame:
    rows = []
    for name, split in corpus.splits.items():
        y, row = split.labels, {"split": name, "samples": len(split)}
        if corpus.task == "classes":
            row |= {label: int((y == i).sum()) for i, label in enumerate(corpus.label_names)}
        else:
            row |= {"lowest": float(y.min()), "mean": float(y.mean()), "highest": float(y.max())}
            if (neutral := corpus.scale.neutral) is not None:
                row[f"share of {neutral:g} or more"] = float((y >= neutral).mean())
        rows.append(row)
    return pd.DataFrame(rows)


def references(tasks: Sequence[Task]) -> pd.DataFrame:
    """The best constant of the training labels, scored on the test set; for a stand-in the best reachable scores.

    Each is the mean over the folds of a corpus that is tested in turns.
    """
    each = pd.concat([_references(task.corpus) for task in tasks])
    return each.groupby("reference", sort=False).mean().reset_index()


def _references(corpus: Corpus) -> pd.DataFrame:
    train, test = (corpus.splits[name].labels for name in ("train", "test"))
    if corpus.task == "classes":
        floor = {"acc": float(np.mean(test == np.bincount(train).argmax()))}
    else:
        floor = {"mae": float(np.abs(test - np.median(train)).mean())}
        if (neutral := corpus.scale.neutral) is not None:
            likelier = np.mean(train >= neutral) >= 0.5
            floor["acc2_nonneg"] = float(np.mean((test >= neutral) == likelier))
    rows = [{"reference": "constant: majority class or median of the training labels", **floor}]
    rows += [{"reference": f"best reachable from {subset}", **best} for subset, best in corpus.source.ceilings.items()]
    return pd.DataFrame(rows)


def conclusions(study: Study, table: pd.DataFrame, found: dict[tuple[str, str], pd.DataFrame]) -> list[str]:
    """What the tables say, in sentences made from their numbers; `found` holds gain tables by (metric, baseline)."""
    p, ceilings, base, sentences = study.p, study.tasks[0].corpus.source.ceilings, unimodal(study.p), []
    for metric in study.tasks[0].metrics:
        over = found[metric, base].set_index("variant")
        for variant in dict.fromkeys((rate(0.0), rate(p.contrast))):
            row = over.loc[variant]
            said = _KINDS.get(outcome(row)[0], "")
            sentences.append(f"{metric}, {variant} against {base}: {decision(row)}{said}{unseen(row)}.")
        if p.contrast > 0:
            row = found[metric, rate(0.0)].set_index("variant").loc[rate(p.contrast)]
            sentences.append(f"{metric}, {rate(p.contrast)} against rate 0: {decision(row)}{unseen(row)}.")
            sentences += _repaired(p, metric, over, row)
        if best := ceilings.get("+".join(p.target), {}).get(metric):
            mean = summary(table, metric).set_index("variant").loc[base, "score"]
            sentences.append(
                f"{metric}: {base} scores {number(mean)}; the best reachable in expectation is {best:.4f}."
            )
    if study.folds > 1:
        sentences.append(
            f"Intervals are over {study.repeats}. Trainings of different folds share most of their samples, so that "
            "these intervals are somewhat too narrow for another draw of the whole corpus."
        )
    return sentences


def _repaired(p: Colearning, metric: str, against_unimodal: pd.DataFrame, over_none: Mapping[str, float]) -> list[str]:
    """Whether dropping the supporting modalities repairs what training with them broke; nothing without intervals.

    Each of the three comparisons is decided by the interval that decides on its row.
    """
    rows = [against_unimodal.loc[rate(value)] for value in (0.0, p.contrast)] + [over_none]
    if any(np.isnan(deciding(row)[0]) for row in rows):
        return []
    (broke, remains, adds), support = (outcome(row)[0] for row in rows), " and ".join(p.support)
    if broke != "worse" and adds == "better":
        better = f"{metric}: dropping {support} at rate {p.contrast:g} is better than never dropping it"
        return [f"{better}, while never dropping it is {told(rows[0])} {unimodal(p)}."]
    if broke != "worse":
        return [f"{metric}: training with {support} breaks nothing that could be seen, so there is nothing to repair."]
    how = {"better": "repairs", "worse": "worsens"}.get(adds, "does not visibly repair")
    still = "still " if remains == "worse" else ""
    end = f"then it is {still}{told(rows[1])} {unimodal(p)}"
    return [f"{metric}: dropping {support} at rate {p.contrast:g} {how} what training with it broke; {end}."]
