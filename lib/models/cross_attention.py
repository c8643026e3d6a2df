"""Text-guided attention over the sites of a frame, and the choice of the sites to keep (spec end_to_end, 5.6).

A *frame* is a face image or a spectrogram piece; a *site* is one position of its grid.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class CrossModalAttention(nn.Module):
    """Additive attention: the text vector of its utterance scores every site of a frame.

    `score = w . tanh(W_c x + c + W_y y) + c0`, turned into probabilities over the active sites of the frame.
    """

    def __init__(self, channels: int, text_size: int, attention_size: int):
        super().__init__()
        self.channel_affine = nn.Linear(channels, attention_size)
        self.y_affine = nn.Linear(text_size, attention_size, bias=False)
        self.attn_weight_affine = nn.Linear(attention_size, 1)

    def forward(
        self,
        x: Float[Tensor, "frames height width channels"],
        text: Float[Tensor, "frames text"],
        active: Bool[Tensor, "frames height width"] | None = None,
    ) -> Float[Tensor, "frames height width"]:
        """Probabilities; zero at inactive sites. Every frame needs an active site."""
        hidden = torch.tanh(self.channel_affine(x) + self.y_affine(text)[:, None, None])
        scores = self.attn_weight_affine(hidden).squeeze(-1)
        if active is not None:
            scores = scores.masked_fill(~active, -math.inf)
        return scores.flatten(1).softmax(dim=-1).view_as(scores)


def nucleus(
    probabilities: Float[Tensor, "frames *grid"],
    threshold: float,
    active: Bool[Tensor, "frames *grid"] | None = None,
) -> Bool[Tensor, "frames *grid"]:
    """The most probable active sites of each frame, down to the one that lifts their sum to the threshold.

    With the probabilities in falling order, `k` prefix sums lie strictly below the threshold and the first `k
    + 1` sites are kept: at least one. Where rounding keeps even the whole sum below the threshold, the
    reference stops with an index error; here all active sites are kept (quirk Q22).
    """
    flat = probabilities.detach().flatten(1)
    active = torch.ones_like(flat, dtype=torch.bool) if active is None else active.flatten(1)
    ranked, order = flat.masked_fill(~active, -1.0).sort(dim=-1, descending=True, stable=True)
    before = ranked.clamp(min=0).cumsum(dim=-1).roll(1, dims=-1)
    chosen = before < threshold
    chosen[:, 0] = True
    kept = torch.zeros_like(chosen).scatter(-1, order, chosen) & active
    return kept.view(probabilities.shape)
