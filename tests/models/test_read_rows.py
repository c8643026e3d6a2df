"""A transformer whose last layer computes only the rows that are read answers and learns as one that computes all."""

import pytest
import torch
from torch import Tensor, nn

from lib.models import albert, crossmodal, sequence_encoder
from lib.models.albert import Albert
from lib.models.crossmodal import CrossmodalEncoder, CrossmodalLayer
from lib.models.handcrafted_baselines import LFTransformer
from lib.models.mme2e import MME2E
from lib.models.mme2e_sparse import MME2ESparse
from lib.models.mult import MulT
from lib.models.read_rows import EVERY, FIRST, LAST
from lib.models.sequence_encoder import EncoderLayer, SequenceEncoder

ALBERT = {
    "hidden_size": 12,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "intermediate_size": 16,
    "vocab_size": 40,
    "embedding_size": 6,
    "max_position_embeddings": 20,
}
WIDTHS = {"text": 8, "audio": 6, "video": 5}
ROUNDING = 1e-12
"""Of float64, relative: products of other shapes may sum in another order."""


def every_row(layers, x: Tensor, rows: slice, *context: object) -> Tensor:
    """What `through` replaces: all layers compute everything, and then the rows are read."""
    for layer in layers:
        x = layer(x, *context, EVERY)
    return x[..., rows, :]


def answer(model: nn.Module, inputs: dict[str, object]) -> tuple[Tensor, dict[str, Tensor]]:
    """Outputs, and gradients of a curved function of them, by parameter and floating-point input."""
    inputs = {k: x.clone().requires_grad_() if isfloat(x) else x for k, x in inputs.items()}
    model.zero_grad()
    output = model(**inputs)
    (output.sin() * torch.arange(1.0, 1.0 + output.numel()).view_as(output)).sum().backward()
    leaves = dict(model.named_parameters()) | {f"input {k}": x for k, x in inputs.items() if isfloat(x)}
    return output.detach(), {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}


def isfloat(x: object) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


def check(model: nn.Module, inputs: dict[str, object], monkeypatch) -> None:
    model = model.double().eval()
    output, gradients = answer(model, inputs)
    for module in (sequence_encoder, crossmodal, albert):
        monkeypatch.setattr(module, "through", every_row)
    expected, full = answer(model, inputs)
    torch.testing.assert_close(output, expected, rtol=ROUNDING, atol=ROUNDING)
    assert gradients.keys() == full.keys()
    largest = max(float(g.abs().max()) for g in full.values())
    assert largest > 1e-3
    for name, g in full.items():  # the bias of a key has none but rounding, hence the scale of all
        torch.testing.assert_close(gradients[name], g, rtol=ROUNDING, atol=ROUNDING * largest, msg=name)


def sequences(batch: int, time: int, widths=WIDTHS) -> dict[str, Tensor]:
    return {m: torch.randn(batch, time, width, dtype=torch.float64) for m, width in widths.items()}


@pytest.mark.parametrize("padding", ["reference", "masked"])
@pytest.mark.parametrize("lengths", [(4, 1, 2), (1, 1), (3,), (1,)])
@pytest.mark.parametrize("layers", [1, 3])
def test_late_fusion_transformer(lengths, padding, layers, monkeypatch):
    torch.manual_seed(0)
    inputs = sequences(len(lengths), max(lengths)) | {f"{m}_lengths": torch.tensor(lengths) for m in WIDTHS}
    check(LFTransformer(WIDTHS, layers=layers, padding=padding), inputs, monkeypatch)


@pytest.mark.parametrize("causal_mask", [False, True])
@pytest.mark.parametrize(("batch", "time"), [(3, 7), (1, 7), (2, 5)])
def test_mult(batch, time, causal_mask, monkeypatch):
    """With five steps the audio's kernel leaves a single one."""
    torch.manual_seed(0)
    inputs = sequences(batch, time)
    inputs["text"][0, -2:] = 0  # padding
    check(MulT(WIDTHS, 3, width=8, heads=2, layers=2, causal_mask=causal_mask), inputs, monkeypatch)


