"""Which parameters train at which rate, and which do not train in the legacy variant."""

import torch

from lib.models.low_rank import LMF
from lib.models.tensor_fusion import TFN
from lib.training.parameter_groups import factor_groups

SIZES = {
    "input_sizes": {"audio": 5, "video": 7, "text": 6},
    "hidden_sizes": {"audio": 4, "video": 3, "text": 8},
    "dropouts": dict.fromkeys(("audio", "video", "text", "fusion"), 0.0),
}
FACTORS = ["audio_factor", "video_factor", "text_factor"]


def test_factors_have_a_rate_of_their_own():
    model = LMF(**SIZES, output_size=2, rank=4)
    factors, others = torch.optim.Adam(factor_groups(model, 0.003, 0.001)).param_groups
    assert (factors["lr"], factors["param_names"]) == (0.003, FACTORS)
    assert others["lr"] == 0.001
    assert factors["param_names"] + others["param_names"] == [name for name, _ in model.named_parameters()]


def test_legacy_leaves_out_the_fusion_weights_and_bias():
    model = LMF(**SIZES, output_size=2, rank=4)
    factors, others = torch.optim.Adam(factor_groups(model, 0.003, 0.001, legacy=True)).param_groups
    trained = set(factors["param_names"] + others["param_names"])
    assert {name for name, _ in model.named_parameters()} - trained == {"fusion_weights", "fusion_bias"}


def test_a_model_without_factors_has_one_group():
    model = TFN(**SIZES, fusion_size=6)
    (group,) = torch.optim.Adam(factor_groups(model, 0.003, 0.001)).param_groups
    assert group["lr"] == 0.001
    assert len(group["params"]) == len(list(model.parameters()))
