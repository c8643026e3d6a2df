"""What is trained on raw recordings and on hand-crafted features, and how it is scored (spec end_to_end)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lib import data
from lib.data import corpora as known
from lib.data import data_root
from lib.data.arrays.label_columns import refuse_absent
from lib.data.mosei import mosei_branches
from lib.data.mosei.mosei_branches import TRAINED, Form
from lib.data.pretrained import PARTS
from lib.data.recordings import albert_folder
from lib.data.recordings.raw_batches import HashTokenizer, Tokenizer
from lib.data.recordings.raw_decoding import Options
from lib.data.recordings.streamed_corpus import RawReader, StreamedCorpus, open_handcrafted, open_raw
from lib.data.stand_ins.synthetic_recordings import prepared
from lib.errors import InputError
from lib.files import sha256_file
from lib.metrics.presence import best_thresholds
from lib.metrics.scores import EMOTIONS, EXCLUSIVE, Answers, detected, emotion_scores
from lib.papers.end_to_end import HANDCRAFTED, MODALITIES, TEXT, Change, EndToEnd, RandomAlbert, Training
from lib.params import CorpusOptions, Modality
from lib.study import Done, Runs, Study, Task, in_turns, once
from lib.training.recipe import Member, ModelSpec, Recipe
from lib.training.records import Record, load_weights

METRICS = ("acc", "weighted_acc", "f1_positive", "auc")
"""Plain and weighted accuracy, F1 of presence, area under the ROC curve; alone, the mean over the emotions."""
CLASS_METRICS = tuple(row.name for row in EXCLUSIVE)
"""Of a corpus in which each utterance has one emotion."""
SELECTED = "epoch: {}; thresholds of all splits: validation (quirk Q11); hyper-parameters: fixed in the YAML"
TITLES = {
    "mme2e": "FE2E",
    "mme2e_sparse": "MESM",
    "lf_rnn": "LF-LSTM",
    "lf_transformer": "LF-TRANS",
    "minilm": "MiniLM frozen",
    "minilm_first": "MiniLM frozen, first token",
    "minilm_tuned": "MiniLM, last layer tuned, first token",
}
"""The paper's names by those of its code; MiniLM is ours."""
_MODELS = {
    "mme2e": "mme2e:MME2E",
    "mme2e_sparse": "mme2e_sparse:MME2ESparse",
    "lf_rnn": "handcrafted_baselines:LFRNN",
    "lf_transformer": "handcrafted_baselines:LFTransformer",
    "minilm": "minilm_top:MiniLMTop",
    "minilm_first": "minilm_top:MiniLMTop",
    "minilm_tuned": "minilm_top:MiniLMTop",
}
BASELINES = ("lf_rnn", "lf_transformer")
_MINILM = {
    "minilm": {"layers": 0},
    "minilm_first": {"layers": TRAINED, "tuned": False},
    "minilm_tuned": {"layers": TRAINED},
}
_FORMS: Mapping[str, Form] = {
    "lf_rnn": "words",
    "lf_transformer": "words",
    "minilm": "sentences",
    "minilm_first": "states",
    "minilm_tuned": "states",
}
"""What of a text each branch reads."""
_OPTIONS: Mapping[Change, Mapping[str, str]] = {
    "corrected": {"site_order": "corrected"},
    "learned": {"site_order": "corrected", "attention": "learned"},
}


