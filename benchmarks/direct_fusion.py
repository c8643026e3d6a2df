"""LMF and TFN as their specification describes them (spec low_rank_fusion, sections 1, 2.1 and 6), in the plainest way.

Adam, dropout and the LSTM are torch's own; nothing of `lib.models` is used.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class VectorNet(nn.Module):
    def __init__(self, size: int, hidden: int, dropout: float):
        super().__init__()
        self.norm, self.drop = nn.BatchNorm1d(size), nn.Dropout(dropout)
        self.linear_1, self.linear_2, self.linear_3 = (
            nn.Linear(size, hidden),
            nn.Linear(hidden, hidden),
            nn.Linear(hidden, hidden),
        )

    def forward(self, x: Tensor) -> Tensor:
        y_1 = torch.relu(self.linear_1(self.drop(self.norm(x))))
        return torch.relu(self.linear_3(torch.relu(self.linear_2(y_1))))


class TextNet(nn.Module):
    def __init__(self, size: int, hidden: int, out: int, dropout: float):
        super().__init__()
        self.rnn, self.drop = nn.LSTM(size, hidden, batch_first=True), nn.Dropout(dropout)
        self.linear_1 = nn.Linear(hidden, out)

    def forward(self, x: Tensor) -> Tensor:
        _, (last, _) = self.rnn(x)
        return self.linear_1(self.drop(last[0]))


class Encoded(nn.Module):
    """The three sub-networks, each vector with a 1 in front."""

    def __init__(
        self, input_sizes: Mapping[str, int], hidden_sizes: Mapping[str, int], dropouts: Mapping[str, float], **_
    ):
        super().__init__()
        self.audio_subnet = VectorNet(input_sizes["audio"], hidden_sizes["audio"], dropouts["audio"])
        self.video_subnet = VectorNet(input_sizes["video"], hidden_sizes["video"], dropouts["video"])
        text, out = hidden_sizes["text"], hidden_sizes["text"] // 2
        self.text_subnet = TextNet(input_sizes["text"], text, out, dropouts["text"])
        self.sizes = (hidden_sizes["audio"] + 1, hidden_sizes["video"] + 1, out + 1)

    def encode(self, audio: Tensor, video: Tensor, text: Tensor) -> list[Tensor]:
        encoded = (self.audio_subnet(audio.squeeze(1)), self.video_subnet(video.squeeze(1)), self.text_subnet(text))
        return [torch.cat((torch.ones(len(z), 1, dtype=z.dtype), z), dim=1) for z in encoded]


class LMF(Encoded):
    def __init__(self, output_size: int, rank: int, **sizes: Mapping):
        super().__init__(**sizes)
        self.audio_factor, self.video_factor, self.text_factor = (
            nn.Parameter(nn.init.xavier_normal_(torch.empty(rank, size, output_size))) for size in self.sizes
        )
        self.fusion_weights = nn.Parameter(nn.init.xavier_normal_(torch.empty(1, rank)))
        self.fusion_bias = nn.Parameter(torch.zeros(1, output_size))

    def forward(self, audio: Tensor, video: Tensor, text: Tensor) -> Tensor:
        a, v, t = self.encode(audio, video, text)
        product = (
            torch.matmul(a, self.audio_factor) * torch.matmul(v, self.video_factor) * torch.matmul(t, self.text_factor)
        )
        return torch.matmul(self.fusion_weights, product.permute(1, 0, 2)).squeeze(1) + self.fusion_bias


class TFN(Encoded):
    def __init__(self, fusion_size: int, dropouts: Mapping[str, float], **sizes: Mapping):
        super().__init__(dropouts=dropouts, **sizes)
        self.drop = nn.Dropout(dropouts["fusion"])
        a, v, t = self.sizes
        self.post_fusion_layer_1 = nn.Linear(a * v * t, fusion_size)
        self.post_fusion_layer_2 = nn.Linear(fusion_size, fusion_size)
        self.post_fusion_layer_3 = nn.Linear(fusion_size, 1)

    def forward(self, audio: Tensor, video: Tensor, text: Tensor) -> Tensor:
        a, v, t = self.encode(audio, video, text)
        product = torch.bmm(a.unsqueeze(2), v.unsqueeze(1)).view(len(a), -1, 1)
        product = self.drop(torch.bmm(product, t.unsqueeze(1)).view(len(a), -1))
        hidden = torch.relu(self.post_fusion_layer_1(product))
        hidden = torch.relu(self.post_fusion_layer_2(hidden))
        return torch.sigmoid(self.post_fusion_layer_3(hidden)) * 6 - 3


def train_epoch(
    model: nn.Module, optimiser: torch.optim.Optimizer, inputs: Mapping[str, Tensor], targets: Tensor, batch_size: int
) -> float:
    """One epoch as the scripts do it: minibatch after minibatch, the loss read after each."""
    model.train()
    total = 0.0
    for start in range(0, len(targets), batch_size):
        rows = slice(start, start + batch_size)
        model.zero_grad()
        output = model(**{m: x[rows] for m, x in inputs.items()})
        loss = nn.functional.l1_loss(output.squeeze(1), targets[rows], reduction="sum")
        loss.backward()
        total += loss.item()
        optimiser.step()
    return total / len(targets)
