"""What each modality adds to the outputs of a model, and which parameters are its encoder's."""

import numpy as np
import pytest
import torch
from torch import nn

from lib.models.biddin import BiDDIN
from lib.models.by_modality import OwnEncoders, OwnOutputs, terms
from lib.models.concatenation import Concatenation
from lib.models.dialogue_gcn import DialogueGCN
from lib.models.late_fusion import LateFusion
from lib.models.mm_dfn import MMDFN
from lib.models.mmgcn import MMGCN
from lib.models.recurrent_baselines import EarlyFusionRNN, EarlyLateFusionRNN, LateFusionRNN

SIZES = {"text": 7, "audio": 5, "video": 4}
LENGTHS = torch.tensor([3, 1, 4])
SMALL = {"hidden": 4, "layers": 1, "feedforward": 8}
MODELS = {
    "late_fusion_rnn": lambda: LateFusionRNN(SIZES, {"text": 4, "audio": 3, "video": 2}, 3, bidirectional=True),
    "late_fusion": lambda: LateFusion(SIZES, 3, **SMALL),
    "dialogue_gcn": lambda: DialogueGCN(SIZES, 3, speakers=2, graph_hidden=3, **SMALL),
    "biddin": lambda: BiDDIN(SIZES, 3, speakers=2, global_size=4, party_size=4, emotion_size=4, hidden=3),
}
WITH_ENCODERS = [name for name in MODELS if name != "biddin"]


def built(name: str) -> tuple[nn.Module, dict]:
    """A model that drops nothing, and inputs for it."""
    torch.manual_seed(3)
    model, features = MODELS[name]().double().eval(), {m: torch.randn(3, 4, w).double() for m, w in SIZES.items()}
    if name == "late_fusion_rnn":
        return model, features
    real = (torch.arange(4) < LENGTHS[:, None])[..., None]
    return model, {
        "features": {m: x * real for m, x in features.items()},
        "lengths": LENGTHS,
        "speakers": (torch.arange(4) % 2).expand(3, 4) * real[..., 0],
    }


def test_terms_by_hand():
    head = nn.Linear(3, 2)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        head.bias.copy_(torch.tensor([0.5, -1.0]))
    encoded = {"text": torch.tensor([[1.0, -1.0]]), "audio": torch.tensor([[2.0]])}
    found = terms(head, encoded)
    assert found["text"].tolist() == [[1 - 2 + 0.25, 4 - 5 - 0.5]]
    assert found["audio"].tolist() == [[6 + 0.25, 12 - 0.5]]


def test_terms_of_a_head_without_a_bias():
    head = nn.Linear(3, 2, bias=False)
    found = terms(head, {"text": torch.ones(1, 2), "audio": torch.ones(1, 1)})
    torch.testing.assert_close(sum(found.values()), head(torch.ones(1, 3)))


@pytest.mark.parametrize("name", MODELS)
def test_own_outputs_add_up_to_those_of_the_model(name):
    model, inputs = built(name)
    joint, own = model.by_modality(**inputs)
    outputs = model(**inputs)
    assert torch.equal(joint, outputs[0] if isinstance(outputs, tuple) else outputs)
    assert list(own) == list(SIZES)
    torch.testing.assert_close(sum(own.values()), joint)


@pytest.mark.parametrize("name", MODELS)
def test_own_outputs_read_one_modality(name):
    model, inputs = built(name)
    features = inputs.get("features", inputs)
    for x in features.values():
        x.requires_grad_()
    _, own = model.by_modality(**inputs)
    for m, outputs in own.items():
        found = torch.autograd.grad(outputs.sum(), list(features.values()), allow_unused=True, retain_graph=True)
        reached = {other: g is not None and bool(g.any()) for other, g in zip(features, found, strict=True)}
        assert reached == {other: other == m for other in SIZES}


@pytest.mark.parametrize("name", WITH_ENCODERS)
def test_an_encoder_is_all_of_its_modality_but_the_last_linear_layer(name):
    model, inputs = built(name)
    encoders = model.encoder_parameters()
    numbers = [{id(p) for p in parameters} for parameters in encoders.values()]
    assert list(encoders) == list(SIZES)
    assert sum(map(len, numbers)) == len(set.union(*numbers))
    heads = {n: p for n, p in model.named_parameters() if id(p) not in set.union(*numbers)}
    assert all(len(p) == 3 for p in heads.values())  # a row for each class
    assert len(heads) == (2 if name == "late_fusion_rnn" else 2 * len(SIZES))
    _, own = model.by_modality(**inputs)
    for m, outputs in own.items():
        found = torch.autograd.grad(
            outputs.square().sum(), [p for ps in encoders.values() for p in ps], allow_unused=True, retain_graph=True
        )
        mine = np.repeat([other == m for other in encoders], [len(ps) for ps in encoders.values()])
        assert all(g is None or not g.any() for g, own_one in zip(found, mine, strict=True) if not own_one)
        assert any(g is not None and bool(g.any()) for g, own_one in zip(found, mine, strict=True) if own_one)


def test_models_that_mix_modalities_before_their_last_layer_have_no_own_outputs():
    for model in (MMGCN, MMDFN, Concatenation, EarlyFusionRNN, EarlyLateFusionRNN):
        assert not issubclass(model, OwnOutputs), model
    assert issubclass(BiDDIN, OwnOutputs)
    assert not issubclass(BiDDIN, OwnEncoders)
    for model in (LateFusionRNN, LateFusion, DialogueGCN):
        assert issubclass(model, OwnEncoders), model


def test_a_missing_modality_is_named():
    model, inputs = built("late_fusion_rnn")
    with pytest.raises(ValueError, match="needs features of audio"):
        model.by_modality(text=inputs["text"], video=inputs["video"])
