"""BiDDIN as the SPCL paper trains it: bidirectional DialogueRNNs and self-attention (spec self_paced_balance, 2.7).

Unlike in the original BiDDIN nothing passes between the modalities.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lib.errors import InputError
from lib.models.dialogue_rnn import POSITION_DROPOUT, ContextAttention, DialogueRNN, positions
from lib.models.dialogues import Dialogues, SeparateModalities, check_speakers
from lib.models.dropout import Dropout

AttentionAxis = Literal["reference", "dialogue"]
HEADS = 4


class EmotionAttention(nn.Module):
    """Four heads over one modality's emotion states, a residual, and layer norm without weights.

    `axis="reference"` keeps the published mistake (quirk 4): time-first states are read in memory as if they were
    batch-first, so the "sequence" of a dialogue mixes dialogues and times. `axis="dialogue"` attends within each
    dialogue; only then can `padding_mask` leave its padding out.
    """

    def __init__(self, width: int, axis: AttentionAxis, padding_mask: bool):
        super().__init__()
        if axis not in ("reference", "dialogue"):
            raise InputError(f"unknown attention axis {axis!r}")
        if padding_mask and axis == "reference":
            raise InputError(
                "a padding mask with the reference's axis, which mixes dialogues", todo='use axis "dialogue"'
            )
        self.W_Q, self.W_K, self.W_V, self.fc = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.axis, self.padding_mask = axis, padding_mask

    def forward(
        self, states: Float[Tensor, "batch time width"], dialogues: Dialogues
    ) -> Float[Tensor, "batch time width"]:
        source = states.transpose(0, 1).reshape(states.shape) if self.axis == "reference" else states
        q, k, v = (self._heads(linear(source)) for linear in (self.W_Q, self.W_K, self.W_V))
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        if self.padding_mask:
            scores = scores.masked_fill(~dialogues.mask[:, None, None], -torch.inf)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        return F.layer_norm(states + self.fc(mixed), states.shape[-1:])

    @staticmethod
    def _heads(x: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch heads time part"]:
        return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


class BiDDIN(SeparateModalities):
    """`input_sizes` are the feature widths by modality; sizes as Dg, Dp, De, Dh and D_att in the spec.

    Mends: `attention_axis` and `padding_mask`, see `EmotionAttention`. Raises InputError for an odd `global_size`
    or `emotion_size` (the positions pair columns).
    """

    def __init__(
        self,
        input_sizes: Mapping[str, int],
        classes: int,
        *,
        speakers: int,
        global_size: int = 150,
        party_size: int = 150,
        emotion_size: int = 100,
        hidden: int = 100,
        attention_size: int = 100,
        context_attention: ContextAttention = "simple",
        listener_state: bool = False,
        dropout: float = 0.5,
        attention_axis: AttentionAxis = "reference",
        padding_mask: bool = False,
    ):
        super().__init__()
        if global_size % 2 or emotion_size % 2:
            raise InputError(f"global size {global_size} and emotion size {emotion_size} must be even")
        self.modalities = tuple(input_sizes)
        self.speakers = speakers
        self.recurrence = DialogueRNN(
            input_sizes,
            speakers=speakers,
            dropout=dropout,
            through_padding=not padding_mask,
            global_size=global_size,
            party_size=party_size,
            emotion_size=emotion_size,
            attention_size=attention_size,
            context_attention=context_attention,
            listener_state=listener_state,
        )
        width = 2 * emotion_size
        self.multihead_attn = nn.ModuleDict(
            {m: EmotionAttention(width, attention_axis, padding_mask) for m in self.modalities}
        )
        self.linear = nn.ModuleDict({m: nn.Linear(width, 2 * hidden) for m in self.modalities})
        self.smax_fc = nn.ModuleDict({m: nn.Linear(2 * hidden, classes) for m in self.modalities})
        self.dropout = Dropout(dropout)
        self.position_dropout = Dropout(POSITION_DROPOUT)

    def modality_logits(
        self,
        features: Mapping[str, Float[Tensor, "batch time width"]],
        dialogues: Dialogues,
        speakers: Int[Tensor, "batch time"],
    ) -> dict[str, Float[Tensor, "n classes"]]:
        check_speakers(speakers, self.speakers)
        emotions = self.dropout(self.recurrence(features, dialogues, speakers))
        emotions = emotions.permute(1, 2, 3, 0, 4).flatten(3)  # modality, batch, time, both directions
        emotions = self.position_dropout(emotions + positions(*emotions.shape[2:], emotions))
        logits = {}
        for m, states in zip(self.modalities, emotions, strict=True):
            attended = dialogues.flat(self.multihead_attn[m](states, dialogues))
            logits[m] = self.smax_fc[m](self.dropout(self.linear[m](attended).relu()))
        return logits