@dataclass(frozen=True)
class Corpora:
    """The same utterances raw and as hand-crafted features; what is not needed is None.

    `shown` holds, for a stand-in, which emotion each modality of each utterance shows. `turns` are the raw corpora by
    seed where each tests another fold, `features` the hand-crafted ones; `raw` and `handcrafted` are then those of the
    first seed. `texts` hold, where there is text alone, what each model reads of it.
    """

    raw: StreamedCorpus | None
    handcrafted: StreamedCorpus | None
    shown: Mapping[str, Mapping[str, int]]
    turns: Mapping[int, StreamedCorpus] = field(default_factory=dict)
    features: Mapping[int, StreamedCorpus] = field(default_factory=dict)
    texts: Mapping[str, StreamedCorpus] = field(default_factory=dict)

    @property
    def any(self) -> StreamedCorpus:
        return self.raw or self.handcrafted or next(iter(self.texts.values()))

    @property
    def tested(self) -> list[StreamedCorpus]:
        """Each way in which the utterances are split."""
        return once((self.turns or self.features).values()) or [self.any]

    @property
    def featured(self) -> list[StreamedCorpus]:
        """The hand-crafted features of each of those, where there are any."""
        return once(self.features.values()) or [self.handcrafted] * (self.handcrafted is not None)

    @property
    def every(self) -> list[StreamedCorpus]:
        """All that is trained on."""
        return once([*(self.tested if self.raw else ()), *self.featured, *self.texts.values()])

    def of(self, model: str, seed: int) -> StreamedCorpus:
        if self.texts:
            return self.texts[model]
        if model in BASELINES:
            return self.features.get(seed, self.handcrafted)
        return self.turns.get(seed, self.raw)

    def test_labels(self) -> np.ndarray:
        """`(N, E)`, of all folds that are tested."""
        return np.concatenate([corpus.labels("test") for corpus in self.tested])

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those of the runs."""
        return metrics(self.any)


def exclusive(corpus: StreamedCorpus) -> bool:
    """Whether each utterance has one emotion."""
    return all((corpus.labels(split).sum(axis=1) == 1).all() for split in corpus.splits)


def metrics(corpus: StreamedCorpus) -> tuple[str, ...]:
    """Means over the emotions; where each utterance has one emotion, also how often it is the likeliest."""
    return (*METRICS, *CLASS_METRICS) if exclusive(corpus) else METRICS


def study(p: EndToEnd, corpora: Corpora | None = None) -> Study:
    """What is trained on the raw corpus, then what on the hand-crafted features, where there is any.

    Raises InputError as `load_corpora`, which opens the corpora unless they are given.
    """
    corpora = corpora or load_corpora(p)
    tasks = tuple(task(corpus) for corpus in corpora.every)

    def members(task: Task) -> list[Member]:
        every = [m for seed in p.seeds for m in grid(p, corpora, seed)]
        return dearest_first(m for m in every if corpora.of(m.tags["model"], m.seed) is task.corpus)

    return Study(p, tasks, members, about=about)


def task(corpus: StreamedCorpus) -> Task:
    """Every metric as mean over the emotions and for each; the thresholds of a run are best for validation F1 (Q11)."""
    labels = {split: corpus.labels(split) for split in corpus.splits}
    rows = (*EMOTIONS, *EXCLUSIVE) if exclusive(corpus) else EMOTIONS

    def scores(outputs: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
        thresholds = best_thresholds(outputs["valid"], labels["valid"])
        found = {split: emotion_scores(out, labels[split], thresholds, rows) for split, out in outputs.items()}
        return {split: named(each, corpus.label_names) for split, each in found.items()}

    def answers(outputs: Mapping[str, np.ndarray]) -> Answers:
        return detected(outputs["test"], labels["test"], best_thresholds(outputs["valid"], labels["valid"]))

    return Task(corpus, None, metrics(corpus), run_scores=scores, answers=answers)


def named(found: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, float]:
    """The mean over the emotions under the metric's name, then each emotion's."""
    means = {metric: float(np.mean(found[metric])) for metric in (*METRICS, *CLASS_METRICS) if metric in found}
    each = {f"{m}_{name}": float(v) for m in METRICS for name, v in zip(names, found[m], strict=True)}
    return means | each


def about(record: Record) -> dict[str, object]:
    """Further columns of the run table, and what chose the thresholds."""
    tags = {name: record.tags[name] for name in ("model", "threshold", "change")}
    epochs = len(record.history.get("train_loss", ()))
    return {"selected_on": SELECTED.format(record.selected_on["epoch"]), **tags, "epochs": epochs}


def load_corpora(p: EndToEnd) -> Corpora:
    """Open what the models need; a stand-in is written and decoded first, unless an earlier run or a chunk has done so.

    Raises InputError for data that are not there, or that were decoded in another way than the parameters say.
    """
    if p.dataset == TEXT:
        return _read_texts(p)
    if not p.prepared:
        return _read_corpora(p)
    chosen = set(p.models.chosen())
    reader, root, shown = RawReader(p.kind), data_root(p.data_root or None), {}
    if p.samples:
        root, shown = prepared(
            reader,
            p.samples.model_dump(exclude={"frames"}),
            frames=p.samples.frames,
            options=options(p),
            features=bool(chosen & set(BASELINES)),
            workers=p.cores,
        )
    raw = open_raw(reader.folder(root), tokenizer(p)) if chosen - set(BASELINES) else None
    if raw and raw.options != asdict(options(p)):
        raise InputError(
            f"decoded with {raw.options}, expected {asdict(options(p))}",
            where=reader.folder(root),
            todo="correct the parameters, or run ./run_all.sh data preprocess again",
        )
    features = None
    if chosen & set(BASELINES):
        features = open_handcrafted(reader.folder(root), reader.features(root), p.audio_type, p.nonfinite)
    for corpus in (raw, features):
        if corpus:
            todo = "raise `samples`" if p.samples else "the list of the training split must name some that do"
            refuse_absent(corpus.labels("train"), corpus.label_names, corpus.source.name, todo)
    return Corpora(raw, features, shown)


def _read_corpora(p: EndToEnd) -> Corpora:
    """What is decoded when it is read, and may be split anew for some seeds."""

    turns, features = {}, {}
    if set(p.models.chosen()) - set(BASELINES):

        def recordings(options: CorpusOptions) -> StreamedCorpus:
            return data.load(p.dataset, p.data_root or None, **options).tokenized(tokenizer(p))

        turns = in_turns(p.dataset, p.corpus_options, p.seeds, recordings)
    if set(p.models.chosen()) & set(BASELINES):
        name = HANDCRAFTED[p.dataset]
        read = known.get(name).options

        def handcrafted(options: CorpusOptions) -> StreamedCorpus:
            return data.load(name, p.data_root or None, nonfinite=p.nonfinite, **options)

        shared = {option: value for option, value in p.corpus_options.items() if option in read}
        features = in_turns(name, shared, p.seeds, handcrafted)
    first = p.seeds[0]
    return Corpora(turns.get(first), features.get(first), {}, turns, features)


def _read_texts(p: EndToEnd) -> Corpora:
    forms = {model: _FORMS[model] for model in p.models.chosen()}
    found = mosei_branches.read(data_root(p.data_root or None), forms.values(), longest=p.text_max_len)
    return Corpora(None, None, {}, texts={model: found[form] for model, form in forms.items()})


def options(p: EndToEnd) -> Options:
    """How images are chosen and cut."""
    return Options(p.interval_ms, p.frame_count, p.crop_columns, p.detector)


def tokenizer(p: EndToEnd) -> Tokenizer:
    if isinstance(p.text_encoder, RandomAlbert):
        return HashTokenizer(p.text_encoder.vocabulary, p.text_max_len)
    return albert_folder.tokenizer(_albert_path(p), p.text_max_len)


def _albert_path(p: EndToEnd) -> Path:
    return data_root(p.data_root or None) / p.text_encoder.folder


def albert_arguments(p: EndToEnd) -> dict[str, int | float | str]:
    """Arguments of `lib.models.albert.Albert`."""
    given = p.text_encoder
    if not isinstance(given, RandomAlbert):
        return albert_folder.arguments(_albert_path(p))
    return {
        "hidden_size": given.hidden_size,
        "num_hidden_layers": given.layers,
        "num_attention_heads": given.heads,
        "intermediate_size": given.intermediate_size,
        "vocab_size": given.vocabulary,
        "embedding_size": given.embedding_size,
        "max_position_embeddings": p.text_max_len,
        "initializer_range": given.initial_spread,
    }


def variant(model: str, threshold: float | None = None, change: str = "") -> str:
    """Name of a variant in the run table: `MESM 0.7, corrected`, `FE2E, text alone`."""
    return f"{TITLES[model]}{'' if threshold is None else f' {threshold:g}'}{f', {change}' if change else ''}"


def alone(modality: Modality) -> str:
    """What is said of a model that has one of the modalities, in place of a change."""
    return f"{modality} alone"


def beside(p: EndToEnd) -> str:
    """What is said of a baseline that also has the modalities of which there are hand-crafted features alone."""
    return f"with {' and '.join(p.handcrafted_alone)}"


def model_spec(
    p: EndToEnd,
    corpora: Corpora,
    model: str,
    threshold: float | None = None,
    change: Change | None = None,
    modalities: Sequence[Modality] = (),
) -> ModelSpec:
    shared = {"emotions": len(corpora.any.label_names), "modalities": list(modalities or p.modalities)}
    if model in _MINILM:
        weights = PARTS["minilm"].paths(data_root(p.data_root or None))["model.safetensors"]
        stored = {"file": str(weights), "sha256": sha256_file(weights)}
        return ModelSpec(_MODELS[model], {**shared, **_MINILM[model]}, {"encoder": stored} if model != "minilm" else {})
    if model in BASELINES:
        sizes = corpora.of(model, p.seeds[0]).splits["train"].sizes
        arguments = {"sizes": sizes, **shared, "padding": p.padding}
        if model == "lf_transformer":
            arguments |= {"layers": p.baseline_layers}
        return ModelSpec(_MODELS[model], arguments)
    arguments = {"albert": albert_arguments(p), **shared, **p.encoder.model_dump(mode="json")}
    if model == "mme2e_sparse":
        arguments |= {"threshold": threshold, "form": p.form, **(_OPTIONS[change] if change else {})}
    stored = {} if isinstance(p.text_encoder, RandomAlbert) else {"T.albert": albert_folder.weights(_albert_path(p))}
    return ModelSpec(_MODELS[model], arguments, stored)


def recipe(p: EndToEnd, model: str, setting: Training) -> Recipe:
    """Spec end_to_end, section 6: Adam, the epoch with the best validation F1 at thresholds found there."""
    end_to_end = model not in BASELINES
    grouped = model in ("mme2e", "mme2e_sparse", "minilm_tuned") and p.text_lr_factor != 1
    return Recipe(
        loss="bce",
        epochs=setting.epochs,
        batch_size=setting.batch_size,
        learning_rate=setting.learning_rate,
        weight_decay=p.weight_decay,
        groups={"text_lr_factor": p.text_lr_factor} if grouped else None,
        plateau_patience=None,
        clip_norm=setting.clip_norm,
        patience=setting.early_stop,
        ties="earlier",
        select_by="tuned_f1",
        reshuffle=True,
        drop_last=False,
        evaluation_batch=p.evaluation_batch,
        annealed=p.annealed and end_to_end,
        microbatch=p.microbatch,
        precision=p.precision,
    )


def member(
    p: EndToEnd,
    corpora: Corpora,
    seed: int,
    model: str,
    threshold: float | None = None,
    change: Change | None = None,
    modalities: Sequence[Modality] = (),
    words: str = "",
) -> Member:
    """One training run. Its tags carry what the tables need; a dense model keeps all sites, a threshold of 1.

    `words` tell of other `modalities` than those of the parameters.
    """
    modalities, changed = tuple(modalities or p.modalities), words or change or ""
    return Member(
        variant=variant(model, threshold, changed),
        seed=seed,
        model=model_spec(p, corpora, model, threshold, change, modalities),
        recipe=recipe(p, model, p.models.chosen()[model]),
        train_on=modalities,
        evaluate_on=modalities,
        tags={"model": model, "threshold": 1.0 if threshold is None else threshold, "change": changed},
    )


def grid(p: EndToEnd, corpora: Corpora, seed: int) -> Iterator[Member]:
    """Every variant with one seed: the models, the dense one on single modalities, the baselines with what there are
    hand-crafted features of alone, the sparse one at the other thresholds, then changed."""
    for model in p.models.chosen():
        yield member(p, corpora, seed, model, p.threshold if model == "mme2e_sparse" else None)
    for modality in p.alone:
        yield member(p, corpora, seed, "mme2e", modalities=(modality,), words=alone(modality))
    for model in both_ways(p):
        more = [m for m in MODALITIES if m in (*p.modalities, *p.handcrafted_alone)]
        yield member(p, corpora, seed, model, modalities=more, words=beside(p))
    for threshold in p.thresholds:
        if threshold != p.threshold:
            yield member(p, corpora, seed, "mme2e_sparse", threshold)
    for change in p.changes:
        yield member(p, corpora, seed, "mme2e_sparse", p.threshold, change)


def dearest_first(members: Iterable[Member]) -> list[Member]:
    """So that no core is left with a long run at the end."""
    order = ("mme2e_sparse", "mme2e", "lf_transformer", "lf_rnn", "minilm_tuned", "minilm_first", "minilm")
    cost = {model: place for place, model in enumerate(order)}
    return sorted(members, key=lambda m: (cost[m.tags["model"]], -m.tags["threshold"]))


def text_encoder(p: EndToEnd) -> str:
    """In words; it stands in the manifest as well."""
    given = p.text_encoder
    if given is None:
        parts = dict.fromkeys(_WORDS[_FORMS[model]] for model in p.models.chosen() if p.dataset == TEXT)
        return "; ".join(parts) or "none"
    if isinstance(given, RandomAlbert):
        return (
            f"ALBERT of {given.layers} layers, {given.hidden_size} wide, from random weights (not pretrained); its "
            f"tokenizer hashes words into {given.vocabulary} ids"
        )
    return f"ALBERT from the folder {given.folder}, pretrained"


_WORDS = {
    "words": "GloVe vectors of 50 numbers for the words of LF-LSTM and LF-TRANS, two zeros behind them",
    "sentences": "all-MiniLM-L6-v2 in ALBERT's place, frozen: the mean over its tokens",
    "states": "all-MiniLM-L6-v2 in ALBERT's place: five layers frozen, what they give computed once, and the sixth "
    "frozen as well or trained; of its result the first token is read",
}


def label(study: Study) -> str:
    """Of every table and figure: the corpus, and what is not the paper's text encoder."""
    replaced = study.p.dataset == TEXT and set(study.p.models.chosen()) & set(_MINILM)
    name, _, kind = study.label.rpartition(", ")
    return f"{name}, MiniLM in ALBERT's place, {kind}" if replaced else study.label


