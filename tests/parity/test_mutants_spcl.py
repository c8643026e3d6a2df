"""Wrong conversation backbones, objectives and runs of the SPCL paper fail the parity checks.

Not here, because nothing changes: the graph of MMGCN and MM-DFN is symmetric, so it may be transposed, and its rows
summed for its columns; attention is blind to a key bias; the held-out dialogues of the runs fill one batch.
"""

import pytest

from tests.parity.mutants import assert_killed, listed, mutants, named
from tests.parity.test_spcl_backbones import check_backbone
from tests.parity.test_spcl_loop import check_our_loop
from tests.parity.test_spcl_objective import check_objective, check_schedule
from tests.parity.test_spcl_training import check_dataloader, check_whole_run

pytestmark = pytest.mark.slow

ENCODER, GRAPH = "lib.models.conversation_encoder", "lib.models.conversation_graph"
GCN, BIDDIN = "lib.models.dialogue_gcn", "lib.models.biddin"
RNN, STEPS = "lib.models.dialogue_rnn", "lib.models.dialogue_steps"
OBJECTIVE, DIALOGUES = "lib.training.self_paced", "lib.models.dialogues"
NORM1, NORM2 = "self.norm1 = nn.LayerNorm(width)", "self.norm2 = nn.LayerNorm(width)"

