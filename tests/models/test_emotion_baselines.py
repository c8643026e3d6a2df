"""Properties of the baselines of the emotion-embedding paper: subsets, mends, stacking, position codes."""

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from lib.errors import InputError
from lib.models.crossmodal import CrossmodalEncoder, MultiheadAttention, position_code
from lib.models.early_fusion_transformer import EarlyFusionTransformer
from lib.models.mult import MulT
from lib.models.recurrent_baselines import EarlyFusionRNN, EarlyLateFusionRNN, LateFusionRNN, TextSelectiveRNN

SIZES = {"text": 7, "audio": 5, "video": 4}
CLASSES = 3


def features(batch: int = 4, time: int = 6) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {m: torch.randn(batch, time, d, generator=generator, dtype=torch.float64) for m, d in SIZES.items()}


def transformer(**options) -> EarlyFusionTransformer:
    small = {"width": 8, "heads": 2, "layers": 2, "feedforward": 16, "head_hidden": 4}
    return EarlyFusionTransformer(SIZES, CLASSES, **small, **options).double().eval()


def mult(**options) -> MulT:
    return MulT(SIZES, CLASSES, width=8, heads=2, layers=1, **options).double().eval()


RECURRENT = {
    "ef": lambda sizes, **options: EarlyFusionRNN(sizes, 6, CLASSES, **options),
    "lf": lambda sizes, **options: LateFusionRNN(sizes, dict.fromkeys(sizes, 6), CLASSES, **options),
    "eflf": lambda sizes, **options: EarlyLateFusionRNN(sizes, dict.fromkeys(sizes, 6), 5, CLASSES, **options),
    "ts": lambda sizes, **options: TextSelectiveRNN(sizes, 6, CLASSES, **options),
}


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("pooling", ["last_step", "final_states"])
def test_recurrent_baselines_learn_on_modality_subsets(name, cell, pooling):
    """One step lowers the loss and reaches every parameter the pooling can reach."""
    torch.manual_seed(0)
    sizes = {m: SIZES[m] for m in ("text", "video")}
    model = RECURRENT[name](sizes, cell=cell, pooling=pooling, bidirectional=True, layers=2).double().eval()
    x, y = features(), (features()["text"][:, 0, :CLASSES] > 0).double()
    x["audio"] = torch.full_like(x["audio"], float("nan"))
    losses = []
    for _ in range(2):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(**x), y)
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.1 * p.grad
        losses.append(loss.item())
    assert losses[1] < losses[0]
    assert model(**x).shape == (4, CLASSES)


def test_text_selection_needs_text_and_another_modality():
    for sizes in ({"text": 7}, {"audio": 5, "video": 4}):
        with pytest.raises(InputError, match="text selection"):
            TextSelectiveRNN(sizes, 6, CLASSES)


def test_mult_needs_all_modalities():
    with pytest.raises(InputError, match="not text, audio"):
        MulT({"text": 7, "audio": 5}, CLASSES)


def test_reference_attention_axis_mixes_the_batch_and_the_mend_does_not():
    """Quirk of section 3.5: in the reference a prediction depends on its batch mates."""
    x = features()
    first = {m: v[:1] for m, v in x.items()}
    torch.manual_seed(0)
    faithful, mended = transformer(), transformer(attention_axis="time")
    mended.load_state_dict(faithful.state_dict())
    assert (faithful(**x)[:1] - faithful(**first)).abs().max() > 1e-3
    torch.testing.assert_close(mended(**x)[:1], mended(**first), rtol=1e-12, atol=1e-12)
    swapped = {m: v.flip(1) for m, v in x.items()}
    assert (mended(**x) - mended(**swapped)).abs().max() > 1e-3, "the mended positions are those of time"
    torch.testing.assert_close(faithful(**x), faithful(**swapped), rtol=1e-12, atol=1e-12)


