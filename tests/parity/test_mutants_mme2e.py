"""Wrong end-to-end models, parts, spectrograms, rules and optimiser steps fail the parity checks.

Not here, because nothing changes: a softmax is blind to the last bias of the cross attention and to key biases; the
layer norms of ALBERT have an epsilon of 1e-12, of which ten times is far below rounding; tied maxima of a sparse block
are zeros that the ReLU in front gives no gradient to; the gradient of a weight whose kernel is turned round has the
norm that the files store (tests/models has positive ties, and compares the two sparse forms number by number).
"""

from collections.abc import Callable
from functools import partial

import pytest

from lib.models.sparse_sites import FORMS
from tests.parity.mutants import assert_killed, listed, mutants, named
from tests.parity.reference import Vectors
from tests.parity.test_mme2e_data import check_loader_rules, check_mel, check_metrics
from tests.parity.test_mme2e_models import check_baseline, check_dense_model, check_sparse_model, check_train_steps
from tests.parity.test_mme2e_parts import (
    check_attention_over_frames,
    check_attention_over_sites,
    check_nucleus,
    check_sequence_encoder,
    check_sparse_block,
    check_vgg_block,
)

pytestmark = pytest.mark.slow

SPARSE, CROSS, ENCODER = "lib.models.sparse_sites", "lib.models.cross_attention", "lib.models.sequence_encoder"
MODEL, STAGES = "lib.models.mme2e", "lib.models.mme2e_sparse"
MEL, RULES = "lib.data.recordings.mel", "lib.data.recordings.mme2e_rules"
BN1, NORM1 = "self.bn1 = nn.BatchNorm2d(out_channels)", "self.norm1 = nn.LayerNorm(width)"
NORM2 = "self.norm2 = nn.LayerNorm(width)"

