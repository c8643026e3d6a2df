"""The conversation backbones against the reference: logits, curriculum, losses, gradients, graphs."""

import torch
from torch.nn import functional as F

from lib.models.conversation_graph import similarity_graph, window_edges
from lib.models.dialogues import Dialogues
from lib.training.self_paced import (
    curriculum,
    modality_ratios,
    selected_mean,
    true_class_probability,
)
from tests.parity.closeness import Zero, check, norm
from tests.parity.reference import Vectors, golden
from tests.parity.spcl_models import inputs, loaded, reference_names, unused

BACKBONES = ("late_fusion", "mmgcn", "mm_dfn", "dialogue_gcn", "biddin")


def ratios(probability, selected, logits) -> dict[str, torch.Tensor]:
    return dict(zip(logits, modality_ratios(probability, selected), strict=True))


def evaluated(model, vectors: Vectors) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        joint, logits = model.eval()(*inputs(vectors))
    probability = true_class_probability(logits, vectors.tensor("in/label_tensor"))
    return (
        {"joint": joint, "log_prob": joint.log_softmax(-1)}
        | {f"logit/{m}": x for m, x in logits.items()}
        | {f"ratio/{m}": x for m, x in ratios(probability, None, logits).items()}
    )


def trained(model, vectors: Vectors) -> dict[str, object]:
    """Everything of one training batch, with and without curriculum, gradient norms included."""
    labels, lengths = vectors.tensor("in/label_tensor"), vectors.tensor("in/length")
    found = {}
    for run, folder in (("plain", "gradnorm_plain"), ("spcl", "gradnorm")):
        model.train().zero_grad()
        joint, logits = model(*inputs(vectors))
        losses = F.cross_entropy(joint, labels, reduction="none")
        steps = curriculum(losses.detach(), logits, labels, lengths, vectors.config["cl_threshold"])
        selected = steps.selected if run == "spcl" else torch.ones_like(steps.selected)
        loss = selected_mean(losses, selected)
        loss.backward()
        found |= gradient_norms(model, vectors, folder)
        found |= {f"out/{run}/loss": loss, f"out/{run}/take": selected.sum()}
        found |= {f"out/{run}/ratio/{m}": x for m, x in ratios(steps.probability, selected, logits).items()}
        found |= {f"out/{run}/uni_nll/{m}": F.cross_entropy(x, labels) for m, x in logits.items()}
    return found | {
        "out/train/joint": joint,
        "out/train/per_utt_loss": losses,
        "out/train/dialogue_scores": steps.scores,
        "out/train/dialogue_std": steps.imbalance,
        "out/train/utt_score": steps.utterance_imbalance,
        "out/train/difficulty": steps.difficulty,
        "out/train/mask": steps.selected,
        **{f"out/train/logit/{m}": x for m, x in logits.items()},
    }


def gradient_norms(model, vectors: Vectors, folder: str) -> dict[str, object]:
    """By the file's keys; a parameter that the file leaves out must have no gradient.

    Edges that join each utterance to itself alone have the attention 1, whatever its weights are.
    """
    names, found = reference_names(vectors), {}
    alone = vectors.config["wp"] == vectors.config["wf"] == 0 or bool((vectors["in/length"] == 1).all())
    for ours, parameter in model.named_parameters():
        key, gradient = f"{folder}/{names[ours]}", parameter.grad
        if gradient is None or (key not in vectors and not gradient.any()):
            continue
        found[key] = Zero(gradient.norm()) if alone and ours.endswith("edge_att.weight") else norm(gradient)
    return found


def dense_adjacency(model, vectors: Vectors) -> torch.Tensor:
    """The blocks of the similarity graph as the reference's one matrix, modality-major.

    From nodes in float32: the cosine of an utterance with itself is 1 whatever the weights are, and there the arc
    cosine multiplies the cosine's rounding by 0.99999 / sqrt(1 - 0.99999^2) = 224, which only rounding itself shows.
    """
    features, lengths, _ = inputs(vectors)
    dialogues = Dialogues(lengths, next(iter(features.values())).shape[1])
    graph = similarity_graph(model.graph_nodes(features, dialogues).float(), dialogues)
    blocks = []
    for i in range(len(graph.within)):
        row = []
        for j in range(len(graph.within)):
            own = [block[:n, :n] for block, n in zip(graph.within[i], lengths, strict=True)]
            row.append(torch.block_diag(*own) if i == j else dialogues.flat(graph.across[i, j]).diag())
        blocks.append(torch.cat(row, 1))
    return torch.cat(blocks)


def dialogue_gcn_graph(model, vectors: Vectors) -> dict[str, torch.Tensor]:
    """Edges and their attention, by dialogue."""
    features, lengths, speakers = inputs(vectors)
    dialogues = Dialogues(lengths, speakers.shape[1])
    edges = window_edges(dialogues, vectors.config["wp"], vectors.config["wf"])
    found = {"out/edges_dialogue_src_dst_sorted": edges.nonzero()}
    for m in model.modalities:
        f = dialogues.pad(model.uni_fc[m].rnn(features[m], dialogues))
        for row, (block, n) in enumerate(zip(model.uni_fc[m].edge_att(f, edges), lengths, strict=True)):
            found[f"out/train/edge_weight/{m}/{row}"] = block[:n, :n]
    return found


def computed(vectors: Vectors) -> dict[str, object]:
    """All that a file of a backbone holds, by its keys."""
    model = loaded(vectors)
    found = {f"out/eval/{name}": x for name, x in evaluated(model, vectors).items()} | trained(model, vectors)
    if vectors.config["backbone"] in ("mmgcn", "mm_dfn"):
        found["out/train/adj"] = dense_adjacency(model, vectors)
    if vectors.config["backbone"] == "dialogue_gcn":
        found |= dialogue_gcn_graph(model, vectors)
    return found


def scale_of(key: str) -> str:
    """The gradients of one loss are a group; every other quantity is measured by itself."""
    return key.split("/")[0] if key.startswith("gradnorm") else key


def check_backbone(vectors: Vectors) -> None:
    """Every logit, loss, gradient norm, curriculum and graph of the file."""
    check(vectors, computed, vectors.keys("out", "gradnorm", "gradnorm_plain"), group=scale_of)


@golden("spcl", *BACKBONES)
def test_backbone(vectors):
    check_backbone(vectors)


@golden("spcl", *BACKBONES)
def test_only_parameters_that_never_learn_are_left_out(vectors):
    left_out = {name for name in vectors.under("w") if unused(name, vectors.config)}
    assert left_out <= set(vectors.config["params_without_grad"])
