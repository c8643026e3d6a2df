"""What the conversation backbones promise beyond the reference's numbers."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state

from lib.errors import InputError
from lib.models.biddin import BiDDIN
from lib.models.conversation_encoder import ConversationEncoder, attention_heads
from lib.models.conversation_graph import sender_means, similarity_graph, window_edges
from lib.models.dialogue_gcn import DialogueGCN, EdgeAttention, RelationalConvolution
from lib.models.dialogues import Dialogues
from lib.models.dropout import dropout_noise, generator_noise
from lib.models.late_fusion import LateFusion
from lib.models.mm_dfn import MMDFN
from lib.models.mmgcn import MMGCN

SIZES = {"text": 10, "audio": 6, "video": 7}
CLASSES, SPEAKERS = 4, 3
LENGTHS = torch.tensor([3, 7, 1, 5])
SMALL = {"hidden": 8, "feedforward": 16}
WINDOWED = SMALL | {"speakers": SPEAKERS, "graph_hidden": 5, "past": 2, "future": 1}
RECURRENT = {"speakers": SPEAKERS, "global_size": 8, "party_size": 6, "emotion_size": 4, "hidden": 5}
TOLERANCE = {"rtol": 1e-9, "atol": 1e-9}  # float64


def late_fusion(sizes=SIZES, **options):
    return LateFusion(sizes, CLASSES, **SMALL, **options)


def mmgcn(sizes=SIZES, **options):
    return MMGCN(sizes, CLASSES, **SMALL, **options)


def mm_dfn(sizes=SIZES, **options):
    return MMDFN(sizes, CLASSES, **SMALL, **options)


def dialogue_gcn(sizes=SIZES, **options):
    return DialogueGCN(sizes, CLASSES, **WINDOWED | options)


def biddin(sizes=SIZES, **options):
    return BiDDIN(sizes, CLASSES, **RECURRENT | options)


def mended_biddin(sizes=SIZES, **options):
    return biddin(sizes, attention_axis="dialogue", **options)


ENCODING = [late_fusion, mmgcn, mm_dfn, dialogue_gcn]
ALL = [*ENCODING, biddin]


def conversation(lengths=LENGTHS, seed=0, dtype=torch.float64):
    """Features, lengths and speakers of a random batch."""
    generator = torch.Generator().manual_seed(seed)
    time = int(lengths.max())
    real = torch.arange(time) < lengths[:, None]
    features = {
        m: torch.randn(len(lengths), time, d, generator=generator, dtype=dtype) * real[..., None]
        for m, d in SIZES.items()
    }
    speakers = torch.randint(0, SPEAKERS, (len(lengths), time), generator=generator) * real
    return features, lengths, speakers


def alone(batch, row: int):
    """One dialogue without its batch."""
    features, lengths, speakers = batch
    n = int(lengths[row])
    return {m: x[[row], :n] for m, x in features.items()}, lengths[[row]], speakers[[row], :n]


def built(make, **options):
    torch.manual_seed(0)
    return make(**options).double().eval()


@pytest.mark.parametrize("make", ALL)
def test_one_row_per_real_utterance_and_joint_is_the_sum(make):
    joint, logits = built(make)(*conversation())
    assert list(logits) == list(SIZES)
    assert joint.shape == (LENGTHS.sum(), CLASSES)
    torch.testing.assert_close(joint, logits["text"] + logits["audio"] + logits["video"])


@pytest.mark.parametrize("make", [late_fusion, mmgcn, dialogue_gcn, biddin])
def test_one_modality_is_enough(make):
    joint, logits = built(make, sizes={"audio": SIZES["audio"]})(*conversation())
    torch.testing.assert_close(joint, logits["audio"])


def test_mm_dfn_refuses_one_modality():
    with pytest.raises(InputError, match="at least two"):
        mm_dfn(sizes={"audio": 6})


@pytest.mark.parametrize("make", [*ENCODING, mended_biddin])
def test_padding_mask_makes_a_dialogue_independent_of_its_batch(make):
    batch = conversation()
    model, faithful = built(make, padding_mask=True), built(make)
    together, faithfully = model(*batch)[0].split(LENGTHS.tolist()), faithful(*batch)[0].split(LENGTHS.tolist())
    for row in range(len(LENGTHS)):
        torch.testing.assert_close(together[row], model(*alone(batch, row))[0], **TOLERANCE)
    assert (faithfully[0] - faithful(*alone(batch, 0))[0]).abs().max() > 1e-4  # spec self_paced_balance, quirk 3


@torch.no_grad()
def leak(model) -> float:
    """How much the first dialogue's logits change with the features of the second."""
    features, lengths, speakers = conversation()
    before = model(features, lengths, speakers)[0][: LENGTHS[0]]
    features["text"][1] *= 2
    return float((model(features, lengths, speakers)[0][: LENGTHS[0]] - before).abs().max())


@pytest.mark.parametrize("make", [*ENCODING, mended_biddin])
def test_dialogues_do_not_see_each_other(make):
    assert leak(built(make)) < 1e-12