def selected_on(p: EndToEnd) -> dict[str, str]:
    """What chose the numbers of the run; the text encoder is declared among it."""
    return {
        "epoch": "validation F1 at thresholds found on validation (strictly greater)",
        "decision thresholds": "validation",
        "text encoder": text_encoder(p),
        "hyper-parameters": "none (fixed in the YAML)",
    }


def both_ways(p: EndToEnd) -> list[str]:
    """Baselines that are trained with and without the modalities of which there are hand-crafted features alone."""
    return [model for model in p.models.chosen() if model in BASELINES and p.handcrafted_alone]


def main_variants(p: EndToEnd) -> list[str]:
    """The models of the main comparison, in the order of the parameters, the dense one on single modalities, and the
    baselines with what there are hand-crafted features of alone."""
    models = [variant(m, p.threshold if m == "mme2e_sparse" else None) for m in p.models.chosen()]
    models += [variant("mme2e", None, alone(modality)) for modality in p.alone]
    return models + [variant(model, None, beside(p)) for model in both_ways(p)]


def sweep_thresholds(p: EndToEnd) -> list[float]:
    """All thresholds of the sparse model, ascending."""
    return sorted({p.threshold, *p.thresholds})


def trained_model(runs: Runs, run: Done, **changed: object) -> nn.Module:
    """The model of a finished run in evaluation mode; `changed` are other constructor arguments."""
    _, member, record = run
    model = member.model.architecture(**{**member.model.arguments, **changed})
    model.load_state_dict(load_weights(runs.study.folder / "members", record))
    return model.eval()


def find(runs: Runs, name: str) -> Done | None:
    """The run of a variant with the first of the seeds that has weights, if one has."""
    found = {run[2].seed: run for run in runs.done if run[2].variant == name and run[2].weights}
    return next((found[seed] for seed in runs.study.p.seeds if seed in found), None)


def parameter_count(study: Study) -> dict[str, int]:
    """Weights of each model."""
    specs, found = {member.variant: member.model for _, member in study.members}, {}
    for name in main_variants(study.p):
        with torch.device("meta"):
            model = specs[name].architecture(**specs[name].arguments)
        found[name] = sum(w.numel() for w in model.parameters())
    return found
