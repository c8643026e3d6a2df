"""Which networks are trained on what, and how they are scored (spec emotion_embeddings)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from lib import data
from lib.data.arrays.label_columns import LEAVE_OUT, one_hot, refuse_absent, without_labels
from lib.data.corpus import Corpus
from lib.data.word_vectors import TEXT_ALONE, emotion_vectors, origin
from lib.data.word_vectors import stated_in as vectors_stated_in
from lib.metrics.presence import best_thresholds, decisions
from lib.metrics.scores import Answers, detected, emotion_scores, emotion_set_scores, predicted_classes
from lib.papers.emotion_embeddings import RECURRENT, Contrast, EmotionEmbeddings, Model
from lib.params import CorpusOptions
from lib.reporting import published, seed_plan
from lib.study import Classes, Runs, Study, Task, in_turns, once, variant_name
from lib.training.recipe import Member, ModelSpec, Recipe
from lib.training.records import Record
from lib.training.validation import IN_WORDS

EEA = "EEA"
KINDS: dict[Model, str] = {
    "eea": EEA,
    "ef_rnn": "EF-RNN",
    "lf_rnn": "LF-RNN",
    "ef_lf_rnn": "EF+LF-RNN",
    "text_selective": "text-selective RNN",
    "transformer": "EF transformer",
    "mult": "MulT",
}
_CLASSES: dict[Model, str] = {
    "eea": "eea:EEA",
    "ef_rnn": "recurrent_baselines:EarlyFusionRNN",
    "lf_rnn": "recurrent_baselines:LateFusionRNN",
    "ef_lf_rnn": "recurrent_baselines:EarlyLateFusionRNN",
    "text_selective": "recurrent_baselines:TextSelectiveRNN",
    "transformer": "early_fusion_transformer:EarlyFusionTransformer",
    "mult": "mult:MulT",
}
_TITLES = {"mosei": "MOSEI", "iemocap": "IEMOCAP", "meld": "MELD", "ravdess": "RAVDESS"}
_CHANGES: dict[Contrast, tuple[str, dict[str, str]]] = {
    "attention_over_time": ("over time", {"attention_axis": "time"}),
    "final_states": ("final states", {"pooling": "final_states"}),
    "every_step_positions": ("positions at every step", {"positions": "every_step"}),
}
_OTHER_LOSS = {"bce": ("cross-entropy", "soft_cross_entropy"), "soft_cross_entropy": ("bce", "bce")}
METRICS = ("acc", "weighted_acc", "weighted_f1", "f1_positive", "auc")
"""Per emotion, and as the plain mean over the emotions."""
SETS = ("strict", "subset", "intersect_in_order", "intersect")
EXCLUSIVE = "acc_exclusive"
"""Share of samples whose highest logit is their emotion, where each has exactly one."""


@dataclass(frozen=True)
class Emotions:
    """A corpus with the word vectors of its emotions `(emotions, width)`. `name` is empty where the run has one.

    `seeds` are those that it may be trained with, where the corpus is split anew for each; without any, all of the run.
    """

    name: str
    dataset: str
    corpus: Corpus
    vectors: np.ndarray
    seeds: tuple[int, ...] = ()

    def variant(self, kind: str) -> str:
        """Name of a variant in the run table."""
        return variant_name(self.name, kind)


@dataclass(frozen=True)
class Variant:
    """One row of the tables: a model, the modalities it reads, its loss, and its options other than the defaults."""

    kind: str
    model: Model
    modalities: tuple[str, ...]
    loss: str
    changes: Mapping[str, str] = field(default_factory=dict)

    @property
    def depends_on_batch(self) -> bool:
        """Whether a prediction depends on the other samples of its batch (spec emotion_embeddings, 3.5)."""
        return self.model == "transformer" and self.changes.get("attention_axis") != "time"


def study(p: EmotionEmbeddings, read: Sequence[Emotions] | None = None) -> Study:
    """One task per corpus, and per fold of one that is tested in turns.

    Raises InputError as `load` does, which is asked unless the corpora are already `read`.
    """
    read = load(p) if read is None else read
    return Study(
        p,
        tuple(task(p, each) for each in read),
        lambda task: grid(p, of_task(read, task)),
        about=about,
        cost=lambda member: float(member.tags["parameters"]),  # every weight acts on every step
        pairs=lambda task: pairs(p, task),
        plan=seed_plan.wanted if p.most_seeds else None,
    )


def pairs(p: EmotionEmbeddings, task: Task) -> list[tuple[str, str]]:
    """What the paper claims something of: EEA against each recurrent baseline."""
    return [(task.variant(EEA), task.variant(KINDS[model])) for model in p.models if model in RECURRENT]


def load(p: EmotionEmbeddings) -> list[Emotions]:
    """The corpora in their order, one that is tested in turns as many times as the seeds have folds.

    Raises InputError for unusable data and for an emotion without a word vector.
    """
    found = []
    for dataset in p.datasets:

        def ask(options: CorpusOptions, dataset: str = dataset) -> Emotions:
            corpus, options = load_emotions(p, dataset, options)
            if p.loss == "bce" or "other_loss" in p.contrasts:
                refuse_absent(corpus.splits["train"].labels, corpus.label_names, corpus.source.name, LEAVE_OUT)
            vectors = emotion_vectors(dataset, corpus.label_names, p.data_root or None, **options)
            name = _TITLES[_family(dataset)] if len(p.datasets) > 1 else ""
            return Emotions(name, dataset, corpus, vectors)

        asked = in_turns(dataset, p.corpus_options, p.possible_seeds, ask)
        for one in once(asked.values()):
            found.append(replace(one, seeds=tuple(seed for seed in p.possible_seeds if asked[seed] is one)))
    return found


def of_task(read: Sequence[Emotions], task: Task) -> Emotions:
    """What a task of the study asks about."""
    return next(emotions for emotions in read if emotions.corpus is task.corpus)


def load_emotions(
    p: EmotionEmbeddings, dataset: str, chosen: CorpusOptions | None = None
) -> tuple[Corpus, dict[str, object]]:
    """The corpus without the emotions that are left out, and the options with which its word vectors are read.

    `chosen` are those that the run names. Exclusive classes become one yes-or-no question per emotion.
    """
    options: dict[str, object] = dict(chosen or {})
    if dataset.endswith("_like"):
        options |= {"samples": p.samples}
    elif dataset in TEXT_ALONE:
        options |= origin(p.emotion_vectors) or {"width": p.hidden.text}
    corpus = one_hot(data.load(dataset, p.data_root or None, nonfinite=p.nonfinite, **options))
    source = vectors_stated_in(corpus.source, dataset, data.data_root(p.data_root or None), p.emotion_vectors)
    corpus = replace(corpus, source=source)
    return without_labels(corpus, p.left_out), options | {"file": p.emotion_vectors, "capitalised": p.capitalised}


def _family(dataset: str) -> str:
    return dataset.split("_")[0]


def task(p: EmotionEmbeddings, emotions: Emotions) -> Task:
    """`<metric>_<emotion>`, their means, and what is scored of whole samples: emotion sets, or the one emotion.

    Compared are what the reference calls accuracy on this corpus, and two metrics that it lacks. Where every sample has
    one emotion, the highest logit is the answer of a confusion matrix; elsewhere there is none.
    """
    corpus, names = emotions.corpus, emotions.corpus.label_names
    truths = {name: split.labels for name, split in corpus.splits.items()}
    exclusive = all((labels.sum(axis=1) == 1).all() for labels in truths.values())

    def score(split: str, logits: np.ndarray) -> dict[str, float]:
        found = _named(corpus, logits, truths[split], p.threshold)
        if exclusive:
            whole = {EXCLUSIVE: float(np.mean(logits.argmax(axis=1) == truths[split].argmax(axis=1)))}
        else:
            whole = emotion_set_scores(decisions(logits, p.threshold), truths[split] == 1)
        return found | (whole if np.isfinite(logits).all() else dict.fromkeys(whole, np.nan))

    classes = Classes(names, lambda labels: labels.argmax(axis=1), predicted_classes) if exclusive else None
    metrics = (p.selection(emotions.dataset), "f1_positive", "auc")

    def answers(out: Mapping[str, np.ndarray]) -> Answers:
        return detected(out["test"], truths["test"], p.threshold)

    return Task(corpus, score, metrics, classes, emotions.name, answers=answers)


def about(record: Record) -> dict[str, object]:
    """Further columns of the run table, and what chose the hyper-parameters."""
    selected_on = f"epoch: {record.selected_on['epoch']}; hyper-parameters: fixed in the YAML"
    tags = {name: record.tags[name] for name in ("task", "kind", "parameters")}
    return {"selected_on": selected_on, **tags, "epochs": len(record.history.get("train_loss", ()))}


def variants(p: EmotionEmbeddings, corpus: Corpus) -> list[Variant]:
    """The models, EEA on every smaller set of its modalities, and the contrasts, of EEA's also on the baselines."""
    found = [Variant(KINDS[model], model, _read_by(p, corpus, model), p.loss) for model in p.models]
    found += [Variant(subset_kind(subset), "eea", subset, p.loss) for subset in smaller_sets(p)]
    for name, model in contrasted(p):
        _, loss = _OTHER_LOSS[p.loss] if name == "other_loss" else ("", p.loss)
        changes = _CHANGES[name][1] if name in _CHANGES else {}
        found.append(Variant(contrast_kind(p, name, model), model, _read_by(p, corpus, model), loss, changes))
    return found