def test_reference_attention_of_biddin_leaks_between_dialogues():
    assert leak(built(biddin)) > 1e-3


def test_biddin_axes_agree_for_one_dialogue():
    batch = alone(conversation(), 1)
    torch.testing.assert_close(built(biddin)(*batch)[0], built(mended_biddin)(*batch)[0], **TOLERANCE)


@torch.no_grad()
def test_biddin_runs_its_lanes_apart_or_together(monkeypatch):
    """Together is how a GPU runs them."""
    model = built(biddin)
    apart = model(*conversation())[0]
    monkeypatch.setattr("lib.models.dialogue_rnn.launch_bound", lambda x: True)
    torch.testing.assert_close(model(*conversation())[0], apart, **TOLERANCE)


@pytest.mark.parametrize("make", [*ENCODING, mended_biddin])
def test_more_padding_than_needed_is_harmless_with_a_mask(make):
    features, lengths, speakers = conversation()
    model = built(make, padding_mask=True)
    longer = {m: nn.functional.pad(x, (0, 0, 0, 3)) for m, x in features.items()}
    found = model(longer, lengths, nn.functional.pad(speakers, (0, 3)))[0]
    torch.testing.assert_close(found, model(features, lengths, speakers)[0], **TOLERANCE)


def test_biddin_refuses_a_mask_on_mixed_dialogues():
    with pytest.raises(InputError, match="mixes dialogues"):
        biddin(padding_mask=True)


def test_dot_attention_is_general_attention_without_a_map():
    sizes = {"text": SIZES["text"]}
    dot, general = (
        built(biddin, sizes=sizes, global_size=SIZES["text"], context_attention=kind) for kind in ("dot", "general")
    )
    general.load_state_dict(dot.state_dict(), strict=False)
    for lane in general.recurrence.lanes["text"]:
        nn.init.eye_(lane.attention.transform.weight)
    batch = conversation()
    torch.testing.assert_close(dot(*batch)[0], general(*batch)[0], **TOLERANCE)
    assert (dot(*batch)[0] - built(biddin, sizes=sizes, global_size=SIZES["text"])(*batch)[0]).abs().max() > 1e-4


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("lengths", [torch.tensor([1]), torch.tensor([1, 1]), LENGTHS])
def test_short_dialogues_train(make, lengths):
    model = built(make).train()
    joint, _ = model(*conversation(lengths))
    joint.square().mean().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert joint.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert any((gradient != 0).any() for gradient in gradients)


@pytest.mark.parametrize("make", ALL)
def test_an_empty_dialogue_is_refused(make):
    features, _, speakers = conversation()
    with pytest.raises(InputError, match="dialogue 2 of the batch has 0 utterances"):
        built(make)(features, torch.tensor([3, 7, 0, 5]), speakers)


@pytest.mark.parametrize("make", [dialogue_gcn, biddin])
@pytest.mark.parametrize("speaker", [-1, SPEAKERS])
def test_an_undeclared_speaker_is_refused(make, speaker):
    features, lengths, speakers = conversation()
    speakers[0, 0] = speaker
    with pytest.raises(InputError, match=f"{speaker}.*built for 3 speakers"):
        built(make)(features, lengths, speakers)


@pytest.mark.parametrize("make", ALL)
def test_a_missing_modality_is_named(make):
    features, lengths, speakers = conversation()
    del features["audio"]
    with pytest.raises(InputError, match="no features for audio"):
        built(make)(features, lengths, speakers)


@pytest.mark.parametrize(
    "make",
    [
        lambda: dialogue_gcn(past=-1),
        lambda: dialogue_gcn(heads=4),
        lambda: biddin(global_size=7),
        lambda: biddin(emotion_size=5),
        lambda: biddin(context_attention="dot"),
        lambda: biddin(context_attention="cosine"),
        lambda: biddin(attention_axis="time"),
    ],
)
def test_impossible_sizes_are_refused(make):
    with pytest.raises(InputError):
        make()


@pytest.mark.parametrize("make", ALL)
def test_members_can_train_as_one_stack(make):
    members = [make().double().eval() for _ in range(3)]
    weights, _ = stack_module_state(members)
    batch = conversation()
    stacked = torch.vmap(lambda w: functional_call(members[0], w, batch)[0])(weights)
    torch.testing.assert_close(stacked, torch.stack([model(*batch)[0] for model in members]), **TOLERANCE)


@pytest.mark.parametrize("make", ALL)
def test_given_noise_decides_the_dropout(make):
    model = built(make).train()

    def run(seed: int) -> torch.Tensor:
        with dropout_noise(generator_noise(torch.Generator().manual_seed(seed))), torch.no_grad():
            return model(*conversation())[0]

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


