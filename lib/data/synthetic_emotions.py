"""Stand-ins for the emotion corpora of the emotion-embedding release, in its formats, with computed ceilings.

Each modality shows cues of the emotions and errs on its own, so none suffices. MOSEI-like: every emotion is present or
not, independently, and a modality shows the opposite with a small probability. IEMOCAP-like: a sample has one emotion,
and a modality shows any emotion at random with some probability. What is shown is rendered as the sum of the emotions'
directions under noise at every step, so little noise that a cue is read without error: the best decision follows from
Bayes' rule over the cues, in closed form.

In the text the direction of an emotion is its word vector; in audio and video it is a fixed linear image of it. Word
vectors mix two shared qualities with something of their own, so the geometry of the words tells about the emotions.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lib.data import iemocap_emotions, mosei_emotions
from lib.data.corpus import SPLITS, Corpus, Split
from lib.data.emotion_rules import IEMOCAP_EMOTIONS, MOSEI_EMOTIONS
from lib.data.synthetic import stand_in_source, through_files

STEPS, SHORTEST = 8, 4
PRESENT = np.array([0.25, 0.2, 0.15, 0.5, 0.3, 0.15])
"""How often each of MOSEI's emotions is there; some are rare, as in the corpus."""
PRIOR = np.array([0.35, 0.15, 0.25, 0.25])
"""How often each of IEMOCAP's emotions is the one."""
QUALITIES = {
    "anger": (-1.0, 1.0), "angry": (-1.0, 1.0), "disgust": (-1.0, 0.3), "fear": (-0.8, 0.8), "happy": (1.0, 0.6),
    "sad": (-0.9, -0.8), "surprise": (0.4, 1.0), "neutral": (0.0, -0.4),
}  # fmt: skip
"""Valence and arousal of each emotion word."""
SUBSETS = {
    "+".join(subset): subset
    for subset in (
        ("text",), ("audio",), ("video",), ("text", "audio"), ("text", "video"), ("audio", "video"),
        ("text", "audio", "video"),
    )
}  # fmt: skip
_VERSION = 1


@dataclass(frozen=True)
class Channel:
    """A modality: its width, how often it errs, and the noise per feature and step beside directions of length 2."""

    width: int
    error: float
    noise: float = 0.3


MOSEI = {"text": Channel(24, 0.12), "audio": Channel(14, 0.2), "video": Channel(10, 0.25)}
IEMOCAP = {"text": Channel(24, 0.3), "audio": Channel(14, 0.45), "video": Channel(10, 0.55)}


def word_vectors(names: tuple[str, ...], width: int = MOSEI["text"].width) -> Float[np.ndarray, "emotions width"]:
    """Float32 unit vectors: half of the length are the two qualities, the rest is the word's own."""
    found = []
    for name in names:
        own = np.random.default_rng([len(name), *name.encode()]).normal(size=width)
        shared = np.random.default_rng(5).normal(size=(2, width)) / np.sqrt(width)
        vector = np.array(QUALITIES[name]) @ shared + 0.7 * own / np.linalg.norm(own)
        found.append(vector / np.linalg.norm(vector))
    return np.array(found, dtype=np.float32)


def load_mosei(root: Path, samples: int, seed: int = 0) -> Corpus:
    """A MOSEI-like corpus of `samples` segments; it does not lie under the data folder `root`."""
    rng = np.random.default_rng([seed, 7])
    labels = rng.random((samples, len(PRESENT))) < PRESENT
    shown = {m: labels ^ (rng.random(labels.shape) < channel.error) for m, channel in MOSEI.items()}
    ceilings = {name: _mosei_ceiling(subset) for name, subset in SUBSETS.items()}
    return _corpus("MOSEI-emotions-like", mosei_emotions, MOSEI_EMOTIONS, MOSEI, labels, shown, ceilings, rng, seed)


