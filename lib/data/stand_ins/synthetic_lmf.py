"""Stand-ins for the three pickles of the LMF release, written and read in that format, with computed ceilings.

Each modality tells something about the label and makes errors of its own, so no modality suffices and fusion pays.
Text is a sequence of 5 to 20 real steps; audio and video are the vectors that the release holds.

MOSI-like and POM-like. Labels are independent truncated normals, one per target. A modality shows each label with a
Gaussian error of known size, along a direction of its own, under Gaussian noise. What it tells about one target is
then one number of known variance, and the posterior is integrated on a grid.

IEMOCAP-like. An utterance has one of four emotions. Each modality shows a cue, which is the true emotion with
probability `q` and otherwise any; it is read without error, so Bayes' rule over the cues is the best classifier. The
four binary tasks of the release ask for one emotion each.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from lib.data.arrays import lmf_pickles
from lib.data.arrays.sequences import Side, pad
from lib.data.corpus import Corpus
from lib.data.stand_ins import synthetic
from lib.data.stand_ins.synthetic import SUBSETS, sentiment_prior, sentiment_scores

STEPS, SHORTEST = 20, 5


@dataclass(frozen=True)
class Channel:
    """How a modality shows a label: `error` is the standard deviation of what it tells, or 1 - q for emotions.

    `signal` is the length of a direction or emotion vector, `noise` the standard deviation per feature and step.
    """

    width: int
    error: float
    signal: float
    noise: float


SENTIMENT = {
    "text": Channel(300, 0.7, 3.0, 0.25),
    "audio": Channel(74, 0.9, 3.0, 0.25),
    "video": Channel(47, 0.9, 3.0, 0.25),
}
TRAITS = {**SENTIMENT, "audio": Channel(43, 0.9, 3.0, 0.25), "video": Channel(41, 0.9, 3.0, 0.25)}
EMOTIONS = {
    "text": Channel(300, 0.35, 4.0, 0.25),
    "audio": Channel(74, 0.45, 4.0, 0.25),
    "video": Channel(35, 0.45, 4.0, 0.25),
}
EMOTION_PRIOR = np.array([0.15, 0.2, 0.25, 0.4])
"""Happy, sad, angry, neutral: chosen so that some are rare, as in the corpus."""
_PARTS = {"mosi": (1284, 229, 686), "pom": (600, 100, 203), "iemocap": (2717, 798, 938)}
_VERSION = 1


def load_mosi(root: Path, samples: int, seed: int = 0) -> Corpus:
    """A MOSI-like `mosi.pkl` of `samples` segments; it does not lie under the data folder `root`."""
    return _regression("mosi", lmf_pickles.MOSI, SENTIMENT, 1, 0.0, samples, seed)


def load_pom(root: Path, samples: int, seed: int = 0) -> Corpus:
    """A POM-like `pom.pkl` of `samples` videos with 16 traits from 1 to 7."""
    return _regression("pom", lmf_pickles.POM, TRAITS, 16, 4.0, samples, seed)


def load_iemocap(root: Path, samples: int, label: str = "happy", seed: int = 0) -> Corpus:
    """One binary task of an IEMOCAP-like `iemocap.pkl`; `label` is the emotion."""
    rng = np.random.default_rng([seed, 4])
    emotion = rng.choice(len(EMOTION_PRIOR), size=samples, p=EMOTION_PRIOR)
    cues, shown = {}, {}
    for modality, channel in EMOTIONS.items():
        vectors = _directions(rng, len(EMOTION_PRIOR), channel)
        true = rng.random(samples) >= channel.error
        cues[modality] = np.where(true, emotion, rng.integers(len(EMOTION_PRIOR), size=samples))
        shown[modality] = vectors[cues[modality]]
    features = _render(rng, shown, EMOTIONS, "back")
    names = lmf_pickles.IEMOCAP.emotions
    layout = lmf_pickles.IEMOCAP.layouts[0]
    corpora = {
        name: _corpus("iemocap", "classes", layout, features, (emotion == number).astype(np.int64))
        for number, name in enumerate(names)
    }
    corpus = _through_pickle(
        "iemocap", lmf_pickles.IEMOCAP, EMOTIONS, corpora, {"samples": samples, "seed": seed}, label
    )
    number, test = names.index(label), slice(_stops("iemocap", samples)[-1], None)
    ceilings = {}
    for name, subset in SUBSETS.items():
        best = emotion_posterior({m: cues[m][test] for m in subset})[:, number] > 0.5
        on_test = float(np.mean(best == (emotion[test] == number)))
        ceilings[name] = {"acc": emotion_ceiling(subset, number), "acc, this test set": on_test}
    return _with_ceilings(corpus, "iemocap", ceilings)


def emotion_posterior(cues: Mapping[str, np.ndarray]) -> np.ndarray:
    """P(emotion | cues) `(N, 4)`."""
    joint = _emotion_joint(cues)
    return joint / joint.sum(axis=1, keepdims=True)


def emotion_ceiling(modalities: tuple[str, ...], number: int) -> float:
    """The best expected accuracy of "is it this emotion?", summed over all combinations of cues."""
    combinations = np.array(list(product(range(len(EMOTION_PRIOR)), repeat=len(modalities))))
    joint = _emotion_joint(dict(zip(modalities, combinations.T, strict=True)))
    return float(np.maximum(joint[:, number], joint.sum(axis=1) - joint[:, number]).sum())


def _emotion_joint(cues: Mapping[str, np.ndarray]) -> np.ndarray:
    kinds = len(EMOTION_PRIOR)
    joint = np.tile(EMOTION_PRIOR, (len(next(iter(cues.values()))), 1))
    for modality, cue in cues.items():
        error = EMOTIONS[modality].error
        joint *= np.where(np.arange(kinds) == cue[:, None], 1 - error, 0.0) + error / kinds
    return joint


def regression_ceiling(
    channels: Mapping[str, Channel], modalities: tuple[str, ...], draws: int = 20_000
) -> dict[str, float]:
    """The lowest expected MAE and the best expected two-class accuracy of one target, by simulation (s.e. 0.003)."""
    rng = np.random.default_rng(0)
    labels = sentiment_prior().rvs((draws,), random_state=rng)
    lengths = rng.integers(SHORTEST, STEPS + 1, size=draws)
    variance = {m: _variance(m, channels[m], lengths) for m in modalities}
    told = {m: labels + rng.normal(scale=np.sqrt(variance[m])) for m in modalities}
    return sentiment_scores(labels, told, variance)


def _regression(
    name: str,
    layout: lmf_pickles.LmfPickle,
    channels: Mapping[str, Channel],
    targets: int,
    centre: float,
    samples: int,
    seed: int,
) -> Corpus:
    rng = np.random.default_rng([seed, 3])
    labels = sentiment_prior().rvs((samples, targets), random_state=rng)
    directions = {m: _directions(rng, targets, channel) for m, channel in channels.items()}
    shown = {
        m: (labels + rng.normal(scale=channel.error, size=labels.shape)) @ directions[m]
        for m, channel in channels.items()
    }
    features = _render(rng, shown, channels, layout.side)
    told, variance = {}, {}
    lengths = (features["text"] != 0).any(axis=2).sum(axis=1)
    for modality, channel in channels.items():
        mean = features[modality].sum(axis=1, dtype=np.float64) / (lengths[:, None] if modality == "text" else 1)
        told[modality] = mean @ directions[modality].T / channel.signal**2
        variance[modality] = _variance(modality, channel, lengths)
    corpus = _corpus(name, "regression", layout.layouts[0], features, labels.squeeze() + centre)
    corpus = _through_pickle(name, layout, channels, corpus, {"samples": samples, "seed": seed, "targets": targets})
    test = slice(_stops(name, samples)[-1], None)
    ceilings = {}
    for subset, modalities in SUBSETS.items():
        columns = [
            sentiment_scores(
                labels[test, k], {m: told[m][test, k] for m in modalities}, {m: variance[m][test] for m in modalities}
            )
            for k in range(targets)
        ]
        expected = regression_ceiling(channels, modalities)
        on_test = {f"{metric}, this test set": float(np.mean([c[metric] for c in columns])) for metric in expected}
        ceilings[subset] = {**expected, **on_test}
    if centre:  # a scale without a neutral point has no two classes
        ceilings = {s: {k: v for k, v in best.items() if k.startswith("mae")} for s, best in ceilings.items()}
    return _with_ceilings(corpus, name, ceilings)


def _directions(rng: np.random.Generator, number: int, channel: Channel) -> np.ndarray:
    """Orthogonal rows `(number, width)` of length `signal`."""
    return channel.signal * np.linalg.qr(rng.normal(size=(channel.width, number)))[0].T


def _render(
    rng: np.random.Generator, shown: Mapping[str, np.ndarray], channels: Mapping[str, Channel], side: Side
) -> dict[str, np.ndarray]:
    """Text `(N, 20, d)` with padding on `side`, audio and video `(N, 1, d)`, all under noise."""
    features = {}
    for modality, values in shown.items():
        channel = channels[modality]
        if modality == "text":
            lengths = rng.integers(SHORTEST, STEPS + 1, size=len(values))
            steps = [
                value + rng.normal(scale=channel.noise, size=(t, channel.width))
                for value, t in zip(values, lengths, strict=True)
            ]
            features[modality] = pad(steps, STEPS, side)[0].astype(np.float32)
        else:
            noisy = values + rng.normal(scale=channel.noise, size=values.shape)
            features[modality] = noisy[:, None].astype(np.float32)
    return features


def _variance(modality: str, channel: Channel, lengths: np.ndarray) -> np.ndarray:
    """Of what a modality tells: its own error, and the noise, which text averages over its real steps."""
    steps = lengths if modality == "text" else np.ones_like(lengths)
    return channel.error**2 + (channel.noise / channel.signal) ** 2 / steps


def _stops(name: str, samples: int) -> np.ndarray:
    """Where validation and test begin, in the published proportions."""
    parts = np.array(_PARTS[name])
    return np.rint(samples * parts.cumsum() / parts.sum()).astype(int)[:-1]


def _corpus(name, task, label_names, features, labels) -> Corpus:
    source = synthetic.stand_in_source(f"{name}_lmf_like", {})
    return synthetic.cut(task, label_names, features, labels, _stops(name, len(labels)), source)


def _through_pickle(
    name: str,
    layout: lmf_pickles.LmfPickle,
    channels: Mapping[str, Channel],
    corpora: Corpus | Mapping[str, Corpus],
    identity: Mapping[str, object],
    label: str | None = None,
) -> Corpus:
    described = {m: asdict(channel) for m, channel in channels.items()}
    return synthetic.through_files(
        {"kind": f"lmf {name}", "lmf version": _VERSION, "channels": described, **identity},
        lambda folder: layout.write(folder, corpora),
        lambda folder: layout.read(folder, label),
    )


def _with_ceilings(corpus: Corpus, name: str, ceilings: Mapping[str, Mapping[str, float]]) -> Corpus:
    """The file holds no more than that it is synthetic."""
    about = synthetic.stand_in_source(f"{name}_lmf_like", ceilings)
    warnings = (*about.warnings, *corpus.source.warnings)
    source = replace(corpus.source, warnings=warnings, ceilings=ceilings, cluster=about.cluster)
    return replace(corpus, source=source)
