"""Emotion embeddings against their baselines: which networks are trained, and on what (spec emotion_embeddings)."""

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from lib import data
from lib.data.arrays.label_columns import LEAVE_OUT, refuse_absent, without_labels
from lib.data.corpus import Corpus
from lib.data.word_vectors import emotion_vectors
from lib.params.emotion_embeddings import CONTRASTED, Contrast, EmotionEmbeddings, Model
from lib.training.progress import GridProgress
from lib.training.recipe import Member, ModelSpec, Recipe
from lib.training.records import Record
from lib.training.sweep import sweep

WORKSPACE = Path(__file__).resolve().parents[2]
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
    "eea": "emotion_embeddings:EmotionEmbeddings",
    "ef_rnn": "recurrent_baselines:EarlyFusionRNN",
    "lf_rnn": "recurrent_baselines:LateFusionRNN",
    "ef_lf_rnn": "recurrent_baselines:EarlyLateFusionRNN",
    "text_selective": "recurrent_baselines:TextSelectiveRNN",
    "transformer": "early_fusion_transformer:EarlyFusionTransformer",
    "mult": "mult:MulT",
}
_TITLES = {"mosei": "MOSEI", "iemocap": "IEMOCAP", "meld": "MELD"}
_CHANGES: dict[Contrast, tuple[str, dict[str, str]]] = {
    "attention_over_time": ("over time", {"attention_axis": "time"}),
    "final_states": ("final states", {"pooling": "final_states"}),
    "every_step_positions": ("positions at every step", {"positions": "every_step"}),
}
_OTHER_LOSS = {"bce": ("cross-entropy", "soft_cross_entropy"), "soft_cross_entropy": ("bce", "bce")}


@dataclasses.dataclass(frozen=True)
class Task:
    """A corpus with the word vectors of its emotions `(emotions, width)`. `name` is empty where the run has one."""

    name: str
    dataset: str
    corpus: Corpus
    vectors: np.ndarray

    def variant(self, kind: str) -> str:
        """Name of a variant in the run table."""
        return f"{self.name}: {kind}" if self.name else kind

    @property
    def exclusive(self) -> bool:
        """Whether every sample has exactly one emotion."""
        return all((split.labels.sum(axis=1) == 1).all() for split in self.corpus.splits.values())


@dataclasses.dataclass(frozen=True)
class Variant:
    """One row of the tables: a model, the modalities it reads, its loss, and its options other than the defaults."""

    kind: str
    model: Model
    modalities: tuple[str, ...]
    loss: str
    changes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def depends_on_batch(self) -> bool:
        """Whether a prediction depends on the other samples of its batch (spec 3.5)."""
        return self.model == "transformer" and self.changes.get("attention_axis") != "time"


def result_folder(p: EmotionEmbeddings) -> Path:
    """The run's result folder, relative to the workspace unless absolute, whatever the working directory."""
    return WORKSPACE / p.results


def load_tasks(p: EmotionEmbeddings) -> list[Task]:
    """One task per corpus. Raises InputError for unusable data and for an emotion without a word vector."""
    return [_load(p, dataset) for dataset in p.datasets]


def load_emotions(p: EmotionEmbeddings, dataset: str) -> tuple[Corpus, dict[str, object]]:
    """The corpus without the emotions that are left out, and the options with which its word vectors are read."""
    options: dict[str, object] = {}
    if dataset.endswith("_like"):
        options = {"samples": p.samples}
    elif dataset == "meld_text":
        options = {"file": p.emotion_vectors} if p.emotion_vectors else {"width": p.hidden.text}
    corpus = data.load(dataset, data.data_root(p.data_root or None), nonfinite=p.nonfinite, **options)
    return without_labels(corpus, p.left_out), options | {"file": p.emotion_vectors, "capitalised": p.capitalised}


def _load(p: EmotionEmbeddings, dataset: str) -> Task:
    root = data.data_root(p.data_root or None)
    name = _TITLES[dataset.split("_")[0]] if len(p.datasets) > 1 else ""
    corpus, options = load_emotions(p, dataset)
    if p.loss == "bce" or "other_loss" in p.contrasts:
        refuse_absent(corpus.splits["train"].labels, corpus.label_names, corpus.source.name, LEAVE_OUT)
    return Task(name, dataset, corpus, emotion_vectors(dataset, corpus.label_names, root, **options))


