"""The SPCL backbones and objective of spec self_paced_balance, written down directly, as a yardstick.

As in the published code: torch's transformer layers over padded dialogues, one dense graph over all utterances of a
batch, edge lists and edge attention by Python loops, a DialogueRNN cell per modality, direction and time step, and an
objective that recomputes a softmax for every utterance and modality, twice. Nothing of `lib.models` is used; the
state-dict keys are those of our models, so both can be given the same weights.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import permutations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BASES = 30


def heads(width: int) -> int:
    return next((h for h in range(5, 15) if width % h == 0), 1)


def flat(x: Tensor, lengths: Sequence[int]) -> Tensor:
    """`(batch, time, width)` without its padding, one dialogue after another."""
    return torch.cat([x[i, :n] for i, n in enumerate(lengths)])


class Encoder(nn.Module):
    """Section 2.1."""

    def __init__(self, width, hidden, layers, feedforward, dropout, number=None):
        super().__init__()
        number = number or heads(width)
        self.layers = nn.ModuleList(
            [nn.TransformerEncoderLayer(width, number, feedforward, dropout, batch_first=True) for _ in range(layers)]
        )
        self.lin_out = nn.Linear(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.lin_out(x)


def adjacency(nodes: Sequence[Tensor], lengths: Sequence[int]) -> Tensor:
    """Section 2.3: one dense matrix over all modalities' utterances."""
    kinds, n = len(nodes), sum(lengths)
    found = nodes[0].new_zeros(kinds * n, kinds * n)
    for m, x in enumerate(nodes):
        start = 0
        for length in lengths:
            unit = F.normalize(x[start : start + length], dim=1)
            rows = slice(m * n + start, m * n + start + length)
            found[rows, rows] = 1 - torch.acos(0.99999 * (unit @ unit.T)) / math.pi
            start += length
    for i, j in permutations(range(kinds), 2):
        cosine = F.cosine_similarity(nodes[i], nodes[j], dim=1)
        found[i * n : (i + 1) * n, j * n : (j + 1) * n] = torch.diag(1 - torch.acos(0.99999 * cosine) / math.pi)
    scale = torch.diag(found.sum(1).pow(-0.5))
    return scale @ found @ scale


class Convolution(nn.Module):
    def __init__(self, hidden: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2 * hidden, hidden))


class Graph(nn.Module):
    """Section 2.3, behind the adjacency."""

    def __init__(self, hidden: int, layers: int, dropout: float):
        super().__init__()
        self.fcs = nn.ModuleList([nn.Linear(hidden, hidden)])
        self.convs = nn.ModuleList([Convolution(hidden) for _ in range(layers)])
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, found: Tensor) -> Tensor:
        x = self.dropout(x)
        first = F.relu(self.fcs[0](x))
        h = self.dropout(first)
        for number, conv in enumerate(self.convs, 1):
            theta, near = math.log(0.5 / number + 1), found @ h
            mapped = theta * torch.cat([near, first], 1) @ conv.weight
            h = self.dropout(F.relu(mapped + (1 - theta) * (0.9 * near + 0.1 * first)))
        return torch.cat([x, h], 1)


class DirectMMGCN(nn.Module):
    """Sections 2.3 and 2.4."""

    def __init__(self, input_sizes, classes, hidden, layers, feedforward, dropout):
        super().__init__()
        parts = {m: Encoder(width, hidden, layers, feedforward, dropout) for m, width in input_sizes.items()}
        self.modality_encoder = nn.ModuleDict(parts)
        self.graph_net = Graph(hidden, layers, dropout)
        self.uni_fc = nn.ModuleDict({m: nn.Linear(2 * hidden, classes) for m in input_sizes})

    def nodes(self, features: Mapping[str, Tensor], lengths: Sequence[int]) -> Sequence[Tensor]:
        encoded = [flat(encoder(features[m]), lengths) for m, encoder in self.modality_encoder.items()]
        return self.graph_net(torch.cat(encoded), adjacency(encoded, lengths)).chunk(len(encoded))

    def forward(self, features, lengths, speakers):
        pairs = zip(self.uni_fc.items(), self.nodes(features, lengths), strict=True)
        logits = {m: layer(z) for (m, layer), z in pairs}
        return sum(logits.values()), logits


