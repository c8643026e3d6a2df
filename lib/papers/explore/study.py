"""One model on one corpus, chosen freely: which network that is, how it is trained, and how it is scored.

Everything is trained in this process, by the plain loop, on one thread of the CPU, so that a setting gives the same
bits in JupyterLab, in a thread beside its widgets, and in a batch run.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from lib import data
from lib.data.arrays.label_columns import LEAVE_OUT, refuse_absent, without_labels
from lib.data.arrays.lmf_inputs import averaged
from lib.data.corpus import Corpus
from lib.errors import InputError
from lib.metrics import scores
from lib.metrics.presence import decisions
from lib.papers.colearning import study as colearning
from lib.papers.explore import CORPORA, Explore
from lib.papers.self_paced_balance import FAMILIES
from lib.papers.self_paced_balance import study as balance
from lib.study import Classes, Runs, Study, Task, corpus_with
from lib.training import records, wanted
from lib.training.execution import ERRORS, in_words, one_thread
from lib.training.loop import train as train_one
from lib.training.recipe import Member, ModalityDropoutSpec, ModelSpec, Recipe, SelfPacedSpec
from lib.training.run import Checkpoint, Outcome
from lib.training.streams import SeededStreams
from lib.training.sweep import member_key
from lib.training.trainable import refuse_untrainable
from lib.training.trained import Trained

TITLES = {"ef_lstm": "EF-LSTM", "mfn": "MFN", "lmf": "LMF", "tfn": "TFN", **balance.TITLES}
METRICS = {"classes": "acc", "regression": "mae", "multilabel": "weighted_acc", "conversation": "weighted_f1"}
"""The score that is shown first, by what is asked of an utterance."""
DROPOUT, RANK = 0.1, 4
_LOSSES = {"classes": "cross_entropy", "regression": "l1", "multilabel": "bce", "conversation": "cross_entropy"}
Watch = Callable[[int, Mapping[str, Sequence[float]]], None]
"""Called after every epoch with the seed and the history so far."""


class Cancelled(Exception):
    """The user stopped the training; finished seeds are kept."""


def present_corpora() -> list[str]:
    """The stand-ins, and the real corpora whose files are in the data folder."""
    return [name for name in CORPORA if all(path.is_file() for path in data.files(name))]


def study(p: Explore) -> Study:
    """One run per seed. Raises InputError as `load_corpus`."""
    corpus = load_corpus(p)
    return Study(p, (task(p, corpus),), lambda task: grid(p, task.corpus))


def task(p: Explore, corpus: Corpus) -> Task:
    """Every score of a split from its raw outputs; of several emotions the mean over them, who count together."""
    if p.kind != "multilabel":
        like = balance if p.kind == "conversation" else colearning
        return replace(like.task(corpus), metrics=(METRICS[p.kind],))

    def score(split: str, out: np.ndarray) -> dict[str, float]:
        found = scores.emotion_scores(out, corpus.splits[split].labels)
        return {name: float(np.mean(each)) for name, each in found.items()}

    pairs = (lambda known: (known == 1).ravel().astype(int)), (lambda out: decisions(out).ravel().astype(int))
    return Task(corpus, score, (METRICS[p.kind],), Classes(("absent", "present"), *pairs))


def load_corpus(p: Explore) -> Corpus:
    """The corpus of a setting. Raises InputError for unusable data and for modalities that it lacks."""
    corpus = without_labels(corpus_with(p, p.modalities), p.left_out)
    if p.kind == "multilabel":
        refuse_absent(corpus.splits["train"].labels, corpus.label_names, corpus.source.name, LEAVE_OUT)
    if p.kind == "regression" and len(corpus.label_names) > 1:
        what = f"{len(corpus.label_names)} scores of an utterance ({', '.join(corpus.label_names)})"
        raise InputError(what, where=corpus.source.name, todo="the explorer's models say one: make a corpus of each")
    return averaged(corpus) if p.model in ("lmf", "tfn") else corpus


def model_spec(p: Explore, corpus: Corpus) -> ModelSpec:
    """The network: all its layers are about `hidden` wide."""
    widths, h = {m: int(width) for m, width in corpus.modalities.items()}, p.hidden
    if p.kind == "conversation":
        return _conversation_spec(p, corpus, {m: widths[m] for m in widths if m in p.modalities})
    outputs = 1 if p.kind == "regression" else len(corpus.label_names)
    if p.model == "ef_lstm":
        arguments = {"features": widths, "hidden": h, "outputs": outputs, "dropout": DROPOUT}
        return ModelSpec("ef_lstm:EFLSTM", arguments)
    if p.model == "mfn":
        sizes = {"hidden": dict.fromkeys(widths, h), "memory": h, "widths": dict.fromkeys(colearning.BLOCKS, h)}
        dropouts = dict.fromkeys(colearning.BLOCKS, DROPOUT)
        return ModelSpec("mfn:MFN", {"features": widths, **sizes, "dropouts": dropouts, "outputs": outputs})
    arguments = {
        "input_sizes": widths,
        "hidden_sizes": dict.fromkeys(("audio", "video", "text"), h),
        "dropouts": dict.fromkeys(("audio", "video", "text"), DROPOUT),
        "output_size": outputs,
    }
    if p.model == "lmf":
        return ModelSpec("low_rank:LMF", {**arguments, "rank": RANK})
    arguments["dropouts"]["fusion"] = DROPOUT
    return ModelSpec("tensor_fusion:TFN", {**arguments, "fusion_size": h, "head": "linear"})


def _conversation_spec(p: Explore, corpus: Corpus, widths: Mapping[str, int]) -> ModelSpec:
    h = p.hidden
    arguments = {"input_sizes": widths, "classes": len(corpus.label_names), "hidden": h, "dropout": DROPOUT}
    if p.model in ("biddin", "dialogue_gcn"):
        arguments["speakers"] = balance.SPEAKERS[FAMILIES[p.dataset]]
    if p.model == "dialogue_gcn":
        arguments["graph_hidden"] = h
    if p.model == "biddin":
        arguments |= {"global_size": h, "party_size": h, "emotion_size": h}
    else:
        arguments |= {"layers": 1, "feedforward": 4 * h}
    return ModelSpec(f"{p.model}:{TITLES[p.model].replace('-', '')}", arguments)


def grid(p: Explore, corpus: Corpus) -> list[Member]:
    """One run per seed. Adam; the epoch with the lowest validation loss is tested."""
    conversation = p.kind == "conversation"
    recipe = Recipe(
        loss=_LOSSES[p.kind],
        epochs=p.epochs,
        batch_size=p.batch_size,
        learning_rate=p.learning_rate,
        plateau_patience=None,
        clip_norm=2.0,
        reshuffle=True,
        drop_last=not conversation,
        evaluation_batch=p.batch_size if conversation else None,
        curriculum=SelfPacedSpec(p.curriculum.threshold, p.curriculum.growth) if p.curriculum else None,
    )
    dropped = dict.fromkeys((m for m in p.dropped if m in p.modalities), p.dropout_rate)
    return [
        Member(
            variant=TITLES[p.model],
            seed=seed,
            model=model_spec(p, corpus),
            recipe=recipe,
            train_on=p.modalities,
            evaluate_on=p.modalities,
            modality_dropout=ModalityDropoutSpec(dropped) if p.dropout_rate else None,
        )
        for seed in p.seeds
    ]


def train(
    study: Study,
    *,
    watch: Watch = lambda seed, history: None,
    cancelled: threading.Event | None = None,
) -> Runs:
    """One record per seed; what is finished in the result folder is not trained again.

    Raises Cancelled between two minibatches once `cancelled` is set, InputError if there is less than one minibatch,
    and as `refuse_untrainable` does.
    """
    p, (task,), folder = study.p, study.tasks, study.folder / "members"
    splits = {name: task.corpus.batches(name) for name in task.corpus.splits}
    if p.batch_size > len(splits["train"]):
        what = f"{len(splits['train'])} training samples do not fill one batch of {p.batch_size}"
        raise InputError(what, where=task.corpus.source.name, todo="choose a smaller batch_size")
    refuse_untrainable([member for _, member in study.members], task.corpus)
    done = []
    for _, member in study.members:
        key = member_key(member, task.corpus.digest)
        record = records.read(folder, member, key)
        if record is None or record.status == records.FAILED:
            started, after_epoch = time.perf_counter(), _Between(member.seed, watch, cancelled or threading.Event())
            try:
                with one_thread():
                    outcome = train_one(member, splits, SeededStreams(member.seed), checkpoint=after_epoch)
            except ERRORS as error:
                outcome = Outcome(failure=in_words(error))
            folder.mkdir(parents=True, exist_ok=True)
            records.write(folder, member, key, outcome, time.perf_counter() - started)
            record = records.read(folder, member, key)
        done.append((task, member, record))
    wanted.note(folder, [records.file_name(member, record.key) for _, member, record in done])
    return Runs(study, done)


class _Between(Checkpoint):
    """Stands where checkpoints would be written: shows the history after every epoch, and lets the user stop.

    It is asked between minibatches too (of a curriculum only between epochs), so a long epoch can be stopped.
    """

    def __init__(self, seed: int, watch: Watch, cancelled: threading.Event):
        self._seed, self._watch, self._cancelled = seed, watch, cancelled

    @property
    def due(self) -> bool:
        if self._cancelled.is_set():
            raise Cancelled
        return True

    def load(self) -> None:
        return None

    def save(self, state: dict) -> None:
        if "batches" not in state:
            self._watch(self._seed, state["history"])

    def remove(self) -> None:
        return None


def asked(runs: Runs) -> list[Trained]:
    """The scored runs, to be asked with modalities missing or noisy."""
    p, corpus = runs.study.p, runs.study.tasks[0].corpus
    encoders = {m: f"{m}_subnet" for m in corpus.modalities} if p.model in ("lmf", "tfn") else None
    return runs.trained([TITLES[p.model]], encoders=encoders)
