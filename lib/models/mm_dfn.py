"""MM-DFN as the SPCL paper trains it: MMGCN's graph, then gated fusion (spec self_paced_balance, 2.5).

The original's dynamic graph module, LSTM encoders and speaker encoder are absent in the reference.
"""

from collections.abc import Mapping
from itertools import permutations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lib.errors import InputError
from lib.models.conversation_graph import GraphBackbone
from lib.models.dialogues import Dialogues
from lib.models.dropout import Dropout


class GatedFusion(nn.Module):
    """Each modality mixed with every other one through a gate of its own."""

    def __init__(self, modalities: tuple[str, ...], input_size: int, hidden: int):
        super().__init__()
        self.transform = nn.ModuleDict({m: nn.Linear(input_size, hidden) for m in modalities})
        self.gate = nn.ModuleDict(
            {f"{own}_{other}": nn.Linear(3 * hidden, hidden) for own, other in permutations(modalities, 2)}
        )
        self.dropout = Dropout(0.5)  # fixed in the reference, whatever the model's dropout

    def forward(self, nodes: Mapping[str, Float[Tensor, "n input"]]) -> dict[str, Float[Tensor, "n hidden"]]:
        u = {m: self.dropout(self.transform[m](z).relu()) for m, z in nodes.items()}
        mixed = {m: [] for m in u}
        for own, other in permutations(u, 2):
            gate = self.gate[f"{own}_{other}"](torch.cat([u[own], u[other], u[own] * u[other]], -1)).sigmoid()
            mixed[own].append(torch.lerp(u[other], u[own], gate))
        return {m: torch.stack(parts).sum(0) for m, parts in mixed.items()}


class MMDFN(GraphBackbone):
    """The graph's nodes, fused and classified per modality; `options` are those of `GraphBackbone`.

    Raises InputError for fewer than two modalities.
    """

    def __init__(self, input_sizes: Mapping[str, int], classes: int, *, hidden: int = 300, **options):
        if len(input_sizes) < 2:
            raise InputError("MM-DFN fuses modalities and needs at least two of them")
        super().__init__(input_sizes, hidden=hidden, **options)
        self.gated_attention = GatedFusion(self.modalities, 2 * hidden, hidden)
        self.uni_fc = nn.ModuleDict({m: nn.Linear(hidden, classes) for m in self.modalities})

    def modality_logits(
        self, features: Mapping[str, Tensor], dialogues: Dialogues, speakers: Tensor
    ) -> dict[str, Float[Tensor, "n classes"]]:
        fused = self.gated_attention(self.graph_features(features, dialogues))
        return {m: self.uni_fc[m](o) for m, o in fused.items()}
