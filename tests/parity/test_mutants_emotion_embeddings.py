"""Wrong emotion-embedding models and baselines fail the parity checks.

Two that nobody can see are not here. A key's bias adds the same to all energies of a row, and softmax takes it off
again. A tenth of the epsilon in an encoder layer's norms moves nothing by more than float32 keeps: the variance is
about 1, and the next norm takes the scale off; ten times the epsilon is seen.
"""

import pytest

from tests.parity.mutants import assert_killed, listed, mutants, named
from tests.parity.test_emotion_embeddings_models import check_model, check_steps

pytestmark = pytest.mark.slow

LAYER, LAYERED = "lib.models.recurrent:recurrent_layer", "lib.models.recurrent:_Layered"
EEA, BASELINES = "lib.models.eea:EEA", "lib.models.recurrent_baselines"
CROSSMODAL, TRANSFORMER = "lib.models.crossmodal", "lib.models.early_fusion_transformer"
RECURRENT = [
    *mutants(
        LAYER,
        {
            "gates in another order": (
                "hidden, weights, True",
                "hidden, [w.roll(w.shape[0] // (4 if mode == 'LSTM' else 3), 0) for w in weights], True",
            ),
            "one bias dropped": (
                "hidden, weights, True",
                "hidden, [w * (i != 2) for i, w in enumerate(weights)], True",
            ),
            "recurrent bias dropped": (
                "hidden, weights, True",
                "hidden, [w * (i != 3) for i, w in enumerate(weights)], True",
            ),
        },
    ),
    *mutants(
        f"{LAYERED}.last_output",
        {
            "first step read": ("[-1] for d", "[0] for d"),
        },
    ),
]
BOTH_WAYS = [
    *mutants(
        f"{LAYERED}.last_output",
        {
            "directions swapped": ("cat(halves", "cat(halves[::-1]"),
            "reverse direction reads all": ("x[-1:] if d else x", "x.flip(0) if d else x"),
        },
    ),
]
MODELS = {
    "eea": [
        *RECURRENT,
        BOTH_WAYS[1],
        *mutants(
            f"{EEA}.encode",
            {
                "directions averaged": ("sum(dim=-2)", "mean(dim=-2)"),
            },
        ),
        *mutants(
            f"{EEA}.emotion_space",
            {
                "bias of the maps dropped": (
                    "self.maps[modality](self.emotion_vectors)",
                    "(self.maps[modality](self.emotion_vectors) - self.maps[modality].bias)",
                ),
            },
        ),
        *mutants(
            f"{EEA}.forward",
            {
                "modalities weighted alike": (
                    "scores @ self.modality_weights.weight",
                    "scores @ (0 * self.modality_weights.weight + 1 / len(self.modalities))",
                ),
                "modality weights normalised": (
                    "scores @ self.modality_weights.weight",
                    "scores @ self.modality_weights.weight.softmax(0)",
                ),
            },
        ),
        *mutants(
            f"{EEA}.scores",
            {
                "cosine for dot product": (
                    "self.encode(m, x) @",
                    "torch.nn.functional.normalize(self.encode(m, x), dim=-1) @",
                ),
            },
        ),
        *mutants(
            f"{EEA}.emotion_space",
            {
                "emotion vectors learned": (
                    "return self.emotion_vectors if",
                    "return 1.00001 * self.emotion_vectors if",
                ),
            },
        ),
    ],
    "ef": [
        *RECURRENT,
        *BOTH_WAYS,
        *mutants(
            f"{BASELINES}:_RecurrentBaseline._early",
            {
                "modalities in the other order": ("list(features.values())", "list(features.values())[::-1]"),
            },
        ),
    ],
    "lf": [
        *RECURRENT,
        *BOTH_WAYS,
        *mutants(
            f"{BASELINES}:LateFusionRNN.fused",
            {
                "modalities in the other order": (
                    "self._late(self.rnns, features)",
                    "self._late(self.rnns, features)[::-1]",
                ),
            },
        ),
    ],
    "eflf": [
        *RECURRENT,
        *BOTH_WAYS,
        *mutants(
            f"{BASELINES}:EarlyLateFusionRNN.fused",
            {
                "early before late": (
                    "[*self._late(self.rnns, features), self._early(self.early_rnn, features)]",
                    "[self._early(self.early_rnn, features), *self._late(self.rnns, features)]",
                ),
            },
        ),
        *mutants(
            f"{BASELINES}:deep_head",
            {
                "ReLU of the head": ("nn.ReLU()", "nn.GELU()"),
            },
        ),
    ],
    "ts": [
        *RECURRENT,
        *mutants(
            f"{BASELINES}:AdditiveAttention.forward",
            {
                "attention over the features": ("softmax(dim=1)", "softmax(dim=2)"),
                "attention over the batch": ("softmax(dim=1)", "softmax(dim=0)"),
                "sigmoid for tanh": ("torch.tanh(", "torch.sigmoid("),
                "step before query": (
                    "[query.unsqueeze(1).expand_as(steps), steps]",
                    "[steps, query.unsqueeze(1).expand_as(steps)]",
                ),
                "mean for the sum": (".sum(dim=1)", ".mean(dim=1)"),
            },
        ),
    ],
    "transformer": [
        *mutants(
            f"{TRANSFORMER}:EarlyFusionTransformer.forward",
            {
                "attention over time": ('self.attention_axis == "reference"', "False"),
            },
        ),
        *mutants(
            f"{TRANSFORMER}:interleaved_position_code",
            {
                "sines and cosines swapped": ("angles.sin(), angles.cos()", "angles.cos(), angles.sin()"),
                "positions from one": ("torch.arange(time,", "1 + torch.arange(time,"),
            },
        ),
        *mutants(
            f"{TRANSFORMER}:EarlyFusionTransformer.forward",
            {
                "sum over time": (".mean(dim=1)", ".sum(dim=1)"),
            },
        ),
        *mutants(
            f"{TRANSFORMER}:EarlyFusionTransformer.__init__",
            {
                "last norm's epsilon x 10": ("nn.LayerNorm(width)", "nn.LayerNorm(width, eps=1e-4)"),
            },
        ),
        *mutants(
            "lib.models.sequence_encoder:EncoderLayer.__init__",
            {
                "layer norm's epsilon x 10": (
                    "self.norm1 = nn.LayerNorm(width)",
                    "self.norm1 = nn.LayerNorm(width, eps=1e-4)",
                ),
            },
        ),
        *mutants(
            "lib.models.sequence_encoder:EncoderLayer.forward",
            {
                "norm in front": (
                    "self.norm1(query + self.dropout(self.self_attn(query, x, x, hidden)))",
                    "x + self.self_attn(self.norm1(x), self.norm1(x), self.norm1(x), hidden)",
                ),
            },
        ),
        *mutants(
            f"{CROSSMODAL}:MultiheadAttention.forward",
            {
                "attention unscaled": ("q * q.shape[-1] ** -0.5", "q"),
                "query and key swapped": (
                    "zip((query, key, value), weights, biases",
                    "zip((query, key, value), (weights[1], weights[0], weights[2]), biases",
                ),
                "value's bias dropped": (
                    "self.in_proj_bias.chunk(3)",
                    "(*self.in_proj_bias.chunk(3)[:2], 0 * self.in_proj_bias.chunk(3)[2])",
                ),
                "attention over the queries": ("energy.softmax(dim=-1)", "energy.softmax(dim=-2)"),
            },
        ),
    ],
    "mult": [
        *mutants(
            f"{CROSSMODAL}:CrossmodalEncoder.forward",
            {
                "key and value unscaled": ("math.sqrt(width) * e", "e"),
            },
        ),
        *mutants(
            f"{CROSSMODAL}:position_code",
            {
                "every step has a position": ('positions == "every_step"', "True"),
                "positions from zero": ("torch.arange(1, time + 1", "torch.arange(0, time"),
                "sines and cosines swapped": ("angles.sin(), angles.cos()", "angles.cos(), angles.sin()"),
            },
        ),
        *mutants(
            f"{CROSSMODAL}:CrossmodalEncoder.forward",
            {
                "mask one off": ("ones.triu(1 + abs", "ones.triu(abs"),
            },
        ),
        *mutants(
            f"{CROSSMODAL}:CrossmodalLayer.forward",
            {
                "key and value by the other norm": ("self.layer_norms[0](s) for s", "self.layer_norms[1](s) for s"),
            },
        ),
        *mutants(
            f"{CROSSMODAL}:CrossmodalLayer.__init__",
            {
                "layer norm's epsilon x 10": ("nn.LayerNorm(width)", "nn.LayerNorm(width, eps=1e-4)"),
            },
        ),
        *mutants(
            f"{CROSSMODAL}:CrossmodalEncoder.__init__",
            {
                "last norm's epsilon / 10": ("nn.LayerNorm(width)", "nn.LayerNorm(width, eps=1e-6)"),
            },
        ),
        *mutants(
            f"{CROSSMODAL}:CrossmodalLayer.forward",
            {
                "residual missing": ("return x + self", "return self"),
            },
        ),
        *mutants(
            f"{CROSSMODAL}:MultiheadAttention.forward",
            {
                "attention over the queries": ("energy.softmax(dim=-1)", "energy.softmax(dim=-2)"),
                "value's bias dropped": (
                    "self.in_proj_bias.chunk(3)",
                    "(*self.in_proj_bias.chunk(3)[:2], 0 * self.in_proj_bias.chunk(3)[2])",
                ),
            },
        ),
        *mutants(
            "lib.models.mult:MulT.forward",
            {
                "sources in the other order": ("attended[target].append(", "attended[target].insert(0, "),
                "first step read": ("rows=LAST)", "rows=slice(1))"),
                "head's residual missing": ("F.relu(self.proj1(z)))) + z", "F.relu(self.proj1(z)))) + 0 * z"),
            },
        ),
    ],
}


