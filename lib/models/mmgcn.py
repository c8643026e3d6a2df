"""MMGCN as the SPCL paper trains it (spec self_paced_balance, 2.4)."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from lib.models.conversation_graph import GraphBackbone
from lib.models.dialogues import Dialogues


class MMGCN(GraphBackbone):
    """The graph's nodes, classified per modality; `options` are those of `GraphBackbone`."""

    def __init__(self, input_sizes: Mapping[str, int], classes: int, *, hidden: int = 256, **options):
        super().__init__(input_sizes, hidden=hidden, **options)
        self.uni_fc = nn.ModuleDict({m: nn.Linear(2 * hidden, classes) for m in self.modalities})

    def modality_logits(
        self, features: Mapping[str, Tensor], dialogues: Dialogues, speakers: Tensor
    ) -> dict[str, Float[Tensor, "n classes"]]:
        return {m: self.uni_fc[m](z) for m, z in self.graph_features(features, dialogues).items()}
