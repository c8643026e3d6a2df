"""LateFusion of the SPCL paper: one encoder and one classifier per modality (spec self_paced_balance, 2.2)."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from lib.models.conversation_encoder import modality_encoders
from lib.models.dialogues import Dialogues, SeparateModalities


class LateFusion(SeparateModalities):
    """`input_sizes` are the feature widths by modality; the encoder's options are those of `ConversationEncoder`."""

    def __init__(
        self,
        input_sizes: Mapping[str, int],
        classes: int,
        *,
        hidden: int = 200,
        layers: int = 2,
        feedforward: int = 2048,
        dropout: float = 0.5,
        padding_mask: bool = False,
    ):
        super().__init__()
        self.modalities = tuple(input_sizes)
        self.encoder = modality_encoders(
            input_sizes, hidden, layers=layers, feedforward=feedforward, dropout=dropout, padding_mask=padding_mask
        )
        self.uni_fc = nn.ModuleDict({name: nn.Linear(hidden, classes) for name in input_sizes})

    def modality_logits(
        self, features: Mapping[str, Tensor], dialogues: Dialogues, speakers: Tensor
    ) -> dict[str, Float[Tensor, "n classes"]]:
        return {m: self.uni_fc[m](self.encoder[m](features[m], dialogues)) for m in self.modalities}

    def encoder_parameters(self) -> dict[str, list[nn.Parameter]]:
        return {m: list(self.encoder[m].parameters()) for m in self.modalities}
