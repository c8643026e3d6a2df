"""Concatenation: TFN's network over the vectors of the sub-networks, without their products."""

import pytest
import torch

from lib.models.concatenation import Concatenation
from lib.models.tensor_fusion import TFN

SIZES = {
    "input_sizes": {"audio": 5, "video": 7, "text": 6},
    "hidden_sizes": {"audio": 4, "video": 3, "text": 8},
    "dropouts": dict.fromkeys(("audio", "video", "text", "fusion"), 0.0),
    "fusion_size": 6,
}


@pytest.fixture
def inputs() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"audio": (9, 5), "video": (9, 7), "text": (9, 4, 6)}
    return {m: torch.randn(shape, generator=generator, dtype=torch.float64) for m, shape in shapes.items()}


@pytest.fixture
def model() -> Concatenation:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Concatenation(**SIZES, head="linear", output_size=8).double().eval()


def test_the_layers_read_the_vectors_beside_each_other(model, inputs):
    with torch.no_grad():
        vectors = [getattr(model, f"{m}_subnet")(inputs[m]) for m in ("audio", "video", "text")]
        assert [v.shape[1] for v in vectors] == [4, 3, 4]
        hidden = torch.relu(model.post_fusion_layer_1(torch.cat(vectors, dim=1)))
        hidden = torch.relu(model.post_fusion_layer_2(hidden))
        expected = model.post_fusion_layer_3(hidden)
        torch.testing.assert_close(model(**inputs), expected, rtol=1e-12, atol=1e-12)
    assert expected.shape == (9, 8)


def test_it_is_tfn_in_all_but_the_width_of_the_first_layer(model):
    shapes = {name: weights.shape for name, weights in model.named_parameters()}
    theirs = {name: w.shape for name, w in TFN(**SIZES, head="linear", output_size=8).named_parameters()}
    assert list(shapes) == list(theirs)
    assert {name for name in shapes if shapes[name] != theirs[name]} == {"post_fusion_layer_1.weight"}
    assert (shapes["post_fusion_layer_1.weight"], theirs["post_fusion_layer_1.weight"]) == ((6, 11), (6, 5 * 4 * 5))


def test_a_missing_modality_leaves_zeros_in_a_call_and_no_place_in_a_model(model, inputs):
    with torch.no_grad():
        encoded = model.encode(inputs["audio"], None, inputs["text"])
        fused = model.fused(encoded)
    assert (fused[:, 4:7] == 0).all() and fused[:, :4].any() and fused[:, 7:].any()
    two = Concatenation(**SIZES | {"input_sizes": {"audio": 5, "video": 7}})
    assert two.post_fusion_layer_1.in_features == 7
    assert two.eval()(audio=inputs["audio"].float(), video=inputs["video"].float()).abs().max() < 3  # the bounded head
