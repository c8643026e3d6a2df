"""Late-fusion baselines on hand-crafted features (LF-LSTM and LF-TRANS of Dai et al., NAACL 2021).

Spec end_to_end, 5.7 and 5.8. Attribute names, and the modalities' initials as keys, are the reference's, so its
checkpoints load.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lib.models.recurrent import LSTM
from lib.models.sequence_encoder import SequenceEncoder

FUSION_ORDER = ("text", "audio", "video")  # of the fusion weights; the end-to-end models differ (quirk Q7)
HEADS = {"text": 4, "audio": 2, "video": 5}

Padding = Literal["reference", "masked"]


class _LateFusion(nn.Module):
    """One classifier per modality in `sizes`; the logits of those in `modalities` (default all) are added.

    Each has one free scalar. Branches of other modalities are built all the same and get no gradient.
    Training batches are padded to their longest, so these models cannot be stacked into a fleet.
    """

    stackable = False

    def __init__(self, sizes: Mapping[str, int], modalities: Sequence[str] | None, padding: Padding):
        super().__init__()
        used = tuple(sizes) if modalities is None else tuple(modalities)
        if not used or not set(used) <= set(sizes) <= set(FUSION_ORDER):
            raise ValueError(f"modalities {list(used)} of {list(sizes)}; known are {', '.join(FUSION_ORDER)}")
        self.modalities = [m for m in FUSION_ORDER if m in used]
        if padding not in ("reference", "masked"):
            raise ValueError(f"padding {padding!r}; use reference or masked")
        self.padding = padding
        self.weighted_fusion = nn.Linear(len(self.modalities), 1, bias=False)

    def forward(
        self,
        text: Float[Tensor, "batch time_text text"] | None = None,
        audio: Float[Tensor, "batch time_audio audio"] | None = None,
        video: Float[Tensor, "batch time_video video"] | None = None,
        text_lengths: Int[Tensor, " batch"] | None = None,
        audio_lengths: Int[Tensor, " batch"] | None = None,
        video_lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch emotions"]:
        """Logits of sequences that are zero-padded behind; the reference pads to the longest of the batch."""
        features = {"text": text, "audio": audio, "video": video}
        lengths = {"text": text_lengths, "audio": audio_lengths, "video": video_lengths}
        logits = [self.affines[m[0]](self._vector(m, features[m], lengths[m])) for m in self.modalities]
        if len(logits) == 1:
            return logits[0]
        return self.weighted_fusion(torch.stack(logits, dim=-1)).squeeze(-1)

    def _vector(self, modality: str, x: Tensor, lengths: Tensor | None) -> Tensor:
        """One vector per utterance."""
        raise NotImplementedError


class LFRNN(_LateFusion):
    """A bidirectional LSTM per modality, as wide as its features.

    With `padding="reference"` (quirk Q6) the padding is read like data, and the text is represented by the
    output at the last, possibly padded, step: the forward state after all steps and the backward state after
    one. Audio and video are represented by the final states. `"masked"` gives every modality the final states
    of its real steps; it needs the lengths.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        emotions: int = 6,
        modalities: Sequence[str] | None = None,
        padding: Padding = "reference",
    ):
        super().__init__(sizes, modalities, padding)
        self.rnns = nn.ModuleDict(
            {m[0]: LSTM(size, size, bidirectional=True, batch_first=True) for m, size in sizes.items()}
        )
        self.affines = nn.ModuleDict({m[0]: _head(2 * size, size, emotions) for m, size in sizes.items()})

    def _vector(self, modality: str, x: Tensor, lengths: Tensor | None) -> Tensor:
        rnn = self.rnns[modality[0]]
        if self.padding == "masked":
            if lengths is None:
                raise ValueError(f"the lengths of {modality} are missing")
            return _final_states(rnn, x, lengths)
        if modality == "text":
            return rnn.last_output(x)
        _, (final, _) = rnn(x)
        return final.transpose(0, 1).flatten(1)


class LFTransformer(_LateFusion):
    """A sequence encoder per modality, as wide as its features.

    Audio and video are masked by their lengths. The text is not with `padding="reference"` (quirk Q6): the
    zero vectors behind it take part. `"masked"` masks it as well.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        emotions: int = 6,
        modalities: Sequence[str] | None = None,
        layers: int = 2,
        dropout: float = 0.1,
        padding: Padding = "reference",
    ):
        super().__init__(sizes, modalities, padding)
        self.transformers = nn.ModuleDict(
            {m[0]: SequenceEncoder(size, layers, HEADS[m], dropout=dropout) for m, size in sizes.items()}
        )
        self.affines = nn.ModuleDict({m[0]: _head(size, size // 2, emotions) for m, size in sizes.items()})

    def _vector(self, modality: str, x: Tensor, lengths: Tensor | None) -> Tensor:
        if modality == "text" and self.padding == "reference":
            lengths = None
        elif lengths is None:
            raise ValueError(f"the lengths of {modality} are missing")
        return self.transformers[modality[0]](x, lengths)


def _head(size: int, hidden: int, emotions: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, emotions))


def _final_states(
    rnn: LSTM, x: Float[Tensor, "batch time features"], lengths: Int[Tensor, " batch"]
) -> Float[Tensor, "batch states"]:
    """Forward state at the last real step, backward state at the first one, neither touched by padding.

    The backward direction reads each sequence's real steps from the last to the first, with the padding still
    behind them. An empty sequence counts as one zero step.
    """
    lengths = lengths.clamp(min=1)
    source = lengths[:, None] - 1 - torch.arange(x.shape[1], device=x.device)
    backwards = x.gather(1, source.remainder(x.shape[1])[:, :, None].expand_as(x))
    last = (lengths - 1)[:, None, None].expand(-1, 1, rnn.hidden_size)
    states = [rnn.direction(d, read).gather(1, last) for d, read in enumerate((x, backwards))]
    return torch.cat(states, dim=-1).squeeze(1)
