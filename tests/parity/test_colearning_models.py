"""biEFLSTM, MFN and EF-LSTM against the reference modules: outputs, losses, gradients, states."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.models.ef_lstm import EFLSTM, BiEFLSTM
from lib.models.mfn import BLOCKS, MFN
from lib.models.recurrent import stackable
from tests.parity.closeness import Zero, check, check_drawn, norm
from tests.parity.reference import Vectors, golden

REFERENCE_BLOCK = {"att1": "NN1", "att2": "NN2", "gamma1": "gamma1", "gamma2": "gamma2", "out": "out"}
SHORT = {"l": "text", "a": "audio", "v": "video"}


def mfn_from(config: dict) -> MFN:
    main = config["main"]
    assert main["windowsize"] == 2
    return MFN(
        dict(zip(("text", "audio", "video"), main["input_dims"], strict=True)),
        hidden=dict(zip(("text", "audio", "video"), main["h_dims"], strict=True)),
        memory=main["memsize"],
        widths={block: config[REFERENCE_BLOCK[block]]["shapes"] for block in BLOCKS},
        dropouts={block: float(config[REFERENCE_BLOCK[block]]["drop"]) for block in BLOCKS},
        outputs=config.get("output_dim", 1),
    )


def bieflstm_from(config: dict) -> BiEFLSTM:
    features = dict(zip(("text", "audio", "video"), config["input_dims_lav"], strict=True))
    return BiEFLSTM(features, hidden=config["h"], classes=config["output_dim"], dropout=0.0)


def eflstm_from(config: dict) -> EFLSTM:
    # The file does not say how its features divide into modalities; early fusion does not care.
    return EFLSTM({"text": config["d"]}, hidden=config["h"], outputs=config["output_dim"], dropout=0.0)


def split_modalities(x: torch.Tensor, dims: list[int]) -> dict[str, torch.Tensor]:
    """(time, batch, features) to one (batch, time, d) tensor per modality."""
    parts = x.transpose(0, 1).split(dims, dim=-1)
    return dict(zip(("text", "audio", "video")[: len(dims)], parts, strict=True))


def loaded(model: nn.Module, vectors: Vectors, dtype: torch.dtype) -> nn.Module:
    model.to(dtype).load_state_dict(vectors.state_dict(dtype), strict=True)
    return model


def gradients_at(layer: nn.Module) -> list[Tensor]:
    """Filled by the next backward pass with the gradients at the layer's output."""
    found: list[Tensor] = []
    layer.register_full_backward_hook(lambda _module, _entering, leaving: found.append(leaving[0].detach()))
    return found


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    return F.l1_loss(prediction.squeeze(1), target)


def states_of_mfn(model: MFN, inputs: dict[str, Tensor], case: str, mode: str) -> dict[str, Tensor]:
    if mode == "train":
        return {}
    trace = model.trace(**inputs)
    found = {f"out/{case}/attention": trace.attention, f"out/{case}/last_mem": trace.memory}
    for letter, modality in SHORT.items():
        found[f"out/{case}/last_h_{letter}"] = trace.hidden[modality]
        found[f"out/{case}/last_c_{letter}"] = trace.cell[modality]
    return found


def last_hidden(model: BiEFLSTM, inputs: dict[str, Tensor], case: str, mode: str) -> dict[str, Tensor]:
    return {f"out/{case}/{mode}/last_hidden": model.encode(**inputs)}


@dataclass(frozen=True)
class Kind:
    """How a file of this kind is computed."""

    build: Callable[[dict], nn.Module]
    widths: Callable[[dict], list[int]]
    output: str
    loss: Callable[[Tensor, Tensor], Tensor]
    states: Callable[[nn.Module, dict[str, Tensor], str, str], dict[str, Tensor]]


KINDS = {
    "bieflstm": Kind(bieflstm_from, lambda c: c["input_dims_lav"], "logits", F.cross_entropy, last_hidden),
    "mfn": Kind(mfn_from, lambda c: c["main"]["input_dims"], "pred", l1, states_of_mfn),
    "eflstm": Kind(eflstm_from, lambda c: [c["d"]], "pred", l1, lambda *_: {}),
}


