"""The conversation backbones against the reference: logits, curriculum, losses, gradients, graphs."""

import numpy as np
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
from tests.parity.reference import Vectors, golden
from tests.parity.spcl_models import inputs, loaded, our_name, unused

TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-3  # relative, as the reference's README states; norms below NEGLIGIBLE are rounding
NEGLIGIBLE = 1e-6


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


def trained(model, vectors: Vectors) -> dict[str, torch.Tensor]:
    """Everything of one training batch, with and without curriculum, gradients included."""
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
        found |= {f"{folder}/{name}": p.grad for name, p in model.named_parameters()}
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


def dense_adjacency(model, vectors: Vectors) -> torch.Tensor:
    """The blocks of the similarity graph as the reference's one matrix, modality-major."""
    features, lengths, _ = inputs(vectors)
    dialogues = Dialogues(lengths, next(iter(features.values())).shape[1])
    graph = similarity_graph(model.graph_nodes(features, dialogues), dialogues)
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


def close(actual: torch.Tensor, expected: np.ndarray, name: str, tolerance: float = TOLERANCE) -> None:
    np.testing.assert_allclose(
        actual.detach().numpy(), expected, rtol=tolerance, atol=TOLERANCE, err_msg=name, equal_nan=True
    )


@golden("spcl", "late_fusion", "mmgcn", "mm_dfn", "dialogue_gcn", "biddin")
def test_backbone(vectors):
    model = loaded(vectors)
    found = {f"out/eval/{name}": x for name, x in evaluated(model, vectors).items()} | trained(model, vectors)
    if vectors.config["backbone"] in ("mmgcn", "mm_dfn"):
        found["out/train/adj"] = dense_adjacency(model, vectors)
    if vectors.config["backbone"] == "dialogue_gcn":
        found |= dialogue_gcn_graph(model, vectors)

    gradients = {name: found.pop(name) for name in list(found) if name.startswith("gradnorm")}
    expected = {f"out/{name}": value for name, value in vectors.under("out").items()}
    assert set(found) == set(expected)
    for name, value in expected.items():
        close(found[name], value, name)
    for folder in ("gradnorm_plain", "gradnorm"):
        norms = {our_name(name, vectors.config): x for name, x in vectors.under(folder).items()}
        ours = {n.removeprefix(f"{folder}/"): g for n, g in gradients.items() if n.startswith(f"{folder}/")}
        check_gradients(ours, norms, folder)


def check_gradients(ours: dict, expected: dict[str, np.ndarray], folder: str) -> None:
    """Each stored norm is ours; a parameter without a stored norm has no gradient."""
    assert set(expected) <= set(ours)
    for name, gradient in ours.items():
        norm = 0.0 if gradient is None else float(gradient.double().norm())
        stored = float(expected.get(name, 0.0))
        allowed = GRADIENT_TOLERANCE * stored if stored >= NEGLIGIBLE else NEGLIGIBLE
        assert abs(norm - stored) <= allowed, f"{folder}/{name}: {norm} != {stored}"


@golden("spcl", "late_fusion", "mmgcn", "mm_dfn", "dialogue_gcn", "biddin")
def test_only_parameters_that_never_learn_are_left_out(vectors):
    left_out = {name for name in vectors.under("w") if unused(name, vectors.config)}
    assert left_out <= set(vectors.config["params_without_grad"])
