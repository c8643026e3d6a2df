"""Wrong fusion models, optimiser runs and rules of the LMF scripts fail the parity checks.

The F1 of one class is in no stored file, only the weighted one: tests/metrics has it.
"""

import pytest

from tests.parity.mutants import assert_killed, mutants, named
from tests.parity.test_low_rank_fusion_models import check_model
from tests.parity.test_low_rank_fusion_protocol import check_rule

pytestmark = pytest.mark.slow

ENCODERS, LAYER = "lib.models.fusion_encoders", "lib.models.recurrent:recurrent_layer"
SHARED = [
    *mutants(
        LAYER,
        {
            "gates in another order": (
                "hidden, weights, True",
                "hidden, [w.roll(len(w) // 4, 0) for w in weights], True",
            ),
            "one LSTM bias dropped": (
                "hidden, weights, True",
                "hidden, [*weights[:2], 0 * weights[2], weights[3]], True",
            ),
        },
    ),
    *mutants(
        f"{ENCODERS}:SequenceEncoder.forward",
        {
            "cell in place of hidden state": ("_, (last, _)", "_, (_, last)"),
        },
    ),
    *mutants(
        f"{ENCODERS}:VectorEncoder.__init__",
        {
            "batch norm's epsilon x 10": ("BatchNorm1d(input_size)", "BatchNorm1d(input_size, eps=1e-4)"),
            "batch norm's epsilon / 10": ("BatchNorm1d(input_size)", "BatchNorm1d(input_size, eps=1e-6)"),
        },
    ),
    *mutants(
        f"{ENCODERS}:VectorEncoder.forward",
        {
            "no batch norm": ("self.norm(x.flatten(1))", "self.norm(x.flatten(1)) * 0 + x.flatten(1)"),
            "a layer less": ("self.linear_2, self.linear_3):", "self.linear_2, self.linear_2):"),
            "ReLU missing": ("x = torch.relu(layer(x))", "x = layer(x)"),
        },
    ),
    *mutants(
        f"{ENCODERS}:with_one",
        {
            "one behind the vector": ("(1, 0)", "(0, 1)"),
            "zero in front of the vector": ("value=1.0", "value=0.0"),
        },
    ),
]
LMF = [
    *mutants(
        "lib.models.low_rank:LMF.rank_products",
        {
            "video left out of the product": ("audio * video * text", "audio * (1 + 0 * video) * text"),
            "sum in place of the product": ("audio * video * text", "audio + video + text"),
        },
    ),
    *mutants(
        "lib.models.low_rank:LMF.forward",
        {
            "fusion bias dropped": ("+ self.fusion_bias", "+ 0 * self.fusion_bias"),
            "ranks unweighted": ("self.fusion_weights @ products", "(0 * self.fusion_weights + 1) @ products"),
            "softmax over the batch": ("dim=1)", "dim=0)"),
        },
    ),
]
TFN = [
    *mutants(
        "lib.models.tensor_fusion:TFN.outer_product",
        {
            "modalities of the product swapped": (
                "pairs[:, :, None], text[:, None, :]",
                "text[:, :, None], pairs[:, None, :]",
            ),
        },
    ),
    *mutants(
        "lib.models.tensor_fusion:TFN.forward",
        {
            "range dropped": ("torch.sigmoid(x) * self.output_range", "torch.sigmoid(x) * (self.output_range - 1)"),
            "tanh for sigmoid": ("torch.sigmoid(x)", "torch.tanh(x)"),
            "second ReLU missing": ("torch.relu(self.post_fusion_layer_2(x))", "self.post_fusion_layer_2(x)"),
        },
    ),
    *mutants(
        "lib.models.wide_linear:WideLinear.forward",
        {
            "bias of the wide layer dropped": ("squeeze(0) + self.bias", "squeeze(0) + 0 * self.bias"),
        },
    ),
    *mutants(
        "lib.models.wide_linear:_WideLinear.backward",
        {
            "backward of the wide layer": ("torch.bmm(d_output, weight)", "torch.bmm(d_output, weight.abs())"),
        },
    ),
]
TRAINING = "tests.parity.test_low_rank_fusion_models:train_in_order"
OPTIMISER = [
    *mutants(
        "lib.training.parameter_groups:factor_groups",
        {
            "factors learn like the rest": ('"lr": factor_learning_rate', '"lr": learning_rate'),
            "fusion trained in the legacy run": ("if legacy and", "if False and"),
        },
    ),
    *mutants(
        TRAINING,
        {
            "weight decay x 1.01": (
                'weight_decay=config["weight_decay"]',
                'weight_decay=1.01 * config["weight_decay"]',
            ),
            "decoupled weight decay": ("optim.Adam(", "optim.AdamW("),
            "Adam's epsilon x 10": (
                'weight_decay=config["weight_decay"]',
                'weight_decay=config["weight_decay"], eps=1e-7',
            ),
            "Adam's second beta": (
                'weight_decay=config["weight_decay"]',
                'weight_decay=config["weight_decay"], betas=(0.9, 0.99)',
            ),
            "gradients not cleared": ("optimiser.zero_grad()", "pass"),
        },
    ),
    *mutants(
        "tests.parity.test_low_rank_fusion_models:loss_of",
        {
            "loss averaged": ('target, reduction="sum")', "target)"),
        },
    ),
]
RULES = {
    "padding": [
        *mutants(
            "lib.data.arrays.sequences:pad",
            {
                "first steps kept": ("sequence[len(sequence) - length :]", "sequence[:length]"),
                "padding behind": ("steps - length if", "0 if"),
            },
        ),
        *mutants(
            "lib.data.arrays.sequences:max_abs",
            {
                "divisor by row": ("largest == 0, 1.0", "largest == 0, 2.0"),
            },
        ),
        *mutants(
            "lib.data.arrays.sequences:time_mean",
            {
                "mean over real steps": (
                    "padded.mean(axis=1)",
                    "padded.sum(axis=1) / np.maximum((padded != 0).any(2).sum(1), 1)[:, None]",
                ),
            },
        ),
    ],
    "nan_clean": [
        *mutants(
            "lib.data.arrays.lmf_pickles:clean_nan",
            {
                "NaN of the text cleaned": ('("audio", "video")', '("audio", "video", "text")'),
                "infinities cleaned": ("np.isnan(", "~np.isfinite("),
            },
        ),
    ],
    "search_draws": [
        *mutants(
            "lib.papers.low_rank_fusion:draws",
            {
                "one draw too many": ("    while True:", "    choose((1, 2))\n    while True:"),
                "drawn in the other order": ("space.items()}", "reversed(space.items())}"),
            },
        ),
    ],
    "early_stop": [
        *mutants(
            "lib.training.selection:Selection.update",
            {
                "a tie is an improvement": ("value < self.best_value", "value <= self.best_value"),
            },
        ),
        *mutants(
            "lib.training.selection:Selection.stop",
            {
                "one epoch more": (">= self.patience", "> self.patience"),
            },
        ),
        *mutants(
            "lib.training.selection:Selection.update",
            {
                "NaN goes on": ("self.abandon_on_nan and math.isnan(value)", "False"),
            },
        ),
    ],
    "metrics": [
        *mutants(
            "lib.metrics.scores:clipped",
            {
                "not clipped": ("np.clip(a.predictions, *a.limits)", "a.predictions"),
            },
        ),
        *mutants(
            "lib.metrics.scores:positive",
            {
                "zero is negative": ("a.predictions >= a.neutral", "a.predictions > a.neutral"),
            },
        ),
        *mutants(
            "lib.metrics.scores:f1",
            {
                "F1 unweighted": ('of_labels if average == "weighted" else None', "None"),
            },
        ),
    ],
}


@pytest.mark.parametrize("mutant", SHARED + LMF, ids=named)
def test_low_rank_fusion(mutant):
    assert_killed(mutant, check_model, "lmf", "lmf")


@pytest.mark.parametrize("mutant", SHARED + TFN, ids=named)
def test_tensor_fusion(mutant):
    assert_killed(mutant, check_model, "lmf", "tfn")


@pytest.mark.parametrize("mutant", OPTIMISER, ids=named)
def test_short_runs(mutant):
    assert_killed(mutant, check_model, "lmf", "opt")


@pytest.mark.parametrize(
    ("kind", "mutant"), [(k, m) for k, ms in RULES.items() for m in ms], ids=lambda x: getattr(x, "name", x)
)
def test_rules(kind, mutant):
    assert_killed(mutant, check_rule, "lmf", kind)