def test_attention_heads_are_the_published_ones():
    widths = {512: 8, 768: 6, 1024: 8, 300: 5, 342: 6, 100: 5, 600: 5, 1582: 7, 17: 1}
    assert {width: attention_heads(width) for width in widths} == widths


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_encoder_is_a_plain_transformer_over_the_padded_batch(layers):
    torch.manual_seed(0)
    ours = ConversationEncoder(10, 4, layers=layers, feedforward=16, dropout=0.0).double()
    layer = nn.TransformerEncoderLayer(10, attention_heads(10), 16, 0.0, batch_first=True, dtype=torch.float64)
    plain = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
    plain.load_state_dict({k: v for k, v in ours.state_dict().items() if k.startswith("layers.")})
    features, lengths, _ = conversation()
    dialogues = Dialogues(lengths, int(lengths.max()))
    expected = dialogues.flat(ours.lin_out(plain(features["text"])))
    found = ours(features["text"], dialogues)
    torch.testing.assert_close(found, expected, **TOLERANCE)
    named = dict(plain.named_parameters())
    gradients = torch.autograd.grad(found.square().sum(), [ours.get_parameter(name) for name in named])
    for gradient, wanted in zip(gradients, torch.autograd.grad(expected.square().sum(), named.values()), strict=True):
        torch.testing.assert_close(gradient, wanted, **TOLERANCE)


def test_layers_start_as_copies():
    first, second = ConversationEncoder(10, 4, feedforward=16).layers
    assert all(torch.equal(a, b) and a is not b for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_flat_and_pad_are_inverse():
    dialogues = Dialogues(LENGTHS, 8)
    rows = torch.randn(int(LENGTHS.sum()), 2)
    padded = dialogues.pad(rows, fill=3.0)
    assert torch.equal(dialogues.flat(padded), rows)
    assert (padded[~dialogues.mask] == 3.0).all()


def test_reverse_turns_only_the_real_part():
    dialogues = Dialogues(torch.tensor([2, 3]), 4)
    steps = torch.arange(8.0).reshape(2, 4, 1)
    assert dialogues.reverse(steps).flatten().tolist() == [1, 0, 2, 3, 6, 5, 4, 7]


def test_similarity_graph_is_symmetric_and_stays_in_its_dialogue():
    dialogues = Dialogues(LENGTHS, 7)
    nodes = torch.randn(2, 4, 7, 5, dtype=torch.float64)
    graph = similarity_graph(nodes, dialogues)
    torch.testing.assert_close(graph.within, graph.within.transpose(-1, -2))
    assert (graph.within[:, 0, 3:] == 0).all()
    assert (graph.across[0, 0] == 0).all()
    assert (graph.across[0, 1][~dialogues.mask] == 0).all()


def test_relational_convolution_is_the_mean_over_each_relation():
    """Against a loop over the edges."""
    torch.manual_seed(0)
    conv = RelationalConvolution(6, 5, SPEAKERS).double()
    _, lengths, speakers = conversation()
    dialogues = Dialogues(lengths, 7)
    f = dialogues.pad(torch.randn(int(lengths.sum()), 6, dtype=torch.float64))
    edges = window_edges(dialogues, 2, 1)
    means = sender_means(edges, speakers, SPEAKERS, f.dtype)
    found = dialogues.pad(conv(f, means, dialogues.flat(speakers), dialogues))
    weights = torch.einsum("rb,bio->rio", conv.comp, conv.weight)
    for b, n in enumerate(lengths.tolist()):
        for k in range(n):
            senders = {}
            for j in range(max(0, k - 1), min(n, k + 3)):  # those whose window of 2 back and 1 ahead holds k
                relation = 2 * (SPEAKERS * int(speakers[b, j]) + int(speakers[b, k])) + (0 if j < k else 1)
                senders.setdefault(relation, []).append(f[b, j])
            wanted = f[b, k] @ conv.root + conv.bias
            wanted = wanted + sum(torch.stack(x).mean(0) @ weights[r] for r, x in senders.items())
            torch.testing.assert_close(found[b, k], wanted, **TOLERANCE)


@pytest.mark.parametrize(("over", "axis"), [("sender", 2), ("receiver", 1)])
def test_edge_attention_sums_to_one_where_it_is_normalised(over, axis):
    dialogues = Dialogues(LENGTHS, 7)
    edges = window_edges(dialogues, 2, 1)
    attention = EdgeAttention(6, over).double()(torch.randn(4, 7, 6, dtype=torch.float64), edges)
    assert (attention[~edges] == 0).all()
    torch.testing.assert_close(attention.sum(axis)[dialogues.mask], torch.ones(int(LENGTHS.sum()), dtype=torch.float64))


def test_weighted_relations_matter_unless_each_utterance_hears_only_itself():
    batch = conversation()

    def difference(past: int) -> float:
        options = {"past": past, "future": 0}
        plain, weighted = (built(dialogue_gcn, weighted_relations=weigh, **options) for weigh in (False, True))
        return (plain(*batch)[0] - weighted(*batch)[0]).abs().max().item()

    assert difference(past=0) < 1e-12
    assert difference(past=2) > 1e-4
