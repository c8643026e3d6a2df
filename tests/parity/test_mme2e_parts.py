"""The parts of the end-to-end models against the reference."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lib.models.cross_attention import CrossModalAttention, nucleus
from lib.models.sequence_encoder import SequenceEncoder, pad_ragged
from lib.models.sparse_sites import FORMS, Form, SparseBlock
from lib.models.vgg_block import VggBlock
from tests.parity.mme2e_vectors import MODES, Gradients, compare, load, running_statistics
from tests.parity.reference import Vectors, golden


def vgg_block(vectors: Vectors) -> dict[str, object]:
    block = VggBlock(vectors.config["in_planes"], vectors.config["out_planes"])
    gradients, found = Gradients(block), {}
    for mode in MODES:
        load(block, vectors).train(mode == "train").zero_grad()
        found[f"out/{mode}"] = block(vectors.double("in/x"))
        found[f"out/{mode}_loss"] = loss = (found[f"out/{mode}"] * vectors.double("in/coef")).sum()
        loss.backward()
        found |= gradients.norms(f"gradnorm/{mode}")
    return found | running_statistics(block)


def check_vgg_block(vectors: Vectors) -> None:
    compare(vectors, vgg_block)


@golden("mme2e", "vgg_block")
def test_vgg_block(vectors: Vectors):
    check_vgg_block(vectors)


def within_container(name: str) -> str:
    return f"sparse_layers.0.{name}"


def sparse_block(vectors: Vectors, form: Form, statistics_of: str) -> dict[str, object]:
    config = vectors.config
    row, column, frame = vectors.tensor("in/locations").T
    site = (frame, row, column)
    grid = (config["frames"], *config["grid"])
    active = torch.zeros(grid, dtype=torch.bool).index_put(site, torch.tensor(True))
    block = SparseBlock(config["cin"], config["cout"], form)
    assert 1 - block[1].momentum == config["bn_momentum"]
    gradients, found = Gradients(block), {"out/multiply_adds": block.multiply_adds(active)}
    for mode in MODES:
        load(block, vectors, within_container).train(mode == "train").zero_grad()
        features = vectors.double("in/features").requires_grad_()
        maps = torch.zeros(*grid, config["cin"], dtype=torch.float64).index_put(site, features)
        found[f"out/{mode}"] = block(maps, active).permute(0, 3, 1, 2)
        if mode == statistics_of:
            found |= running_statistics(block, within_container)
        if mode == "train":
            found["out/train_loss"] = (found["out/train"] * vectors.double("in/coef")).sum()
            found["out/train_loss"].backward()
            found["out/train_grad_features"] = features.grad
            found |= gradients.norms("gradnorm/train", within_container)
    return found


def check_sparse_block(vectors: Vectors, form: Form) -> None:
    """Every number of the file.

    A file may hold, under `train_buf`, the statistics from before the pass in training mode (one does); they must then
    be what evaluation leaves behind. The `sparse` files hold the updated ones.
    """
    stored = vectors.under("out/train_buf")
    untouched = all(np.allclose(value, vectors[f"w/{name}"], rtol=1e-5, atol=0) for name, value in stored.items())
    statistics_of = "eval" if untouched else "train"
    compare(vectors, lambda near: sparse_block(near, form, statistics_of))


@golden("mme2e", "sparse_vgg_block")
@pytest.mark.parametrize("form", FORMS)
def test_sparse_block(vectors: Vectors, form: Form):
    check_sparse_block(vectors, form)


def attention_of(vectors: Vectors) -> CrossModalAttention:
    config = vectors.config
    return load(CrossModalAttention(config["x_channels"], config["y_size"], config["k"]), vectors)


def text_of_frames(vectors: Vectors) -> Tensor:
    return vectors.double("in/y").repeat_interleave(vectors.tensor("in/lens"), dim=0)


def attention_over_frames(vectors: Vectors) -> dict[str, object]:
    layer = attention_of(vectors)
    gradients = Gradients(layer)
    probabilities = layer(vectors.double("in/x").permute(0, 2, 3, 1), text_of_frames(vectors))
    loss = (probabilities * vectors.double("in/coef")).sum()
    loss.backward()
    masks = [key for key in vectors.under("out") if key.startswith("mask_")]
    assert masks
    found = {f"out/{key}": nucleus(probabilities, float(key.removeprefix("mask_"))) for key in masks}
    return found | {"out/softmax": probabilities, "out/loss": loss} | gradients.norms("gradnorm")


def check_attention_over_frames(vectors: Vectors) -> None:
    compare(vectors, attention_over_frames)


@golden("mme2e", "cross_attention_dense")
def test_attention_over_whole_frames(vectors: Vectors):
    check_attention_over_frames(vectors)


def attention_over_sites(vectors: Vectors) -> dict[str, object]:
    row, column, frame = vectors.tensor("in/locations").T
    grid = (int(vectors["in/lens"].sum()), *vectors.config["frame_grid"])
    maps = torch.zeros(*grid, vectors.config["x_channels"], dtype=torch.float64)
    maps[frame, row, column] = vectors.double("in/x")
    active = torch.zeros(grid, dtype=torch.bool)
    active[frame, row, column] = True
    probabilities = attention_of(vectors)(maps, text_of_frames(vectors), active)
    found = {}
    for threshold in vectors.config["thresholds"]:
        # The rows stay in the order in which they were given.
        kept = nucleus(probabilities, threshold, active)[frame, row, column]
        found[f"out/{threshold}/x"] = vectors.double("in/x")[kept]
        found[f"out/{threshold}/locations"] = vectors.tensor("in/locations")[kept]
    return found


def check_attention_over_sites(vectors: Vectors) -> None:
    compare(vectors, attention_over_sites)


@golden("mme2e", "cross_attention_sparse")
def test_attention_over_active_sites(vectors: Vectors):
    check_attention_over_sites(vectors)


def kept_sites(vectors: Vectors) -> dict[str, object]:
    lengths = vectors.tensor("in/ragged_lens")
    inputs = {name: vectors.double(f"in/{name}") for name in ("dense", "exact")}
    active = torch.arange(int(lengths.max())) < lengths[:, None]
    padded = pad_ragged(vectors.double("in/ragged").unsqueeze(-1), lengths).squeeze(-1)
    found = {}
    for key in vectors.keys("out"):
        name, threshold = key.removeprefix("out/").split("_")
        if name == "ragged":
            found[key] = nucleus(padded, float(threshold), active)[active]
        else:
            found[key] = nucleus(inputs[name], float(threshold))
    return found


def check_nucleus(vectors: Vectors) -> None:
    compare(vectors, kept_sites, neighbours=0)  # ties, which must go the right way


@golden("mme2e", "nucleus")
def test_nucleus(vectors: Vectors):
    check_nucleus(vectors)


def sequence_encoder(vectors: Vectors) -> dict[str, object]:
    config = vectors.config
    assert (config["norm"], config["activation"], config["positional_encoding"]) == ("post", "relu", None)
    encoder = SequenceEncoder(
        config["dim"], config["num_layers"], config["num_heads"], config["dim_feedforward"], dropout=0.0
    )
    lengths = vectors.tensor("in/lens")
    x = pad_ragged(vectors.double("in/x"), lengths)
    gradients, found = Gradients(encoder), {}
    for mode in MODES:
        load(encoder, vectors).train(mode == "train").zero_grad()
        found[f"out/{mode}"] = encoder(x, lengths)
        found[f"out/{mode}_loss"] = loss = (found[f"out/{mode}"] * vectors.double("in/coef")).sum()
        loss.backward()
        found |= gradients.norms(f"gradnorm/{mode}")
    encoder.eval()
    first = x[:1, : lengths[0]]
    found["out/single_eval"] = encoder(first, lengths[:1])
    found["out/perm_eval"] = encoder(first.flip(1), lengths[:1])
    found["out/dense_eval"] = encoder(vectors.double("in/x_dense"))
    return found


def check_sequence_encoder(vectors: Vectors) -> None:
    compare(vectors, sequence_encoder)


@golden("mme2e", "transformer_encoder")
def test_sequence_encoder(vectors: Vectors):
    check_sequence_encoder(vectors)
