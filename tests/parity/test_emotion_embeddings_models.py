"""EEA and its baselines against the reference modules: logits, scores, losses, gradients, unseen emotions."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.models.early_fusion_transformer import EarlyFusionTransformer
from lib.models.eea import EEA
from lib.models.mult import MulT
from lib.models.recurrent import stackable
from tests.parity.closeness import Norm, check, norm
from tests.parity.emotion_reference import build, load_weights, reference_name, with_weights
from tests.parity.reference import Vectors, golden

KINDS = ("eea", "ef", "lf", "eflf", "ts", "transformer", "mult")
INPUTS = {"text": "x_text", "audio": "x_audio", "video": "x_vision"}


def loaded(vectors: Vectors, dtype: torch.dtype) -> nn.Module:
    kind = str(vectors["kind"])
    model = build(kind, vectors.config, classes=vectors["y"].shape[1]).to(dtype)
    load_weights(model, kind, vectors)
    return model


def as_stored(logits: Tensor, vectors: Vectors) -> Tensor:
    """EEA's reference squeezes a batch of one, or a single emotion, out of a fused output; ours does not."""
    squeezed = str(vectors["kind"]) == "eea" and len(vectors.config["modalities"]) > 1
    return logits.squeeze() if squeezed and 1 in logits.shape else logits


def computed(vectors: Vectors, dtype: torch.dtype = torch.float64) -> dict[str, Tensor | Norm]:
    """Logits, scores, losses and gradient norms by the file's keys."""
    kind, model = str(vectors["kind"]), loaded(vectors, dtype)
    features = {modality: vectors.tensor(key, dtype) for modality, key in INPUTS.items()}
    target, weight = vectors.tensor("y", dtype), vectors.tensor("pos_weight", dtype)
    found = {"out/eval_logits": as_stored(model.eval()(**features), vectors)}
    logits = model.train()(**features)
    loss = F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)
    loss.backward()
    found |= {"out/train_nodrop_logits": as_stored(logits, vectors), "out/loss_bce": loss}
    if "out/loss_ce_soft" in vectors:
        found["out/loss_ce_soft"] = F.cross_entropy(logits, target)
    if "out/scores" in vectors:
        found["out/scores"] = model.scores(**features).transpose(0, 1)
    gradients = {reference_name(kind, name): p.grad for name, p in model.named_parameters()}
    assert {name for name, g in gradients.items() if g is None} <= set(vectors.config["no_grad"])
    found |= {f"gradnorm/{name}": norm(g) for name, g in gradients.items() if g is not None}
    if "w_unseen/textEmoEmbs.weight" in vectors:
        known = model.emotion_vectors
        model.eval().set_emotions(torch.cat([known, vectors.tensor("w_unseen/textEmoEmbs.weight", dtype)]))
        more = model(**features)
        found["out/eval_logits_with_unseen"] = as_stored(more, vectors)
        torch.testing.assert_close(more[:, : len(known)], logits)
    return found


def check_model(vectors: Vectors, dtype: torch.dtype = torch.float64) -> None:
    """Every output, loss and gradient norm of the file."""
    vectors = with_weights(vectors, build(str(vectors["kind"]), vectors.config, classes=vectors["y"].shape[1]))
    check(vectors, lambda near: computed(near, dtype), vectors.keys("out", "gradnorm"), single=dtype == torch.float32)


@golden("emotion_embeddings", *KINDS)
def test_model(vectors):
    check_model(vectors)


def check_steps(vectors: Vectors) -> None:
    """The recurrences that a fleet uses, in the precision that it uses."""
    with stackable():
        check_model(vectors, torch.float32)


@golden("emotion_embeddings", "eea", "ef", "lf", "eflf", "ts")
def test_recurrences_step_by_step(vectors):
    check_steps(vectors)


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
    """Spec emotion_embeddings, section 2.1: the README's setting."""
    sizes = {"text": 300, "audio": 74, "video": 35}
    hidden = {"text": 300, "audio": 200, "video": 100}
    model = EEA(sizes, hidden, torch.zeros(4, 300), layers=2, bidirectional=bidirectional)
    assert sum(p.numel() for p in model.parameters()) == expected


def test_parameter_counts_of_the_transformers():
    """Spec emotion_embeddings, section 4; the encoder layers of section 3.5 counted by torch's own."""
    sizes = {"text": 300, "audio": 74, "video": 35}
    assert sum(p.numel() for p in MulT(sizes, 4).parameters()) == 1_579_964
    layer = nn.TransformerEncoderLayer(160, 8, 2048)
    encoder = sum(
        p.numel() for p in nn.TransformerEncoder(layer, 4, nn.LayerNorm(160), enable_nested_tensor=False).parameters()
    )
    outside = 409 * 160 + 160 + 160 * 80 + 80 + 80 + 1
    assert sum(p.numel() for p in EarlyFusionTransformer(sizes, 1).parameters()) == encoder + outside
