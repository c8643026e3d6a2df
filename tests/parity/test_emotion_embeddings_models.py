"""EEA and its baselines against the reference modules: logits, scores, losses, gradients, unseen emotions."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.models.early_fusion_transformer import EarlyFusionTransformer
from lib.models.emotion_embeddings import EmotionEmbeddings
from lib.models.mult import MulT
from tests.parity.emotion_reference import build, load_weights, reference_name
from tests.parity.reference import Vectors, golden

# What the reference files allow, absolute; DESIGN's relative 1e-5 is for values far from zero.
LOGITS = 1e-6
LOSS = 3e-7
RELATIVE = 1e-5
KINDS = ("eea", "ef", "lf", "eflf", "ts", "transformer", "mult")


def inputs(vectors: Vectors, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    names = {"text": "x_text", "audio": "x_audio", "video": "x_vision"}
    return {modality: vectors.tensor(key, dtype) for modality, key in names.items()}


def loaded(vectors: Vectors) -> nn.Module:
    kind = str(vectors["kind"])
    model = build(kind, vectors.config, classes=vectors["y"].shape[1])
    load_weights(model, kind, vectors)
    return model


def close(actual: Tensor, expected: np.ndarray, tolerance: float, name: str) -> None:
    np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=RELATIVE, atol=tolerance, err_msg=name)


def as_stored(logits: Tensor, vectors: Vectors, key: str) -> Tensor:
    """EEA's reference squeezes a batch of one, or a single emotion, out of a fused output; ours does not."""
    config = vectors.config
    squeezed = str(vectors["kind"]) == "eea" and len(config["modalities"]) > 1
    if squeezed and 1 in logits.shape:
        assert vectors[key].ndim < 2, key
        return logits.squeeze()
    return logits


@golden("emotion_embeddings", *KINDS)
def test_outputs_and_losses(vectors):
    left = set(vectors.names("out"))
    model, features = loaded(vectors), inputs(vectors)
    target = vectors.tensor("y")

    for mode, key in ((False, "eval_logits"), (True, "train_nodrop_logits")):
        logits = model.train(mode)(**features)
        close(as_stored(logits, vectors, f"out/{key}"), vectors[f"out/{key}"], LOGITS, key)
        left.discard(key)
    losses = {"loss_bce": F.binary_cross_entropy_with_logits(logits, target, pos_weight=vectors.tensor("pos_weight"))}
    if "out/loss_ce_soft" in vectors:
        losses["loss_ce_soft"] = F.cross_entropy(logits, target)
    for key, loss in losses.items():
        close(loss, vectors[f"out/{key}"], LOSS, key)
        left.discard(key)
    if "out/scores" in vectors:
        close(model.scores(**features).transpose(0, 1), vectors["out/scores"], LOGITS, "scores")
        left.discard("scores")
    if "out/eval_logits_with_unseen" in vectors:
        known = model.emotion_vectors
        model.eval().set_emotions(torch.cat([known, vectors.tensor("w_unseen/textEmoEmbs.weight")]))
        more = model(**features)
        key = "out/eval_logits_with_unseen"
        close(as_stored(more, vectors, key), vectors[key], LOGITS, key)
        torch.testing.assert_close(more[:, : len(known)], logits, rtol=0, atol=LOGITS)
        left.discard("eval_logits_with_unseen")
    assert not left, f"stored but not compared: {sorted(left)}"


def gradient_norms(vectors: Vectors, dtype: torch.dtype) -> dict[str, float | None]:
    """Norms of the weighted BCE gradients by the reference's names; None where there is no gradient."""
    model = loaded(vectors).to(dtype).train()
    weight = vectors.tensor("pos_weight", dtype)
    F.binary_cross_entropy_with_logits(
        model(**inputs(vectors, dtype)), vectors.tensor("y", dtype), pos_weight=weight
    ).backward()
    gradients = {reference_name(str(vectors["kind"]), name): p.grad for name, p in model.named_parameters()}
    return {name: None if g is None else g.norm().item() for name, g in gradients.items()}


@golden("emotion_embeddings", *KINDS)
def test_gradients(vectors):
    """In float32, or in float64 where the stored float32 run stood on the other side of a ReLU kink.

    Not in float64 alone: the norm of a large float32 gradient is itself off by up to 3e-5.
    """
    single, double = gradient_norms(vectors, torch.float32), gradient_norms(vectors, torch.float64)
    stored = vectors.under("gradnorm")
    without = set(vectors.config["no_grad"])
    assert {name for name, norm in single.items() if norm is None} <= without
    assert {name for name, norm in single.items() if norm is not None} == set(stored)
    for name, expected in stored.items():
        nearest = min(single[name], double[name], key=lambda norm: abs(norm - expected))
        np.testing.assert_allclose(nearest, expected, rtol=RELATIVE, atol=1e-7, err_msg=name)


@golden("emotion_embeddings", *KINDS)
def test_every_array_has_a_use(vectors):
    """An unknown group of arrays must not pass unnoticed."""
    known = {
        "config",
        "kind",
        "x_text",
        "x_audio",
        "x_vision",
        "y",
        "pos_weight",
        "w",
        "w_unseen",
        "out",
        "gradnorm",
    }
    assert {key.split("/")[0] for key in vectors.arrays} <= known


@pytest.mark.parametrize(("bidirectional", "expected"), [(True, 5_455_903), (False, 2_213_103)])
def test_parameter_counts_of_the_emotion_embedding_model(bidirectional, expected):
    """Specification, section 2.1: the README's setting."""
    sizes = {"text": 300, "audio": 74, "video": 35}
    hidden = {"text": 300, "audio": 200, "video": 100}
    model = EmotionEmbeddings(sizes, hidden, torch.zeros(4, 300), layers=2, bidirectional=bidirectional)
    assert sum(p.numel() for p in model.parameters()) == expected


def test_parameter_counts_of_the_transformers():
    """Specification, section 4; the encoder layers of section 3.5 counted by torch's own."""
    sizes = {"text": 300, "audio": 74, "video": 35}
    assert sum(p.numel() for p in MulT(sizes, 4).parameters()) == 1_579_964
    layer = nn.TransformerEncoderLayer(160, 8, 2048)
    encoder = sum(
        p.numel() for p in nn.TransformerEncoder(layer, 4, nn.LayerNorm(160), enable_nested_tensor=False).parameters()
    )
    outside = 409 * 160 + 160 + 160 * 80 + 80 + 80 + 1
    assert sum(p.numel() for p in EarlyFusionTransformer(sizes, 1).parameters()) == encoder + outside