VGG = [
    *mutants(
        "lib.models.vgg_block:VggBlock.__init__",
        {
            "batch norm's epsilon x 10": (BN1, "self.bn1 = nn.BatchNorm2d(out_channels, eps=1e-4)"),
            "batch norm's epsilon / 10": (BN1, "self.bn1 = nn.BatchNorm2d(out_channels, eps=1e-6)"),
            "batch norm's momentum": (BN1, "self.bn1 = nn.BatchNorm2d(out_channels, momentum=0.11)"),
        },
    ),
    *mutants(
        "lib.models.vgg_block:VggBlock.forward",
        {
            "convolution's bias dropped": ("self.conv1(x)", "(self.conv1(x) - self.conv1.bias[:, None, None])"),
            "height and width swapped": ("self.conv1(x)", "self.conv1(x.transpose(2, 3)).transpose(2, 3)"),
            "first ReLU missing": ("x = F.relu(self.bn1(self.conv1(x)))", "x = self.bn1(self.conv1(x))"),
            "second ReLU missing": ("return F.relu(self.bn2(self.conv2(x)))", "return self.bn2(self.conv2(x))"),
            "norms swapped": ("self.bn1(self.conv1(x))", "self.bn2(self.conv1(x))"),
        },
    ),
]
BLOCK = [
    *mutants(
        f"{SPARSE}:SiteBatchNorm.__init__",
        {
            "epsilon x 10": ("eps: float = 1e-4", "eps: float = 1e-3"),
            "epsilon / 10": ("eps: float = 1e-4", "eps: float = 1e-5"),
        },
    ),
    *mutants(
        f"{SPARSE}:neighbour_pairs",
        {"a site is not its own neighbour": ("neighbours.squeeze(1)[active]", "(neighbours.squeeze(1)[active] - 1)")},
    ),
]
MASKED = [
    *BLOCK,
    *mutants(
        f"{SPARSE}:SubmanifoldConv.map",
        {"rows and columns of the kernel swapped": ("permute(3, 2, 0, 1)", "permute(3, 2, 1, 0)")},
    ),
    *mutants(
        f"{SPARSE}:SiteBatchNorm.map",
        {
            "bias dropped": ("+ self.bias", "+ 0 * self.bias"),
            "statistics of all sites": ("(x * mask).sum(dim=(0, 1, 2)) / count", "x.mean(dim=(0, 1, 2))"),
            "variance about zero": ("(x - mean).square()", "x.square()"),
        },
    ),
    *mutants(
        f"{SPARSE}:SparseBlock._masked",
        {
            "inactive sites not cleared": ("active)) * mask", "active))"),
            "ReLU missing": ("F.relu(norm.map(conv.map(x), active))", "norm.map(conv.map(x), active)"),
        },
    ),
    *mutants(f"{SPARSE}:_TiedMaxPool.backward", {"gradient to the smallest": ("== highest", "!= highest")}),
]
GATHERED = [
    *BLOCK,
    *mutants(f"{SPARSE}:_ActiveProduct.forward", {"kernel turned round": ("weight[offset]", "weight[8 - offset]")}),
    *mutants(
        f"{SPARSE}:_ActiveProduct.backward",
        {
            "backward: centre not transposed": ("grad @ weight[CENTRE].T", "grad @ weight[8].T"),
            "backward: kernel turned round": ("there @ weight[offset].T", "there @ weight[8 - offset].T"),
        },
    ),
    *mutants(
        f"{SPARSE}:ActiveSites._pairs",
        {"neighbours the wrong way": ("(neighbour[target], target)", "(target, neighbour[target])")},
    ),
    *mutants(
        f"{SPARSE}:SparseBlock._gathered",
        {"ReLU missing": ("F.relu(norm.rows(conv.rows(rows, sites)))", "norm.rows(conv.rows(rows, sites))")},
    ),
    *mutants(
        f"{SPARSE}:SiteBatchNorm.rows", {"bias dropped": ("self.weight, self.bias", "self.weight, 0 * self.bias")}
    ),
]
ATTENTION = [
    *mutants(
        f"{CROSS}:CrossModalAttention.forward",
        {
            "sigmoid for tanh": ("torch.tanh", "torch.sigmoid"),
            "text not heard": ("+ self.y_affine(text)", "+ 0 * self.y_affine(text)"),
            "softmax over the frames": ("softmax(dim=-1)", "softmax(dim=0)"),
            "bias of the channels dropped": (
                "self.channel_affine(x)",
                "(self.channel_affine(x) - self.channel_affine.bias)",
            ),
        },
    ),
]
NUCLEUS = mutants(
    f"{CROSS}:nucleus",
    {
        "a sum at the threshold goes on": ("before < threshold", "before <= threshold"),
        "least probable first": ("descending=True", "descending=False"),
        "one site fewer": (".roll(1, dims=-1)", ""),
        "nothing kept at zero": ("chosen[:, 0] = True", "pass"),
    },
)
SEQUENCE = [
    *mutants(
        f"{ENCODER}:EncoderLayer.__init__",
        {
            "layer norm's epsilon x 10": (NORM1, "self.norm1 = nn.LayerNorm(width, 1e-4)"),
            "layer norm's epsilon / 10": (NORM2, "self.norm2 = nn.LayerNorm(width, 1e-6)"),
        },
    ),
    *mutants(
        f"{ENCODER}:EncoderLayer.forward",
        {
            "GELU for ReLU": ("F.relu(", "F.gelu("),
            "no residual": ("self.norm1(query + self", "self.norm1(0 * query + self"),
        },
    ),
    *mutants(
        "lib.models.crossmodal:MultiheadAttention.forward",
        {
            "query and key swapped": ("value), weights,", "value), [weights[i] for i in (1, 0, 2)],"),
            "attention over the queries": ("softmax(dim=-1)", "softmax(dim=-2)"),
            "scale dropped": ("q * q.shape[-1] ** -0.5", "q"),
            "output bias dropped": ("self.out_proj(", "-self.out_proj.bias + self.out_proj("),
        },
    ),
    *mutants(
        f"{ENCODER}:SequenceEncoder.forward",
        {
            "last step masked": ("> lengths[:, None]", ">= lengths[:, None]"),
            "mean for the learned vector": ("x, FIRST, padding)[:, 0]", "x, EVERY, padding).mean(1)"),
            "learned vector behind": (
                "expand(x.shape[0], 1, -1), x], dim=1)",
                "expand(x.shape[0], 1, -1), x], dim=1).flip(1)",
            ),
        },
    ),
]
TEXT = [
    *mutants("lib.models.albert:_Layer.forward", {"exact GELU": ('approximate="tanh"', 'approximate="none"')}),
    *mutants("lib.models.albert:_Layer.__init__", {"BERT's other epsilon": ("LAYER_NORM_EPS", "1e-5")}),
    *mutants(
        "lib.models.albert:_Embeddings.forward",
        {
            "positions dropped": ("+ positions", "+ 0 * positions"),
            "types dropped": ("+ self.token_type_embeddings(types)", "+ 0 * self.token_type_embeddings(types)"),
        },
    ),
    *mutants(
        "lib.models.albert:_Attention.forward",
        {"padding attended to": ("padding[..., None, None, :]", "padding[..., None, None, :] & False")},
    ),
    *mutants(f"{MODEL}:TextEncoder.forward", {"second token": ("rows=FIRST", "rows=slice(1, 2)")}),
]
DENSE = [
    *TEXT,
    *mutants(
        f"{MODEL}:MME2E.forward",
        {
            "fusion in another order": ("for m in FUSION_ORDER if", "for m in reversed(FUSION_ORDER) if"),
            "text's head for all": ("heads[m](vectors[m]) for", "heads[m](vectors[m].flip(0)) for"),
        },
    ),
    *mutants(
        f"{MODEL}:standardised_faces",
        {
            "channels in another order": ("permute(0, 3, 1, 2)", "flip(3).permute(0, 3, 1, 2)"),
            "height and width swapped": ("permute(0, 3, 1, 2)", "permute(0, 3, 2, 1)"),
        },
    ),
    *mutants(
        "lib.models.vgg_block:low_level_cnn",
        {
            "mean for maximum": ("nn.MaxPool2d(2)", "nn.AvgPool2d(2)"),
            "first norm's epsilon x 10": ("nn.BatchNorm2d(width)", "nn.BatchNorm2d(width, eps=1e-4)"),
        },
    ),
    *mutants(f"{MODEL}:_flatten_layers", {"ReLU missing": ("nn.ReLU()", "nn.Identity()")}),
]
SPARSE_MODEL = [
    *mutants(
        f"{STAGES}:reference_site_order",
        {"another order of the sites": ("(~kept).permute(1, 2, 0)", "(~kept).permute(2, 1, 0)")},
    ),
    *mutants(f"{SPARSE}:pooled_mask", {"all four inputs": ("any(dim=4).any(dim=2)", "all(dim=4).all(dim=2)")}),
    *mutants(
        f"{STAGES}:SparseCNN.forward",
        {
            "stages forget each other": ("active = pooled_mask(kept)", "active = torch.ones_like(pooled_mask(kept))"),
            "nothing left out": ("x = block(x, kept)", "x = block(x, torch.ones_like(kept))"),
        },
    ),
]
RECURRENT = [
    *mutants(
        "lib.models.handcrafted_baselines:LFRNN._vector",
        {
            "text's first step": ("rnn.last_output(x)", "rnn(x)[0][:, 0]"),
            "final states for the text": ('if modality == "text"', "if False"),
            "directions swapped": ("final.transpose(0, 1)", "final.flip(0).transpose(0, 1)"),
        },
    ),
    *mutants(
        "lib.models.recurrent:recurrent_layer",
        {
            "gates in another order": (
                "hidden, weights, True",
                "hidden, [w.roll(len(w) // 4, 0) for w in weights], True",
            ),
            "one LSTM bias dropped": (
                "hidden, weights, True",
                "hidden, [*weights[:2], 0 * weights[2], *weights[3:]], True",
            ),
        },
    ),
    *mutants("lib.models.handcrafted_baselines:_head", {"ReLU missing": ("nn.ReLU()", "nn.Identity()")}),
    *mutants(
        "lib.models.handcrafted_baselines:_LateFusion.forward",
        {"fusion in another order": ("for m in self.modalities]", "for m in reversed(self.modalities)]")},
    ),
]
TRANSFORMER = [
    *SEQUENCE,
    *mutants(
        "lib.models.handcrafted_baselines:LFTransformer._vector",
        {"audio without a mask": ('modality == "text" and', "modality and")},
    ),
]
STEPS = [
    *mutants(
        "lib.training.recipe:Recipe.optimiser",
        {
            "Adam's epsilon x 10": ("lr=self.learning_rate, weight", "lr=self.learning_rate, eps=1e-7, weight"),
            "Adam's second beta": ("lr=self.learning_rate, weight", "lr=self.learning_rate, betas=(0.9, 0.99), weight"),
        },
    ),
    *mutants("lib.training.recipe:Recipe.annealing", {"cosine a step longer": ("T_max=steps", "T_max=steps + 1")}),
    *mutants(
        "lib.training.parameter_groups:text_groups",
        {
            "text learns like the rest": ("learning_rate / text_lr_factor", "learning_rate"),
            "text's head learns like the rest": (
                'pair[0].startswith("t_out.")], "lr": slow',
                'pair[0].startswith("t_out.")], "lr": learning_rate',
            ),
        },
    ),
    *mutants(
        "lib.training.loop:update",
        {
            "not clipped": ("recipe.clip_norm)", "1e9)"),
            "clipped by the largest": ("recipe.clip_norm)", "recipe.clip_norm, float('inf'))"),
        },
    ),
    *mutants(
        "lib.training.objective:Objective.__init__",
        {
            "weights of the positives dropped": (
                '{"positive_weights": weights}',
                '{"positive_weights": 0 * weights + 1}',
            )
        },
    ),
]
SPECTROGRAM = [
    *mutants(
        f"{MEL}:mel_spectrogram",
        {
            "symmetric window": ("sym=False", "sym=True"),
            "amplitude for power": ("** 2", "** 1"),
            "edge repeated": ('mode="reflect"', 'mode="symmetric"'),
            "hop of a whole window": ("window_size // 2]", "window_size]"),
            "sample off by 1e-5": (
                "np.asarray(waveform, np.float32)",
                "np.asarray(waveform, np.float32) * np.float32(1 + 1e-5)",
            ),
        },
    ),
    *mutants(
        f"{MEL}:mel_filters",
        {
            "Slaney's scale": ("2595 * math.log10", "2590 * math.log10"),
            "falling flank": ("torch.minimum(rising, falling)", "rising"),
            "rate not halved": ("torch.linspace(0, rate // 2, fft", "torch.linspace(0, rate // 2 + 1, fft"),
        },
    ),
    *mutants(f"{MEL}:cut_pieces", {"padded in front": ("(0, -frames % PIECE_FRAMES)", "(-frames % PIECE_FRAMES, 0)")}),
]
LOADERS = [
    *mutants(f"{RULES}:face_less_crop", {"crop in the middle": ('if columns == "reference"', "if False")}),
    *mutants(f"{RULES}:sampled_frames", {"a frame fewer": ("(count - 5)", "(count - 6)")}),
    *mutants(
        f"{RULES}:positive_weights",
        {"share for odds": ("(len(labels) - positives) / positives", "len(labels) / positives")},
    ),
    *mutants(f"{RULES}:uses_left_camera", {"the other camera": ("==", "!=")}),
]
SCORES = [
    *mutants(
        "lib.metrics.scores:precision",
        {"recall for precision": ("/ np.maximum(a.predicted.sum(axis=0), 1)", "/ np.maximum(a.true.sum(axis=0), 1)")},
    ),
    *mutants(
        "lib.metrics.presence:best_thresholds",
        {"the last of equal ones": ("f1.argmax(axis=0)", "(len(f1) - 1 - f1[::-1].argmax(axis=0))")},
    ),
    *mutants(
        "lib.metrics.scores:recall",
        {"precision for recall": ("/ np.maximum(a.true.sum(axis=0), 1)", "/ np.maximum(a.predicted.sum(axis=0), 1)")},
    ),
]