def load_iemocap(root: Path, samples: int, seed: int = 0) -> Corpus:
    """An IEMOCAP-like corpus of `samples` utterances with one of four emotions each."""
    rng = np.random.default_rng([seed, 8])
    emotion = rng.choice(len(PRIOR), size=samples, p=PRIOR)
    shown = {}
    for modality, channel in IEMOCAP.items():
        wrong = rng.random(samples) < channel.error
        shown[modality] = np.eye(len(PRIOR))[np.where(wrong, rng.integers(len(PRIOR), size=samples), emotion)]
    ceilings = {name: _iemocap_ceiling(subset) for name, subset in SUBSETS.items()}
    labels, names = np.eye(len(PRIOR))[emotion], IEMOCAP_EMOTIONS
    return _corpus("IEMOCAP-emotions-like", iemocap_emotions, names, IEMOCAP, labels, shown, ceilings, rng, seed)


def _mosei_ceiling(modalities: tuple[str, ...]) -> dict[str, float]:
    """Best expected accuracy and weighted accuracy, averaged over the emotions, from all combinations of cues."""
    accuracies, weighted = [], []
    for share in PRESENT:
        present, absent = np.array([1.0]), np.array([1.0])
        for modality in modalities:
            right = 1 - MOSEI[modality].error
            present = np.concatenate([present * right, present * (1 - right)])
            absent = np.concatenate([absent * (1 - right), absent * right])
        accuracies.append(np.maximum(share * present, (1 - share) * absent).sum())
        weighted.append(np.maximum(present, absent).sum() / 2)
    return {"acc": float(np.mean(accuracies)), "weighted_acc": float(np.mean(weighted))}


def _iemocap_ceiling(modalities: tuple[str, ...]) -> dict[str, float]:
    """The same where the cues show one emotion each, and the best share of right emotions."""
    kinds = len(PRIOR)
    joint = np.tile(PRIOR, (kinds ** len(modalities), 1))
    for cues, modality in zip(np.array(list(product(range(kinds), repeat=len(modalities)))).T, modalities, strict=True):
        error = IEMOCAP[modality].error
        joint *= np.where(np.arange(kinds) == cues[:, None], 1 - error, 0.0) + error / kinds
    others = joint.sum(axis=1, keepdims=True) - joint
    return {
        "acc": float(np.maximum(joint, others).sum(axis=0).mean()),
        "weighted_acc": float((np.maximum(joint / PRIOR, others / (1 - PRIOR)).sum(axis=0) / 2).mean()),
        "acc_exclusive": float(joint.max(axis=1).sum()),
    }


def _corpus(title, layout, names, channels: Mapping[str, Channel], labels, shown, ceilings, rng, seed) -> Corpus:
    """Render, write in the format of `layout`, and read back."""
    samples, vectors = len(labels), word_vectors(names).astype(np.float64)
    lengths = rng.integers(SHORTEST, STEPS + 1, size=samples)
    real = np.arange(STEPS)[None, :] >= STEPS - lengths[:, None]
    features = {}
    for modality, channel in channels.items():
        image = np.eye(channel.width)
        if modality != "text":
            image = np.linalg.qr(rng.normal(size=(vectors.shape[1], channel.width)))[0] * 1.5
        directions = 2 * vectors @ image
        x = rng.normal(scale=channel.noise, size=(samples, STEPS, channel.width))
        x += (shown[modality] @ directions)[:, None]
        features[modality] = np.where(real[..., None], x, 0.0).astype(np.float32)
    stops = np.rint(samples * np.array([0.6, 0.75])).astype(int)
    splits = {
        split: Split(
            features={m: x[rows] for m, x in features.items()},
            lengths=lengths[rows],
            labels=labels[rows].astype(np.float32),
            ids=tuple(map(str, rows)),
        )
        for split, rows in zip(SPLITS, np.split(np.arange(samples), stops), strict=True)
    }
    widths = {m: channel.width for m, channel in channels.items()}
    source = replace(
        stand_in_source(title, ceilings), licence="none needed: generated by lib/data/synthetic_emotions.py"
    )
    made = Corpus("multilabel", names, widths, splits, source)
    identity = {"kind": title, "emotions version": _VERSION, "samples": samples, "seed": seed}
    identity["channels"] = {m: asdict(channel) for m, channel in channels.items()}
    return through_files(identity, lambda folder: layout.write(folder, made), layout.read)
