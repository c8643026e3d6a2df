"""The three networks of MTCNN (Zhang et al., IEEE Signal Processing Letters 2016), named as in the released weights.

Each says of a square of pixels whether it is a face and how its box is to be moved. They stand among the readers, which
import no model, because here their answers only prepare a corpus.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lib.errors import InputError

PROPOSAL_CELL, PROPOSAL_STRIDE = 12, 2
"""Pixels that one answer of the proposal network sees, and the distance to the next one's."""


class _Trunk(nn.Module):
    """Convolutions without padding, each followed by PReLU and, where a size is given, by pooling with stride 2."""

    def __init__(self, *layers: tuple[int, int, int, int]):
        super().__init__()
        self._pools = [pool for *_, pool in layers]
        for number, (inputs, outputs, size, _) in enumerate(layers, start=1):
            self.add_module(f"conv{number}", nn.Conv2d(inputs, outputs, size))
            self.add_module(f"prelu{number}", nn.PReLU(outputs))

    def trunk(self, x: Tensor) -> Tensor:
        for number, pool in enumerate(self._pools, start=1):
            x = getattr(self, f"prelu{number}")(getattr(self, f"conv{number}")(x))
            if pool:
                x = F.max_pool2d(x, pool, stride=2, ceil_mode=True)  # the last row and column count, as in Caffe
        return x


class ProposalNetwork(_Trunk):
    """P-Net: an answer for every cell of 12 x 12 pixels of an image, one every second pixel."""

    def __init__(self):
        super().__init__((3, 10, 3, 2), (10, 16, 3, 0), (16, 32, 3, 0))
        self.conv4_1 = nn.Conv2d(32, 2, 1)
        self.conv4_2 = nn.Conv2d(32, 4, 1)

    def forward(
        self, pixels: Float[Tensor, "images 3 height width"]
    ) -> tuple[Float[Tensor, "images rows columns"], Float[Tensor, "images rows columns 4"]]:
        """Probability of a face, and how far left, top, right and bottom move, in widths or heights of the box."""
        x = self.trunk(pixels)
        return self.conv4_1(x).softmax(dim=1)[:, 1], self.conv4_2(x).permute(0, 2, 3, 1)


class _Judge(_Trunk):
    """A trunk, a hidden layer and an answer for the whole crop."""

    def judged(self, pixels: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """From the layer `dense<number>` on; the weights were learned with columns before rows."""
        x = self.trunk(pixels).permute(0, 3, 2, 1).flatten(1)
        x = getattr(self, f"prelu{number}")(getattr(self, f"dense{number}")(x))
        face, moves = getattr(self, f"dense{number + 1}_1"), getattr(self, f"dense{number + 1}_2")
        return face(x).softmax(dim=1)[:, 1], moves(x)


class RefinementNetwork(_Judge):
    """R-Net: looks again at crops of 24 x 24 pixels."""

    side = 24

    def __init__(self):
        super().__init__((3, 28, 3, 3), (28, 48, 3, 3), (48, 64, 2, 0))
        self.dense4, self.prelu4 = nn.Linear(64 * 3 * 3, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(
        self, pixels: Float[Tensor, "crops 3 24 24"]
    ) -> tuple[Float[Tensor, " crops"], Float[Tensor, "crops 4"]]:
        """As `ProposalNetwork`, for each crop."""
        return self.judged(pixels, 4)


class OutputNetwork(_Judge):
    """O-Net: decides on crops of 48 x 48 pixels. Its five landmarks (`dense6_3`) are loaded and not asked for."""

    side = 48

    def __init__(self):
        super().__init__((3, 32, 3, 3), (32, 64, 3, 3), (64, 64, 3, 2), (64, 128, 2, 0))
        self.dense5, self.prelu5 = nn.Linear(128 * 3 * 3, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2, self.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)

    def forward(
        self, pixels: Float[Tensor, "crops 3 48 48"]
    ) -> tuple[Float[Tensor, " crops"], Float[Tensor, "crops 4"]]:
        """As `ProposalNetwork`, for each crop."""
        return self.judged(pixels, 5)


def load(network: nn.Module, path: Path) -> nn.Module:
    """The network with the weights of a file, ready to be asked.

    Torch's restricted reader makes tensors of the file and nothing else. Raises InputError for a file that is none of
    torch's, asks for anything but tensors, or holds others than the network has.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the bytes are hostile: whatever they provoke means the same to the user
        raise InputError("not a readable file of weights; nothing in it was run", where=path) from error
    wanted = network.state_dict()
    if not isinstance(stored, Mapping) or {name: _form(value) for name, value in stored.items()} != {
        name: _form(value) for name, value in wanted.items()
    }:
        raise InputError(f"not the weights of {type(network).__name__}", where=path)
    network.load_state_dict(stored)
    return network.requires_grad_(False).eval()


def _form(value: object) -> object:
    return (value.dtype, tuple(value.shape)) if isinstance(value, Tensor) else type(value)