@pytest.mark.parametrize("kind", [MME2E, MME2ESparse])
@pytest.mark.parametrize("lengths", [(2, 1), (1,)])
def test_end_to_end_models(kind, lengths, monkeypatch):
    """Masked tokens, utterances of unequal length, a single utterance of one frame."""
    torch.manual_seed(0)
    frames = sum(lengths)
    mask = torch.ones(len(lengths), 7, dtype=torch.int64)
    mask[-1, 4:] = 0
    inputs = {
        "text": torch.randint(1, 40, mask.shape),
        "text_mask": mask,
        "audio": torch.rand(frames, 1, 128, 32, dtype=torch.float64) * 9,
        "audio_lengths": torch.tensor(lengths),
        "video": torch.randint(0, 256, (frames, 48, 48, 3), dtype=torch.uint8),
        "video_lengths": torch.tensor(lengths),
    }
    sizes = {"channels": (4, 6, 8, 10), "flatten_size": 12, "width": 4, "layers": 2, "heads": 2}
    check(kind(ALBERT, **sizes), inputs, monkeypatch)


@pytest.mark.parametrize("rows", [FIRST, LAST, slice(1, 3), EVERY])
@pytest.mark.parametrize("causal_mask", [False, True])
@pytest.mark.parametrize("source", [None, 6])
def test_crossmodal_encoder(source, causal_mask, rows, monkeypatch):
    torch.manual_seed(0)
    x, source = (None if time is None else torch.randn(2, time, 8, dtype=torch.float64) for time in (4, source))
    encoder = CrossmodalEncoder(8, 2, 2, causal_mask=causal_mask)
    check(encoder, {"x": x, "source": source, "rows": rows}, monkeypatch)


@pytest.mark.parametrize("rows", [FIRST, LAST, EVERY])
@pytest.mark.parametrize("tokens", [1, 9])
@pytest.mark.parametrize("layers", [1, 3])
def test_albert(layers, tokens, rows, monkeypatch):
    torch.manual_seed(0)
    mask = torch.ones(2, tokens, dtype=torch.int64)
    mask[1, 5:] = 0
    inputs = {"tokens": torch.randint(1, 40, mask.shape), "mask": mask, "rows": rows}
    check(Albert(**ALBERT | {"num_hidden_layers": layers}), inputs, monkeypatch)


def rows_computed(model: nn.Module, kinds: tuple[type, ...], *inputs: Tensor, **options: object) -> list[int]:
    """How many rows each layer's feed-forward part gets, in the order of the calls."""
    found = []
    for module in model.modules():
        if isinstance(module, kinds):
            inner = next(getattr(module, name) for name in ("linear1", "fc1", "ffn") if hasattr(module, name))
            inner.register_forward_hook(lambda _module, given, _output: found.append(given[0].shape[-2]))
    model(*inputs, **options)
    return found


def test_the_last_layer_computes_nothing_else():
    x = torch.randn(2, 6, 8)
    assert rows_computed(SequenceEncoder(8, 3, 2), (EncoderLayer,), x) == [7, 7, 1]
    assert rows_computed(CrossmodalEncoder(8, 2, 3), (CrossmodalLayer,), x, rows=LAST) == [6, 6, 1]
    tokens = torch.ones(2, 6, dtype=torch.int64)
    assert rows_computed(Albert(**ALBERT), (albert._Layer,), tokens, tokens, rows=FIRST) == [6, 6, 1]
    sizes = {"channels": (4, 6, 8, 10), "flatten_size": 12, "width": 4, "layers": 2, "heads": 2}
    text = MME2E(ALBERT, modalities=["text"], **sizes)
    assert rows_computed(text, (albert._Layer,), text=tokens, text_mask=tokens) == [6, 6, 1]
    mult = MulT({"text": 8, "audio": 8, "video": 8}, 2, width=8, heads=2, layers=1)
    rows = rows_computed(mult, (CrossmodalLayer,), x, x, x)
    assert rows[:6] == [6] * 6, "the memory attends to every step of the crossmodal encoders"
    assert rows[6:] == [6, 6, 1] * 3


def test_encoders_without_layers_return_the_rows():
    x = torch.randn(2, 3, 8)
    encoder = SequenceEncoder(8, 0, 2)
    assert torch.equal(encoder(x), encoder.cls_emb.weight.expand(2, -1))
