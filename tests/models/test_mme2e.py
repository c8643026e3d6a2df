"""What the reference files do not show of the end-to-end models: the two sparse forms, options, limits."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lib.models.albert import ALBERT_V2, Albert
from lib.models.cross_attention import nucleus
from lib.models.handcrafted_baselines import LFRNN, LFTransformer
from lib.models.mme2e import MME2E
from lib.models.mme2e_sparse import MME2ESparse
from lib.models.sequence_encoder import SequenceEncoder, pad_ragged
from lib.models.sparse_sites import FORMS, SiteBatchNorm, SparseBlock

ALBERT = {
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 16,
    "vocab_size": 40,
    "embedding_size": 6,
    "max_position_embeddings": 20,
}
SIZES = {"channels": [4, 6, 8, 10], "flatten_size": 12, "width": 4, "layers": 1, "heads": 2, "dropout": 0.0}


def batch(lengths=(2, 1), seed: int = 0, dtype=torch.float64) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    frames = sum(lengths)
    return {
        "text": torch.randint(1, 40, (len(lengths), 7), generator=random),
        "text_mask": torch.ones(len(lengths), 7, dtype=torch.int64),
        "audio": torch.rand(frames, 1, 128, 32, generator=random, dtype=dtype) * 9,
        "audio_lengths": torch.tensor(lengths),
        "video": torch.randint(0, 256, (frames, 48, 48, 3), generator=random, dtype=torch.uint8),
        "video_lengths": torch.tensor(lengths),
    }


def sparse_model(seed: int = 0, **options) -> MME2ESparse:
    torch.manual_seed(seed)
    return MME2ESparse(ALBERT, **({"site_order": "corrected"} | options), **SIZES).double()


def flops(run) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


@pytest.mark.parametrize("site_order", ["reference", "corrected"])
@pytest.mark.parametrize("attention", ["reference", "learned"])
@pytest.mark.parametrize("threshold", [0.0, 0.6, 1.0])
def test_gathered_and_masked_forms_agree(threshold, attention, site_order):
    options = {"threshold": threshold, "attention": attention, "site_order": site_order}
    masked = sparse_model(form="masked", **options)
    gathered = sparse_model(form="gathered", **options)
    gathered.load_state_dict(masked.state_dict())
    logits = [model(**batch()) for model in (masked, gathered)]
    torch.testing.assert_close(*logits, rtol=1e-9, atol=1e-11)
    for output in logits:
        output.square().sum().backward()
    for (name, a), b in zip(masked.named_parameters(), gathered.parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None), name
        if a.grad is not None:
            scale = float(a.grad.abs().max())
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-8, atol=1e-9 * max(scale, 1.0), msg=name)
    for (name, a), b in zip(masked.named_buffers(), gathered.buffers(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11, msg=name)


def test_the_gathered_form_saves_arithmetic():
    torch.manual_seed(0)
    dense = MME2E(ALBERT, **SIZES).double()

    def step(model: nn.Module) -> int:
        return flops(lambda: model(**batch()).sum().backward())

    thresholds = (0.1, 0.5, 0.7, 0.9)
    counts = [step(sparse_model(form="gathered", threshold=threshold)) for threshold in thresholds]
    assert counts == sorted(set(counts)), "a lower threshold keeps fewer sites"
    assert counts[-1] < step(dense)
    assert step(sparse_model(form="masked", threshold=0.5)) >= step(dense)


def test_the_gathered_form_multiplies_active_neighbours_only():
    torch.manual_seed(0)
    active = torch.rand(2, 8, 6) < 0.4
    active[0, 0, 0] = True
    block = SparseBlock(3, 5, "gathered").eval()
    maps = torch.randn(2, 8, 6, 3)
    assert flops(lambda: block(maps, active)) == 2 * block.multiply_adds(active)
    pairs = 0
    sites = set(map(tuple, active.nonzero().tolist()))
    for frame, row, column in sites:
        pairs += sum((frame, row + i, column + j) in sites for i in (-1, 0, 1) for j in (-1, 0, 1))
    assert block.multiply_adds(active) == pairs * (3 * 5 + 5 * 5)


@pytest.mark.parametrize("form", FORMS)
def test_inactive_sites_are_not_looked_at(form):
    torch.manual_seed(0)
    active = torch.rand(2, 4, 4) < 0.5
    block = SparseBlock(3, 5, form).double()
    maps = torch.randn(2, 4, 4, 3, dtype=torch.float64)
    elsewhere = torch.where(active.unsqueeze(-1), maps, 1e6)
    torch.testing.assert_close(copy.deepcopy(block)(maps, active), block(elsewhere, active))


@pytest.mark.parametrize("form", FORMS)
def test_a_single_active_site_trains(form):
    torch.manual_seed(0)
    active = torch.zeros(1, 4, 4, dtype=torch.bool)
    active[0, 1, 2] = True
    block = SparseBlock(3, 5, form)
    maps = torch.randn(1, 4, 4, 3, requires_grad=True)
    block(maps, active).sum().backward()
    norms = [module for module in block if isinstance(module, SiteBatchNorm)]
    assert all(torch.equal(norm.running_var, torch.ones(5)) for norm in norms)
    assert not any(torch.equal(norm.running_mean, torch.zeros(5)) for norm in norms[:1])
    assert maps.grad.isfinite().all()


@pytest.mark.parametrize("form", FORMS)
def test_every_tied_site_gets_the_whole_gradient(form):
    block = SparseBlock(1, 1, form).eval()
    with torch.no_grad():
        for conv in (block[0], block[2]):
            conv.weight.zero_()
            conv.weight[4] = 1.0  # the centre alone: an identity, up to the norms' eps
    active = torch.tensor([[[True, True], [False, True]]])
    maps = torch.tensor([[[[2.0], [2.0]], [[9.0], [1.0]]]], requires_grad=True)
    block(maps, active).sum().backward()
    torch.testing.assert_close(maps.grad.flatten(), torch.tensor([1.0, 1.0, 0.0, 0.0]), rtol=1e-3, atol=0)


@pytest.mark.parametrize("form", FORMS)
def test_sparse_block_under_autocast(form):
    torch.manual_seed(0)
    active = torch.rand(2, 8, 8) < 0.6
    block = SparseBlock(4, 6, form)
    maps = torch.randn(2, 8, 8, 4, requires_grad=True)
    exact = copy.deepcopy(block)(maps, active)
    with torch.autocast("cpu", torch.bfloat16):
        rough = block(maps, active)
    rough.float().sum().backward()
    torch.testing.assert_close(rough.float(), exact, rtol=0.05, atol=0.05)
    assert maps.grad.isfinite().all()
    assert block[0].weight.grad.dtype == torch.float32


def test_corrected_site_order_keeps_utterances_apart():
    mates = batch(lengths=(2, 1))
    alone = {key: value[:1] if key.startswith("text") else value[:2] for key, value in mates.items()}
    alone |= {key: mates[key][:1] for key in ("audio_lengths", "video_lengths")}
    corrected = sparse_model(threshold=0.6).eval()
    reference = sparse_model(threshold=0.6, site_order="reference").eval()
    torch.testing.assert_close(corrected(**mates)[:1], corrected(**alone), rtol=1e-9, atol=1e-11)
    assert (reference(**mates)[:1] - reference(**alone)).abs().max() > 1e-4


def test_site_orders_agree_on_a_single_frame():
    single = batch(lengths=(1,))
    logits = [sparse_model(threshold=0.6, site_order=order)(**single) for order in ("reference", "corrected")]
    torch.testing.assert_close(*logits, rtol=0, atol=0)


def test_only_learned_attention_gets_a_gradient():
    for attention, learns in (("reference", False), ("learned", True)):
        model = sparse_model(threshold=0.6, attention=attention)
        model(**batch()).sum().backward()
        named = model.named_parameters()
        weights = [p for name, p in named if "attn_layers" in name and name.endswith(".weight")]
        assert len(weights) == 18
        assert all((p.grad is not None and p.grad.abs().sum() > 0) == learns for p in weights)


def test_stages_of_a_batch():
    model = sparse_model(threshold=0.6)
    logits, stages = model.eval().with_stages(**batch())
    torch.testing.assert_close(logits, model(**batch()))
    assert [tuple(stage.kept.shape) for stage in stages["video"]] == [(3, 24, 24), (3, 12, 12), (3, 6, 6)]
    assert [tuple(stage.kept.shape) for stage in stages["audio"]] == [(3, 64, 16), (3, 32, 8), (3, 16, 4)]
    for stage in (*stages["video"], *stages["audio"]):
        mass = (stage.probabilities * stage.kept).sum(dim=(1, 2))
        assert (mass >= 0.6 - 1e-9).all()
        assert not stage.kept.all()
    # A later stage can only keep what the pooled earlier one left.
    first, second, _ = stages["video"]
    assert not second.kept[~first.kept.view(3, 12, 2, 12, 2).any(4).any(2)].any()
    assert model.V.multiply_adds(stages["video"]) > 0


def test_nucleus_keeps_everything_where_the_reference_stops():
    probabilities = torch.full((1, 7), 1 / 7)
    assert nucleus(probabilities, 1.0).all()
    active = torch.tensor([[True, False, True, True, False, True, True]])
    assert torch.equal(nucleus(probabilities * active, 1.0, active), active)


def parameters(model: nn.Module, but: str = "-") -> int:
    return sum(p.numel() for name, p in model.named_parameters() if not name.startswith(but))


def test_published_sizes():
    handcrafted = {"text": 300, "audio": 144, "video": 35}
    with torch.device("meta"):
        dense = MME2E(ALBERT_V2["base"])
        assert parameters(dense, but="T.") == 25_098_901
        assert parameters(dense) == 36_782_485
        assert parameters(LFRNN(handcrafted)) == 2_026_336
        assert parameters(LFRNN(handcrafted | {"audio": 74})) == 1_750_046
        assert parameters(LFTransformer(handcrafted)) == 4_898_702
        assert parameters(LFTransformer(handcrafted | {"audio": 74})) == 4_193_977


def test_the_two_models_differ_in_the_high_level_part_only():
    dense, sparse = MME2E(ALBERT, **SIZES), sparse_model()
    shared = {name for name in dense.state_dict() if not name.startswith(("V.", "A."))}
    assert shared == {name for name in sparse.state_dict() if not name.startswith(("V.", "A."))}


def test_all_dropout_can_be_replayed():
    models = MME2E(ALBERT), sparse_model(), LFRNN({"text": 4}), LFTransformer({"text": 4})
    assert not [m for model in models for m in model.modules() if isinstance(m, nn.Dropout)]


def test_an_utterance_without_frames_has_logits():
    torch.manual_seed(0)
    inputs = batch(lengths=(2, 1)) | {"video_lengths": torch.tensor([3, 0])}
    for model in (MME2E(ALBERT, **SIZES).double(), sparse_model()):
        assert model(**inputs).isfinite().all()


def test_text_parameters_are_encoder_and_output_layer():
    model = MME2E(ALBERT, **SIZES)
    names = [name for name, _ in model.text_parameters()]
    assert len(names) == len(list(model.T.parameters())) + 2
    assert {name.split(".")[0] for name in names} == {"T", "t_out"}


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="needs text"):
        MME2ESparse(ALBERT, modalities=["audio", "video"])
    with pytest.raises(ValueError, match="smell"):
        MME2E(ALBERT, modalities=["text", "smell"])
    for option in ({"threshold": 1.5}, {"form": "dense"}, {"site_order": "yx"}, {"attention": "soft"}):
        with pytest.raises(ValueError, match=str(next(iter(option.values())))):
            MME2ESparse(ALBERT, **option)
    with pytest.raises(ValueError, match="21 tokens"):
        Albert(**ALBERT)(torch.ones(1, 21, dtype=torch.int64), torch.ones(1, 21, dtype=torch.int64))
    with pytest.raises(ValueError, match="add up to 3"):
        pad_ragged(torch.zeros(4, 2), torch.tensor([1, 2]))


def test_albert_ignores_padding_and_shares_its_layer():
    torch.manual_seed(0)
    albert = Albert(**ALBERT).double().eval()
    tokens, mask = torch.randint(1, 40, (1, 9)), torch.ones(1, 9, dtype=torch.int64)
    mask[:, 5:] = 0
    torch.testing.assert_close(albert(tokens, mask)[:, :5], albert(tokens[:, :5], mask[:, :5]))
    deeper = Albert(**ALBERT | {"num_hidden_layers": 7})
    assert parameters(deeper) == parameters(albert)


def test_sequence_encoder_knows_neither_padding_nor_order():
    torch.manual_seed(0)
    encoder = SequenceEncoder(6, layers=2, heads=3, dropout=0.0).double()
    x, lengths = torch.randn(2, 4, 6, dtype=torch.float64), torch.tensor([3, 4])
    expected = encoder(x, lengths)
    longer = torch.cat([x, torch.randn(2, 3, 6, dtype=torch.float64)], dim=1)
    torch.testing.assert_close(encoder(longer, lengths), expected)
    torch.testing.assert_close(encoder(x[:, [2, 0, 1, 3]], lengths)[:1], expected[:1])
    assert (encoder(longer) - expected).abs().max() > 1e-3


@pytest.mark.parametrize("kind", [LFRNN, LFTransformer])
def test_masked_baselines_do_not_see_padding(kind):
    """The reference's do: the recurrent one in every modality, the Transformer in the text."""
    torch.manual_seed(0)
    sizes = {"text": 4, "audio": 6, "video": 5}
    lengths = {f"{m}_lengths": torch.tensor([3, 1]) for m in sizes}
    features = {m: torch.randn(2, 3, size, dtype=torch.float64) for m, size in sizes.items()}
    longer = {m: torch.cat([x, torch.zeros(2, 2, sizes[m])], dim=1) for m, x in features.items()}
    alone = {m: x[1:, :1] for m, x in features.items()}
    masked, reference = kind(sizes, padding="masked").double().eval(), kind(sizes).double().eval()
    expected = masked(**features, **lengths)
    torch.testing.assert_close(masked(**longer, **lengths), expected)
    single = masked(**alone, **{name: value[1:] for name, value in lengths.items()})
    torch.testing.assert_close(single, expected[1:])
    moved = reference(**longer, **lengths) - reference(**features, **lengths)
    assert moved.abs().max() > 1e-6


