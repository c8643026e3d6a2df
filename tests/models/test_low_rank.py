"""LMF and TFN beyond the reference files: formula, counts, initial spread, missing modalities, batching."""

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from lib.models.low_rank import LMF
from lib.models.tensor_fusion import TFN

MODALITIES = ("audio", "video", "text")
NO_DROPOUT = dict.fromkeys((*MODALITIES, "fusion"), 0.0)
SMALL = {
    "input_sizes": {"audio": 5, "video": 7, "text": 6},
    "hidden_sizes": {"audio": 4, "video": 3, "text": 8},
    "dropouts": NO_DROPOUT,
}
AUDIO_VIDEO = SMALL | {"input_sizes": {"audio": 5, "video": 7}}


def inputs(batch: int, modalities=MODALITIES, dtype=torch.float32) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"audio": (batch, 5), "video": (batch, 7), "text": (batch, 4, 6)}
    return {m: torch.randn(shapes[m], generator=generator, dtype=dtype) for m in modalities}


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("rank_sum", ["weighted", "plain"])
@pytest.mark.parametrize(("rank", "output_size"), [(1, 1), (4, 2), (16, 17)])
def test_lmf_is_a_contraction_with_the_full_weight_tensor(rank, output_size, rank_sum):
    """Paper eq. 3 to 8: the weight tensor that the factors stand for, applied to the outer product."""
    model = LMF(**SMALL, output_size=output_size, rank=rank, rank_sum=rank_sum).double().eval()
    weights, bias = torch.ones(rank, dtype=torch.float64), 0.0
    if rank_sum == "weighted":
        weights, bias = model.fusion_weights[0], torch.nn.init.normal_(model.fusion_bias)
    factors = (model.audio_factor, model.video_factor, model.text_factor)
    with torch.no_grad():
        tensor = torch.einsum("r,rao,rvo,rto->avto", weights, *factors)
        encoded = model.encode(**inputs(6, dtype=torch.float64))
        one = torch.ones(6, 1, dtype=torch.float64)
        vectors = (torch.cat([one, encoded[modality]], dim=1) for modality in MODALITIES)
        expected = torch.einsum("avto,ba,bv,bt->bo", tensor, *vectors) + bias
        torch.testing.assert_close(model(**inputs(6, dtype=torch.float64)), expected, rtol=1e-12, atol=1e-12)


def test_tfn_head_reads_the_outer_product():
    model = TFN(**SMALL, fusion_size=6).double().eval()
    encoded = model.encode(**inputs(6, dtype=torch.float64))
    one = torch.ones(6, 1, dtype=torch.float64)
    vectors = (torch.cat([one, encoded[modality]], dim=1) for modality in MODALITIES)
    expected = torch.einsum("ba,bv,bt->bavt", *vectors).flatten(1)
    torch.testing.assert_close(model.outer_product(encoded), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("audio", "video", "lmf", "tfn"),
    [
        (5, 20, 234_083, {32: 2_499_797, 64: 4_768_085, 128: 9_310_805, 160: 11_585_237}),
        (74, 47, 237_347, {32: 2_503_061, 64: 4_771_349, 128: 9_314_069, 160: 11_588_501}),
    ],
)
def test_parameter_counts(audio, video, lmf, tfn):
    """Spec low_rank_fusion, section 3, the paper's complexity setting. The reference counts TFN's two constants as
    parameters.
    """
    arguments = {
        "input_sizes": {"audio": audio, "video": video, "text": 300},
        "hidden_sizes": {"audio": 32, "video": 32, "text": 128},
        "dropouts": NO_DROPOUT,
    }
    with torch.device("meta"):
        assert count(LMF(**arguments, output_size=1, rank=4)) == lmf
        constants = 2
        assert {size: count(TFN(**arguments, fusion_size=size)) + constants for size in tfn} == tfn


def count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("rank", "output_size"), [(1, 1), (4, 1), (16, 16)])
def test_initial_spread_of_the_fusion(rank, output_size):
    """Spec low_rank_fusion, 1.6. With n draws, the standard deviation is known to 1 / sqrt(2 n); five of those are
    allowed.
    """
    factors, weights = [], []
    for _ in range(200):
        model = LMF(**SMALL, output_size=output_size, rank=rank)
        factors.append(model.text_factor.detach().flatten())
        weights.append(model.fusion_weights.detach().flatten())
        assert (model.fusion_bias == 0).all()
    for draws, variance in (
        (torch.cat(factors), 2 / (output_size * (4 + 1 + rank))),
        (torch.cat(weights), 2 / (rank + 1)),
    ):
        assert draws.std().item() == pytest.approx(variance**0.5, rel=5 / (2 * len(draws)) ** 0.5)


