"""Whole training runs of the emotion-embedding reference, without shuffling and dropout.

The loop here is spec emotion_embeddings, section 7, in its plainest form, so that a difference points at the
models, the metrics or the weights.
"""

import copy
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.data.batches import Examples
from lib.metrics.presence import decisions
from lib.metrics.scores import emotion_scores, emotion_set_scores
from lib.models.modality_rnn import MODALITIES as NAMES
from lib.training.class_weights import positive_weights
from lib.training.loop import train
from lib.training.recipe import Member, ModelSpec, Recipe
from lib.training.streams import SeededStreams
from tests.parity.closeness import check, check_printed, norm
from tests.parity.emotion_reference import build, load_weights, reference_name
from tests.parity.reference import Vectors, golden

SPLITS = ("train", "valid", "test")
MODALITIES = {"text": "x_text", "audio": "x_audio", "video": "x_vision"}


@dataclass
class Run:
    """What the reference records, epoch by epoch."""

    positive_weights: Tensor | None = None
    batch_losses: list[float] = field(default_factory=list)
    valid_losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    scores: list[dict[str, np.ndarray]] = field(default_factory=list)
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)


def scores_of(logits: Tensor, truths: Tensor, config: dict) -> dict[str, np.ndarray]:
    """The reference's scores, each with its mean over emotions as last element."""
    mosei = config["args"]["dataset"] == "mosei_emo"
    threshold = config["args"]["threshold"] if mosei else 0.5
    logits, truths = logits.numpy(), truths.numpy()
    scores = emotion_scores(logits, truths, threshold)
    named = {
        "acc": scores["weighted_acc" if mosei else "acc"],
        "f1": scores["weighted_f1"],
        "auc": scores["auc"],
    }
    found = {name: np.append(values, values.mean()) for name, values in named.items()}
    if mosei:
        sets = emotion_set_scores(decisions(logits, threshold), truths == 1)
        found["set3"] = np.array([sets[name] for name in ("strict", "subset", "intersect_in_order")])
    return found


def inputs_of(vectors: Vectors, split: str) -> dict[str, Tensor]:
    return {modality: vectors.tensor(f"{split}/{key}", torch.float64) for modality, key in MODALITIES.items()}


def labels_of(vectors: Vectors, split: str) -> Tensor:
    """Zeros and ones, whatever noise the file may have."""
    return vectors.tensor(f"{split}/y", torch.float64).round()


def replay(model: nn.Module, vectors: Vectors) -> Run:
    config, run = vectors.config, Run()
    args = config["args"]
    assert not config["shuffle"]
    data = {s: inputs_of(vectors, s) for s in SPLITS}
    labels = {s: labels_of(vectors, s) for s in SPLITS}
    weight = run.positive_weights = positive_weights(labels["train"].numpy()).double()

    def loss_of(logits: Tensor, target: Tensor) -> Tensor:
        if config["loss"] == "ce":
            return F.cross_entropy(logits, target)
        return F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)

    optimiser = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[config["optim"]](
        model.parameters(), lr=config["lr"], weight_decay=config["weight_decay"]
    )
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, patience=config["scheduler_patience"])

    def one_pass(split: str, *, learn: bool) -> tuple[Tensor, list[float], float]:
        model.train(learn)
        logits, losses, total = [], [], 0.0
        for rows in torch.arange(len(labels[split])).split(config["batch_size"]):
            with torch.set_grad_enabled(learn):
                output = model(**{m: x[rows] for m, x in data[split].items()})
                loss = loss_of(output, labels[split][rows])
            if learn:
                optimiser.zero_grad()
                loss.backward()
                if args["clip"] > 0:
                    nn.utils.clip_grad_norm_(model.parameters(), args["clip"])
                optimiser.step()
            logits.append(output.detach())
            losses.append(loss.item())
            total += loss.item() * len(rows)
        return torch.cat(logits), losses, total / len(labels[split])

    best, patience = -np.inf, args["early_stop"]
    for epoch in range(1, args["epochs"] + 1):
        logits = {}
        logits["train"], losses, _ = one_pass("train", learn=True)
        logits["valid"], _, valid_loss = one_pass("valid", learn=False)
        schedule.step(valid_loss)
        logits["test"], _, _ = one_pass("test", learn=False)
        run.batch_losses += losses
        run.valid_losses.append(valid_loss)
        run.rates.append(optimiser.param_groups[0]["lr"])
        scores = {s: scores_of(logits[s], labels[s], config) for s in SPLITS}
        run.scores.append({f"{s}_{name}": values for s in SPLITS for name, values in scores[s].items()})
        if scores["valid"]["acc"][-1] > best:
            best, patience, run.best_epoch = scores["valid"]["acc"][-1], args["early_stop"], epoch
            run.best_weights = copy.deepcopy(model.state_dict())
        else:
            patience -= 1
        if patience == 0:
            break
    return run