def contrasted(p: EmotionEmbeddings) -> list[tuple[Contrast, Model]]:
    """Each contrast and the model that it is trained on; the baselines come last."""
    own = list(zip(p.contrasts, p.contrasted, strict=True))
    of_eea = [name for name, model in own if model == "eea" and p.contrast_baselines]
    return own + [(name, model) for name in of_eea for model in p.models if model in RECURRENT]


def _read_by(p: EmotionEmbeddings, corpus: Corpus, model: Model) -> tuple[str, ...]:
    """The baselines always take everything, as in the reference."""
    return p.modalities if model == "eea" else tuple(corpus.modalities)


def smaller_sets(p: EmotionEmbeddings) -> list[tuple[str, ...]]:
    """What the ablation leaves of EEA's modalities, large sets first."""
    sizes = range(len(p.modalities) - 1, 0, -1) if p.ablation else ()
    return [subset for size in sizes for subset in combinations(p.modalities, size)]


def subset_kind(modalities: Sequence[str]) -> str:
    """Kind of EEA on fewer modalities."""
    return f"{EEA}, {'+'.join(modalities)}"


def contrast_kind(p: EmotionEmbeddings, name: Contrast, model: Model) -> str:
    """Kind of a changed model."""
    words, _ = _OTHER_LOSS[p.loss] if name == "other_loss" else _CHANGES[name]
    return f"{KINDS[model]}, {words}"