def test_zero_channel_rule_and_its_mend():
    """Quirk of section 4: a step whose channel 0 is exactly zero gets no position."""
    x = torch.ones(1, 3, 6, dtype=torch.float64)
    x[0, 1, 0] = 0.0
    faithful, mended = position_code(x, "reference"), position_code(x, "every_step")
    assert faithful[0, 1].abs().max() == 0
    assert torch.equal(faithful[0, [0, 2]], mended[0, [0, 2]])
    position, rate = 2.0, 10000.0 ** -(1 / 2)
    angles = torch.tensor([position, position * rate, position * rate**2], dtype=torch.float64)
    torch.testing.assert_close(mended[0, 1], torch.cat([angles.sin(), angles.cos()]))


def test_impossible_encoders_are_refused():
    with pytest.raises(InputError, match="3 heads do not divide a width of 8"):
        CrossmodalEncoder(8, 3, 1)
    with pytest.raises(InputError, match="at least 4"):
        CrossmodalEncoder(2, 1, 1)
    with pytest.raises(InputError, match="positions 'all'"):
        CrossmodalEncoder(8, 2, 1, positions="all")
    with pytest.raises(InputError, match="attention_axis 'dialogue'"):
        transformer(attention_axis="dialogue")


def test_causal_mask_hides_later_steps():
    torch.manual_seed(0)
    encoder = CrossmodalEncoder(8, 2, 2, causal_mask=True).double().eval()
    x, source = torch.randn(1, 4, 8, dtype=torch.float64), torch.randn(1, 6, 8, dtype=torch.float64)
    later = source.clone()
    later[:, -1] = torch.randn(8)
    before, after = encoder(x, source), encoder(x, later)
    torch.testing.assert_close(after[:, :3], before[:, :3], rtol=1e-12, atol=1e-12)
    assert (after[:, 3] - before[:, 3]).abs().max() > 1e-6, "column 5, row 3: the offset is the length difference"


def test_attention_is_torchs():
    torch.manual_seed(0)
    ours, theirs = (
        MultiheadAttention(8, 2).double(),
        torch.nn.MultiheadAttention(8, 2, batch_first=True).double(),
    )
    ours.load_state_dict(theirs.state_dict())
    query, source = torch.randn(2, 3, 8, dtype=torch.float64), torch.randn(2, 5, 8, dtype=torch.float64)
    expected, _ = theirs(query, source, source)
    torch.testing.assert_close(ours(query, source, source), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("targets", [["text"], ["video", "text"], ["text", "audio", "video"]])
def test_mult_works_with_any_targets(targets):
    assert mult(targets=targets)(**features()).shape == (4, CLASSES)


@pytest.mark.parametrize("attention_axis", ["reference", "time"])
def test_stacked_transformers_equal_single_ones(attention_axis):
    check_stacking([transformer(attention_axis=attention_axis) for _ in range(3)])


@pytest.mark.parametrize("options", [{}, {"causal_mask": True}, {"targets": ["text"]}])
def test_stacked_mults_equal_single_ones(options):
    check_stacking([mult(**options) for _ in range(2)])


def check_stacking(members: list[torch.nn.Module]) -> None:
    """Members as one stacked program, each with inputs of its own."""
    inputs = [{m: x * (i + 1) for m, x in features().items()} for i in range(len(members))]
    parameters, buffers = stack_module_state(members)

    def one(parameters, buffers, x):
        return functional_call(members[0], (parameters, buffers), args=(), kwargs=x)

    together = vmap(one)(parameters, buffers, {m: torch.stack([x[m] for x in inputs]) for m in SIZES})
    alone = torch.stack([member(**x) for member, x in zip(members, inputs, strict=True)])
    torch.testing.assert_close(together, alone, rtol=1e-10, atol=1e-12)


def test_the_recurrent_models_cannot_be_stacked():
    """torch has no batching rule for its fused LSTM and GRU; if this fails, it has learned one."""
    members = [RECURRENT["ef"](SIZES).double().eval() for _ in range(2)]
    with pytest.raises(RuntimeError, match=r"[Bb]atching rule"):
        check_stacking(members)
