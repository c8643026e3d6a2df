"""The self-paced objective and its threshold against the reference."""

import numpy as np
import torch
from torch.nn import functional as F

from lib.training.self_paced import SelfPaced, curriculum, modality_ratios, next_threshold, selected_mean
from tests.parity.closeness import check
from tests.parity.reference import Vectors, golden


def objective(vectors: Vectors, case: str, options: dict, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Every intermediate of one case, by the file's keys."""
    logits = {m: vectors.tensor(f"{case}/in/logit/{m}", dtype) for m in options["modalities"]}
    joint = vectors.tensor(f"{case}/in/joint", dtype).requires_grad_()
    labels, lengths = vectors.tensor(f"{case}/in/labels"), vectors.tensor(f"{case}/in/lengths")
    losses = F.cross_entropy(joint, labels, reduction="none")
    steps = curriculum(losses.detach(), logits, labels, lengths, options["threshold"])
    selected = steps.selected if options["use_cl"] else torch.ones_like(steps.selected)
    loss = selected_mean(losses, selected)
    loss.backward()
    by_modality = {
        "true_prob": steps.probability,
        "ratio": modality_ratios(steps.probability, selected),
        "forward_ratio": modality_ratios(steps.probability),
        "uni_nll": [F.cross_entropy(x, labels) for x in logits.values()],
    }
    found = {
        "loss": loss,
        "take": selected.sum(),
        "grad_joint": joint.grad,
        "per_utt_loss": losses,
        "dialogue_scores": steps.scores,
        "dialogue_std": steps.imbalance,
        "utt_score": steps.utterance_imbalance,
        "difficulty": steps.difficulty,
        "mask": selected,
        **{f"{name}/{m}": x for name, xs in by_modality.items() for m, x in zip(logits, xs, strict=True)},
    }
    return {f"{case}/out/{name}": value for name, value in found.items()}


def by_strategy(vectors: Vectors, case: str, options: dict, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """What the training loop gets: the loss of a batch and the record of an epoch that is this batch."""
    strategy = SelfPaced(options["threshold"], 1.0, enabled=options["use_cl"])
    logits = {m: vectors.tensor(f"{case}/in/logit/{m}", dtype) for m in options["modalities"]}
    joint, labels = vectors.tensor(f"{case}/in/joint", dtype), vectors.tensor(f"{case}/in/labels")
    loss, record = strategy.loss(joint, logits, labels, vectors.tensor(f"{case}/in/lengths")), strategy.end_epoch()
    found = {f"ratio/{m}": torch.tensor(record[f"ratio_{m}"], dtype=torch.float64) for m in logits}
    found |= {"loss": loss, "take": torch.tensor(round(record["selected_share"] * len(labels)))}
    return {f"{case}/out/{name}": value for name, value in found.items()}


def precisions(vectors: Vectors, case: str, options: dict) -> list[torch.dtype]:
    """Float32 always, because zeros of its own are part of the method; float64 where there are none.

    A loss or a probability below the smallest number of float32 is 0 there, and decides what is selected.
    """
    found = objective(vectors, case, options, torch.float32)
    by_modality = [found[f"{case}/out/true_prob/{m}"] for m in options["modalities"]]
    saturated = any(bool((x == 0).any()) for x in (found[f"{case}/out/per_utt_loss"], *by_modality))
    return [torch.float32] if saturated else [torch.float64, torch.float32]


def check_objective(vectors: Vectors) -> None:
    """Every number of every case, from the functions and from the strategy of the loop."""
    for number, options in enumerate(vectors.config):
        case = f"case{number:02}"
        keys = [f"{case}/out/{key}" for key in vectors.under(f"{case}/out")]
        for dtype in precisions(vectors, case, options):
            single = {"group": str, "single": dtype == torch.float32}
            check(vectors, lambda near: objective(near, case, options, dtype), keys, **single)  # noqa: B023
            if len(options["modalities"]) > 1 or not options["use_cl"]:  # refused, tests/training/test_self_paced.py
                told = [key for key in keys if key.split("/")[2] in ("loss", "take", "ratio")]
                check(vectors, lambda near: by_strategy(near, case, options, dtype), told, **single)  # noqa: B023


@golden("spcl", "spcl_loss_cases")
def test_objective(vectors):
    check_objective(vectors)
    stored = {key.split("/")[0] for key in vectors.arrays} - {"config", "kind"}
    assert stored == {f"case{number:02}" for number in range(len(vectors.config))}


def schedules(vectors: Vectors) -> dict[str, np.ndarray]:
    """The thresholds in use and after the update, by pair and epoch."""
    used, after = [], []
    for start, growth in vectors["eps_alpha"].tolist():
        for _ in range(vectors.config["epochs"]):
            used.append(start)
            start = next_threshold(start, growth)
            after.append(start)
    shape = len(vectors["eps_alpha"]), vectors.config["epochs"]
    return {"used_in_epoch": np.reshape(used, shape), "after_update": np.reshape(after, shape)}


def check_schedule(vectors: Vectors) -> None:
    keys = set(vectors.arrays) - {"config", "kind", "eps_alpha"}
    check(vectors, schedules, keys, unit=None, group=str)


@golden("spcl", "threshold_schedule")
def test_threshold_schedule(vectors):
    check_schedule(vectors)
