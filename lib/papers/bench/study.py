"""Which networks a bench trains on what, how they are scored, and what does not fit together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import pandas as pd

from lib import data
from lib.data.arrays.label_columns import LEAVE_OUT, refuse_absent, without_labels
from lib.data.arrays.lmf_inputs import averaged
from lib.data.corpus import Corpus
from lib.errors import InputError
from lib.metrics import scores
from lib.papers.bench import ALGORITHMS, CORPORA, PLAIN, Algorithm, Bench, Entry, Strategy
from lib.papers.bench.comparisons import over_plain
from lib.papers.bench.fitting import against_model, against_strategy, lengths, rates
from lib.papers.bench.models import spec
from lib.papers.colearning import study as colearning
from lib.papers.self_paced_balance import study as balance
from lib.params import CorpusOptions
from lib.reporting import seed_plan
from lib.study import Classes, Runs, Study, Task, in_turns, once
from lib.training.recipe import (
    Member,
    ModalityDropoutSpec,
    ModelSpec,
    ModulationSpec,
    Recipe,
    SelfPacedSpec,
)
from lib.training.records import Record
from lib.training.trained import Trained

METRICS = {"classes": "acc", "regression": "mae", "multilabel": "weighted_acc", "conversation": "weighted_f1"}
"""The score by what is asked of an utterance."""
_LOSSES = {"classes": "cross_entropy", "regression": "l1", "multilabel": "bce", "conversation": "cross_entropy"}
_VECTORS = ("audio", "video")


@dataclass(frozen=True)
class Reading:
    """A task of the bench: a corpus as some models read it, and with which seeds.

    `vectors`: sound and picture are averaged over time, for models that read one vector of each. Where a corpus has
    one vector of each already, or no such model, there is one reading of it for all.
    """

    dataset: str
    task: Task
    seeds: tuple[int, ...]
    vectors: bool | None = None

    def read_by(self, entry: Entry) -> bool:
        return self.vectors is None or self.vectors == (entry.about.steps == "vectors")


@dataclass(frozen=True)
class Method:
    """What is compared on a corpus: a model, a strategy (None: plain training), and an optimiser."""

    entry: Entry
    strategy: Strategy | None
    algorithm: Algorithm

    @property
    def training(self) -> str:
        return self.strategy.name if self.strategy else PLAIN


def study(p: Bench, readings: Sequence[Reading] | None = None) -> Study:
    """A task per corpus, per fold of one that is tested in turns, and per way in which models read it.

    Raises InputError where nothing fits together, for a model of a person's own that does not stand its trial, and as
    `load` does, which is asked unless there are `readings`.
    """
    readings = load(p) if readings is None else readings
    fitting = [_fitting(p, each)[0] for each in readings]
    if not any(fitting):
        why = missed(p, readings)["why"].iloc[0]
        raise InputError("no model can take any of the corpora", where="models", todo=f"the first {why}")
    grids = {id(each.task): (each.seeds, its) for each, its in zip(readings, fitting, strict=True)}

    def grid(task: Task) -> list[Member]:
        seeds, its = grids[id(task)]
        return [replace(one, seed=seed) for one in its for seed in seeds]

    return Study(
        p,
        tuple(each.task for each, its in zip(readings, fitting, strict=True) if its),
        grid,
        about=about,
        cost=lambda member: float(member.tags["parameters"]),
        composed=partial(over_plain, p),
        plan=seed_plan.wanted if p.most_seeds else None,
    )


def load(p: Bench) -> list[Reading]:
    """The corpora in their order, one that is tested in turns as many times as the seeds have folds.

    Raises InputError for unusable data, and for real and synthetic corpora together, whose numbers nobody could keep
    apart.
    """
    found = []
    for dataset in p.datasets:
        asked = in_turns(dataset, p.corpus(dataset).options, p.possible_seeds, partial(_read, p, dataset))
        for corpus in once(asked.values()):
            seeds = tuple(seed for seed in p.possible_seeds if asked[seed] is corpus)
            found += _readings(p, dataset, corpus, seeds)
    if len({each.task.corpus.source.synthetic for each in found}) > 1:
        raise InputError("real and synthetic corpora in one run", where="datasets", todo="give each kind its own run")
    return found


def _read(p: Bench, dataset: str, options: CorpusOptions) -> Corpus:
    samples = {"samples": p.samples_of(dataset)} if p.samples_of(dataset) else {}
    corpus = data.load(dataset, p.data_root or None, nonfinite=p.nonfinite, **samples, **options)
    corpus = without_labels(corpus, p.corpus(dataset).left_out)
    if corpus.task == "multilabel":
        refuse_absent(corpus.splits["train"].labels, corpus.label_names, corpus.source.name, LEAVE_OUT)
    return corpus


def _readings(p: Bench, dataset: str, corpus: Corpus, seeds: tuple[int, ...]) -> list[Reading]:
    steps = lengths(corpus)
    as_vectors = any(entry.about.steps == "vectors" for entry in p.models)
    if CORPORA[dataset] == "conversation" or not as_vectors or all(steps.get(m, 1) == 1 for m in _VECTORS):
        return [Reading(dataset, task(corpus, dataset), seeds)]
    vectors = averaged(corpus, [m for m in _VECTORS if m in steps])
    both = ((False, corpus), (True, vectors))
    return [Reading(dataset, task(each, dataset), seeds, way) for way, each in both]


def task(corpus: Corpus, name: str) -> Task:
    """The one score of a corpus: accuracy, MAE, the mean weighted accuracy over emotions, in conversations weighted
    F1."""
    if CORPORA[name] == "conversation":
        return replace(balance.task(corpus), metrics=(METRICS["conversation"],), name=name)
    labels = {split: part.labels for split, part in corpus.splits.items()}
    if corpus.task == "classes":
        return replace(colearning.task(corpus), metrics=(METRICS["classes"],), name=name)
    if corpus.task == "regression":
        return _regression(corpus, labels, name)

    def score(split: str, out: np.ndarray) -> dict[str, float]:
        each = scores.emotion_scores(out, labels[split])
        return {metric: float(np.mean(values)) for metric, values in each.items()}

    def detected(out: Mapping[str, np.ndarray]) -> scores.Answers:
        return scores.detected(out["test"], labels["test"])

    return Task(corpus, score, (METRICS["multilabel"],), None, name, answers=detected)


def _regression(corpus: Corpus, labels: Mapping[str, np.ndarray], name: str) -> Task:
    """One score per utterance, or the mean over several."""
    scale = corpus.scale

    def shaped(out: np.ndarray) -> np.ndarray:
        return out if labels["test"].ndim == 2 else out[:, 0]

    def score(split: str, out: np.ndarray) -> dict[str, float]:
        return scores.regression(shaped(out), labels[split], neutral=scale.neutral, limits=scale.limits)

    def rated(out: Mapping[str, np.ndarray]) -> scores.Answers:
        return scores.Rated(shaped(out["test"]), labels["test"], scale.limits, scale.neutral)

    classes = Classes.rounded(scale.limits) if labels["test"].ndim == 1 else None
    return Task(corpus, score, (METRICS["regression"],), classes, name, answers=rated)


def _fitting(p: Bench, reading: Reading) -> tuple[list[Member], list[dict[str, str]]]:
    """The networks of a reading with one seed, by model, optimiser and strategy, and rows of what does not fit.

    Raises InputError for a model of a person's own that does not stand its trial: they wait for it, and want to know.
    """
    found, not_run = [], []
    corpus, options = reading.task.corpus, p.corpus(reading.dataset).options
    for entry in (entry for entry in p.models if reading.read_by(entry)):
        row = {"dataset": reading.dataset, "model": entry.name, "strategy": "any", "optimiser": "any"}
        network, against = None, against_model(entry, corpus)
        try:
            network = None if against else spec(entry, reading.dataset, corpus, options, p.data_root or None)
        except InputError as error:
            if entry.about.own:
                raise
            against = error.what
        if network is None:
            not_run.append(row | {"why": against})
            continue
        for algorithm, strategy in product(p.optimisers, (None, *p.strategies)):
            one = member(p, reading, Method(entry, strategy, algorithm), network)
            why = against_strategy(strategy, algorithm, corpus, one) if strategy else ""
            if why:
                not_run.append(row | {"strategy": strategy.name, "optimiser": ALGORITHMS[algorithm], "why": why})
            else:
                found.append(one)
    return found, not_run


def missed(p: Bench, readings: Sequence[Reading]) -> pd.DataFrame:
    """What does not fit together, and why; a reason that holds for all optimisers is said once."""
    rows = [row for each in _first(readings) for row in _fitting(p, each)[1]]
    columns = ["dataset", "model", "strategy", "optimiser", "why"]
    table = pd.DataFrame(rows, columns=columns)
    cells = ["dataset", "model", "strategy", "why"]
    whole = table.groupby(cells, sort=False)["optimiser"].agg(list).reset_index()
    whole["optimiser"] = ["any" if len(each) == len(p.optimisers) else ", ".join(each) for each in whole["optimiser"]]
    return whole[columns]


def _first(readings: Sequence[Reading]) -> list[Reading]:
    """One fold of each corpus and way of reading it: what fits does not depend on the fold."""
    found: dict[tuple[str, bool | None], Reading] = {}
    for each in readings:
        found.setdefault((each.dataset, each.vectors), each)
    return list(found.values())


def kind(p: Bench, method: Method) -> str:
    """Name of a method in the tables; the optimiser where the run has several."""
    end = f", {ALGORITHMS[method.algorithm]}" if len(p.optimisers) > 1 else ""
    return f"{method.entry.name}, {method.training}{end}"


def member(p: Bench, reading: Reading, method: Method, network: ModelSpec) -> Member:
    """One network, with the first seed. Its tags carry what the tables need beside its scores."""
    corpus, entry, strategy = reading.task.corpus, method.entry, method.strategy
    dropout = strategy is not None and strategy.strategy == "modality_dropout"
    modalities = tuple(corpus.modalities)
    return Member(
        variant=reading.task.variant(kind(p, method)),
        seed=p.seeds[0],
        model=network,
        recipe=recipe(p, reading, method),
        train_on=modalities,
        evaluate_on=modalities,
        modality_dropout=ModalityDropoutSpec(rates(strategy, corpus.modalities), strategy.draw) if dropout else None,
        tags={
            "dataset": reading.dataset,
            "model": entry.name,
            "strategy": method.training,
            "optimiser": ALGORITHMS[method.algorithm],
            "baseline": reading.task.variant(kind(p, replace(method, strategy=None))),
            "slots": int(entry.about.steps == "vectors"),
            "parameters": sum(weights.numel() for weights in network.build().parameters()),
        },
    )


def recipe(p: Bench, reading: Reading, method: Method) -> Recipe:
    """The epoch with the lowest validation loss is tested. Dialogues are all trained on, of utterances whole
    minibatches, since batch norm needs two."""
    own, entry, strategy = p.corpus(reading.dataset), method.entry, method.strategy
    asked, conversation = CORPORA[reading.dataset], entry.about.dialogues
    batch = own.batch_size or p.batch_size
    mixes = entry.model == "transformer" and entry.options.get("attention_axis") != "time"
    of = {} if strategy is None else _STRATEGIES[strategy.strategy](strategy, reading.task.corpus)
    return Recipe(
        loss=_LOSSES[asked],
        epochs=own.epochs or p.epochs,
        batch_size=batch,
        learning_rate=entry.learning_rates.get(method.algorithm, p.optimisers[method.algorithm]),
        algorithm=method.algorithm,
        weight_decay=p.weight_decay,
        plateau_patience=None,
        clip_norm=p.clip_norm,
        patience=p.patience,
        reshuffle=True,
        drop_last=not conversation,
        evaluation_batch=batch if conversation or mixes else None,
        **of,
    )


_STRATEGIES = {
    "modality_dropout": lambda strategy, corpus: {},
    "self_paced": lambda strategy, corpus: {"curriculum": SelfPacedSpec(strategy.threshold, strategy.growth)},
    "ogm_ge": lambda strategy, corpus: {"modulation": ModulationSpec(strategy.alpha, strategy.noise)},
    "unimodal_weights": lambda strategy, corpus: {
        "unimodal_weights": dict.fromkeys(corpus.modalities, strategy.weight)
    },
}
"""What each strategy adds to a recipe; modality dropout is no part of it."""


def about(record: Record) -> dict[str, object]:
    """Columns of the run table."""
    shown = {name: value for name, value in record.tags.items() if name not in ("baseline", "slots")}
    chosen = f"epoch: {record.selected_on['epoch']}; hyper-parameters: fixed in the YAML"
    return {"selected_on": chosen, **shown, "epochs": len(record.history.get("train_loss", ()))}


def asked(runs: Runs) -> list[Trained]:
    """The scored runs of one corpus. Models of one vector per modality keep the constant 1 of an absent one's slot."""
    slots = {record.variant: record.tags["slots"] for record in runs.records}
    corpus = runs.study.tasks[0].corpus
    encoders = {m: f"{m}_subnet" for m in corpus.modalities}
    return [
        *runs.trained([variant for variant, slot in slots.items() if not slot]),
        *runs.trained([variant for variant, slot in slots.items() if slot], encoders=encoders),
    ]


