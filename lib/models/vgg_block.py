"""The convolutional parts of the end-to-end emotion models (Dai et al., NAACL 2021; spec end_to_end, 5.2-5.3)."""

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class VggBlock(nn.Module):
    """Two 3x3 convolutions, each with batch norm and ReLU; height and width stay, no skip connection."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n out height width"]:
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x)))


def low_level_cnn(in_channels: int, width: int) -> nn.Sequential:
    """The part that both models compute densely: a 5x5 convolution, a pool by two, two blocks."""
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 5, padding=2),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(2),
        VggBlock(width, width),
        VggBlock(width, width),
    )


def dense_cnn(in_channels: int, channels: Sequence[int]) -> nn.Sequential:
    """The low-level part, then blocks with a pool by two after each; three blocks leave 1/16 of the height.

    `channels` are the widths of the low-level part and of each block.
    """
    blocks = []
    for narrow, wide in pairwise(channels):
        blocks += [VggBlock(narrow, wide), nn.MaxPool2d(2)]
    return nn.Sequential(*low_level_cnn(in_channels, channels[0]), *blocks)