def of_stored_weights(check: Callable[[Vectors], None]) -> Callable[[Vectors], None]:
    """Files of full width cost much and say nothing more."""
    return lambda vectors: None if vectors.config.get("weights") == "recipe" else check(vectors)


CHECKS = {
    "vgg_block": (check_vgg_block, VGG),
    "cross_attention_dense": (check_attention_over_frames, ATTENTION),
    "cross_attention_sparse": (check_attention_over_sites, [*ATTENTION[:2], NUCLEUS[1]]),
    "nucleus": (check_nucleus, NUCLEUS),
    "transformer_encoder": (check_sequence_encoder, SEQUENCE),
    "mme2e": (of_stored_weights(check_dense_model), DENSE),
    "lf_rnn": (of_stored_weights(check_baseline), RECURRENT),
    "lf_transformer": (of_stored_weights(check_baseline), TRANSFORMER),
    "train_steps": (check_train_steps, STEPS),
    "mel": (check_mel, SPECTROGRAM),
    "data_rules": (check_loader_rules, LOADERS),
    "metrics": (check_metrics, SCORES),
}


@pytest.mark.parametrize(("kind", "mutant"), listed({kind: wrong for kind, (_, wrong) in CHECKS.items()}), ids=named)
def test_kind(kind, mutant):
    assert_killed(mutant, CHECKS[kind][0], "mme2e", kind)


@pytest.mark.parametrize(("form", "mutant"), listed({"masked": MASKED, "gathered": GATHERED}), ids=named)
def test_sparse_block(form, mutant):
    assert_killed(mutant, partial(check_sparse_block, form=form), "mme2e", "sparse_vgg_block")


@pytest.mark.parametrize(("form", "mutant"), listed(dict.fromkeys(FORMS, SPARSE_MODEL)), ids=named)
def test_sparse_model(form, mutant):
    assert_killed(mutant, of_stored_weights(partial(check_sparse_model, form=form)), "mme2e", "sparse")
