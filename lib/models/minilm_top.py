"""The text branch of the end-to-end models with MiniLM in ALBERT's place: its last layers, and the output layer.

As there (spec end_to_end, 5.1) the state of the first token is read. What the layers below make of a text is computed
once and given as a sequence, so that training the last ones costs no more than they do.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lib.minilm import LAYERS, Layer
from lib.models.dropout import Dropout
from lib.models.read_rows import FIRST, through


class MiniLMTop(nn.Module):
    """States behind the lower layers to logits through the last `layers` layers, of which the first row is read.

    Without layers a sequence of one step is classified as it is. `tuned` layers are trained; otherwise they keep the
    weights that they are given. Layers have the numbers that they have in the whole network, so its checkpoint loads
    into `encoder`. Training batches are padded to their longest, so this model cannot be stacked into a fleet.
    """

    stackable = False

    def __init__(
        self,
        emotions: int = 6,
        modalities: Sequence[str] = ("text",),
        layers: int = 1,
        tuned: bool = True,
        size: int = 384,
        heads: int = 12,
        feedforward: int = 1536,
        dropout: float = 0.1,
    ):
        super().__init__()
        if tuple(modalities) != ("text",):
            raise ValueError(f"modalities {list(modalities)}: MiniLM reads text alone")
        if not 0 <= layers <= LAYERS:
            raise ValueError(f"{layers} layers; MiniLM has {LAYERS}")
        numbers = map(str, range(LAYERS - layers, LAYERS))
        self.encoder = nn.ModuleDict({"layer": nn.ModuleDict({n: Layer(size, heads, feedforward) for n in numbers})})
        self.encoder.requires_grad_(tuned)
        self.dropout = Dropout(dropout)
        self.t_out = nn.Linear(size, emotions)

    def forward(
        self, text: Float[Tensor, "batch steps size"], text_lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch emotions"]:
        """Logits of sequences that are zero-padded behind."""
        padding = torch.arange(text.shape[1], device=text.device) >= text_lengths[:, None]
        read = through(self.encoder["layer"].values(), text, FIRST, padding)[:, 0]
        return self.t_out(self.dropout(read))

    def text_parameters(self) -> list[tuple[str, nn.Parameter]]:
        """Those with a learning rate of their own: the layers of the encoder that are trained."""
        return [(name, p) for name, p in self.encoder.named_parameters(prefix="encoder") if p.requires_grad]