def variants(p: EmotionEmbeddings, corpus: Corpus) -> list[Variant]:
    """The models, EEA on every smaller set of its modalities, and the contrasts."""
    found = [Variant(KINDS[model], model, _read_by(p, corpus, model), p.loss) for model in p.models]
    found += [Variant(subset_kind(subset), "eea", subset, p.loss) for subset in smaller_sets(p)]
    for name in p.contrasts:
        model = CONTRASTED[name]
        _, loss = _OTHER_LOSS[p.loss] if name == "other_loss" else ("", p.loss)
        changes = _CHANGES[name][1] if name in _CHANGES else {}
        found.append(Variant(contrast_kind(p, name), model, _read_by(p, corpus, model), loss, changes))
    return found


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


def contrast_kind(p: EmotionEmbeddings, name: Contrast) -> str:
    """Kind of a changed model."""
    words, _ = _OTHER_LOSS[p.loss] if name == "other_loss" else _CHANGES[name]
    return f"{KINDS[CONTRASTED[name]]}, {words}"


def model_spec(p: EmotionEmbeddings, task: Task, variant: Variant) -> ModelSpec:
    """The architecture. The text-selective RNN, whose networks share an attention, has the text's hidden size."""
    sizes = {m: int(width) for m, width in task.corpus.modalities.items()}
    emotions = len(task.corpus.label_names)
    hidden = {m: size for m, size in p.hidden.model_dump().items() if m in sizes}
    own: dict[Model, dict[str, object]] = {
        "eea": {"hidden": hidden, "emotion_vectors": task.vectors.tolist(), "modalities": list(variant.modalities)},
        "ef_rnn": {"hidden": p.early_hidden, "classes": emotions},
        "lf_rnn": {"hidden": hidden, "classes": emotions},
        "ef_lf_rnn": {"hidden": hidden, "early_hidden": p.early_hidden, "classes": emotions},
        "text_selective": {"hidden": p.hidden.text, "classes": emotions},
        "transformer": {"classes": emotions, **p.transformer.model_dump()},
        "mult": {"classes": emotions, **p.mult.model_dump()},
    }
    arguments = {"sizes": sizes, **own[variant.model], **variant.changes}
    if variant.model not in ("transformer", "mult"):
        arguments |= {"cell": p.cell, "layers": p.layers, "dropout": p.dropout, "bidirectional": p.bidirectional}
    return ModelSpec(_CLASSES[variant.model], arguments)


def recipe(p: EmotionEmbeddings, task: Task, variant: Variant) -> Recipe:
    """Spec section 7. Only a model whose predictions depend on their batch is evaluated in the reference's batches."""
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
        select_by=p.selection(task.dataset),
        reshuffle=True,
        drop_last=False,
        evaluation_batch=p.batch_size if variant.depends_on_batch else None,
    )


def members(p: EmotionEmbeddings, task: Task, variant: Variant) -> list[Member]:
    """One network per seed. Their tags carry what the tables need beside the scores."""
    model, settings = model_spec(p, task, variant), recipe(p, task, variant)
    size = sum(weights.numel() for weights in model.build().parameters())
    return [
        Member(
            variant=task.variant(variant.kind),
            seed=seed,
            model=model,
            recipe=settings,
            train_on=variant.modalities,
            evaluate_on=variant.modalities,
            tags={"task": task.name, "kind": variant.kind, "parameters": size},
        )
        for seed in p.seeds
    ]


def grid(p: EmotionEmbeddings, task: Task) -> list[Member]:
    """Every variant with every seed."""
    return [member for variant in variants(p, task.corpus) for member in members(p, task, variant)]


def cost(member: Member) -> float:
    """Relative time of an epoch: the weights, each of which acts on every step; used to order work, no more.

    A GRU or LSTM of an unread modality is counted too.
    """
    return float(member.tags["parameters"])


def train_all(p: EmotionEmbeddings, tasks: Sequence[Task]) -> list[Record]:
    """Train what is missing, dearest first, so that no core waits for a long run at the end.

    The records lie in the result folder under `members/`, resumable.
    """
    found: list[Record] = []
    grids = [grid(p, task) for task in tasks]
    report, total = GridProgress(result_folder(p)), sum(map(len, grids))
    for task, members in zip(tasks, grids, strict=True):
        before = len(found)
        records = sweep(
            sorted(members, key=cost, reverse=True),
            task.corpus,
            result_folder(p) / "members",
            cores=p.cores,
            progress=lambda done, _, before=before: report(before + done, total),
        )
        by_run = {(record.variant, record.seed): record for record in records}
        found += [by_run[m.variant, m.seed] for m in members]
    return found
