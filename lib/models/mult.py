"""Multimodal transformer, MulT (Tsai et al., ACL 2019), as the emotion-embedding repository ships it.

Section 4 of that specification. Its kernel sizes (3, 5, 3) and its width of 40 differ from the original
settings.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lib.errors import InputError
from lib.models.crossmodal import CrossmodalEncoder, Positions
from lib.models.dropout import Dropout
from lib.models.modality_rnn import MODALITIES, ordered
from lib.models.read_rows import LAST

KERNELS = {"text": 3, "audio": 5, "video": 3}
ATTENTION_DROPOUT = {"text": 0.25, "audio": 0.0, "video": 0.0}


class MulT(nn.Module):
    """Every target modality attends to the two others, then to itself; the last steps feed a residual head.

    `sizes` must name all three modalities (InputError otherwise); a modality whose feature width equals
    `width` is not convolved. `targets` are the modalities that attend (all in the paper); the reference runs
    with one or three of them, here two work as well. `attention_dropout` is by the modality attended to; the
    encoders that attend to themselves use the text's. The defaults are the reference's for IEMOCAP; it has
    none for MOSEI emotions and stops there. `positions="every_step"` mends the rule that takes a zero in
    channel 0 for padding.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        classes: int,
        *,
        targets: Sequence[str] = MODALITIES,
        width: int = 40,
        heads: int = 10,
        layers: int = 4,
        attention_dropout: Mapping[str, float] = ATTENTION_DROPOUT,
        relu_dropout: float = 0.1,
        residual_dropout: float = 0.1,
        embedding_dropout: float = 0.3,
        output_dropout: float = 0.1,
        causal_mask: bool = False,
        positions: Positions = "reference",
    ):
        super().__init__()
        if ordered(sizes) != MODALITIES:
            raise InputError(f"MulT needs {', '.join(MODALITIES)}, not {', '.join(ordered(sizes))}")
        self.targets = ordered(targets)
        self.text_dropout = Dropout(embedding_dropout)
        self.convolve = nn.ModuleDict(
            {
                m: nn.Conv1d(sizes[m], width, KERNELS[m], bias=False) if sizes[m] != width else nn.Identity()
                for m in MODALITIES
            }
        )
        options = {
            "relu_dropout": relu_dropout,
            "residual_dropout": residual_dropout,
            "embedding_dropout": embedding_dropout,
            "causal_mask": causal_mask,
            "positions": positions,
        }
        self.crossmodal = nn.ModuleDict(
            {
                f"{target}_from_{source}": CrossmodalEncoder(
                    width, heads, layers, attention_dropout=attention_dropout[source], **options
                )
                for target, source in self._pairs()
            }
        )
        self.memory = nn.ModuleDict(
            {
                target: CrossmodalEncoder(
                    2 * width, heads, max(layers, 3), attention_dropout=attention_dropout["text"], **options
                )
                for target in self.targets
            }
        )
        combined = 2 * width * len(self.targets)
        self.proj1 = nn.Linear(combined, combined)
        self.proj2 = nn.Linear(combined, combined)
        self.output_dropout = Dropout(output_dropout)
        self.out_layer = nn.Linear(combined, classes)

    def _pairs(self) -> list[tuple[str, str]]:
        return [(target, source) for target in self.targets for source in MODALITIES if source != target]

    def forward(
        self,
        text: Float[Tensor, "batch time_text text"],
        audio: Float[Tensor, "batch time_audio audio"],
        video: Float[Tensor, "batch time_video video"],
    ) -> Float[Tensor, "batch classes"]:
        """Logits. A sequence must be as long as its kernel (3 steps for text and video, 5 for audio)."""
        features = {"text": self.text_dropout(text), "audio": audio, "video": video}
        steps = {m: self.convolve[m](x.transpose(1, 2)).transpose(1, 2) for m, x in features.items()}
        attended = {target: [] for target in self.targets}
        for target, source in self._pairs():
            attended[target].append(self.crossmodal[f"{target}_from_{source}"](steps[target], steps[source]))
        last = [self.memory[m](torch.cat(parts, dim=-1), rows=LAST)[:, -1] for m, parts in attended.items()]
        z = torch.cat(last, dim=-1)
        return self.out_layer(self.proj2(self.output_dropout(F.relu(self.proj1(z)))) + z)