def reference_model(vectors: Vectors) -> tuple[str, nn.Module]:
    """Which model the run trains, and the model with the run's initial weights."""
    config, args = vectors.config, vectors.config["args"]
    kind = {"eea": "eea", "rnn": args["fusion"]}[args["model"]]
    sizes = {**config, **{key: args[key] for key in ("hidden_sizes", "modalities", "gru", "bidirectional")}}
    model = build(kind, sizes, classes=vectors["train/y"].shape[1]).double()
    load_weights(model, kind, vectors)
    return kind, model


def replayed(vectors: Vectors) -> dict[str, object]:
    """All that the file holds of the run, by its keys."""
    kind, model = reference_model(vectors)
    run = replay(model, vectors)
    found = {
        "pos_weight": run.positive_weights,
        "out/train_batch_loss": run.batch_losses,
        "out/valid_loss": run.valid_losses,
        "out/lr_after_epoch": run.rates,
        "out/best_epoch": run.best_epoch,
    }
    found |= {f"out/{name}": np.stack([scores[name] for scores in run.scores]) for name in run.scores[0]}
    found |= {f"best/{reference_name(kind, name)}": value for name, value in run.best_weights.items()}
    return found | {f"finalnorm/{reference_name(kind, name)}": norm(x) for name, x in model.state_dict().items()}


def each_by_itself(key: str) -> str:
    """Weights and norms have one scale each; losses, rates and scores their own."""
    return key if key.startswith("out/") else key.split("/")[0]


def check_run(vectors: Vectors) -> None:
    config, epoch = vectors.config, int(vectors["out/best_epoch"]) - 1
    check(vectors, replayed, vectors.keys("pos_weight", "out", "best", "finalnorm"), group=each_by_itself)
    found = replayed(vectors)
    reported = [
        found[f"out/test_{name}"][epoch] for name in ("acc", "f1", "auc", "set3") if f"out/test_{name}" in found
    ]
    check_printed(config["csv_first_line"], np.concatenate(reported))
    known = {"config", "kind", "w", "pos_weight", "out", "best", "finalnorm", *SPLITS}
    assert {key.split("/")[0] for key in vectors.arrays} == known


@golden("emotion_embeddings", "trainer")
def test_whole_run(vectors):
    check_run(vectors)


@dataclass(frozen=True, kw_only=True)
class GivenModel(ModelSpec):
    """A model that is there already."""

    model: nn.Module

    def build(self) -> nn.Module:
        return self.model


class InFileOrder(SeededStreams):
    """The samples as they stand in the file, as in the reference's runs without shuffling."""

    def permutation(self, n: int, epoch: int | None = None) -> np.ndarray:
        return np.arange(n)


def recipe_of(config: dict) -> Recipe:
    args = config["args"]
    return Recipe(
        loss={"bce": "bce", "ce": "soft_cross_entropy"}[config["loss"]],
        epochs=args["epochs"],
        batch_size=config["batch_size"],
        learning_rate=config["lr"],
        algorithm=config["optim"],
        weight_decay=config["weight_decay"],
        plateau_patience=config["scheduler_patience"],
        plateau_factor=0.1,
        clip_norm=args["clip"] if args["clip"] > 0 else None,
        patience=args["early_stop"],
        ties="earlier",
        select_by="weighted_acc" if args["dataset"] == "mosei_emo" else "acc",
        drop_last=False,
        precision="float64",
    )


def looped(vectors: Vectors) -> dict[str, object]:
    """The same run by the loop of all papers."""
    kind, model = reference_model(vectors)
    recipe = recipe_of(vectors.config)
    splits = {s: Examples(inputs_of(vectors, s), labels_of(vectors, s)) for s in SPLITS}
    member = Member("reference", 0, GivenModel(kind, {}, model=model), recipe, train_on=NAMES, evaluate_on=NAMES)
    outcome = train(member, splits, InFileOrder(0))
    found = {
        "best_epoch": outcome.best_epoch,
        "valid_loss": outcome.history["valid_loss"],
        "learning_rate": outcome.history["learning_rate"][1:],
        "selected_by": outcome.history[f"valid_{recipe.select_by}"],
    }
    for split in ("valid", "test"):
        scores = scores_of(outcome.outputs[split], splits[split].targets, vectors.config)
        found |= {f"{split}_{name}": values for name, values in scores.items()}
    return found | {f"best/{reference_name(kind, name)}": value for name, value in outcome.best_state.items()}


def check_loop(vectors: Vectors) -> None:
    epoch = int(vectors["out/best_epoch"]) - 1
    stored = {
        "best_epoch": np.array(epoch),
        "valid_loss": vectors["out/valid_loss"],
        "learning_rate": vectors["out/lr_after_epoch"][:-1],
        "selected_by": vectors["out/valid_acc"][:, -1],
    }
    for key, values in vectors.under("out").items():
        if key.startswith(("valid_", "test_")) and values.ndim == 2:
            stored[key] = values[epoch]
    stored |= {f"best/{name}": value for name, value in vectors.under("best").items()}
    check(vectors, looped, stored, group=lambda key: key.split("/")[0])


@golden("emotion_embeddings", "trainer")
def test_whole_run_through_the_loop_of_all_papers(vectors):
    check_loop(vectors)