def computed(vectors: Vectors, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """Outputs, losses, gradient norms, states and buffers of every case and mode, by the file's keys."""
    config, kind = vectors.config, KINDS[str(vectors["kind"])]
    found: dict[str, Tensor] = {}
    for case in vectors.names("in"):
        inputs = split_modalities(vectors.tensor(f"in/{case}/x", dtype), kind.widths(config))
        target = vectors.double(f"in/{case}/y")
        for mode in vectors.names(f"loss/{case}"):
            model = loaded(kind.build(config), vectors, dtype).train(mode == "train")
            before_norm = gradients_at(model.fc1) if mode == "train" and hasattr(model, "bn1") else None
            output = model(**inputs)
            loss = kind.loss(output, target.to(dtype) if target.is_floating_point() else target)
            loss.backward()
            found |= {f"out/{case}/{mode}/{kind.output}": output, f"loss/{case}/{mode}": loss}
            found |= {f"gradnorm/{case}/{mode}/{name}": norm(p.grad) for name, p in model.named_parameters()}
            if before_norm is not None:
                # Whatever the bias adds, the batch norm of a minibatch subtracts again.
                name = f"gradnorm/{case}/{mode}/fc1.bias"
                found[name] = Zero(found[name].value, before_norm[0].abs().sum(dim=0).norm())
            if mode == "train":
                found |= {f"after/{case}/{mode}/{name}": x.clone() for name, x in model.named_buffers()}
            with torch.no_grad():
                found |= kind.states(model, inputs, case, mode)
    return found


def check_module(vectors: Vectors, dtype: torch.dtype = torch.float64) -> None:
    """Every stored output, loss, gradient norm, state and buffer of the file."""
    keys = vectors.keys("out", "loss", "gradnorm", "after")
    check(vectors, lambda near: computed(near, dtype), keys, single=dtype == torch.float32)


@golden("colearning", *KINDS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_module(vectors, dtype):
    """In float64 for the mathematics, in float32 for the written-out recurrences as they are used."""
    check_module(vectors, dtype)


@golden("colearning", "bieflstm", "eflstm")
def test_recurrences_step_by_step(vectors):
    """As a fleet computes them."""
    with stackable():
        check_module(vectors, torch.float32)


@golden("colearning", *KINDS)
def test_initial_weights_follow_the_reference_order(vectors):
    """Where the file holds untouched initial weights, the stored seed gives them."""
    config = vectors.config
    with torch.random.fork_rng():
        torch.manual_seed(config["init_seed"])
        drawn = KINDS[str(vectors["kind"])].build(config).state_dict()
    stored = vectors.under("w")
    if config.get("batchnorm_randomised_after_init"):
        drawn, stored = ({k: x for k, x in found.items() if not k.startswith("bn1.")} for found in (drawn, stored))
    scale = config.get("weight_scale_after_init", 1.0)
    check_drawn({key: value * scale for key, value in drawn.items()}, stored)


def test_parameter_counts():
    """Spec colearning, sections 2.1 and 2.2."""
    bieflstm = BiEFLSTM({"text": 300, "audio": 80, "video": 310}, hidden=128, classes=9)
    assert sum(p.numel() for p in bieflstm.parameters()) == 1_269_257
    widths = {"att1": 128, "att2": 64, "gamma1": 256, "gamma2": 64, "out": 64}
    hidden = {"text": 128, "audio": 32, "video": 32}
    features = {"text": 300, "audio": 5, "video": 20}
    mfn = MFN(features, hidden=hidden, memory=128, widths=widths, dropouts=dict.fromkeys(BLOCKS, 0.0))
    assert sum(p.numel() for p in mfn.parameters()) == 589_825


def test_a_single_sample_cannot_train_through_batch_norm():
    model = BiEFLSTM({"text": 3, "audio": 2}, hidden=4, classes=3).train()
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        model(text=torch.zeros(1, 5, 3), audio=torch.zeros(1, 5, 2))