def describe(study: Study) -> pd.DataFrame:
    """What is asked of each corpus, modalities with steps and widths, and samples per split (of the first fold)."""
    rows = []
    for each in study.questions:
        corpus = each.corpus
        shapes = [f"{m} {lengths(corpus)[m]} x {width}" for m, width in corpus.modalities.items()]
        sizes = {name: len(split) for name, split in corpus.splits.items()}
        row = {
            "dataset": each.name,
            "asked": CORPORA[each.name],
            "score": each.metrics[0],
            "steps x width": ", ".join(shapes),
        }
        rows.append(row | sizes | {"unit": corpus.source.cluster})
    return pd.DataFrame(rows)


def floor(study: Study) -> pd.DataFrame:
    """Test score of a constant answer on each corpus, mean over its folds."""
    rows = pd.DataFrame([_constant(task) for task in study.tasks])
    return rows.groupby(["dataset", "prediction", "metric"], sort=False).mean().reset_index()


def _constant(task: Task) -> dict[str, object]:
    """Of training the median or the commonest class; of emotions none."""
    (metric, *_), train = task.metrics, task.corpus.splits["train"].labels
    n = len(task.corpus.splits["test"])
    if task.corpus.task == "regression":
        words, answer = "the training median", np.median(train, axis=0)
    elif task.corpus.task == "classes":
        known = train[train >= 0]
        words, answer = "the commonest class", np.eye(len(task.corpus.label_names))[np.bincount(known).argmax()]
        n = int((task.corpus.splits["test"].labels >= 0).sum())
    else:
        words, answer = "no emotion, ever", np.full(train.shape[1], -1.0)
    found = task.score("test", np.tile(answer, (n, 1)))
    return {"dataset": task.name, "prediction": words, "metric": metric, "score": found[metric]}


def selected_on() -> dict[str, str]:
    """What chose the numbers of a run."""
    return {"epoch": "validation loss", "hyper-parameters": "none (fixed in the YAML)"}
