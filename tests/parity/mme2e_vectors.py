"""What the reference files of the end-to-end topic have in common: weights, inputs, modes, tolerances."""

import re
import zlib

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.parity.reference import Vectors

OUTPUT = 2e-5  # absolute, and relative to values above one
LOSS = 1e-5
NORM = 5e-3  # relative, plus OUTPUT times the largest norm of the file
NO_GRADIENT = -1.0  # what the files store for a parameter that no gradient reaches

MODALITIES = {"t": "text", "a": "audio", "v": "video"}


def compare(vectors: Vectors, computed: dict, *, but: tuple[str, ...] = ()) -> None:
    """Every array under `out/` has a computed counterpart, the other way round too, and is close to it."""
    stored = vectors.under("out")
    assert set(stored) - set(but) == set(computed)
    for key, value in computed.items():
        assert_close(value, stored[key], LOSS if key.endswith("loss") else OUTPUT, f"{vectors.path.stem}: {key}")


def assert_close(value, expected, tolerance: float, what: str) -> None:
    value = value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)
    assert value.shape == expected.shape, what
    if expected.dtype.kind != "f":
        tolerance = 0  # counts, masks, positions
    if expected.dtype.kind == "U":
        np.testing.assert_array_equal(value, expected, err_msg=what)
        return
    scale = np.maximum(1, np.abs(expected))
    np.testing.assert_allclose(value / scale, expected / scale, rtol=0, atol=tolerance, err_msg=what)


def compare_norms(found: dict[str, float], stored: dict[str, float], what: str) -> None:
    assert found.keys() == stored.keys(), what
    largest = max(stored.values())
    for name, expected in stored.items():
        if NO_GRADIENT in (expected, found[name]):
            assert found[name] == expected, f"{what}: {name}"
        else:
            close = abs(found[name] - expected) <= NORM * abs(expected) + OUTPUT * largest
            assert close, f"{what}: {name} has {found[name]}, expected {expected}"


def gradient_norms(model: nn.Module, rename=lambda name: name) -> dict[str, float]:
    return {
        rename(name): NO_GRADIENT if p.grad is None else float(p.grad.norm()) for name, p in model.named_parameters()
    }


def reference_name(ours: str) -> str:
    """The reference wraps each sparse block in one more container."""
    return re.sub(r"(sparse_layers\.\d+\.)", r"\g<1>0.", ours)


def load(model: nn.Module, vectors: Vectors, rename=reference_name) -> None:
    """The stored weights, or those of the recipe (README of the reference files), into `model`."""
    ours = model.state_dict()
    if vectors.config.get("weights") == "recipe":
        assert not vectors.under("w")
        model.load_state_dict({key: _recipe(rename(key), value) for key, value in ours.items()})
        return
    stored = vectors.state_dict()
    assert {rename(key) for key in ours} == set(stored)
    model.load_state_dict({key: stored[rename(key)] for key in ours})


def _recipe(key: str, like: Tensor) -> Tensor:
    if not like.is_floating_point():
        return like
    values = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(tuple(like.shape))
    if key.endswith("running_mean"):
        values *= 0.1
    elif key.endswith("running_var"):
        values = 0.75 + 0.5 * np.abs(values)
    elif values.ndim == 1:
        values = 1 + 0.1 * values if key.endswith("weight") else 0.05 * values
    elif "sparse_layers" in key:
        values /= np.sqrt(9 * values.shape[2])
    else:
        values /= np.sqrt(np.prod(values.shape[1:]))
    return torch.from_numpy(values.astype(np.float32))


def weighted_loss(logits: Tensor, vectors: Vectors) -> Tensor:
    """Binary cross-entropy on logits with the file's labels and positive weights."""
    labels, weights = vectors.tensor("in/labels"), vectors.tensor("in/pos_weight", torch.float32)
    return F.binary_cross_entropy_with_logits(logits, labels, pos_weight=weights)


def model_arguments(vectors: Vectors) -> dict:
    """Arguments of `MME2E` for a file of an end-to-end model."""
    config = vectors.config
    args, widths = config["args"], config["widths"]
    assert config["albert"]["hidden_size"] == widths["text_dim"]
    return {
        "albert": config["albert"],
        "emotions": args["num_emotions"],
        "modalities": [MODALITIES[initial] for initial in args["modalities"]],
        "channels": [widths[f"c{i}"] for i in (1, 2, 3, 4)],
        "flatten_size": widths["flatten_hidden"],
        "width": args["trans_dim"],
        "layers": args["trans_nlayers"],
        "heads": args["trans_nheads"],
        "dropout": 0.0,
    }


def model_inputs(vectors: Vectors) -> dict[str, Tensor]:
    """Arguments of `MME2E.forward`."""
    return {
        "text": vectors.tensor("in/input_ids"),
        "text_mask": vectors.tensor("in/attention_mask"),
        "text_types": vectors.tensor("in/token_type_ids"),
        "audio": vectors.tensor("in/specs", torch.float32) * vectors.tensor("in/specs_scale"),
        "audio_lengths": vectors.tensor("in/spec_lens"),
        "video": vectors.tensor("in/faces"),
        "video_lengths": vectors.tensor("in/face_lens"),
    }


TRACED = ("t_out", "v_flatten", "v_transformer", "v_out", "a_flatten", "a_transformer", "a_out")


def run_mode(model: nn.Module, vectors: Vectors, mode: str) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Outputs of one mode by their stored keys, and the gradient norms by the reference's names."""
    load(model, vectors)
    model.train(mode == "train")
    model.zero_grad()
    found = {}

    def keep(name: str):
        return lambda _module, _inputs, output: found.update({f"{mode}_{name}": output})

    hooks = [getattr(model, name).register_forward_hook(keep(name)) for name in TRACED]
    found[mode] = model(**model_inputs(vectors))
    for hook in hooks:
        hook.remove()
    found[f"{mode}_loss"] = weighted_loss(found[mode], vectors)
    found[f"{mode}_loss"].backward()
    return found, gradient_norms(model, reference_name)


def packed_norms(vectors: Vectors, mode: str) -> dict[str, float]:
    return dict(zip(vectors["gradnorm/names"].tolist(), vectors[f"gradnorm/{mode}"].tolist(), strict=True))


BUFFERS = ("train_buf_names", "train_buf_sizes", "train_buf_values")


def compare_buffers(model: nn.Module, vectors: Vectors) -> None:
    """Running statistics after the one forward pass in training mode, stored end to end."""
    names, sizes, values = (vectors[f"out/{key}"] for key in BUFFERS)
    found = {reference_name(name): value for name, value in model.named_buffers() if "running" in name}
    assert set(found) == set(names.tolist())
    assert sizes.sum() == len(values)
    for name, expected in zip(names.tolist(), np.split(values, sizes.cumsum()[:-1]), strict=True):
        assert_close(found[name], expected, OUTPUT, name)
