"""An epoch of EEA at the setting of its README's IEMOCAP command."""

from collections.abc import Callable, Iterator, Mapping
from itertools import count

import numpy as np
import torch

from benchmarks.direct_eea import DirectEEATraining
from benchmarks.speed import DEVICES, NOT_MEASURED, Row, new_run, there
from benchmarks.timing import alternate, threads, times_faster
from lib.data.batches import Examples
from lib.training.loop import evaluate, train_epoch
from lib.training.recipe import Member, ModelSpec, Recipe
from lib.training.strategies import ModalityDropout

SIZES = {"text": 300, "audio": 74, "video": 35}
HIDDEN = {"text": 300, "audio": 200, "video": 100}
SAMPLES, STEPS, EMOTIONS = {"train": 2717, "valid": 798}, 20, 4
QUICK_SAMPLES = {"train": 70, "valid": 16}
RECIPE = Recipe(
    loss="bce",
    epochs=1,
    batch_size=64,
    learning_rate=0.001,
    plateau_patience=5,
    plateau_factor=0.1,
    clip_norm=1.0,
    drop_last=False,
)
TOLERANCE = 1e-5
"""How far the losses of one epoch may lie apart, relative."""


def member(dropout: float) -> Member:
    """EEA at that setting; standard normal word vectors."""
    vectors = np.random.default_rng(0).normal(size=(EMOTIONS, HIDDEN["text"])).astype(np.float32).tolist()
    arguments = {"sizes": SIZES, "hidden": HIDDEN, "emotion_vectors": vectors}
    arguments |= {"layers": 2, "dropout": dropout, "bidirectional": True}
    model = ModelSpec("eea:EEA", arguments)
    return Member("EEA", 0, model, RECIPE, train_on=tuple(SIZES), evaluate_on=tuple(SIZES))


def random_splits(samples: Mapping[str, int], device: str) -> dict[str, Examples]:
    """Standard normal features, and one emotion per sample; the time that training takes depends on neither."""
    rng, splits = np.random.default_rng(1), {}
    for name, n in samples.items():
        inputs = {m: rng.normal(size=(n, STEPS, width)).astype(np.float32) for m, width in SIZES.items()}
        labels = np.eye(EMOTIONS, dtype=np.float32)[rng.integers(EMOTIONS, size=n)]
        tensors = {m: torch.from_numpy(x).to(device) for m, x in inputs.items()}
        splits[name] = Examples(tensors, torch.from_numpy(labels).to(device))
    return splits


def both(member: Member, splits: Mapping[str, Examples]) -> dict[str, Callable[[], tuple[float, float]]]:
    """One more epoch at every call, training and validation, by the direct implementation and by the plain loop.

    Both start from the same weights and see the samples in the same order. A call returns the two losses.
    """
    run, strategy, epoch = new_run(member, splits), ModalityDropout(None), count()
    order = run.start_epoch()
    direct = DirectEEATraining(member.model.arguments, member.recipe, splits, order, run.model.state_dict())
    ordered, valid = splits["train"].take(order), splits["valid"]

    def loop() -> tuple[float, float]:
        run.streams.start_epoch(next(epoch))
        train_loss = train_epoch(run, ordered, strategy)
        outputs = evaluate(run.model, valid, run.recipe)
        return train_loss, run.objective.split_loss(outputs, valid.targets)

    return {"direct": direct.epoch, "loop": loop}


def difference(splits: Mapping[str, Examples]) -> float:
    """Largest relative difference of the two losses after one epoch without dropout, which draws differently.

    Raises AssertionError if it is not rounding alone.
    """
    losses = [np.array(epoch()) for epoch in both(member(dropout=0.0), splits).values()]
    found = float(np.max(np.abs(losses[0] - losses[1]) / losses[0]))
    if found > TOLERANCE:
        raise AssertionError(f"direct implementation and loop differ by {found:.1e}")
    return found


def eea_epoch(quick: bool) -> Iterator[Row]:
    """(a) for EEA: last-step reading makes most of the top layer's reverse direction unnecessary."""
    samples = QUICK_SAMPLES if quick else SAMPLES
    for device in DEVICES:
        row = {"model": "EEA, README", "device": device}
        if not there(device):
            yield row | {"direct_s": NOT_MEASURED}
            continue
        splits = random_splits(samples, device)
        with threads(1):
            apart = difference(splits)
            found = alternate(both(member(dropout=0.15), splits), rounds=1 if quick else 5)
        yield row | {
            "minibatches": -(-samples["train"] // RECIPE.batch_size),
            "direct_s": found["direct"].median,
            "loop_s": found["loop"].median,
            **times_faster(found["direct"], found["loop"]),
            "losses apart, relative": apart,
        }
