"""The transformers whose result is read in one row, written down directly, as a yardstick.

Specs end_to_end (5.4, 5.8 and the text encoder) and emotion_embeddings (section 4). Nothing of `lib.models` computes
here: its modules only hold the weights and the dropout probabilities, so both answer from the same ones. With `full`
the last layer computes every row, of which one is read; without it, that row alone.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EVERY = slice(None)


def lf_transformer(model: nn.Module, inputs: dict[str, Tensor], full: bool) -> Tensor:
    """Logits of the late-fusion transformer with the reference's padding: the text has no mask."""
    logits = []
    for m in ("text", "audio", "video"):
        encoder, x = model.transformers[m[0]], inputs[m]
        x = torch.cat([encoder.cls_emb.weight[None].repeat(len(x), 1, 1), x], dim=1)
        hidden = None
        if m != "text":
            hidden = torch.arange(x.shape[1])[None] > inputs[f"{m}_lengths"][:, None]
        layers = encoder.encoder.layers
        for number, layer in enumerate(layers, 1):
            x = _post_norm(layer, x, hidden, slice(0, 1) if number == len(layers) and not full else EVERY)
        logits.append(model.affines[m[0]](x[:, 0]))
    return (torch.stack(logits, dim=2) * model.weighted_fusion.weight[0]).sum(dim=2)


def mult(model: nn.Module, inputs: dict[str, Tensor], full: bool) -> Tensor:
    """Logits of MulT without a causal mask."""
    names = ("text", "audio", "video")
    steps = {m: inputs[m] for m in names} | {"text": _drop(inputs["text"], model.text_dropout)}
    steps = {m: F.conv1d(x.transpose(1, 2), model.convolve[m].weight).transpose(1, 2) for m, x in steps.items()}
    last = []
    for target in names:
        parts = [
            _pre_norm_stack(model.crossmodal[f"{target}_from_{source}"], steps[target], steps[source], EVERY)
            for source in names
            if source != target
        ]
        rows = EVERY if full else slice(-1, None)
        last.append(_pre_norm_stack(model.memory[target], torch.cat(parts, dim=2), None, rows)[:, -1])
    z = torch.cat(last, dim=1)
    return model.out_layer(model.proj2(_drop(model.proj1(z).relu(), model.output_dropout)) + z)


def albert(model: nn.Module, inputs: dict[str, Tensor], full: bool) -> Tensor:
    """Logits of the end-to-end model that has the text alone."""
    encoder = model.T.albert
    words, layer = encoder.embeddings, encoder.encoder.albert_layer_groups[0].albert_layers[0]
    tokens = inputs["text"]
    x = words.word_embeddings(tokens) + words.position_embeddings.weight[: tokens.shape[1]]
    x = words.LayerNorm(x + words.token_type_embeddings.weight[0])
    x, attention = encoder.encoder.embedding_hidden_mapping_in(x), layer.attention
    hidden = inputs["text_mask"] == 0
    for number in range(encoder.encoder.depth):
        read = x[:, :1] if number + 1 == encoder.encoder.depth and not full else x
        projected = attention.query(read), attention.key(x), attention.value(x)
        mixed = _mixed(*projected, attention.heads, hidden, attention.attention_dropout)
        x = attention.LayerNorm(read + attention.dense(mixed))
        x = layer.full_layer_layer_norm(x + layer.ffn_output(F.gelu(layer.ffn(x), approximate="tanh")))
    return model.t_out(x[:, 0])


def _post_norm(layer: nn.Module, x: Tensor, hidden: Tensor | None, rows: slice) -> Tensor:
    read = x[:, rows]
    x = layer.norm1(read + _drop(_attention(layer.self_attn, read, x, x, hidden), layer.dropout))
    inner = _drop(layer.linear1(x).relu(), layer.dropout)
    return layer.norm2(x + _drop(layer.linear2(inner), layer.dropout))


def _pre_norm_stack(encoder: nn.Module, x: Tensor, source: Tensor | None, rows: slice) -> Tensor:
    coded = [_coded(encoder, e) for e in ([x] if source is None else [x, source, source])]
    x = coded[0]
    for number, layer in enumerate(encoder.layers, 1):
        norm, last_norm = layer.layer_norms
        read = x[:, rows] if number == len(encoder.layers) else x
        if source is None:
            normed = norm(x)
            query, key, value = normed[:, rows] if number == len(encoder.layers) else normed, normed, normed
        else:
            query, key, value = norm(read), norm(coded[1]), norm(coded[2])
        x = read + _drop(_attention(layer.self_attn, query, key, value, None), layer.residual_dropout)
        inner = _drop(layer.fc1(last_norm(x)).relu(), layer.relu_dropout)
        x = x + _drop(layer.fc2(inner), layer.residual_dropout)
    return encoder.layer_norm(x)


def _coded(encoder: nn.Module, x: Tensor) -> Tensor:
    """Scaled by the root of the width, with the sinusoids of its positions, which zeros in channel 0 do not get."""
    time, width = x.shape[1:]
    rates = 10000 ** (-torch.arange(width // 2, dtype=x.dtype) / (width // 2 - 1))
    angles = torch.arange(1, time + 1, dtype=x.dtype)[:, None] * rates
    code = torch.cat([angles.sin(), angles.cos()], dim=1) * (x[:, :, :1] != 0)
    return _drop(width**0.5 * x + code, encoder.embedding_dropout)


def _attention(weights: nn.Module, query: Tensor, key: Tensor, value: Tensor, hidden: Tensor | None) -> Tensor:
    w, b = weights.in_proj_weight.chunk(3), weights.in_proj_bias.chunk(3)
    projected = (F.linear(x, w[i], b[i]) for i, x in enumerate((query, key, value)))
    return weights.out_proj(_mixed(*projected, weights.heads, hidden, weights.dropout))


def _mixed(q: Tensor, k: Tensor, v: Tensor, heads: int, hidden: Tensor | None, dropout: nn.Module) -> Tensor:
    q, k, v = (x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2) for x in (q, k, v))
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
    if hidden is not None:
        scores = scores.masked_fill(hidden[:, None, None], -math.inf)
    return (_drop(scores.softmax(3), dropout) @ v).transpose(1, 2).flatten(2)


def _drop(x: Tensor, dropout: nn.Module) -> Tensor:
    return F.dropout(x, dropout.p, training=dropout.training)
