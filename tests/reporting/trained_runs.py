"""Trained runs of every kind of task, small, read back from their records."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lib.data.corpus import Corpus
from lib.metrics import scores as metrics
from lib.training import records, trained
from lib.training.execution import one_thread
from lib.training.loop import train
from lib.training.recipe import Member, ModelSpec
from lib.training.records import Record
from lib.training.streams import SeededStreams
from lib.training.trained import Trained
from tests.training.small import EFLSTM, WIDTHS, corpus, member
from tests.training.test_objectives import conversations, multilabel, talker

EVERYTHING = ("text", "audio", "video")
LMF = ModelSpec(
    "low_rank:LMF",
    {
        "input_sizes": WIDTHS,
        "hidden_sizes": dict.fromkeys(EVERYTHING, 6),
        "dropouts": dict.fromkeys(EVERYTHING, 0.1),
        "output_size": 3,
        "rank": 2,
    },
)
SLOTS = {m: f"{m}_subnet" for m in EVERYTHING}


@dataclass(frozen=True)
class Kind:
    """A corpus, a run on it, how its raw outputs are scored, and which encoders fall silent."""

    corpus: Corpus
    member: Member
    score: Callable[[np.ndarray], float]
    encoders: dict[str, str]

    def read(self, folder: Path, seed: int = 0) -> tuple[Trained, Record]:
        """Train, leave a record, and read it back."""
        one = replace(self.member, seed=seed)
        splits = {name: self.corpus.batches(name) for name in self.corpus.splits}
        with one_thread():
            records.write(folder, one, "key", train(one, splits, SeededStreams(seed)), 0.0)
        record = records.read(folder, one, "key")
        spread = trained.feature_spread(splits["train"])
        run = trained.load(folder, one, record, splits["test"], self.score, spread=spread, encoders=self.encoders)
        return run, record


def accuracy(labels: np.ndarray) -> Callable[[np.ndarray], float]:
    return lambda outputs: float(np.mean(outputs.argmax(axis=1) == labels))


def single_steps(data: Corpus) -> Corpus:
    """The same samples with audio and video of one step, as tensor fusion takes them."""
    splits = {
        name: replace(part, features={m: x if m == "text" else x[:, :1] for m, x in part.features.items()})
        for name, part in data.splits.items()
    }
    return replace(data, splits=splits)


def scale() -> Corpus:
    """Regression: the label is a number."""
    data = corpus()
    splits = {name: replace(part, labels=part.labels.astype(np.float64)) for name, part in data.splits.items()}
    return replace(data, task="regression", splits=splits)


def kinds() -> dict[str, Kind]:
    classes, talk, several, numbers = corpus(), conversations(), multilabel(), scale()
    spoken, true = talk.splits["test"].labels, several.splits["test"].labels
    target = numbers.splits["test"].labels
    whole = replace(member(), evaluate_on=EVERYTHING)
    regressor = replace(EFLSTM, arguments={**EFLSTM.arguments, "outputs": 1})
    steps = single_steps(classes)
    return {
        "classes": Kind(classes, whole, accuracy(classes.splits["test"].labels), {}),
        "conversation": Kind(talk, talker(), accuracy(spoken[spoken >= 0]), {}),
        "multilabel": Kind(
            several,
            replace(whole, model=EFLSTM, recipe=replace(whole.recipe, loss="bce")),
            lambda outputs: float(np.mean((outputs > 0) == (true == 1))),
            {},
        ),
        "regression": Kind(
            numbers,
            replace(whole, model=regressor, recipe=replace(whole.recipe, loss="l1")),
            lambda outputs: metrics.regression(outputs[:, 0], target)["mae"],
            {},
        ),
        "slots": Kind(steps, replace(whole, model=LMF), accuracy(steps.splits["test"].labels), SLOTS),
    }
