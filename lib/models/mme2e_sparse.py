"""The sparse end-to-end model (MESM of Dai et al., NAACL 2021; `mme2e_sparse` in its code; spec end_to_end, 5.6).

Behind a dense low-level part, each of three stages lets the text choose the sites of every frame that matter
and computes the convolutions there only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lib.models.cross_attention import CrossModalAttention, nucleus
from lib.models.mme2e import MME2E, MODALITIES
from lib.models.sparse_sites import Form, SparseBlock, pooled_mask
from lib.models.vgg_block import low_level_cnn

SiteOrder = Literal["reference", "corrected"]
Attention = Literal["reference", "learned"]


@dataclass(frozen=True)
class Stage:
    """What one stage decided: attention over the sites of each frame, and the sites it kept."""

    probabilities: Float[Tensor, "frames height width"]
    kept: Bool[Tensor, "frames height width"]


def reference_site_order(
    x: Float[Tensor, "frames height width channels"], kept: Bool[Tensor, "frames height width"]
) -> Float[Tensor, "frames height width channels"]:
    """Move features among the kept sites as the reference does (quirk Q1).

    It lists the features in (frame, row, column) order but their coordinates in (row, column, frame) order,
    so the i-th feature lands on the i-th site of the other list: on other positions, frames and utterances.
    """
    number = torch.arange(kept.numel(), device=kept.device).view(kept.shape)
    listed = (~kept).flatten().argsort(stable=True)
    crosswise = (~kept).permute(1, 2, 0).flatten().argsort(stable=True)
    placed = number.permute(1, 2, 0).flatten()[crosswise]
    flat = x.flatten(0, 2)
    return torch.zeros_like(flat).index_copy(0, placed, flat[listed]).view(x.shape)


class SparseCNN(nn.Module):
    """Low-level part, then three times: attention, selection, sparse block."""

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        text_size: int,
        threshold: float,
        form: Form,
        site_order: SiteOrder,
        attention: Attention,
    ):
        super().__init__()
        self.threshold, self.site_order, self.attention = threshold, site_order, attention
        self.low_level = low_level_cnn(in_channels, channels[0])
        self.attn_layers = nn.ModuleList(CrossModalAttention(c, text_size, c) for c in channels[:-1])
        self.sparse_layers = nn.ModuleList(SparseBlock(*widths, form) for widths in pairwise(channels))

    def forward(
        self, x: Float[Tensor, "frames in height width"], text: Float[Tensor, "frames text"]
    ) -> tuple[Float[Tensor, "frames out h w"], list[Stage]]:
        """Feature maps, zero where nothing was kept, and what each stage decided."""
        x = self.low_level(x).permute(0, 2, 3, 1)
        active, stages = None, []
        for attend, block in zip(self.attn_layers, self.sparse_layers, strict=True):
            probabilities = attend(x, text, active)
            kept = nucleus(probabilities, self.threshold, active)
            stages.append(Stage(probabilities.detach(), kept))
            # In the reference the attention is a hard mask: no gradient reaches it or the text (quirk Q2).
            if self.attention == "learned":
                x = x * _relative_weight(probabilities, kept)
            if active is None and self.site_order == "reference":
                x = reference_site_order(x, kept)
            x = block(x, kept)
            active = pooled_mask(kept)
        return x.permute(0, 3, 1, 2), stages

    def multiply_adds(self, stages: Sequence[Stage]) -> int:
        """Of the sparse convolutions in these stages, counted as the sparse library counts them."""
        return sum(block.multiply_adds(stage.kept) for block, stage in zip(self.sparse_layers, stages, strict=True))


def _relative_weight(probabilities: Tensor, kept: Tensor) -> Float[Tensor, "frames height width 1"]:
    """Probability of each kept site relative to the mean over the kept sites of its frame."""
    mass = (probabilities * kept).sum(dim=(1, 2), keepdim=True)
    return (probabilities * kept.sum(dim=(1, 2), keepdim=True) / mass).unsqueeze(-1)


class MME2ESparse(MME2E):
    """MME2E whose CNNs compute only at the sites that the text selects; needs the text.

    `threshold` is the probability mass that is kept (top-p). `form` is how the sparse blocks are computed:
    `"gathered"` saves the work, `"masked"` computes everything and zeroes it, with the same result.
    `site_order="corrected"` leaves every feature at its site; the default scatters them over the batch as the
    reference does, so an utterance's logits depend on its batch mates. `attention="learned"` is an extension:
    kept features are multiplied by their relative probability, which lets the attention learn; in the
    reference it keeps its random initial weights.
    """

    def __init__(
        self,
        albert: Mapping[str, int | float | str],
        emotions: int = 6,
        modalities: Sequence[str] = MODALITIES,
        threshold: float = 0.9,
        form: Form = "gathered",
        site_order: SiteOrder = "reference",
        attention: Attention = "reference",
        **sizes,
    ):
        if "text" not in modalities:
            raise ValueError(f"modalities {list(modalities)}: the sparse model needs text to select sites")
        if not 0 <= threshold <= 1:
            raise ValueError(f"sparse threshold {threshold} is outside [0, 1]")
        if site_order not in ("reference", "corrected"):
            raise ValueError(f"site_order {site_order!r}; use reference or corrected")
        if attention not in ("reference", "learned"):
            raise ValueError(f"attention {attention!r}; use reference or learned")
        self._options = threshold, form, site_order, attention
        super().__init__(albert, emotions, modalities, **sizes)

    def _cnn(self, in_channels: int, channels: Sequence[int]) -> SparseCNN:
        return SparseCNN(in_channels, channels, self.text_size, *self._options)

    def _maps(self, cnn: SparseCNN, x: Tensor, lengths: Tensor, vectors: dict[str, Tensor]) -> Tensor:
        return cnn(x, _per_frame(vectors["text"], lengths))[0]

    def with_stages(self, **batch: Tensor) -> tuple[Float[Tensor, "batch emotions"], dict[str, list[Stage]]]:
        """Logits for the arguments of `forward`, and the stages of the video and audio CNN by modality."""
        stages = {}

        def keep(modality: str):
            return lambda _cnn, _inputs, output: stages.update({modality: output[1]})

        hooks = [cnn.register_forward_hook(keep(m)) for m, cnn in (("video", self.V), ("audio", self.A))]
        try:
            return self(**batch), stages
        finally:
            for hook in hooks:
                hook.remove()


def _per_frame(vector: Float[Tensor, "batch text"], lengths: Int[Tensor, " batch"]) -> Float[Tensor, "frames text"]:
    return vector.repeat_interleave(lengths.to(vector.device), dim=0, output_size=int(lengths.sum()))
