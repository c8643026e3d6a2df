"""How alike the emotions are in each modality's space, before training and after (spec emotion_embeddings, 2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from lib.models.eea import EEA as Model
from lib.papers.emotion_embeddings import EEA, Task, grid, result_folder
from lib.params.emotion_embeddings import EmotionEmbeddings
from lib.training.records import FINISHED, Record, load_weights
from lib.training.streams import SeededStreams

BEFORE, AFTER, FROZEN = "before", "after", "frozen"


@dataclass(frozen=True)
class Space:
    """Cosines between emotion vectors as one modality sees them, per seed."""

    modality: str
    when: str
    cosines: Float[np.ndarray, "seeds emotions emotions"]


def spaces(p: EmotionEmbeddings, task: Task, records: Sequence[Record]) -> list[Space]:
    """The text's word vectors, which stay as they are, and what the maps make of them; empty without EEA."""
    finished = {r.seed: r for r in records if r.variant == task.variant(EEA) and r.status == FINISHED}
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    for member in grid(p, task):
        if member.variant != task.variant(EEA) or member.seed not in finished:
            continue
        streams = SeededStreams(member.seed)
        with streams.session(), streams.initial_weights():
            model = member.model.build()
        for when in (BEFORE, AFTER):
            for modality in model.modalities:
                key = (modality, FROZEN if modality == "text" else when)
                if (modality, when) != ("text", AFTER):
                    found.setdefault(key, []).append(cosines(model, modality))
            model.load_state_dict(load_weights(result_folder(p) / "members", finished[member.seed]))
    order = sorted(found, key=lambda key: (list(p.modalities).index(key[0]), key[1] != BEFORE))
    return [Space(modality, when, np.stack(found[modality, when])) for modality, when in order]


@torch.no_grad()
def cosines(model: Model, modality: str) -> Float[np.ndarray, "emotions emotions"]:
    """Of the emotion vectors with each other."""
    vectors = torch.nn.functional.normalize(model.emotion_space(modality), dim=-1)
    return (vectors @ vectors.T).numpy()


def panels(found: Sequence[Space]) -> list[tuple[str, np.ndarray]]:
    """(title, mean cosines over the seeds)."""
    words = {FROZEN: "word vectors", BEFORE: "before training", AFTER: "after training"}
    return [(f"{space.modality}, {words[space.when]}", space.cosines.mean(axis=0)) for space in found]


def space_table(found: Sequence[Space]) -> pd.DataFrame:
    """Mean cosine of two different emotions, and how far the pairs are ordered as in the word vectors.

    The latter is the correlation over pairs of emotions with the text's cosines; NaN for text, and without it.
    """
    text = next((pairs(space)[0] for space in found if space.when == FROZEN), None)
    rows = []
    for space in found:
        own = pairs(space)
        alike = own.mean(axis=1)
        order = np.full(len(own), np.nan)
        if text is not None and space.when != FROZEN and len(text) > 2:
            order = np.array([np.corrcoef(text, one)[0, 1] for one in own])
        rows.append(
            {
                "modality": space.modality,
                "training": space.when,
                "n": len(own),
                "mean_cosine": alike.mean(),
                "mean_cosine_std": _std(alike),
                "correlation_with_text": order.mean(),
                "correlation_with_text_std": _std(order),
            }
        )
    return pd.DataFrame(rows)


def pairs(space: Space) -> Float[np.ndarray, "seeds pairs"]:
    """The cosines above the diagonal."""
    upper = np.triu_indices(space.cosines.shape[-1], k=1)
    return space.cosines[:, upper[0], upper[1]]


def _std(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
