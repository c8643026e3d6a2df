"""What the reference files of the end-to-end topic have in common: weights, inputs, modes, gradients."""

import re
import zlib
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.parity.closeness import Norm, Zero, check, norm
from tests.parity.reference import Vectors

MODES = ("eval", "train")
MODALITIES = {"t": "text", "a": "audio", "v": "video"}
DOUBLE = torch.float64

Rename = Callable[[str], str]


def reference_name(ours: str) -> str:
    """The reference wraps each sparse block in one more container."""
    return re.sub(r"(sparse_layers\.\d+\.)", r"\g<1>0.", ours)


def compare(vectors: Vectors, compute: Callable[[Vectors], dict], *, but: Iterable[str] = (), **options) -> None:
    """All outputs and gradient norms of a file; those that it packs into vectors are unpacked."""
    stored = {key: vectors[key] for key in vectors.keys("out") if key not in but} | stored_norms(vectors)
    if "out/train_buf_names" in vectors:
        names, sizes, values = (stored.pop(f"out/train_buf_{part}") for part in ("names", "sizes", "values"))
        parts = np.split(values, sizes.cumsum()[:-1])
        assert sizes.sum() == len(values)
        stored |= {f"out/train_buf/{name}": part for name, part in zip(names.tolist(), parts, strict=True)}
    check(vectors, compute, stored, group=scale_of, **options)


def scale_of(key: str) -> str:
    """The gradients of one loss are a group; every other quantity is measured by itself."""
    return key.rpartition("/")[0] if key.startswith("gradnorm/") else key


def stored_norms(vectors: Vectors) -> dict[str, np.ndarray]:
    """Gradient norms by parameter; the files store -1 where no gradient reaches one, and those must have none."""
    packed = vectors.under("gradnorm")
    if "names" in packed:
        names = packed.pop("names").tolist()
        packed = {f"{mode}/{n}": x for mode, norms in packed.items() for n, x in zip(names, norms, strict=True)}
    return {f"gradnorm/{name}": np.asarray(value) for name, value in packed.items() if value >= 0}


class Gradients:
    """Gradient norms of a module by the file's keys, those that are zero by construction named.

    A convolution's bias moves all positions of a channel alike, and batch norm in training subtracts that again; an
    attention's key bias, and the last bias before a softmax, move all scores alike. What cancels is the gradient at
    the layer's output, summed over positions, so the sum of its magnitudes is the size to compare with.
    """

    def __init__(self, module: nn.Module):
        self.module, self.sums = module, {}
        for name, layer in module.named_modules():
            if self._cancels(name, layer):
                layer.register_forward_hook(self._watch(name))

    def _cancels(self, name: str, layer: nn.Module) -> bool:
        return isinstance(layer, nn.Conv2d) or name.rpartition(".")[2] in ("key", "attn_weight_affine")

    def _watch(self, name: str):
        def watch(layer: nn.Module, _inputs: tuple, output: Tensor) -> None:
            channels = 1 if isinstance(layer, nn.Conv2d) else -1

            def add(gradient: Tensor) -> None:
                magnitudes = gradient.abs().movedim(channels, 0).flatten(1).sum(1)
                self.sums[name] = self.sums.get(name, 0) + magnitudes

            if output.requires_grad:
                output.register_hook(add)

        return watch

    def norms(self, prefix: str, rename: Rename = reference_name) -> dict[str, Norm | Zero]:
        """After a backward pass; without the parameters that it did not reach."""
        found = {}
        for name, parameter in self.module.named_parameters():
            if parameter.grad is None:
                continue
            layer, _, kind = name.rpartition(".")
            cancels = kind == "bias" and layer in self.sums
            if cancels and isinstance(self.module.get_submodule(layer), nn.Conv2d):
                cancels = self.module.training
            key, value = f"{prefix}/{rename(name)}", norm(parameter.grad)
            found[key] = Zero(value.value, self.sums[layer].norm()) if cancels else value
        self.sums.clear()
        return found


def running_statistics(module: nn.Module, rename: Rename = reference_name) -> dict[str, Tensor]:
    """After the one forward pass in training mode."""
    buffers = module.named_buffers()
    return {f"out/train_buf/{rename(name)}": value.clone() for name, value in buffers if "running" in name}


def load(module: nn.Module, vectors: Vectors, rename: Rename = reference_name) -> nn.Module:
    """The stored weights into `module`, strictly, which becomes float64."""
    stored, ours = vectors.state_dict(DOUBLE), module.state_dict()
    assert {rename(key) for key in ours} == set(stored)
    module.to(DOUBLE).load_state_dict({key: stored[rename(key)] for key in ours})
    return module


def with_weights(vectors: Vectors, module: nn.Module) -> Vectors:
    """The file with its weights under `w/`, where it only says how they are drawn (README of the reference files)."""
    if vectors.config.get("weights") != "recipe":
        return vectors
    assert not vectors.under("w")
    drawn = {reference_name(key): _recipe(reference_name(key), value) for key, value in module.state_dict().items()}
    return Vectors(vectors.path, {**vectors.arrays, **{f"w/{key}": value for key, value in drawn.items()}})


def _recipe(key: str, like: Tensor) -> np.ndarray:
    if not like.is_floating_point():
        return like.numpy()
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
    return values.astype(np.float32)


def weighted_loss(logits: Tensor, vectors: Vectors) -> Tensor:
    """Binary cross-entropy on logits with the file's labels and positive weights."""
    labels, weights = vectors.tensor("in/labels", logits.dtype), vectors.tensor("in/pos_weight", logits.dtype)
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


def model_inputs(vectors: Vectors, dtype: torch.dtype = DOUBLE) -> dict[str, Tensor]:
    """Arguments of `MME2E.forward`."""
    return {
        "text": vectors.tensor("in/input_ids"),
        "text_mask": vectors.tensor("in/attention_mask"),
        "text_types": vectors.tensor("in/token_type_ids"),
        "audio": vectors.tensor("in/specs", dtype) * vectors.tensor("in/specs_scale", dtype),
        "audio_lengths": vectors.tensor("in/spec_lens"),
        "video": vectors.tensor("in/faces"),
        "video_lengths": vectors.tensor("in/face_lens"),
    }


TRACED = ("t_out", "v_flatten", "v_transformer", "v_out", "a_flatten", "a_transformer", "a_out")


def run_mode(model: nn.Module, gradients: Gradients, vectors: Vectors, mode: str) -> dict[str, object]:
    """Outputs and gradient norms of one mode, from the stored weights and statistics, by the file's keys."""
    load(model, vectors).train(mode == "train").zero_grad()
    found = {}

    def keep(name: str):
        return lambda _module, _inputs, output: found.update({f"out/{mode}_{name}": output})

    hooks = [getattr(model, name).register_forward_hook(keep(name)) for name in TRACED]
    found[f"out/{mode}"] = logits = model(**model_inputs(vectors))
    for hook in hooks:
        hook.remove()
    found[f"out/{mode}_loss"] = loss = weighted_loss(logits, vectors)
    loss.backward()
    return found | gradients.norms(f"gradnorm/{mode}")
