"""The self-paced objective and its threshold against the reference."""

import numpy as np
import torch
from torch.nn import functional as F

from lib.training.self_paced import SelfPaced, curriculum, modality_ratios, next_threshold, selected_mean
from tests.parity.reference import Vectors, golden

TOLERANCE = 1e-5


def objective(vectors: Vectors, case: str, options: dict) -> dict[str, torch.Tensor]:
    """Every intermediate of one case, by the names of the file."""
    logits = {m: vectors.tensor(f"{case}/in/logit/{m}") for m in options["modalities"]}
    joint = vectors.tensor(f"{case}/in/joint").requires_grad_()
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
    return {
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


@golden("spcl", "spcl_loss_cases")
def test_objective(vectors):
    for number, options in enumerate(vectors.config):
        case = f"case{number:02}"
        found, expected = objective(vectors, case, options), vectors.under(f"{case}/out")
        assert set(found) == set(expected), options["name"]
        for name, value in expected.items():
            np.testing.assert_allclose(
                found[name].detach().numpy(),
                value,
                rtol=TOLERANCE,
                atol=TOLERANCE,
                equal_nan=True,
                err_msg=f"{options['name']}: {name}",
            )
    stored = {key.split("/")[0] for key in vectors.arrays} - {"config", "kind"}
    assert stored == {f"case{number:02}" for number in range(len(vectors.config))}


@golden("spcl", "spcl_loss_cases")
def test_strategy_gives_the_loss_of_the_functions(vectors):
    for number, options in enumerate(vectors.config):
        if len(options["modalities"]) < 2 and options["use_cl"]:
            continue  # refused, see tests/training/test_self_paced.py
        case = f"case{number:02}"
        strategy = SelfPaced(options["threshold"], 1.0, enabled=options["use_cl"])
        loss = strategy.loss(
            vectors.tensor(f"{case}/in/joint"),
            {m: vectors.tensor(f"{case}/in/logit/{m}") for m in options["modalities"]},
            vectors.tensor(f"{case}/in/labels"),
            vectors.tensor(f"{case}/in/lengths"),
        )
        np.testing.assert_allclose(loss, vectors[f"{case}/out/loss"], rtol=TOLERANCE, atol=TOLERANCE)
        record, n = strategy.end_epoch(), len(vectors[f"{case}/in/labels"])
        assert record["selected_share"] * n == vectors[f"{case}/out/take"]
        for m in options["modalities"]:
            ratio = vectors[f"{case}/out/ratio/{m}"]
            np.testing.assert_allclose(record[f"ratio_{m}"], ratio, rtol=TOLERANCE, equal_nan=True)


@golden("spcl", "threshold_schedule")
def test_threshold_schedule(vectors):
    outputs = {name for name in vectors.arrays if name not in ("config", "kind", "eps_alpha")}
    assert outputs == {"used_in_epoch", "after_update"}
    for row, (start, growth) in enumerate(vectors["eps_alpha"]):
        threshold = float(start)
        for epoch in range(vectors.config["epochs"]):
            assert threshold == vectors["used_in_epoch"][row, epoch]
            threshold = next_threshold(threshold, float(growth))
            assert threshold == vectors["after_update"][row, epoch]