def model_spec(p: EmotionEmbeddings, emotions: Emotions, variant: Variant) -> ModelSpec:
    """The architecture. The text-selective RNN, whose networks share an attention, has the text's hidden size."""
    sizes = {m: int(width) for m, width in emotions.corpus.modalities.items()}
    classes = len(emotions.corpus.label_names)
    hidden = {m: size for m, size in p.hidden.model_dump().items() if m in sizes}
    vectors = emotions.vectors.tolist()
    own: dict[Model, dict[str, object]] = {
        "eea": {"hidden": hidden, "emotion_vectors": vectors, "modalities": list(variant.modalities)},
        "ef_rnn": {"hidden": p.early_hidden, "classes": classes},
        "lf_rnn": {"hidden": hidden, "classes": classes},
        "ef_lf_rnn": {"hidden": hidden, "early_hidden": p.early_hidden, "classes": classes},
        "text_selective": {"hidden": p.hidden.text, "classes": classes},
        "transformer": {"classes": classes, **p.transformer.model_dump()},
        "mult": {"classes": classes, **p.mult.model_dump()},
    }
    arguments = {"sizes": sizes, **own[variant.model], **variant.changes}
    if variant.model not in ("transformer", "mult"):
        arguments |= {"cell": p.cell, "layers": p.layers, "dropout": p.dropout, "bidirectional": p.bidirectional}
    return ModelSpec(_CLASSES[variant.model], arguments)