def test_batch_norm_starts_at_one_or_as_before_torch_1_2():
    sizes = AUDIO_VIDEO | {"input_sizes": {"audio": 400, "video": 400}}
    scales = {}
    for start in ("ones", "uniform"):
        model = LMF(**sizes, output_size=1, rank=1, batch_norm_init=start)
        scales[start] = torch.cat([model.audio_subnet.norm.weight, model.video_subnet.norm.weight]).detach()
        assert (model.audio_subnet.norm.bias == 0).all()
    assert (scales["ones"] == 1).all()
    assert 0 <= scales["uniform"].min() < 0.05 < 0.95 < scales["uniform"].max() <= 1
    assert scales["uniform"].mean().item() == pytest.approx(0.5, abs=5 / (12 * 800) ** 0.5)


def test_lmf_never_applies_dropout_after_fusion():
    model = LMF(**SMALL | {"dropouts": NO_DROPOUT | {"fusion": 0.9}}, output_size=2, rank=4).train()
    assert torch.equal(model(**inputs(6)), model(**inputs(6)))


def test_tfn_drops_elements_of_the_outer_product():
    model = TFN(**SMALL | {"dropouts": NO_DROPOUT | {"fusion": 0.5}}, fusion_size=6).train()
    assert not torch.equal(model(**inputs(6)), model(**inputs(6)))
    assert torch.equal(model.eval()(**inputs(6)), model(**inputs(6)))


def test_heads_of_tfn():
    bounded = TFN(**SMALL, fusion_size=6).eval()
    with torch.no_grad():
        bounded.post_fusion_layer_3.bias.fill_(50.0)
    assert bounded(**inputs(6)).tolist() == [[3.0]] * 6
    linear = TFN(**SMALL, fusion_size=6, head="linear", output_size=16).eval()
    with torch.no_grad():
        linear.post_fusion_layer_3.bias.fill_(50.0)
    assert linear(**inputs(6)).shape == (6, 16)
    assert (linear(**inputs(6)) > 40).all()
    with pytest.raises(ValueError, match="one output, not 16"):
        TFN(**SMALL, fusion_size=6, output_size=16)


def build(kind: str, arguments: dict) -> torch.nn.Module:
    if kind == "lmf":
        return LMF(**arguments, output_size=2, rank=4)
    return TFN(**arguments, fusion_size=6, head="linear", output_size=2)


@pytest.mark.parametrize("kind", ["lmf", "tfn"])
def test_a_modality_that_is_not_given_keeps_only_its_constant(kind):
    model = build(kind, SMALL).eval()
    given = inputs(6)
    with torch.no_grad():
        model.text_subnet.linear_1.weight.zero_()
        model.text_subnet.linear_1.bias.zero_()
    silent = model(**given)
    torch.testing.assert_close(model(audio=given["audio"], video=given["video"]), silent)
    assert not torch.allclose(model(audio=given["audio"], text=given["text"]), silent)
    with pytest.raises(ValueError, match="at least one modality"):
        model()


@pytest.mark.parametrize("kind", ["lmf", "tfn"])
def test_a_model_without_text_has_no_text_weights(kind):
    model = build(kind, AUDIO_VIDEO).eval()
    assert model.encoded_sizes["text"] == 0
    assert not [name for name in model.state_dict() if name.startswith("text_subnet")]
    if kind == "lmf":
        assert model.text_factor.shape == (4, 1, 2)
    else:
        assert model.post_fusion_layer_1.in_features == 5 * 4 * 1
    assert model(**inputs(6, ("audio", "video"))).shape == (6, 2)
    with pytest.raises(ValueError, match="input_sizes"):
        build(kind, SMALL | {"input_sizes": {"audio": 5, "words": 7}})


@pytest.mark.parametrize("kind", ["lmf", "tfn"])
def test_vectors_may_carry_the_time_axis_of_a_corpus(kind):
    model = build(kind, SMALL).eval()
    given = inputs(6)
    with_axis = given | {modality: given[modality][:, None] for modality in ("audio", "video")}
    assert torch.equal(model(**with_axis), model(**given))


@pytest.mark.parametrize("kind", ["lmf", "tfn"])
def test_a_batch_of_one_is_a_row_of_a_larger_one(kind):
    model = build(kind, SMALL).double().eval()
    given = inputs(6, dtype=torch.float64)
    single = model(**{modality: x[2:3] for modality, x in given.items()})
    torch.testing.assert_close(single, model(**given)[2:3], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["lmf", "tfn"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_members_stacked_by_vmap_equal_members_alone(kind, training):
    """Everything but the LSTM, for which torch has no batching rule."""
    members = [build(kind, AUDIO_VIDEO).double().train(training) for _ in range(3)]
    parameters, buffers = stack_module_state(members)
    given = inputs(6, ("audio", "video"), dtype=torch.float64)
    stacked = vmap(lambda p, b: functional_call(members[0], (p, b), kwargs=given))(parameters, buffers)
    for index, member in enumerate(members):
        torch.testing.assert_close(stacked[index], member(**given), rtol=1e-12, atol=1e-12)
        for name, buffer in member.named_buffers():
            torch.testing.assert_close(buffers[name][index], buffer, rtol=1e-12, atol=1e-12)