def test_missing_lengths_are_not_taken_for_full_sequences():
    audio = {"audio": torch.zeros(1, 2, 6)}
    for model in (LFTransformer({"audio": 6}), LFRNN({"audio": 6}, padding="masked")):
        with pytest.raises(ValueError, match="lengths of audio"):
            model(**audio)


def test_masked_recurrent_baseline_on_full_sequences():
    """Without padding, masking changes nothing in audio and video; the text gets its real backward state."""
    torch.manual_seed(0)
    sizes = {"text": 4, "audio": 6, "video": 5}
    features = {m: torch.randn(2, 3, size, dtype=torch.float64) for m, size in sizes.items()}
    lengths = {f"{m}_lengths": torch.tensor([3, 3]) for m in sizes}
    for modality in sizes:
        torch.manual_seed(1)
        masked = LFRNN(sizes, modalities=[modality], padding="masked").double()
        reference = LFRNN(sizes, modalities=[modality]).double()
        reference.load_state_dict(masked.state_dict())
        same = torch.allclose(masked(**features, **lengths), reference(**features, **lengths), rtol=1e-9)
        assert same == (modality != "text")


def test_transformer_baseline_can_be_stacked():
    torch.manual_seed(0)
    sizes = {"text": 4, "audio": 6, "video": 5}
    members = [LFTransformer(sizes, dropout=0.0).double() for _ in range(3)]
    features = {m: torch.randn(2, 3, size, dtype=torch.float64) for m, size in sizes.items()}
    features |= {f"{m}_lengths": torch.tensor([3, 1]) for m in sizes}
    weights, buffers = torch.func.stack_module_state(members)

    def logits(weights, buffers):
        return torch.func.functional_call(members[0], (weights, buffers), kwargs=features)

    stacked = torch.func.vmap(logits)(weights, buffers)
    torch.testing.assert_close(stacked, torch.stack([member(**features) for member in members]))
