"""The three sub-networks in front of tensor fusion, shared by TFN and LMF (spec low_rank_fusion, 1.2 and 1.3)."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lib.models.dropout import Dropout
from lib.models.recurrent import LSTM

BatchNormInit = Literal["ones", "uniform"]
"""Initial batch-norm scale: torch 1.2 and later use ones, earlier versions drew from U(0, 1) (quirk 17)."""


class VectorEncoder(nn.Module):
    """Audio or video: batch norm, dropout, three ReLU layers (the paper says two).

    The result is non-negative. In training, batch norm needs at least two samples; in evaluation one is enough.
    """

    def __init__(self, input_size: int, hidden_size: int, dropout: float, batch_norm_init: BatchNormInit = "ones"):
        super().__init__()
        self.norm = nn.BatchNorm1d(input_size)
        if batch_norm_init == "uniform":
            nn.init.uniform_(self.norm.weight)
        self.drop = Dropout(dropout)
        self.linear_1 = nn.Linear(input_size, hidden_size)
        self.linear_2 = nn.Linear(hidden_size, hidden_size)
        self.linear_3 = nn.Linear(hidden_size, hidden_size)

    def forward(self, x: Float[Tensor, "batch *one features"]) -> Float[Tensor, "batch hidden"]:
        x = self.drop(self.norm(x.flatten(1)))
        for layer in (self.linear_1, self.linear_2, self.linear_3):
            x = torch.relu(layer(x))
        return x


class SequenceEncoder(nn.Module):
    """Text: the last state of an LSTM over every step, dropout, one linear layer without activation.

    The LSTM reads padding like words (quirk 8). The reference squeezes all axes of the state and so fails on a
    batch of one; here only the layer axis goes (quirk 4).
    """

    def __init__(self, input_size: int, hidden_size: int, output_size: int, dropout: float):
        super().__init__()
        self.rnn = LSTM(input_size, hidden_size, batch_first=True)
        self.drop = Dropout(dropout)
        self.linear_1 = nn.Linear(hidden_size, output_size)

    def forward(self, x: Float[Tensor, "batch time features"]) -> Float[Tensor, "batch output"]:
        _, (last, _) = self.rnn(x)
        return self.linear_1(self.drop(last[-1]))


class FusionEncoders(nn.Module):
    """Base of TFN and LMF: one vector per modality, each with a constant 1 in front.

    `input_sizes`, `hidden_sizes` and `dropouts` map `audio`, `video` and `text` to numbers. A modality that
    `input_sizes` does not name has no sub-network, and its vector is the constant 1 alone.
    """

    def __init__(
        self,
        input_sizes: Mapping[str, int],
        hidden_sizes: Mapping[str, int],
        text_out: int,
        dropouts: Mapping[str, float],
        batch_norm_init: BatchNormInit,
    ):
        super().__init__()
        if not input_sizes or set(input_sizes) - {"audio", "video", "text"}:
            raise ValueError(f"input_sizes names {list(input_sizes)}; possible are audio, video and text")
        self.encoded_sizes = {
            "audio": hidden_sizes["audio"] if "audio" in input_sizes else 0,
            "video": hidden_sizes["video"] if "video" in input_sizes else 0,
            "text": text_out if "text" in input_sizes else 0,
        }
        for modality in ("audio", "video"):
            if modality in input_sizes:
                sizes = input_sizes[modality], hidden_sizes[modality]
                encoder = VectorEncoder(*sizes, dropouts[modality], batch_norm_init)
                self.add_module(f"{modality}_subnet", encoder)
        if "text" in input_sizes:
            sizes = input_sizes["text"], hidden_sizes["text"], text_out
            self.text_subnet = SequenceEncoder(*sizes, dropouts["text"])

    def encode(
        self,
        audio: Float[Tensor, "batch *one audio"] | None,
        video: Float[Tensor, "batch *one video"] | None,
        text: Float[Tensor, "batch time text"] | None,
    ) -> dict[str, Float[Tensor, "batch hidden"]]:
        """Outputs of the sub-networks; zeros for a modality that is None, so that only its constant 1 is left."""
        given = {"audio": audio, "video": video, "text": text}
        present = {modality: x for modality, x in given.items() if x is not None}
        if not present:
            raise ValueError("at least one modality must be given")
        anchor = next(iter(present.values()))
        absent = set(given) - set(present)
        encoded = {modality: self.get_submodule(f"{modality}_subnet")(x) for modality, x in present.items()}
        zeros = {modality: anchor.new_zeros(len(anchor), self.encoded_sizes[modality]) for modality in absent}
        return encoded | zeros


def with_one(x: Float[Tensor, "batch size"]) -> Float[Tensor, "batch size+1"]:
    """A constant 1 in front of every vector (the reference prepends, the paper appends; quirk 14)."""
    return F.pad(x, (1, 0), value=1.0)