def recipe(p: EmotionEmbeddings, emotions: Emotions, variant: Variant) -> Recipe:
    """Spec emotion_embeddings, section 7. Only a model whose predictions depend on their batch is evaluated in the
    reference's batches."""
    return Recipe(
        loss=variant.loss,
        epochs=p.epochs,
        batch_size=p.batch_size,
        learning_rate=p.learning_rate,
        algorithm=p.optimiser,
        weight_decay=p.weight_decay,
        plateau_patience=p.plateau_patience,
        plateau_factor=p.plateau_factor,
        clip_norm=p.clip_norm,
        patience=p.patience,
        ties="earlier",
        select_by=p.selection(emotions.dataset),
        reshuffle=True,
        drop_last=False,
        evaluation_batch=p.batch_size if variant.depends_on_batch else None,
    )


def members(p: EmotionEmbeddings, emotions: Emotions, variant: Variant) -> list[Member]:
    """One network per seed. Their tags carry what the tables need beside the scores."""
    model, settings = model_spec(p, emotions, variant), recipe(p, emotions, variant)
    size = sum(weights.numel() for weights in model.build().parameters())
    return [
        Member(
            variant=emotions.variant(variant.kind),
            seed=seed,
            model=model,
            recipe=settings,
            train_on=variant.modalities,
            evaluate_on=variant.modalities,
            tags={"task": emotions.name, "kind": variant.kind, "parameters": size},
        )
        for seed in emotions.seeds or p.possible_seeds
    ]


def grid(p: EmotionEmbeddings, emotions: Emotions) -> list[Member]:
    """Every variant with every seed of the corpus."""
    return [member for variant in variants(p, emotions.corpus) for member in members(p, emotions, variant)]


def folds(study: Study) -> list[str]:
    """What is said of a corpus that is tested in turns."""
    rules: dict[str, set[str]] = {}
    for task in study.tasks:
        rules.setdefault(task.corpus.source.name, set()).add(task.corpus.source.split_rule)
    return [
        f"**Folds.** {name} is tested in turns, each seed another one of {len(found)} folds; what differs between the "
        "seeds is also who is tested. Tables of the data alone are of the first seed's fold."
        for name, found in rules.items()
        if len(found) > 1
    ]


def describe(corpus: Corpus) -> pd.DataFrame:
    """Samples per split, how many emotions a sample has, and the share that shows each."""
    rows = []
    for name, split in corpus.splits.items():
        count = split.labels.sum(axis=1)
        shares = dict(zip(corpus.label_names, split.labels.mean(axis=0), strict=True))
        many = {"without_emotion": float((count == 0).mean()), "with_several": float((count > 1).mean())}
        rows.append({"split": name, "samples": len(split)} | many | {k: float(v) for k, v in shares.items()})
    return pd.DataFrame(rows)


def floor(corpus: Corpus) -> pd.DataFrame:
    """Test scores, averaged over the emotions, of predictions that read nothing; the first never finds an emotion."""
    train, test = (corpus.splits[name].labels for name in ("train", "test"))
    predictions = {
        "no emotion, ever": np.zeros(train.shape[1]),
        "each emotion's majority in training": train.mean(axis=0) > 0.5,
        "every emotion, always": np.ones(train.shape[1]),
    }
    rows = []
    for words, present in predictions.items():
        found = emotion_scores(np.broadcast_to(np.where(present, 1.0, -1.0), test.shape), test)
        rows.append({"prediction": words} | {metric: float(np.mean(found[metric])) for metric in METRICS})
    return pd.DataFrame(rows)