class Gates(nn.Module):
    def __init__(self, modalities: Sequence[str], hidden: int):
        super().__init__()
        self.transform = nn.ModuleDict({m: nn.Linear(2 * hidden, hidden) for m in modalities})
        self.gate = nn.ModuleDict({f"{i}_{j}": nn.Linear(3 * hidden, hidden) for i, j in permutations(modalities, 2)})


class DirectMMDFN(DirectMMGCN):
    """Section 2.5."""

    def __init__(self, input_sizes, classes, hidden, layers, feedforward, dropout):
        super().__init__(input_sizes, classes, hidden, layers, feedforward, dropout)
        self.gated_attention = Gates(list(input_sizes), hidden)
        self.uni_fc = nn.ModuleDict({m: nn.Linear(hidden, classes) for m in input_sizes})
        self.dropout = nn.Dropout(0.5)

    def forward(self, features, lengths, speakers):
        parts, fused = self.gated_attention, {}
        pairs = zip(self.uni_fc, self.nodes(features, lengths), strict=True)
        u = {m: self.dropout(F.relu(parts.transform[m](z))) for m, z in pairs}
        for i, j in permutations(u, 2):
            gate = torch.sigmoid(parts.gate[f"{i}_{j}"](torch.cat([u[i], u[j], u[i] * u[j]], 1)))
            fused[i] = fused.get(i, 0) + gate * u[i] + (1 - gate) * u[j]
        logits = {m: self.uni_fc[m](x) for m, x in fused.items()}
        return sum(logits.values()), logits


class Attention(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size, size))


class Relations(nn.Module):
    def __init__(self, hidden: int, graph_hidden: int, speakers: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(BASES, hidden, graph_hidden))
        self.comp = nn.Parameter(torch.empty(2 * speakers**2, BASES))
        self.root = nn.Parameter(torch.empty(hidden, graph_hidden))
        self.bias = nn.Parameter(torch.empty(graph_hidden))


class UnimodalDialogueGCN(nn.Module):
    """Section 2.6."""

    def __init__(self, width, classes, *, speakers, hidden, graph_hidden, past, future, dropout, heads, **encoder):
        super().__init__()
        self.rnn = Encoder(width, hidden, dropout=dropout, number=heads, **encoder)
        self.edge_att, self.conv1 = Attention(hidden), Relations(hidden, graph_hidden, speakers)
        self.lin_rel = nn.Linear(graph_hidden, graph_hidden)
        self.lin_root = nn.Linear(graph_hidden, graph_hidden, bias=False)
        self.lin1, self.lin2 = nn.Linear(hidden + graph_hidden, graph_hidden), nn.Linear(graph_hidden, classes)
        self.dropout = nn.Dropout(dropout)
        self.speakers, self.past, self.future = speakers, past, future

    def forward(self, x: Tensor, lengths: Sequence[int], speakers: Tensor) -> Tensor:
        f = flat(self.rnn(x), lengths)
        senders, receivers, kinds, weights, start = [], [], [], [], 0
        for b, n in enumerate(lengths):
            own = f[start : start + n]
            for j in range(n):
                low, high = max(0, j - self.past), min(n - 1, j + self.future)
                window = torch.softmax((own[low : high + 1] @ self.edge_att.weight.T) @ own[j], 0)
                for k in range(low, high + 1):
                    senders.append(start + j)
                    receivers.append(start + k)
                    weights.append(window[k - low])
                    pair = self.speakers * int(speakers[b, j]) + int(speakers[b, k])
                    kinds.append(2 * pair + (0 if j < k else 1))
            start += n
        senders, receivers, kinds = (torch.tensor(x, device=f.device) for x in (senders, receivers, kinds))
        weights, conv = torch.stack(weights), self.conv1
        matrices = torch.einsum("rb,bio->rio", conv.comp, conv.weight)
        h1 = f @ conv.root + conv.bias
        for kind, matrix in enumerate(matrices):
            edges = kinds == kind
            if edges.any():
                total = torch.zeros_like(f).index_add(0, receivers[edges], f[senders[edges]])
                count = f.new_zeros(len(f)).index_add(0, receivers[edges], f.new_ones(int(edges.sum())))
                h1 = h1 + (total / count.clamp(min=1)[:, None]) @ matrix
        received = torch.zeros_like(h1).index_add(0, receivers, weights[:, None] * h1[senders])
        h2 = self.lin_rel(received) + self.lin_root(h1)
        return self.lin2(self.dropout(F.relu(self.lin1(torch.cat([f, h2], 1)))))


