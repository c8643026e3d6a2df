"""Graphs over the utterances of dialogues, as tensors of one block per dialogue.

No edge joins two dialogues, so an adjacency over a batch is a stack of blocks `(batch, time, time)`. Between two
modalities only the nodes of the same utterance are joined, so that part is a diagonal, `(batch, time)`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lib.models.conversation_encoder import modality_encoders
from lib.models.dialogues import ConversationModel, Dialogues
from lib.models.dropout import Dropout

Nodes = Float[Tensor, "modality batch time hidden"]


@dataclass(frozen=True)
class SimilarityGraph:
    """The symmetrically normalised adjacency of all modalities' utterances; zero where there is no edge."""

    within: Float[Tensor, "modality batch time time"]
    across: Float[Tensor, "modality modality batch time"]

    def propagate(self, nodes: Nodes) -> Nodes:
        """Adjacency times nodes."""
        return self.within @ nodes + torch.einsum("mnbt,nbth->mbth", self.across, nodes)


def angular_similarity(cosine: Tensor) -> Tensor:
    """1 minus the angle over pi; the factor keeps the gradient finite where the vectors are parallel."""
    return 1.0 - torch.acos(0.99999 * cosine) / math.pi


def similarity_graph(nodes: Nodes, dialogues: Dialogues) -> SimilarityGraph:
    """The graph of MMGCN and MM-DFN (spec self_paced_balance, 2.3).

    Within a modality all pairs of one dialogue are joined, an utterance with itself included; gradients flow
    through the weights. Padding must not be zero; a real node that is exactly zero makes its dialogue NaN, as in
    the reference (quirk 22).
    """
    unit = nodes / nodes.norm(dim=-1, keepdim=True)
    pairs = dialogues.mask[:, :, None] & dialogues.mask[:, None, :]
    within = angular_similarity(unit @ unit.transpose(-1, -2)) * pairs
    others = ~torch.eye(len(nodes), dtype=torch.bool, device=nodes.device)
    across = angular_similarity(torch.einsum("mbth,nbth->mnbt", unit, unit))
    across = across * (others[:, :, None, None] & dialogues.mask)
    degree = within.sum(-1) + across.sum(1)
    scale = degree.where(dialogues.mask, 1.0).rsqrt()
    return SimilarityGraph(
        scale[..., None] * within * scale[..., None, :],
        scale[:, None] * across * scale,
    )


class GraphConvolution(nn.Module):
    """A deep-GCN layer: neighbours beside the first nodes, mapped, and a residual (spec self_paced_balance, 2.3)."""

    def __init__(self, hidden: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2 * hidden, hidden))
        nn.init.uniform_(self.weight, -(hidden**-0.5), hidden**-0.5)

    def forward(self, neighbours: Nodes, first: Nodes, theta: float, alpha: float) -> Nodes:
        mapped = torch.cat([neighbours, first], -1) @ self.weight
        return theta * mapped + (1 - theta) * ((1 - alpha) * neighbours + alpha * first)


class GraphNetwork(nn.Module):
    """The deep GCN of MMGCN and MM-DFN; its result stands beside its input, so the width doubles."""

    def __init__(self, hidden: int, layers: int, dropout: float, strength: float = 0.5, alpha: float = 0.1):
        super().__init__()
        self.fcs = nn.ModuleList([nn.Linear(hidden, hidden)])
        self.convs = nn.ModuleList([GraphConvolution(hidden) for _ in range(layers)])
        self.dropout = Dropout(dropout)
        self.thetas = [math.log(strength / layer + 1) for layer in range(1, layers + 1)]
        self.alpha = alpha

    def forward(self, nodes: Nodes, graph: SimilarityGraph) -> Float[Tensor, "modality batch time double"]:
        nodes = self.dropout(nodes)
        first = self.fcs[0](nodes).relu()
        x = self.dropout(first)
        for conv, theta in zip(self.convs, self.thetas, strict=True):
            x = self.dropout(conv(graph.propagate(x), first, theta, self.alpha).relu())
        return torch.cat([nodes, x], -1)


class GraphBackbone(ConversationModel):
    """Encoders and graph of MMGCN and MM-DFN; a subclass adds the classifiers (spec self_paced_balance, 2.3).

    `input_sizes` are the feature widths by modality. `layers` counts both the transformer layers and the graph
    convolutions (quirk 6). `padding_mask` mends the encoders (quirk 3). Speakers are not used: the reference makes a
    table of speaker embeddings and never reads it (quirk 5), so there is none here.
    """

    def __init__(
        self,
        input_sizes: Mapping[str, int],
        *,
        hidden: int,
        layers: int = 2,
        feedforward: int = 2048,
        dropout: float = 0.4,
        padding_mask: bool = False,
    ):
        super().__init__()
        self.modalities = tuple(input_sizes)
        self.modality_encoder = modality_encoders(
            input_sizes, hidden, layers=layers, feedforward=feedforward, dropout=dropout, padding_mask=padding_mask
        )
        self.graph_net = GraphNetwork(hidden, layers, dropout)

    def graph_nodes(self, features: Mapping[str, Tensor], dialogues: Dialogues) -> Nodes:
        """The encoded utterances; padding is 1, so that it has a direction."""
        encoded = [self.modality_encoder[m](features[m], dialogues) for m in self.modalities]
        return torch.stack([dialogues.pad(rows, fill=1.0) for rows in encoded])

    def graph_features(
        self, features: Mapping[str, Tensor], dialogues: Dialogues
    ) -> dict[str, Float[Tensor, "n double"]]:
        """What the graph network says about each utterance, by modality and in flat order."""
        nodes = self.graph_nodes(features, dialogues)
        results = self.graph_net(nodes, similarity_graph(nodes, dialogues))
        return {m: dialogues.flat(result) for m, result in zip(self.modalities, results, strict=True)}


def window_edges(dialogues: Dialogues, past: int, future: int) -> Bool[Tensor, "batch sender receiver"]:
    """Edges from each utterance to those at most `past` before and `future` after it, itself included."""
    steps = torch.arange(dialogues.time, device=dialogues.mask.device)
    offset = steps - steps[:, None]
    near = (offset >= -past) & (offset <= future)
    return near & dialogues.mask[:, :, None] & dialogues.mask[:, None, :]


def sender_means(
    edges: Bool[Tensor, "batch sender receiver"], speakers: Int[Tensor, "batch time"], declared: int, dtype: torch.dtype
) -> Float[Tensor, "batch receiver kind sender"]:
    """Weights that average, for each receiver, the senders of one kind; all zero where there is none.

    A kind is the sender's speaker and its place: `2 * speaker`, plus 1 unless the sender comes before the
    receiver (an utterance counts as after itself). With the receiver's speaker it gives DialogueGCN's relation.
    """
    steps = torch.arange(edges.shape[1], device=edges.device)
    kind = 2 * speakers[:, :, None] + (steps[:, None] >= steps)
    kinds = torch.arange(2 * declared, device=edges.device)
    members = (kind[..., None] == kinds) & edges[..., None]
    members = members.permute(0, 2, 3, 1).to(dtype)
    return members / members.sum(-1, keepdim=True).clamp(min=1.0)