def ceilings(corpus: Corpus) -> pd.DataFrame:
    """Best reachable scores of a stand-in; empty for real data, whose ceilings nobody knows."""
    return pd.DataFrame([{"from": subset, **best} for subset, best in corpus.source.ceilings.items()])


def paper(emotions: Emotions) -> pd.DataFrame:
    """The published numbers on this corpus under our names; empty if there are none.

    A later paper of the same group (end-to-end sparse model, NAACL 2021) trained EEA, an LF-LSTM and MulT again, on
    splits of its own; the tables of EEA's paper were not available.
    """
    found = published.runs(Path(__file__).with_name("published.csv"), _family(emotions.dataset))
    return found.assign(variant=[emotions.variant(kind) for kind in found["variant"]])


def same_utterances(p: EmotionEmbeddings, emotions: Emotions) -> pd.DataFrame:
    """All of the later paper's rows on CMU-MOSEI, also of models that are another notebook's; LF-LSTM is our LF-RNN.

    Empty on other utterances and splits than its own.
    """
    if "fewer" not in comparable(p, emotions):
        return pd.DataFrame()
    others = published.runs(Path(__file__).parents[1] / "end_to_end" / "published.csv", "mosei")
    return pd.concat([paper(emotions), others[others["variant"] != "LF-LSTM"]], ignore_index=True)


def comparable(p: EmotionEmbeddings, emotions: Emotions) -> dict[str, object]:
    """How our numbers stand beside the published ones: only CMU-MOSEI's text has their utterances and their split."""
    if emotions.dataset != "mosei_text":
        return {"same_corpus": False}
    if p.corpus_options.get("split", "end_to_end") != "end_to_end":
        return {"same_corpus": True, "deviations": ("other folds of the same utterances", published.TEXT_ONLY)}
    return {"same_corpus": True, "fewer": published.TEXT_ONLY, "deviations": ("sizes and word vectors of our own",)}


def as_published(runs: Runs) -> Runs:
    """The runs with the decisions of the published scores: present above the emotion's threshold with the best
    validation F1 (spec end_to_end, quirk Q11)."""
    mended = {id(task): _at_best_thresholds(task) for task in runs.study.tasks}
    study = replace(runs.study, tasks=tuple(mended.values()))
    return replace(runs, study=study, done=[(mended[id(task)], *run) for task, *run in runs.done])


def _at_best_thresholds(task: Task) -> Task:
    truths = {name: split.labels for name, split in task.corpus.splits.items()}

    def scores(outputs: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
        thresholds = best_thresholds(outputs["valid"], truths["valid"])
        return {split: _named(task.corpus, out, truths[split], thresholds) for split, out in outputs.items()}

    def answers(outputs: Mapping[str, np.ndarray]) -> Answers:
        return detected(outputs["test"], truths["test"], best_thresholds(outputs["valid"], truths["valid"]))

    return replace(task, score=None, run_scores=scores, answers=answers)


def _named(corpus: Corpus, logits: np.ndarray, truths: np.ndarray, threshold: float | np.ndarray) -> dict[str, float]:
    """Every metric as the mean over the emotions, and as `<metric>_<emotion>`."""
    found: dict[str, float] = {}
    for metric, values in emotion_scores(logits, truths, threshold).items():
        found[metric] = float(np.mean(values))
        found |= {f"{metric}_{name}": float(value) for name, value in zip(corpus.label_names, values, strict=True)}
    return found


def selected_on(p: EmotionEmbeddings) -> dict[str, str]:
    """What chose the numbers of the run."""
    epochs = {f"epoch, {dataset}": IN_WORDS[p.selection(dataset)] for dataset in p.datasets}
    return epochs | {"hyper-parameters": "none (fixed in the YAML)"}