class DirectDialogueGCN(nn.Module):
    """Section 2.6, per modality."""

    def __init__(self, input_sizes, classes, **options):
        super().__init__()
        parts = {m: UnimodalDialogueGCN(width, classes, **options) for m, width in input_sizes.items()}
        self.uni_fc = nn.ModuleDict(parts)

    def forward(self, features, lengths, speakers):
        logits = {m: part(features[m], lengths, speakers) for m, part in self.uni_fc.items()}
        return sum(logits.values()), logits


def positions(time: int, width: int, like: Tensor) -> Tensor:
    """`(time, 1, width)`."""
    step = torch.arange(time, device=like.device)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, device=like.device) * (-math.log(10000.0) / width))
    found = like.new_zeros(time, 1, width)
    found[:, 0, 0::2], found[:, 0, 1::2] = torch.sin(step * rate), torch.cos(step * rate)
    return found


class History(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.scalar = nn.Linear(size, 1, bias=False)


class Lane(nn.Module):
    """Section 2.7: one DialogueRNN, step by step; time-first."""

    def __init__(self, width, global_size, party_size, emotion_size, dropout):
        super().__init__()
        self.g_cell = nn.GRUCell(width + party_size, global_size)
        self.p_cell = nn.GRUCell(width + global_size, party_size)
        self.e_cell = nn.GRUCell(party_size, emotion_size)
        self.attention = History(global_size)
        self.dropout, self.position_dropout = nn.Dropout(dropout), nn.Dropout(0.1)

    def forward(self, u: Tensor, parties: Tensor) -> Tensor:
        (time, batch, _), count = u.shape, parties.shape[2]
        history = None
        q = u.new_zeros(batch, count, self.p_cell.hidden_size)
        e, states = u.new_zeros(batch, self.e_cell.hidden_size), []
        for t in range(time):
            who = parties[t].argmax(1)
            before = u.new_zeros(batch, self.g_cell.hidden_size) if history is None else history[-1]
            talking = torch.stack([q[b, k] for b, k in enumerate(who)])
            g = self.dropout(self.g_cell(torch.cat([u[t], talking], 1), before))
            context = torch.zeros_like(g)
            if history is not None:
                past = self.position_dropout(history + positions(len(history), history.shape[2], history))
                weight = torch.softmax(self.attention.scalar(past).permute(1, 2, 0), 2)
                context = torch.bmm(weight, past.transpose(0, 1))[:, 0]
            given = torch.cat([u[t], context], 1)[:, None].expand(-1, count, -1)
            new = self.dropout(self.p_cell(given.reshape(batch * count, -1), q.reshape(batch * count, -1)))
            own = parties[t][..., None]
            q = q * (1 - own) + new.view(batch, count, -1) * own
            talking = torch.stack([q[b, k] for b, k in enumerate(who)])
            e = self.dropout(self.e_cell(talking, e))
            history = g[None] if history is None else torch.cat([history, g[None]])
            states.append(e)
        return torch.stack(states)


class Recurrence(nn.Module):
    def __init__(self, input_sizes, **sizes):
        super().__init__()
        pairs = {m: nn.ModuleList([Lane(width, **sizes) for _ in range(2)]) for m, width in input_sizes.items()}
        self.lanes = nn.ModuleDict(pairs)


class SelfAttention(nn.Module):
    """Four heads; memory of `(time, batch, width)` is read as `(batch, time, width)`, the published mistake."""

    def __init__(self, width: int):
        super().__init__()
        self.W_Q, self.W_K, self.W_V, self.fc = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        time, batch, width = x.shape
        q, k, v = (
            layer(x).reshape(batch, time, 4, width // 4).transpose(1, 2) for layer in (self.W_Q, self.W_K, self.W_V)
        )
        mixed = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(width // 4), -1) @ v
        mixed = self.fc(mixed.transpose(1, 2).reshape(batch, time, width)).transpose(0, 1)
        return F.layer_norm(x + mixed, (width,))


class DirectBiDDIN(nn.Module):
    """Section 2.7."""

    def __init__(self, input_sizes, classes, global_size, party_size, emotion_size, hidden, dropout, speakers):
        super().__init__()
        sizes = {"global_size": global_size, "party_size": party_size, "emotion_size": emotion_size}
        self.recurrence = Recurrence(input_sizes, dropout=dropout, **sizes)
        width = 2 * emotion_size
        self.multihead_attn = nn.ModuleDict({m: SelfAttention(width) for m in input_sizes})
        self.linear = nn.ModuleDict({m: nn.Linear(width, 2 * hidden) for m in input_sizes})
        self.smax_fc = nn.ModuleDict({m: nn.Linear(2 * hidden, classes) for m in input_sizes})
        self.dropout, self.position_dropout = nn.Dropout(dropout), nn.Dropout(0.1)

    def forward(self, features, lengths, speakers):
        parties = F.one_hot(speakers, int(speakers.max()) + 1).to(next(iter(features.values()))).transpose(0, 1)
        backwards, logits = _reversed(parties, lengths), {}
        for m, (ahead, back) in self.recurrence.lanes.items():
            u = features[m].transpose(0, 1)
            forward = self.dropout(ahead(u, parties))
            backward = self.dropout(_reversed(back(_reversed(u, lengths), backwards), lengths))
            states = torch.cat([forward, backward], -1)
            states = self.position_dropout(states + positions(len(states), states.shape[2], states))
            attended = self.multihead_attn[m](states)
            answer = self.smax_fc[m](self.dropout(F.relu(self.linear[m](attended))))
            logits[m] = flat(answer.transpose(0, 1), lengths)
        return sum(logits.values()), logits


def _reversed(x: Tensor, lengths: Sequence[int]) -> Tensor:
    """`(time, batch, width)`: each dialogue's utterances backwards, its padding zero."""
    return nn.utils.rnn.pad_sequence([torch.flip(x[:n, i], [0]) for i, n in enumerate(lengths)])


MODELS = {
    "mmgcn:MMGCN": DirectMMGCN,
    "mm_dfn:MMDFN": DirectMMDFN,
    "dialogue_gcn:DialogueGCN": DirectDialogueGCN,
    "biddin:BiDDIN": DirectBiDDIN,
}


def objective(joint: Tensor, logits: Mapping[str, Tensor], labels: Tensor, lengths: Sequence[int], threshold: float):
    """Section 3, utterance by utterance: the loss and the modality ratios of the batch."""
    losses = F.cross_entropy(joint, labels, reduction="none")
    with torch.no_grad():
        scores, spread, start = _true_class(logits, labels), [], 0
        for n in lengths:
            sums = torch.stack([sum(scores[m][start : start + n]) for m in logits])
            spread += [sums.std()] * n
            start += n
        selected = (2 / (1 / torch.stack(spread) + 1 / losses) <= threshold).float()
        scores = _true_class(logits, labels)
        totals = {m: sum(selected[i] * scores[m][i] for i in range(len(labels))) for m in logits}
        ratios = {m: total / min(totals.values()) for m, total in totals.items()}
    return (selected * losses).mean(), ratios


def _true_class(logits: Mapping[str, Tensor], labels: Tensor) -> dict[str, list[Tensor]]:
    return {m: [torch.softmax(x, 1)[i][labels[i]] for i in range(len(labels))] for m, x in logits.items()}