STEPS = [
    *mutants(
        "lib.models.recurrent:_gru_direction",
        {
            "reset and update gates swapped": ("reset, update, new = step", "update, reset, new = step"),
            "reset before the product": ("new + torch.sigmoid(reset + past_reset) * past_new", "new + past_new"),
            "update the other way round": (
                "torch.sigmoid(update + past_update)",
                "torch.sigmoid(-update - past_update)",
            ),
            "recurrent bias dropped": ("torch.addmm(bias_hh,", "torch.addmm(0 * bias_hh,"),
        },
    ),
    *mutants(
        "lib.models.recurrent:_lstm_direction",
        {"one bias dropped": ("bias_ih + bias_hh", "bias_ih + 0 * bias_hh")},
    ),
    *mutants(
        "lib.models.lstm_steps:_LSTMSteps.backward",
        {"backward: output gate": ("dh * tanh_c, o, grad_input=d_o", "dh * c, o, grad_input=d_o")},
    ),
]


@pytest.mark.parametrize(("kind", "mutant"), listed(MODELS), ids=named)
def test_models(kind, mutant):
    assert_killed(mutant, check_model, "emotion_embeddings", kind)


@pytest.mark.parametrize("mutant", STEPS, ids=named)
def test_recurrences_step_by_step(mutant):
    assert_killed(mutant, check_steps, "emotion_embeddings", "ef")
