"""biEFLSTM, MFN and EF-LSTM against the reference modules: outputs, losses, gradients, states."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lib.models.ef_lstm import EFLSTM, BiEFLSTM
from lib.models.mfn import BLOCKS, MFN
from tests.parity.reference import Vectors, golden

TOLERANCE = 1e-5
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


def close(actual, expected, name: str, tolerance: float = TOLERANCE) -> None:
    actual = actual.detach().numpy() if isinstance(actual, torch.Tensor) else actual
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance, err_msg=name)


def check_module(vectors: Vectors, model, dims: list[int], loss_of, states_of) -> None:
    """Every stored output, loss, gradient norm and buffer of every case and mode."""
    left = {key for key in vectors.arrays if key.split("/")[0] in ("out", "loss", "gradnorm", "after")}
    for case in vectors.names("in"):
        inputs = split_modalities(vectors.tensor(f"in/{case}/x"), dims)
        target = vectors.tensor(f"in/{case}/y")
        for mode in ("eval", "train"):
            if f"loss/{case}/{mode}" not in vectors:
                continue
            model.load_state_dict(vectors.state_dict(), strict=True)
            model.train(mode == "train")
            model.zero_grad()
            output = model(**inputs)
            name = "logits" if f"out/{case}/{mode}/logits" in vectors else "pred"
            close(output, vectors[f"out/{case}/{mode}/{name}"], f"{case} {mode} {name}")
            left.discard(f"out/{case}/{mode}/{name}")
            loss = loss_of(output, target)
            close(loss, vectors[f"loss/{case}/{mode}"], f"{case} {mode} loss")
            left.discard(f"loss/{case}/{mode}")
            for key, value in vectors.under(f"after/{case}/{mode}").items():
                close(model.state_dict()[key], value, f"{case} {mode} buffer {key}")
                left.discard(f"after/{case}/{mode}/{key}")
            loss.backward()
            for key, parameter in model.named_parameters():
                expected = vectors[f"gradnorm/{case}/{mode}/{key}"]
                close(parameter.grad.norm(), expected, f"{case} {mode} gradient of {key}")
                left.discard(f"gradnorm/{case}/{mode}/{key}")
            for key, value in states_of(model, inputs, case, mode).items():
                close(value, vectors[key], key)
                left.discard(key)
    assert not left, f"stored but not compared: {sorted(left)}"


@golden("colearning", "bieflstm")
def test_bieflstm(vectors):
    def states(model, inputs, case, mode):
        return {f"out/{case}/{mode}/last_hidden": model.encode(**inputs)}

    config = vectors.config
    check_module(vectors, bieflstm_from(config), config["input_dims_lav"], F.cross_entropy, states)


@golden("colearning", "mfn")
def test_mfn(vectors):
    def states(model, inputs, case, mode):
        if mode == "train":
            return {}
        trace = model.trace(**inputs)
        found = {f"out/{case}/attention": trace.attention, f"out/{case}/last_mem": trace.memory}
        for letter, modality in SHORT.items():
            found[f"out/{case}/last_h_{letter}"] = trace.hidden[modality]
            found[f"out/{case}/last_c_{letter}"] = trace.cell[modality]
        return found

    config = vectors.config
    check_module(vectors, mfn_from(config), config["main"]["input_dims"], l1, states)


@golden("colearning", "eflstm")
def test_eflstm(vectors):
    config = vectors.config
    check_module(vectors, eflstm_from(config), [config["d"]], l1, lambda *_: {})


def l1(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.l1_loss(prediction.squeeze(1), target)


@golden("colearning", "bieflstm", "mfn", "eflstm")
def test_initial_weights_follow_the_reference_order(vectors):
    """Where the file holds untouched initial weights, the stored seed gives the same bits."""
    config = vectors.config
    build = {"bieflstm": bieflstm_from, "mfn": mfn_from, "eflstm": eflstm_from}[str(vectors["kind"])]
    with torch.random.fork_rng():
        torch.manual_seed(config["init_seed"])
        drawn = build(config).state_dict()
    scale = config.get("weight_scale_after_init", 1.0)
    for key, stored in vectors.state_dict().items():
        if config.get("batchnorm_randomised_after_init") and key.startswith("bn1."):
            continue
        np.testing.assert_array_equal((drawn[key] * scale).numpy(), stored.numpy(), err_msg=key)


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