SHARED = [
    *mutants(
        f"{ENCODER}:SelfAttention.forward",
        {
            "query and key swapped": ("q, k, v =", "k, q, v ="),
            "attention over the queries": ("scores.softmax(-1)", "scores.softmax(-2)"),
            "attention not scaled": (" * q.shape[-1] ** -0.5", ""),
            "padding masked": ("if padding_mask:", "if True:"),
        },
    ),
    *mutants(
        f"{ENCODER}:SelfAttention._project",
        {"projection's bias dropped": ("F.linear(x, weight, bias), fill=bias", "F.linear(x, weight), fill=0 * bias")},
    ),
    *mutants(
        f"{ENCODER}:EncoderLayer.__init__",
        {
            "first norm's epsilon x 10": (NORM1, "self.norm1 = nn.LayerNorm(width, 1e-4)"),
            "first norm's epsilon / 10": (NORM1, "self.norm1 = nn.LayerNorm(width, 1e-6)"),
            "second norm's epsilon x 10": (NORM2, "self.norm2 = nn.LayerNorm(width, 1e-4)"),
        },
    ),
    *mutants(
        f"{ENCODER}:EncoderLayer.forward",
        {
            "ReLU missing": ("self.linear1(x).relu()", "self.linear1(x)"),
            "no residual": ("self.norm1(x + self", "self.norm1(0 * x + self"),
        },
    ),
    *mutants(
        f"{ENCODER}:ConversationEncoder.forward",
        {"output bias dropped": ("self.lin_out(x)", "F.linear(x, self.lin_out.weight, 0 * self.lin_out.bias)")},
    ),
    *mutants(f"{ENCODER}:attention_heads", {"another number of heads": ("range(5, 15)", "range(2, 15)")}),
]
JOINT = mutants(
    f"{DIALOGUES}:ConversationModel.forward", {"mean of the modalities": ("logits.values())", "logits.values()) / 3")}
)
SIMILARITY = [
    *mutants(
        f"{GRAPH}:angular_similarity",
        {
            "angle's factor": ("0.99999", "0.9999"),
            "similarity by the cosine": ("1.0 - torch.acos(0.99999 * cosine) / math.pi", "cosine"),
        },
    ),
    *mutants(
        f"{GRAPH}:similarity_graph",
        {
            "normalised over time": ("norm(dim=-1, keepdim", "norm(dim=-2, keepdim"),
            "degree within a modality": ("within.sum(-1) + across.sum(1)", "within.sum(-1)"),
            "divided by the degree twice": (".rsqrt()", ".reciprocal()"),
        },
    ),
    *mutants(
        f"{GRAPH}:SimilarityGraph.propagate", {"nothing across modalities": ("+ torch.einsum", "+ 0 * torch.einsum")}
    ),
    *mutants(
        f"{GRAPH}:GraphConvolution.forward",
        {
            "first nodes in front": ("[neighbours, first]", "[first, neighbours]"),
            "theta swapped": ("theta * mapped + (1 - theta)", "(1 - theta) * mapped + theta"),
            "alpha swapped": ("(1 - alpha) * neighbours + alpha", "alpha * neighbours + (1 - alpha)"),
        },
    ),
    *mutants(
        f"{GRAPH}:GraphNetwork.__init__",
        {
            "theta of the next layer": ("strength / layer + 1", "strength / (layer + 1) + 1"),
            "alpha": ("alpha: float = 0.1", "alpha: float = 0.11"),
        },
    ),
    *mutants(
        f"{GRAPH}:GraphNetwork.forward",
        {
            "result in front": ("torch.cat([nodes, x]", "torch.cat([x, nodes]"),
            "first ReLU missing": ("self.fcs[0](nodes).relu()", "self.fcs[0](nodes)"),
            "ReLU of the layers missing": ("self.alpha).relu()", "self.alpha)"),
            "first bias dropped": ("self.fcs[0](nodes)", "(self.fcs[0](nodes) - self.fcs[0].bias)"),
        },
    ),
]
BACKBONES = {
    "late_fusion": SHARED + JOINT,
    "mmgcn": [
        *SIMILARITY,
        *mutants(
            "lib.models.mmgcn:MMGCN.modality_logits",
            {"classifier's bias dropped": ("self.uni_fc[m](z)", "(self.uni_fc[m](z) - self.uni_fc[m].bias)")},
        ),
    ],
    "mm_dfn": [
        *SIMILARITY[:2],
        *mutants(
            "lib.models.mm_dfn:GatedFusion.forward",
            {
                "gate swapped": ("torch.lerp(u[other], u[own], gate)", "torch.lerp(u[own], u[other], gate)"),
                "gate by tanh": (".sigmoid()", ".tanh()"),
                "sum for product": ("u[own] * u[other]", "u[own] + u[other]"),
                "transform's ReLU missing": ("self.transform[m](z).relu()", "self.transform[m](z)"),
                "gate's inputs swapped": ("[u[own], u[other], u[own]", "[u[other], u[own], u[own]"),
                "mean over the others": (".sum(0)", ".mean(0) * 1.5"),
            },
        ),
        *mutants(
            "lib.models.mm_dfn:MMDFN.modality_logits",
            {"classifier's bias dropped": ("self.uni_fc[m](o)", "(self.uni_fc[m](o) - self.uni_fc[m].bias)")},
        ),
    ],
    "dialogue_gcn": [
        *mutants(
            f"{GCN}:EdgeAttention.__init__",
            {"attention over receivers": ('"sender": 2, "receiver": 1', '"sender": 1, "receiver": 2')},
        ),
        *mutants(f"{GCN}:EdgeAttention.forward", {"weight not transposed": ("self.weight.T", "self.weight")}),
        *mutants(
            f"{GCN}:RelationalConvolution.forward",
            {
                "bias dropped": ("+ self.bias", "+ 0 * self.bias"),
                "root dropped": ("@ self.root", "@ (0 * self.root)"),
                "speakers swapped": ("shares.transpose(0, 1)", "shares"),
            },
        ),
        *mutants(
            f"{GRAPH}:sender_means",
            {
                "an utterance before itself": (">= steps", "> steps"),
                "sum for mean": ("members / members.sum(-1, keepdim=True).clamp(min=1.0)", "members"),
            },
        ),
        *mutants(
            f"{GRAPH}:window_edges",
            {"window mirrored": ("(offset >= -past) & (offset <= future)", "(offset >= -future) & (offset <= past)")},
        ),
        *mutants(
            f"{GCN}:UnimodalDialogueGCN.forward",
            {
                "messages against their direction": ("edges.joined).transpose(1, 2)", "edges.joined)"),
                "graph in front": ("[encoded, h2]", "[h2, encoded]"),
                "root of the second layer dropped": ("+ self.lin_root(h1)", "+ 0 * self.lin_root(h1)"),
                "ReLU missing": ("-1)).relu()", "-1))"),
                "bias of the second layer dropped": (
                    "self.lin_rel(received)",
                    "(self.lin_rel(received) - self.lin_rel.bias)",
                ),
            },
        ),
    ],
    "biddin": [
        *mutants(
            f"{STEPS}:_cell",
            {
                "reset and update swapped": ("part, reset, update, new =", "part, update, reset, new ="),
                "new and old state swapped": ("torch.lerp(new, state", "torch.lerp(state, new"),
                "recurrent bias dropped": ("cell.bias_hh.expand", "(0 * cell.bias_hh).expand"),
                "reset before the product": ("size :], reset, part", "size :], reset * 0 + 1, part"),
            },
        ),
        *mutants(
            f"{STEPS}:_cell_back",
            {
                "gradient not through the state": ("through = d_next * update", "through = 0 * d_next"),
                "gradient of the reset gate dropped": (
                    "_backward.grad_input(d_new * part",
                    "_backward.grad_input(0 * part",
                ),
                "gradient past the reset gate": ("torch.mul(d_new, reset, out=d_part)", "d_part.copy_(d_new)"),
                "gradient of the update gate turned": ("(state - new)", "(new - state)"),
            },
        ),
        *mutants(
            f"{STEPS}:_attend_back",
            {"gradient of the scores dropped": ("torch.stack([share, d_scores]", "torch.stack([share, 0 * d_scores]")},
        ),
        *mutants(
            f"{RNN}:positions",
            {
                "positions' base": ("10000.0", "1000.0"),
                "sine and cosine swapped": ("angles.sin(), angles.cos()", "angles.cos(), angles.sin()"),
            },
        ),
        *mutants(
            f"{STEPS}:_Speak.forward",
            {
                "history without positions": ("torch.add(overall, place[:, t, None]", "torch.add(overall, 0 * overall"),
                "party from the next state": ("known[:, at], speaker, overall", "known[:, at], 0 * speaker, overall"),
                "no context": ("known[:, at], context, speaker", "known[:, at], 0 * context, speaker"),
                "attention over dialogues": ("scores.softmax(2)", "scores.softmax(1)"),
            },
        ),
        *mutants(
            f"{STEPS}:_Speak.backward",
            {
                "no gradient to the history": ("d_overall + d_history[:, :n, t]", "d_overall"),
                "no gradient to the speaker's earlier state": (
                    "scatter_add_(2, talking, d_before",
                    "scatter_add_(2, talking, 0 * d_before",
                ),
            },
        ),
        *mutants(
            f"{RNN}:DialogueRNN.forward", {"backward not turned again": ("dialogues.reverse(backward)", "backward")}
        ),
        *mutants(
            f"{BIDDIN}:EmotionAttention.forward",
            {
                "axis mended": ('self.axis == "reference"', "False"),
                "scale of all heads": ("q.shape[-1] ** -0.5", "states.shape[-1] ** -0.5"),
                "layer norm's epsilon x 10": ("states.shape[-1:])", "states.shape[-1:], eps=1e-4)"),
                "layer norm's epsilon / 10": ("states.shape[-1:])", "states.shape[-1:], eps=1e-6)"),
                "no residual": ("states + self.fc", "0 * states + self.fc"),
            },
        ),
        *mutants(
            f"{BIDDIN}:BiDDIN.modality_logits",
            {
                "ReLU missing": ("self.linear[m](attended).relu()", "self.linear[m](attended)"),
                "no positions behind the recurrence": ("emotions + positions(", "emotions + 0 * positions("),
                "directions swapped": ("permute(1, 2, 3, 0, 4)", "flip(0).permute(1, 2, 3, 0, 4)"),
            },
        ),
    ],
}
CURRICULUM = [
    *mutants(f"{OBJECTIVE}:true_class_probability", {"softmax over the modalities": ("softmax(-1)", "softmax(0)")}),
    *mutants(
        f"{OBJECTIVE}:imbalance", {"divisor of the deviation": ("scores.std(0)", "scores.std(0, unbiased=False)")}
    ),
    *mutants(
        f"{OBJECTIVE}:dialogue_scores",
        {"mean over the dialogue": ("return zeros.index_add(", "return 1 / lengths * zeros.index_add(")},
    ),
    *mutants(
        f"{OBJECTIVE}:harmonic_mean",
        {
            "half the harmonic mean": ("2.0 /", "1.0 /"),
            "geometric mean": ("2.0 / (1.0 / score + 1.0 / loss)", "(score * loss).sqrt()"),
        },
    ),
    *mutants(f"{OBJECTIVE}:selected_mean", {"mean over the selected": ('if over == "all"', 'if over == "selected"')}),
    *mutants(f"{OBJECTIVE}:modality_ratios", {"over the largest": ("total.min()", "total.max()")}),
    *mutants(f"{OBJECTIVE}:curriculum", {"the hard ones": ("difficulty <= threshold", "difficulty >= threshold")}),
]
SCHEDULE = mutants(
    f"{OBJECTIVE}:next_threshold",
    {
        "growth added": ("threshold * growth", "threshold + growth - 1"),
        "no cap": ("min(CAP, threshold * growth)", "threshold * growth"),
        "growth off by 1e-6": ("threshold * growth", "threshold * (growth + 1e-6)"),
    },
)
RUN = [
    *mutants(
        f"{OBJECTIVE}:SelfPaced.end_epoch",
        {
            "threshold grows twice": (
                "next_threshold(self.threshold, self.growth)",
                "next_threshold(self.threshold, self.growth**2)",
            )
        },
    ),
    *mutants(
        f"{OBJECTIVE}:SelfPaced.loss",
        {"nothing is left out": ("if self.enabled else torch.ones_like", "if False else torch.ones_like")},
    ),
]
LOOP = [
    *RUN,
    *mutants(
        "lib.training.recipe:Recipe.optimiser",
        {
            "Adam's epsilon x 10": ("lr=self.learning_rate, weight", "lr=self.learning_rate, eps=1e-7, weight"),
            "Adam's second beta": ("lr=self.learning_rate, weight", "lr=self.learning_rate, betas=(0.9, 0.99), weight"),
            "weight decay x 1.1": ("weight_decay=self.weight_decay", "weight_decay=1.1 * self.weight_decay"),
        },
    ),
    *mutants(
        "lib.training.selection:Selection.update",
        {"the last of equal epochs": ("value < self.best_value", "value <= self.best_value + 10")},
    ),
]
LOADER = [
    *mutants("lib.data.dialogues.conversation_batches:dev_split", {"one dialogue more": ("int(", "1 + int(")}),
    *mutants(
        "lib.data.dialogues.conversation_batches:iemocap_speakers",
        {"speakers swapped": ('letter == "F"', 'letter == "M"')},
    ),
    *mutants("lib.data.dialogues.conversation_batches:meld_speakers", {"the ninth speaker kept": ("8", "9")}),
]


@pytest.mark.parametrize(("kind", "mutant"), listed(BACKBONES), ids=named)
def test_backbones(kind, mutant):
    assert_killed(mutant, check_backbone, "spcl", kind)


@pytest.mark.parametrize("mutant", CURRICULUM, ids=named)
def test_objective(mutant):
    assert_killed(mutant, check_objective, "spcl", "spcl_loss_cases")


@pytest.mark.parametrize("mutant", SCHEDULE, ids=named)
def test_schedule(mutant):
    assert_killed(mutant, check_schedule, "spcl", "threshold_schedule")


@pytest.mark.parametrize("mutant", LOADER, ids=named)
def test_loader(mutant):
    assert_killed(mutant, check_dataloader, "spcl", "dataloader")


@pytest.mark.parametrize("mutant", RUN, ids=named)
def test_runs(mutant):
    assert_killed(mutant, check_whole_run, "spcl", "train_trace")


@pytest.mark.parametrize("mutant", LOOP, ids=named)
def test_our_loop(mutant):
    assert_killed(mutant, check_our_loop, "spcl", "train_trace")
