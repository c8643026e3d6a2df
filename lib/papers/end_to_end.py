"""The end-to-end emotion models, dense and sparse, and their baselines: what is trained, and on what (spec mme2e)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lib.data import data_root
from lib.data.arrays.label_columns import refuse_absent
from lib.data.recordings import albert_folder
from lib.data.recordings.raw_batches import HashTokenizer, Tokenizer
from lib.data.recordings.raw_decoding import Options
from lib.data.recordings.streamed_corpus import RawReader, StreamedCorpus, open_handcrafted, open_raw
from lib.data.stand_ins.synthetic_recordings import prepared
from lib.errors import InputError
from lib.params.end_to_end import Change, EndToEnd, RandomAlbert, Training
from lib.training.recipe import Member, ModelSpec, Recipe
from lib.training.records import Record
from lib.training.sweep import sweep_grids

WORKSPACE = Path(__file__).resolve().parents[2]
TITLES = {"mme2e": "FE2E", "mme2e_sparse": "MESM", "lf_rnn": "LF-LSTM", "lf_transformer": "LF-TRANS"}
"""The paper's names by those of its code."""
_MODELS = {
    "mme2e": "end_to_end:MME2E",
    "mme2e_sparse": "end_to_end_sparse:MME2ESparse",
    "lf_rnn": "handcrafted_baselines:LFRNN",
    "lf_transformer": "handcrafted_baselines:LFTransformer",
}
BASELINES = ("lf_rnn", "lf_transformer")
_OPTIONS: Mapping[Change, Mapping[str, str]] = {
    "corrected": {"site_order": "corrected"},
    "learned": {"site_order": "corrected", "attention": "learned"},
}


@dataclass(frozen=True)
class Corpora:
    """The same utterances raw and as hand-crafted features; what is not needed is None.

    `shown` holds, for a stand-in, which emotion each modality of each utterance shows.
    """

    raw: StreamedCorpus | None
    handcrafted: StreamedCorpus | None
    shown: Mapping[str, Mapping[str, int]]

    @property
    def any(self) -> StreamedCorpus:
        return self.raw or self.handcrafted

    def of(self, model: str) -> StreamedCorpus:
        return self.handcrafted if model in BASELINES else self.raw


def result_folder(p: EndToEnd) -> Path:
    """The run's result folder, relative to the workspace unless absolute, whatever the working directory."""
    return WORKSPACE / p.results


def load_corpora(p: EndToEnd) -> Corpora:
    """Open what the models need; a stand-in is written and decoded first, unless an earlier run or a chunk has done so.

    Raises InputError for data that are not there, or that were decoded in another way than the parameters say.
    """
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
    """Name of a variant in the run table: `MESM 0.7, corrected`."""
    return f"{TITLES[model]}{'' if threshold is None else f' {threshold:g}'}{f', {change}' if change else ''}"


def model_spec(
    p: EndToEnd, corpora: Corpora, model: str, threshold: float | None = None, change: Change | None = None
) -> ModelSpec:
    shared = {"emotions": len(corpora.any.label_names), "modalities": list(p.modalities)}
    if model in BASELINES:
        arguments = {"sizes": corpora.handcrafted.splits["train"].sizes, **shared, "padding": p.padding}
        if model == "lf_transformer":
            arguments |= {"layers": p.baseline_layers}
        return ModelSpec(_MODELS[model], arguments)
    arguments = {"albert": albert_arguments(p), **shared, **p.encoder.model_dump(mode="json")}
    if model == "mme2e_sparse":
        arguments |= {"threshold": threshold, "form": p.form, **(_OPTIONS[change] if change else {})}
    stored = {} if isinstance(p.text_encoder, RandomAlbert) else {"T.albert": albert_folder.weights(_albert_path(p))}
    return ModelSpec(_MODELS[model], arguments, stored)


def recipe(p: EndToEnd, model: str, setting: Training) -> Recipe:
    """Spec mme2e, section 6: Adam, the epoch with the best validation F1 at thresholds found there."""
    end_to_end = model not in BASELINES
    return Recipe(
        loss="bce",
        epochs=setting.epochs,
        batch_size=setting.batch_size,
        learning_rate=setting.learning_rate,
        weight_decay=p.weight_decay,
        groups={"text_lr_factor": p.text_lr_factor} if end_to_end and p.text_lr_factor != 1 else None,
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
) -> Member:
    """One training run. Its tags carry what the tables need; a dense model keeps all sites, a threshold of 1."""
    return Member(
        variant=variant(model, threshold, change or ""),
        seed=seed,
        model=model_spec(p, corpora, model, threshold, change),
        recipe=recipe(p, model, p.models.chosen()[model]),
        train_on=p.modalities,
        evaluate_on=p.modalities,
        tags={"model": model, "threshold": 1.0 if threshold is None else threshold, "change": change or ""},
    )


def grid(p: EndToEnd, corpora: Corpora, seed: int) -> Iterator[Member]:
    """Every variant with one seed: the models, then the sparse one at the other thresholds, then changed."""
    for model in p.models.chosen():
        yield member(p, corpora, seed, model, p.threshold if model == "mme2e_sparse" else None)
    for threshold in p.thresholds:
        if threshold != p.threshold:
            yield member(p, corpora, seed, "mme2e_sparse", threshold)
    for change in p.changes:
        yield member(p, corpora, seed, "mme2e_sparse", p.threshold, change)


def grids(p: EndToEnd, corpora: Corpora) -> list[tuple[StreamedCorpus, list[Member]]]:
    """What is trained on the raw corpus, then what on the hand-crafted features, where there is any."""
    members = [m for seed in p.seeds for m in grid(p, corpora, seed)]
    parts = (
        (corpora.raw, [m for m in members if m.tags["model"] not in BASELINES]),
        (corpora.handcrafted, [m for m in members if m.tags["model"] in BASELINES]),
    )
    return [(corpus, part) for corpus, part in parts if part]


def train_all(p: EndToEnd, corpora: Corpora) -> list[Record]:
    """Train what is missing; the records lie in the result folder under `members/`, resumable within an epoch."""
    parts = [(corpus, _dearest_first(members)) for corpus, members in grids(p, corpora)]
    return sweep_grids(parts, result_folder(p), cores=p.cores)


def _dearest_first(members: Sequence[Member]) -> list[Member]:
    """So that no core is left with a long run at the end."""
    cost = {"mme2e_sparse": 0, "mme2e": 1, "lf_transformer": 2, "lf_rnn": 3}
    return sorted(members, key=lambda m: (cost[m.tags["model"]], -m.tags["threshold"]))
