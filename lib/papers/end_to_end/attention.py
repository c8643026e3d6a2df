"""Where the sparse model's attention lies on faces and spectrograms, and how much of it where the cue is.

A stand-in knows its informative regions: the mouth, and the bands around the tone that an utterance sounds. Chance is
the share of the sites that lie there: what uniform attention would have.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from lib.data.stand_ins.synthetic_raw import FACE_REGION, spectrogram_region
from lib.models.mme2e import FACE, PIECE
from lib.papers.end_to_end import EndToEnd
from lib.papers.end_to_end.study import Corpora, trained_model, variant
from lib.reporting.statistics import t_interval
from lib.study import Done, Runs
from lib.training.execution import one_thread


@dataclass(frozen=True)
class Map:
    """An input image, the attention of the first stage over its sites, and the informative part of the image."""

    title: str
    image: np.ndarray
    attention: np.ndarray
    kept: np.ndarray
    region: np.ndarray | None


def variants(p: EndToEnd) -> list[tuple[str, str]]:
    """Variant and words of the sparse models whose attention is looked at."""
    words = {"": "random, as published", "corrected": "random, sites corrected", "learned": "learned"}
    return [(variant("mme2e_sparse", p.threshold, c), words[c]) for c in ("", *p.changes)]


@one_thread()
def mass_table(runs: Runs, corpora: Corpora) -> pd.DataFrame:
    """Share of the attention, and of the kept sites, inside the informative region of the test utterances.

    Per stage, against chance; means and 95 % t-intervals over the seeds. Empty for real data, whose regions nobody
    knows.
    """
    if not corpora.shown:
        return pd.DataFrame()
    rows = []
    for name, words in variants(runs.study.p):
        found = [_masses(runs, corpora, run) for run in runs.done if run[2].variant == name and run[2].weights]
        for key in found[0] if found else ():
            shares = np.array([each[key] for each in found])  # (seeds, attention/kept/chance)
            mass, kept, chance = shares.mean(axis=0)
            low, high = t_interval(shares[:, 0])
            row = {"variant": name, "attention": words, "modality": key[0], "stage": key[1], "n": len(found)}
            row |= {"chance": chance, "mass": mass, "mass_low": low, "mass_high": high, "kept_inside": kept}
            rows.append(row | {"times_chance": mass / chance, "verdict": _verdict(low, high, chance)})
    return pd.DataFrame(rows)


def _verdict(low: float, high: float, chance: float) -> str:
    if np.isnan(low):
        return "no verdict"
    return "above chance" if low > chance else "below chance" if high < chance else "not told from chance"


def _masses(runs: Runs, corpora: Corpora, run: Done) -> dict[tuple[str, int], np.ndarray]:
    """By modality and stage: attention inside, kept sites inside, chance; means over the frames or pieces."""
    model, split = trained_model(runs, run), corpora.raw.splits["test"]
    size = runs.study.p.evaluation_batch
    sums: dict[tuple[str, int], list[np.ndarray]] = {}
    for start in range(0, len(split), size):
        batch = split.take(slice(start, start + size))
        inputs = batch.inputs
        with torch.no_grad():
            stages = model.with_stages(**inputs)[1]
        for modality, found in stages.items():
            inside = _regions(modality, batch.ids, inputs[f"{modality}_lengths"].tolist(), corpora.shown)
            for number, stage in enumerate(found):
                share = _on_grid(inside, stage.kept.shape[1:])
                kept = stage.kept.numpy()
                mass = (stage.probabilities.numpy() * share).sum(axis=(1, 2))
                values = [mass, (kept * share).sum(axis=(1, 2)) / kept.sum(axis=(1, 2)), share.mean(axis=(1, 2))]
                sums.setdefault((modality, number), []).append(np.stack(values, axis=1))
    return {key: np.concatenate(parts).mean(axis=0) for key, parts in sums.items()}


def _regions(modality: str, ids: Sequence[str], lengths: Sequence[int], shown) -> np.ndarray:
    """`(frames, height, width)` of zeros and ones: the informative pixels of every frame or piece."""
    regions = []
    for utterance_id, length in zip(ids, lengths, strict=True):
        region = np.zeros(FACE if modality == "video" else PIECE)
        if modality == "video":
            region[FACE_REGION] = 1
        else:
            region[spectrogram_region(shown[utterance_id]["audio"])] = 1
        regions += [region] * length
    return np.stack(regions)


def _on_grid(region: np.ndarray, grid: Sequence[int]) -> np.ndarray:
    """The share of each site's pixels that lies inside."""
    frames, height, width = region.shape
    return region.reshape(frames, grid[0], height // grid[0], grid[1], width // grid[1]).mean(axis=(2, 4))


@one_thread()
def maps(runs: Runs, corpora: Corpora, run: Done, utterances: int = 3) -> dict[str, list[Map]]:
    """Of the first test utterances, the first face and the first piece with the first stage's attention."""
    corpus = run[0].corpus
    model, batch = trained_model(runs, run), corpus.splits["test"].take(slice(0, utterances))
    inputs = batch.inputs
    with torch.no_grad():
        stages = model.with_stages(**inputs)[1]
    names, found = corpora.any.label_names, {}
    for modality in stages:
        lengths, stage = inputs[f"{modality}_lengths"].tolist(), stages[modality][0]
        regions = _regions(modality, batch.ids, lengths, corpora.shown) if corpora.shown else None
        first = np.cumsum([0, *lengths[:-1]])
        found[modality] = [
            Map(
                f"truth: {names[int(label.argmax())]}",
                _image(modality, inputs[modality][frame].numpy(), corpus.options.get("scale") == "log"),
                stage.probabilities[frame].numpy(),
                stage.kept[frame].numpy(),
                None if regions is None else regions[frame],
            )
            for frame, label in zip(first, batch.labels, strict=True)
        ]
    return found


def _image(modality: str, values: np.ndarray, logarithmic: bool) -> np.ndarray:
    """RGB of a face in whole numbers, for figures; decibels of a piece, or its values if they are `logarithmic`."""
    if modality == "video":
        return np.rint(values).astype(np.uint8)
    return values[0] if logarithmic else 10 * np.log10(values[0] + 1e-6)
