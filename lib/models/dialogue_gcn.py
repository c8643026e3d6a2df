"""DialogueGCN as the SPCL paper trains it: an independent network per modality (spec self_paced_balance, 2.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lib.errors import InputError
from lib.models.conversation_encoder import ConversationEncoder
from lib.models.conversation_graph import sender_means, window_edges
from lib.models.dialogues import Dialogues, SeparateModalities, check_speakers
from lib.models.dropout import Dropout

BASES = 30


@dataclass(frozen=True)
class Edges:
    """What the networks of all modalities share in one batch."""

    joined: Bool[Tensor, "batch sender receiver"]
    means: Float[Tensor, "batch receiver kind sender"]
    speakers: Int[Tensor, "n"]


class EdgeAttention(nn.Module):
    """Weights of the edges: softmax over each sender's window (quirk 7), or over each receiver's."""

    def __init__(self, size: int, over: Literal["sender", "receiver"]):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(size, size) / size)
        self.softmax_dim = {"sender": 2, "receiver": 1}[over]

    def forward(
        self, f: Float[Tensor, "batch time size"], joined: Bool[Tensor, "batch sender receiver"]
    ) -> Float[Tensor, "batch sender receiver"]:
        scores = f @ (f @ self.weight.T).transpose(1, 2)
        # not minus infinity: rows of padding have no edge and would become NaN
        scores = scores.masked_fill(~joined, torch.finfo(scores.dtype).min)
        return scores.softmax(self.softmax_dim) * joined


class RelationalConvolution(nn.Module):
    """R-GCN with basis decomposition and mean aggregation per relation.

    The relation of an edge is `2 * (speakers * sender's speaker + receiver's speaker)`, plus 1 unless the sender
    comes first.
    """

    def __init__(self, input_size: int, output_size: int, speakers: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(BASES, input_size, output_size))
        self.comp = nn.Parameter(torch.empty(2 * speakers**2, BASES))
        self.root = nn.Parameter(torch.empty(input_size, output_size))
        self.bias = nn.Parameter(torch.zeros(output_size))
        for parameter in (self.weight, self.comp, self.root):
            bound = (6.0 / sum(parameter.shape[-2:])) ** 0.5
            nn.init.uniform_(parameter, -bound, bound)
        self.speakers = speakers

    def forward(
        self,
        f: Float[Tensor, "batch time input"],
        means: Float[Tensor, "batch receiver kind sender"],
        speakers: Int[Tensor, "n"],
        dialogues: Dialogues,
    ) -> Float[Tensor, "n output"]:
        averages = (means.flatten(1, 2) @ f).unflatten(1, means.shape[1:3])
        shares = self.comp.unflatten(0, (self.speakers, self.speakers, 2))  # sender, receiver, place, basis
        shares = shares.transpose(0, 1).flatten(1, 2).index_select(0, speakers)
        in_bases = shares.transpose(1, 2) @ dialogues.flat(averages)  # n, basis, input
        return in_bases.flatten(1) @ self.weight.flatten(0, 1) + dialogues.flat(f) @ self.root + self.bias


class UnimodalDialogueGCN(nn.Module):
    """Encoder, edge attention, two graph convolutions without an activation, classifier."""

    def __init__(
        self,
        input_size: int,
        classes: int,
        *,
        speakers: int,
        hidden: int,
        graph_hidden: int,
        dropout: float,
        attention_over: Literal["sender", "receiver"],
        weighted_relations: bool,
        **encoder,
    ):
        super().__init__()
        self.rnn = ConversationEncoder(input_size, hidden, dropout=dropout, **encoder)
        self.edge_att = EdgeAttention(hidden, attention_over)
        self.conv1 = RelationalConvolution(hidden, graph_hidden, speakers)
        self.lin_rel = nn.Linear(graph_hidden, graph_hidden)
        self.lin_root = nn.Linear(graph_hidden, graph_hidden, bias=False)
        self.lin1 = nn.Linear(hidden + graph_hidden, graph_hidden)
        self.lin2 = nn.Linear(graph_hidden, classes)
        self.dropout = Dropout(dropout)
        self.weighted_relations = weighted_relations

    def forward(
        self, x: Float[Tensor, "batch time width"], edges: Edges, dialogues: Dialogues
    ) -> Float[Tensor, "n classes"]:
        encoded = self.rnn(x, dialogues)
        f = dialogues.pad(encoded)
        attention = self.edge_att(f, edges.joined).transpose(1, 2)  # batch, receiver, sender
        means = edges.means * attention[:, :, None] if self.weighted_relations else edges.means
        h1 = self.conv1(f, means, edges.speakers, dialogues)
        received = dialogues.flat(attention @ dialogues.pad(h1))
        h2 = self.lin_rel(received) + self.lin_root(h1)
        return self.lin2(self.dropout(self.lin1(torch.cat([encoded, h2], -1)).relu()))


class DialogueGCN(SeparateModalities):
    """`input_sizes` are the feature widths by modality; windows count utterances.

    Two mends of quirk 7: `attention_over="receiver"` normalises the attention over the edges that arrive, and
    `weighted_relations=True` lets it weigh the neighbours in the relational convolution too. `padding_mask` mends
    the encoders (quirk 3). Dialogues may have any length; the reference stops at 110. Raises InputError for a
    negative window: the reference's -1, "unlimited", does not work (quirk 8).
    """

    def __init__(
        self,
        input_sizes: Mapping[str, int],
        classes: int,
        *,
        speakers: int,
        hidden: int = 200,
        graph_hidden: int = 100,
        past: int = 5,
        future: int = 5,
        layers: int = 2,
        heads: int = 1,
        feedforward: int = 2048,
        dropout: float = 0.1,
        padding_mask: bool = False,
        attention_over: Literal["sender", "receiver"] = "sender",
        weighted_relations: bool = False,
    ):
        super().__init__()
        if past < 0 or future < 0:
            raise InputError(f"a window of {past} back and {future} ahead", todo="give two numbers from 0")
        self.modalities = tuple(input_sizes)
        self.speakers, self.past, self.future = speakers, past, future
        self.uni_fc = nn.ModuleDict(
            {
                m: UnimodalDialogueGCN(
                    width,
                    classes,
                    speakers=speakers,
                    hidden=hidden,
                    graph_hidden=graph_hidden,
                    dropout=dropout,
                    attention_over=attention_over,
                    weighted_relations=weighted_relations,
                    layers=layers,
                    heads=heads,
                    feedforward=feedforward,
                    padding_mask=padding_mask,
                )
                for m, width in input_sizes.items()
            }
        )

    def modality_logits(
        self, features: Mapping[str, Tensor], dialogues: Dialogues, speakers: Int[Tensor, "batch time"]
    ) -> dict[str, Float[Tensor, "n classes"]]:
        check_speakers(speakers, self.speakers)
        joined = window_edges(dialogues, self.past, self.future)
        means = sender_means(joined, speakers, self.speakers, features[self.modalities[0]].dtype)
        edges = Edges(joined, means, dialogues.flat(speakers))
        return {m: self.uni_fc[m](features[m], edges, dialogues) for m in self.modalities}

    def encoder_parameters(self) -> dict[str, list[nn.Parameter]]:
        return {m: [p for name, p in self.uni_fc[m].named_parameters() if "lin2" not in name] for m in self.modalities}
