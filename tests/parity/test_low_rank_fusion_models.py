"""LMF and TFN against the reference modules: forward, backward, batch-norm buffers, short Adam runs."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.models.low_rank import LMF
from lib.models.tensor_fusion import TFN
from lib.training.parameter_groups import parameter_groups
from tests.parity.closeness import check, norm
from tests.parity.reference import Vectors, golden

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


def loss_of(config: dict, prediction: Tensor, target: Tensor) -> Tensor:
    if config["loss"] == "l1_sum":
        return F.l1_loss(prediction, target, reduction="sum")
    assert config["loss"] == "ce_sum"
    return F.cross_entropy(prediction, target.argmax(dim=1), reduction="sum")


def loaded(model: nn.Module, vectors: Vectors, dtype: torch.dtype) -> nn.Module:
    model.to(dtype).load_state_dict(vectors.state_dict(dtype), strict=True)
    return model


def inputs_of(vectors: Vectors, dtype: torch.dtype) -> dict[str, Tensor]:
    return {modality: vectors.tensor(f"in/{modality}", dtype) for modality in MODALITIES}


def model_from(vectors: Vectors, dtype: torch.dtype, **options) -> nn.Module:
    build = tfn_from if str(vectors["kind"]) == "tfn" else lmf_from
    return loaded(build(vectors.config, **options), vectors, dtype)


def computed(vectors: Vectors, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """Predictions, losses and gradient norms in both modes, sub-network outputs, buffers after a training step.

    Of a single sample, which crashes the reference, the file holds that sample's row in a batch of two.
    """
    config, inputs = vectors.config, inputs_of(vectors, dtype)
    found = {}
    if "reference_error" in config:
        return {"out/eval/pred_row": model_from(vectors, dtype).eval()(**inputs)}
    for mode in ("eval", "train"):
        model = model_from(vectors, dtype).train(mode == "train")
        prediction = model(**inputs)
        loss = loss_of(config, prediction, vectors.tensor("in/target", dtype))
        loss.backward()
        found |= {f"out/{mode}/pred": prediction, f"out/{mode}/loss": loss}
        found |= {f"gradnorm/{mode}/{name}": norm(p.grad) for name, p in model.named_parameters()}
    found |= {f"out/train/bn_after/{key}": x for key, x in model.named_buffers() if ".norm." in key}
    with torch.no_grad():
        model = model_from(vectors, dtype).eval()
        encoded = model.encode(**inputs)
        found |= {f"out/eval/{modality}_h": x for modality, x in encoded.items()}
        if isinstance(model, TFN):
            found["out/eval/fusion_tensor"] = model.outer_product(encoded)
            return found
        found["out/eval/fusion_zy"] = model.rank_products(encoded)
        if config["output_dim"] > 1:
            found["out/eval/softmax"] = model_from(vectors, dtype, softmax=True).eval()(**inputs)
    return found


def trained(vectors: Vectors, dtype: torch.dtype = torch.float64) -> dict[str, object]:
    """Short runs of Adam with two learning rates: of all parameters, and with the fusion left out."""
    found = {}
    for run, legacy in (("all", False), ("legacy_skip_fusion", True)):
        model = model_from(vectors, dtype)
        losses = train_in_order(model, vectors, dtype, legacy)
        found |= {f"out/{run}/losses": np.array(losses)}
        found |= {f"out/{run}/final/{key}": x for key, x in model.state_dict().items()}
        first = {modality: x[0] for modality, x in inputs_of(vectors, dtype).items()}
        found[f"out/{run}/eval_pred_batch0"] = model.eval()(**first)
    return found


def train_in_order(model: LMF, vectors: Vectors, dtype: torch.dtype, legacy: bool) -> list[float]:
    config, inputs, targets = vectors.config, inputs_of(vectors, dtype), vectors.tensor("in/target", dtype)
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


def check_model(vectors: Vectors, dtype: torch.dtype = torch.float64) -> None:
    """Every output, loss, gradient norm and buffer of the file, or every result of its training runs."""
    compute = trained if str(vectors["kind"]) == "opt" else computed
    keys = vectors.keys("out", "gradnorm")
    check(vectors, lambda near: compute(near, dtype), keys, single=dtype == torch.float32)


@golden("lmf", "lmf", "opt")
def test_lmf(vectors):
    check_model(vectors)


@golden("lmf", "tfn")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_tfn(vectors, dtype):
    """In float64 for the mathematics, in float32 for the written-out backward pass of the wide layer."""
    check_model(vectors, dtype)
