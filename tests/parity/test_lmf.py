"""LMF and TFN against the reference modules: forward, backward, batch-norm buffers, short Adam runs."""

import numpy as np
import torch
from torch.nn import functional as F

from lib.models.low_rank_fusion import LMF
from lib.models.tensor_fusion import TFN
from lib.training.parameter_groups import parameter_groups
from tests.parity.reference import Vectors, golden

TOLERANCE = 1e-5
MODALITIES = ("audio", "video", "text")  # the reference's order


def lmf_from(config: dict, **options) -> LMF:
    return LMF(
        **sizes_of(config),
        output_size=config["output_dim"],
        rank=config["rank"] if "rank" in config else config["rank_or_post_fusion_dim"],
        **options,
    )


def tfn_from(config: dict) -> TFN:
    size = config["post_fusion_dim"] if "post_fusion_dim" in config else config["rank_or_post_fusion_dim"]
    return TFN(**sizes_of(config), fusion_size=size)


def sizes_of(config: dict) -> dict:
    dropouts = config.get("dropouts", [0.0, 0.0, 0.0, 0.0])
    return {
        "input_sizes": dict(zip(MODALITIES, config["input_dims"], strict=True)),
        "hidden_sizes": dict(zip(MODALITIES, config["hidden_dims"], strict=True)),
        "text_out": config["text_out"],
        "dropouts": dict(zip((*MODALITIES, "fusion"), dropouts, strict=True)),
    }


def loss_of(config: dict, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    if config["loss"] == "l1_sum":
        return F.l1_loss(prediction, target, reduction="sum")
    assert config["loss"] == "ce_sum"
    return F.cross_entropy(prediction, target.argmax(dim=1), reduction="sum")


def close(actual, expected, name: str) -> None:
    actual = actual.detach().numpy() if isinstance(actual, torch.Tensor) else actual
    np.testing.assert_allclose(actual, expected, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)


def check_all(found: dict, expected: dict) -> None:
    """Every stored array has a counterpart of ours, and the two agree."""
    assert set(expected) == set(found)
    for name, value in found.items():
        close(value, expected[name], name)


def expected_outputs(vectors: Vectors) -> dict[str, np.ndarray]:
    return {key: value for key, value in vectors.arrays.items() if key.split("/")[0] in ("out", "gradnorm")}


def loaded(model, vectors: Vectors):
    model.load_state_dict(vectors.state_dict(), strict=True)
    return model


def inputs_of(vectors: Vectors) -> dict[str, torch.Tensor]:
    return {modality: vectors.tensor(f"in/{modality}") for modality in MODALITIES}


def outputs_of(model, vectors: Vectors) -> dict[str, torch.Tensor]:
    """Predictions, losses and gradient norms in both modes, sub-network outputs, buffers after a training step."""
    inputs = inputs_of(vectors)
    with torch.no_grad():
        found = {f"out/eval/{modality}_h": x for modality, x in model.eval().encode(**inputs).items()}
    for mode in ("eval", "train"):
        loaded(model, vectors).train(mode == "train").zero_grad()
        prediction = model(**inputs)
        loss = loss_of(vectors.config, prediction, vectors.tensor("in/target"))
        loss.backward()
        found |= {f"out/{mode}/pred": prediction, f"out/{mode}/loss": loss}
        found |= {f"gradnorm/{mode}/{name}": p.grad.norm() for name, p in model.named_parameters()}
    norms = {key: x.clone() for key, x in model.named_buffers() if ".norm." in key}
    return found | {f"out/train/bn_after/{key}": x for key, x in norms.items()}


def reference_row(vectors: Vectors, model) -> None:
    """A single sample, which crashes the reference; the stored row is that sample's in a batch of two."""
    model = loaded(model, vectors).eval()
    check_all({"out/eval/pred_row": model(**inputs_of(vectors))}, expected_outputs(vectors))


@golden("lmf", "lmf")
def test_lmf(vectors):
    config = vectors.config
    if "reference_error" in config:
        reference_row(vectors, lmf_from(config))
        return
    model = loaded(lmf_from(config), vectors)
    found = outputs_of(model, vectors)
    with torch.no_grad():
        encoded = loaded(model, vectors).eval().encode(**inputs_of(vectors))
        found["out/eval/fusion_zy"] = model.rank_products(encoded)
        if config["output_dim"] > 1:
            softmax = loaded(lmf_from(config, softmax=True), vectors).eval()
            found["out/eval/softmax"] = softmax(**inputs_of(vectors))
    check_all(found, expected_outputs(vectors))


@golden("lmf", "tfn")
def test_tfn(vectors):
    if "reference_error" in vectors.config:
        reference_row(vectors, tfn_from(vectors.config))
        return
    model = loaded(tfn_from(vectors.config), vectors)
    found = outputs_of(model, vectors)
    with torch.no_grad():
        encoded = loaded(model, vectors).eval().encode(**inputs_of(vectors))
        found["out/eval/fusion_tensor"] = model.outer_product(encoded)
    check_all(found, expected_outputs(vectors))


@golden("lmf", "opt")
def test_training_with_two_learning_rates(vectors):
    found = {}
    for run, legacy in (("all", False), ("legacy_skip_fusion", True)):
        model = loaded(lmf_from(vectors.config), vectors)
        losses = train_in_order(model, vectors, legacy)
        found |= {f"out/{run}/losses": np.array(losses)}
        found |= {f"out/{run}/final/{key}": x for key, x in model.state_dict().items()}
        first = {modality: x[0] for modality, x in inputs_of(vectors).items()}
        found[f"out/{run}/eval_pred_batch0"] = model.eval()(**first)
    check_all(found, expected_outputs(vectors))


def train_in_order(model: LMF, vectors: Vectors, legacy: bool) -> list[float]:
    config, inputs, targets = vectors.config, inputs_of(vectors), vectors.tensor("in/target")
    rates = {"learning_rate": config["lr"], "factor_learning_rate": config["factor_lr"]}
    groups = parameter_groups(model.train(), **rates, legacy=legacy)
    optimiser = torch.optim.Adam(groups, weight_decay=config["weight_decay"])
    losses = []
    for batch in list(range(config["n_batches"])) * config["epochs"]:
        optimiser.zero_grad()
        prediction = model(**{modality: x[batch] for modality, x in inputs.items()})
        loss = loss_of(config, prediction, targets[batch])
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses
