"""Emotion-embedding models as the reference files describe them, and the reference's parameter names.

Our modules are named by modality where the reference numbers them, and some of its names are not Python
style. A rule is (our prefix, reference prefix); the first that fits applies.
"""

import re
import zlib

import numpy as np
import torch
from torch import nn

from lib.models.dropout import Dropout
from lib.models.early_fusion_transformer import EarlyFusionTransformer
from lib.models.eea import EEA
from lib.models.modality_rnn import MODALITIES
from lib.models.mult import MulT
from lib.models.recurrent_baselines import EarlyFusionRNN, EarlyLateFusionRNN, LateFusionRNN, TextSelectiveRNN
from tests.parity.reference import Vectors

LETTERS = {"t": "text", "a": "audio", "v": "video"}
NUMBERED = [(m, str(i)) for i, m in enumerate(MODALITIES)]
MULT_LETTERS = [("text", "l"), ("audio", "a"), ("video", "v")]
RULES = {
    "eea": [
        ("emotion_vectors", "textEmoEmbs.weight"),
        ("maps.audio.", "affineAudio."),
        ("maps.video.", "affineVisual."),
        *((f"rnns.{m}.", f"RNNs.{i}.") for m, i in NUMBERED),
    ],
    "ef": [("rnn.", "RNN.")],
    "lf": [(f"rnns.{m}.", f"RNNs.{i}.") for m, i in NUMBERED],
    "eflf": [("early_rnn.", "EF_RNN."), *((f"rnns.{m}.", f"LF_RNNs.{i}.") for m, i in NUMBERED)],
    "ts": [(f"rnns.{m}.", f"RNNs.{i}.") for m, i in NUMBERED],
    "transformer": [("layers.", "transformer_encoder.layers."), ("norm.", "transformer_encoder.norm.")],
    "mult": [
        *((f"convolve.{m}.", f"proj_{c}.") for m, c in MULT_LETTERS),
        *(
            (f"crossmodal.{m}_from_{n}.", f"trans_{c}_with_{d}.")
            for m, c in MULT_LETTERS
            for n, d in MULT_LETTERS
            if m != n
        ),
        *((f"memory.{m}.", f"trans_{c}_mem.") for m, c in MULT_LETTERS),
    ],
}


def reference_name(kind: str, name: str) -> str:
    """The reference's name of one of our parameters."""
    for ours, theirs in RULES[kind]:
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return name


def by_modality(values: list[int]) -> dict[str, int]:
    return dict(zip(MODALITIES, values, strict=True))


def build(kind: str, config: dict, classes: int) -> nn.Module:
    """The model that a `config` describes, with every dropout set to 0 as in the files' training mode."""
    model = _build(kind, config, classes)
    for module in model.modules():
        if isinstance(module, Dropout):
            module.p = 0.0
    return model


def _build(kind: str, config: dict, classes: int) -> nn.Module:
    if kind == "mult":
        return _mult(config, classes)
    sizes = by_modality(config["input_sizes"])
    if kind == "transformer":
        return EarlyFusionTransformer(
            sizes,
            classes,
            width=config["d_model"],
            heads=config["nhead"],
            layers=config["num_layers"],
            feedforward=config["dim_feedforward"],
            head_hidden=config["head_hidden"],
        )
    options = {
        "cell": "gru" if config["gru"] else "lstm",
        "layers": config["num_layers"],
        "bidirectional": config["bidirectional"],
    }
    hidden = by_modality(config["hidden_sizes"])
    if kind == "eea":
        modalities = [LETTERS[letter] for letter in config["modalities"]]
        empty = torch.zeros(classes, config["hidden_sizes"][0])
        return EEA(sizes, hidden, empty, modalities=modalities, **options)
    if kind == "ef":
        return EarlyFusionRNN(sizes, config["hidden_size"], classes, **options)
    if kind == "lf":
        return LateFusionRNN(sizes, hidden, classes, **options)
    if kind == "eflf":
        return EarlyLateFusionRNN(sizes, hidden, config["hidden_size"], classes, **options)
    assert kind == "ts"
    assert len(set(hidden.values())) == 1
    return TextSelectiveRNN(sizes, hidden["text"], classes, **options)


def _mult(config: dict, classes: int) -> MulT:
    return MulT(
        by_modality([config["orig_d_l"], config["orig_d_a"], config["orig_d_v"]]),
        classes,
        targets=[m for m, c in MULT_LETTERS if config[f"{c}only"]],
        width=config["width"],
        heads=config["num_heads"],
        layers=config["layers"],
        causal_mask=config["attn_mask"],
    )


def procedural(name: str, shape: tuple[int, ...], bound: float) -> np.ndarray:
    """The weights of the `*_procedural` files, by the reference's parameter name."""
    drawn = np.random.RandomState(zlib.crc32(name.encode())).uniform(-bound, bound, shape).astype(np.float32)
    if "norm" in name and name.endswith(".weight"):
        drawn = drawn + np.float32(1)
    return drawn * np.float32(10) if name == "textEmoEmbs.weight" else drawn


def with_weights(vectors: Vectors, model: nn.Module) -> Vectors:
    """The file with its weights under `w/`, where it only says how they are drawn."""
    if "weights" not in vectors.config:
        return vectors
    bound = float(re.fullmatch(r"procedural uniform\(-([\d.]+),\1\)", vectors.config["weights"])[1])
    named = {reference_name(str(vectors["kind"]), name): tuple(x.shape) for name, x in model.state_dict().items()}
    drawn = {f"w/{name}": procedural(name, shape, bound) for name, shape in named.items()}
    return Vectors(vectors.path, {**vectors.arrays, **drawn})


def load_weights(model: nn.Module, kind: str, vectors: Vectors) -> None:
    """Load the file's weights; what our model does not have must be something the reference never uses."""
    names, stored = {reference_name(kind, name): name for name in model.state_dict()}, vectors.under("w")
    unused = set(stored) - set(names)
    assert unused <= set(vectors.config.get("no_grad", ())), f"used in the reference, absent here: {sorted(unused)}"
    model.load_state_dict({ours: torch.from_numpy(np.array(stored[theirs])) for theirs, ours in names.items()})
