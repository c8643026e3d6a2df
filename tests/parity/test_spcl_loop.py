"""Whole SPCL runs through our own training loop, with the reference's initial weights and order of dialogues."""

import random
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score

from lib.data.corpus import Corpus, Source
from lib.data.dialogues.conversation_batches import conversation_split
from lib.training.loop import train
from lib.training.recipe import Member, ModelSpec, Recipe, SelfPacedSpec
from lib.training.run import Outcome
from lib.training.streams import SeededStreams
from tests.parity.closeness import check
from tests.parity.reference import Vectors, golden
from tests.parity.spcl_models import classes_of, loaded
from tests.parity.test_spcl_training import dialogue, our_weights, stored_weights


@dataclass(frozen=True, kw_only=True)
class GivenModel(ModelSpec):
    """A model with the initial weights of a reference file."""

    vectors: Vectors

    def build(self) -> torch.nn.Module:
        return loaded(self.vectors)


class GivenOrder(SeededStreams):
    """The reference's order: each epoch shuffles the one before it, the first included."""

    def __init__(self, config: dict):
        super().__init__(config["python_random_seed"])
        self._python = random.Random(config["python_random_seed"])

    @contextmanager
    def session(self):
        self._order = None
        yield

    def permutation(self, n: int, epoch: int | None = None) -> np.ndarray:
        self._order = list(range(n)) if self._order is None else self._order
        self._python.shuffle(self._order)
        return np.array(self._order)


class Case:
    """A reference run as a corpus and a member of a grid."""

    parts = ("train", "valid", "test")

    def __init__(self, vectors: Vectors):
        self.config, splits = vectors.config, {}
        for part, theirs in zip(self.parts, ("train", "dev", "test"), strict=True):
            arrays = [vectors.under(f"in/{theirs}/{i}") for i in vectors.names(f"in/{theirs}")]
            rows = [dialogue(str(i), x, self.config["dims"]) for i, x in enumerate(arrays)]
            splits[part] = conversation_split(rows)
        labels = tuple(map(str, range(classes_of(self.config))))
        source = Source("reference", True, {}, "none", "given")
        self.corpus = Corpus("classes", labels, self.config["dims"], splits, source)
        config = self.config
        recipe = Recipe(
            loss="cross_entropy",
            epochs=config["epochs"],
            batch_size=config["batch_size"],
            learning_rate=config["learning_rate"],
            algorithm=config["optimizer"],
            weight_decay=config["weight_decay"],
            plateau_patience=None,
            clip_norm=config["grad_norm_max"],
            patience=config["early_stopping"] if config["early_stopping"] > 0 else None,
            ties="earlier",
            select_by="weighted_f1",
            reshuffle=True,
            drop_last=False,
            evaluation_batch=config["batch_size"],
            curriculum=SelfPacedSpec(config["cl_threshold"], config["cl_growth"], enabled=config["use_cl"]),
            precision="float64",
        )
        heard = tuple(config["modalities"])
        model = GivenModel("late_fusion:LateFusion", {}, vectors=vectors)
        self.member = Member("reference", 0, model, recipe, train_on=heard, evaluate_on=heard)

    def outcome(self) -> Outcome:
        splits = {part: self.corpus.batches(part, dtype=torch.float64) for part in self.parts}
        return train(self.member, splits, GivenOrder(self.config))

    def per_epoch(self, values: np.ndarray) -> np.ndarray:
        """Values per step `(steps, ...)` as `(epochs, steps of an epoch, ...)`."""
        steps = -(-len(self.corpus.splits["train"]) // self.config["batch_size"])
        return values.reshape(-1, steps, *values.shape[1:])


def by_our_loop(vectors: Vectors) -> dict[str, object]:
    """The history of our loop, its test scores and the weights it chose."""
    case = Case(vectors)
    found = case.outcome()
    labels = case.corpus.splits["test"].labels
    true, chosen = labels[labels >= 0], found.outputs["test"].argmax(1).numpy()
    names = ("train_loss", "selected_share", "valid_weighted_f1", *(("threshold",) if case.config["use_cl"] else ()))
    return (
        {name: found.history[name] for name in names}
        | {"best_epoch": found.best_epoch}
        | {"test": [f1_score(true, chosen, average="weighted"), accuracy_score(true, chosen)]}
        | our_weights(vectors, found.best_state)
    )


def as_history(vectors: Vectors) -> dict[str, np.ndarray]:
    """What the reference's steps and evaluations are as the history of epochs."""
    case, expected = Case(vectors), vectors.under("out")
    loss, taken, size = (case.per_epoch(expected[f"step_{name}"]) for name in ("loss", "take", "n"))
    development = expected["eval_f1_acc_loss"][expected["eval_which"] == "dev"][:, 0]
    found = {
        "train_loss": (loss * size).sum(1) / size.sum(1),
        "selected_share": taken.sum(1) / size.sum(1),
        "valid_weighted_f1": development,
        "best_epoch": development.round(6).argmax(),  # the first of equal ones, also of those that noise tells apart
        "test": expected["eval_f1_acc_loss"][-1][:2],
    }
    if case.config["use_cl"]:
        found["threshold"] = case.per_epoch(expected["step_threshold"])[:, 0]
    return found | stored_weights(vectors)


def check_our_loop(vectors: Vectors) -> None:
    check(vectors, by_our_loop, as_history(vectors), group=str)


@golden("spcl", "train_trace")
def test_our_loop_trains_as_the_reference_does(vectors):
    check_our_loop(vectors)
