"""The parts of the end-to-end models against the reference."""

import pytest
import torch
from torch import Tensor, nn

from lib.models.cross_attention import CrossModalAttention, nucleus
from lib.models.sequence_encoder import SequenceEncoder, pad_ragged
from lib.models.sparse_sites import FORMS, SparseBlock
from lib.models.vgg_block import VggBlock
from tests.parity.mme2e_vectors import compare, compare_norms, gradient_norms, load
from tests.parity.reference import Vectors, golden

MODES = ("eval", "train")


def stored_norms(vectors: Vectors, prefix: str) -> dict[str, float]:
    return {name: float(norm) for name, norm in vectors.under(prefix).items()}


@golden("mme2e", "vgg_block")
def test_vgg_block(vectors: Vectors):
    block = VggBlock(vectors.config["in_planes"], vectors.config["out_planes"])
    computed = {}
    for mode in MODES:
        load(block, vectors)
        block.train(mode == "train").zero_grad()
        computed[mode] = block(vectors.tensor("in/x"))
        computed[f"{mode}_loss"] = (computed[mode] * vectors.tensor("in/coef")).sum()
        computed[f"{mode}_loss"].backward()
        compare_norms(gradient_norms(block), stored_norms(vectors, f"gradnorm/{mode}"), mode)
    compare(vectors, computed | running_statistics(block))


def running_statistics(module: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    buffers = module.named_buffers()
    return {f"train_buf/{prefix}{name}": value.clone() for name, value in buffers if "running" in name}


@golden("mme2e", "sparse_vgg_block")
@pytest.mark.parametrize("form", FORMS)
def test_sparse_block(vectors: Vectors, form: str):
    config = vectors.config
    row, column, frame = vectors.tensor("in/locations").T
    site = (frame, row, column)
    grid = (config["frames"], *config["grid"])
    active = torch.zeros(grid, dtype=torch.bool).index_put(site, torch.tensor(True))
    block = SparseBlock(config["cin"], config["cout"], form)
    assert (block[1].eps, 1 - block[1].momentum) == (config["bn_eps"], config["bn_momentum"])
    prefix = "sparse_layers.0."
    # A file may hold, under `train_buf`, the statistics from before the pass in training mode (one does);
    # they must then be what evaluation leaves behind. The `sparse` files hold the updated ones.
    stored = vectors.under("out/train_buf")
    untouched = all((value == vectors[f"w/{name}"]).all() for name, value in stored.items())
    statistics_of = "eval" if untouched else "train"
    computed = {"multiply_adds": block.multiply_adds(active)}
    for mode in MODES:
        load(block, vectors, lambda name: prefix + name)
        block.train(mode == "train").zero_grad()
        features = vectors.tensor("in/features").requires_grad_()
        maps = torch.zeros(*grid, config["cin"]).index_put(site, features)
        computed[mode] = block(maps, active).permute(0, 3, 1, 2)
        if mode == statistics_of:
            computed |= running_statistics(block, prefix)
        if mode == "train":
            computed["train_loss"] = (computed[mode] * vectors.tensor("in/coef")).sum()
            computed["train_loss"].backward()
            computed["train_grad_features"] = features.grad
            norms = {prefix + name: norm for name, norm in gradient_norms(block).items()}
            compare_norms(norms, stored_norms(vectors, f"gradnorm/{mode}"), mode)
    compare(vectors, computed)


def attention_of(vectors: Vectors) -> CrossModalAttention:
    config = vectors.config
    layer = CrossModalAttention(config["x_channels"], config["y_size"], config["k"])
    load(layer, vectors)
    return layer


def text_of_frames(vectors: Vectors) -> Tensor:
    return vectors.tensor("in/y").repeat_interleave(vectors.tensor("in/lens"), dim=0)


@golden("mme2e", "cross_attention_dense")
def test_attention_over_whole_frames(vectors: Vectors):
    layer = attention_of(vectors)
    probabilities = layer(vectors.tensor("in/x").permute(0, 2, 3, 1), text_of_frames(vectors))
    loss = (probabilities * vectors.tensor("in/coef")).sum()
    loss.backward()
    masks = [key for key in vectors.under("out") if key.startswith("mask_")]
    assert masks
    computed = {key: nucleus(probabilities, float(key.removeprefix("mask_"))) for key in masks}
    compare(vectors, computed | {"softmax": probabilities, "loss": loss})
    compare_norms(gradient_norms(layer), stored_norms(vectors, "gradnorm"), "attention")


@golden("mme2e", "cross_attention_sparse")
def test_attention_over_active_sites(vectors: Vectors):
    row, column, frame = vectors.tensor("in/locations").T
    grid = (int(vectors["in/lens"].sum()), *vectors.config["frame_grid"])
    maps = torch.zeros(*grid, vectors.config["x_channels"])
    maps[frame, row, column] = vectors.tensor("in/x")
    active = torch.zeros(grid, dtype=torch.bool)
    active[frame, row, column] = True
    probabilities = attention_of(vectors)(maps, text_of_frames(vectors), active)
    computed = {}
    for threshold in vectors.config["thresholds"]:
        # The rows stay in the order in which they were given.
        kept = nucleus(probabilities, threshold, active)[frame, row, column]
        computed[f"{threshold}/x"] = vectors.tensor("in/x")[kept]
        computed[f"{threshold}/locations"] = vectors.tensor("in/locations")[kept]
    compare(vectors, computed)


@golden("mme2e", "nucleus")
def test_nucleus(vectors: Vectors):
    lengths = vectors.tensor("in/ragged_lens")
    inputs = {name: vectors.tensor(f"in/{name}") for name in ("dense", "exact")}
    active = torch.arange(int(lengths.max())) < lengths[:, None]
    padded = pad_ragged(vectors.tensor("in/ragged").unsqueeze(-1), lengths).squeeze(-1)
    computed = {}
    for key in vectors.under("out"):
        name, threshold = key.split("_")
        if name == "ragged":
            computed[key] = nucleus(padded, float(threshold), active)[active]
        else:
            computed[key] = nucleus(inputs[name], float(threshold))
    compare(vectors, computed)


@golden("mme2e", "transformer_encoder")
def test_sequence_encoder(vectors: Vectors):
    config = vectors.config
    assert (config["norm"], config["activation"], config["positional_encoding"]) == ("post", "relu", None)
    encoder = SequenceEncoder(
        config["dim"], config["num_layers"], config["num_heads"], config["dim_feedforward"], dropout=0.0
    )
    lengths = vectors.tensor("in/lens")
    x = pad_ragged(vectors.tensor("in/x"), lengths)
    computed = {}
    for mode in MODES:
        load(encoder, vectors)
        encoder.train(mode == "train").zero_grad()
        computed[mode] = encoder(x, lengths)
        computed[f"{mode}_loss"] = (computed[mode] * vectors.tensor("in/coef")).sum()
        computed[f"{mode}_loss"].backward()
        compare_norms(gradient_norms(encoder), stored_norms(vectors, f"gradnorm/{mode}"), mode)
    encoder.eval()
    first = x[:1, : lengths[0]]
    computed["single_eval"] = encoder(first, lengths[:1])
    computed["perm_eval"] = encoder(first.flip(1), lengths[:1])
    computed["dense_eval"] = encoder(vectors.tensor("in/x_dense"))
    compare(vectors, computed)
