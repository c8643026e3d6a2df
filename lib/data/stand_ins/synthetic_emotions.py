"""Stand-ins for the emotion corpora of the emotion-embedding release, in its formats, with computed ceilings.

An emotion is a point of three qualities (valence, arousal, dominance) and a little of its own. A sample shows the sum
of its emotions in the text, and fixed linear images of that sum in audio and video, each under an error of the sample
and noise at every step. MOSEI-like: every emotion is present or not, independently; some samples have none.
IEMOCAP-like: a sample has one emotion. No modality suffices, because each errs on its own.

The stored word vector of an emotion is what it adds to the text, so an emotion that was never trained on can be
recognised by its vector. The option `control` names an exception: its stored vector is random and orthogonal to
everything that is shown, so it tells nothing about its samples, and only training on them does. The samples are the
same with and without it.

Ceilings are Monte Carlo means of the exact posterior. The mean over the real steps is sufficient, and given the
emotions it is Gaussian, so the likelihood of every combination of emotions (64, or 4) is written down.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
from jaxtyping import Float
from sklearn.metrics import roc_auc_score

from lib.data.arrays import emotion_arrays
from lib.data.arrays.emotion_arrays import EmotionArrays
from lib.data.arrays.emotion_rules import IEMOCAP_EMOTIONS, MOSEI_EMOTIONS
from lib.data.corpus import Corpus
from lib.data.io import vector_files
from lib.data.io.cache import cache_root
from lib.data.stand_ins.synthetic import cut, stand_in_source, through_files
from lib.errors import InputError
from lib.files import sha256_json

CONTROL = {"mosei_emotions_like": "surprise", "iemocap_emotions_like": "angry"}
"""For each stand-in an emotion that suits as its control."""
STEPS, SHORTEST = 20, 8
SIZE = 2.0
"""How far an emotion moves the text; errors and noise are measured beside it."""
OWN = 0.25
"""Length of what an emotion has beside its three qualities, before its vector is scaled to length 1."""
QUALITIES = {
    "anger": (-0.6, 0.7, 0.5), "disgust": (-0.8, 0.0, 0.5), "fear": (-0.6, 0.6, -0.7), "happy": (1.0, 0.4, 0.0),
    "sad": (-0.7, -0.7, 0.0), "surprise": (0.3, 0.9, -0.5), "angry": (-0.6, 0.8, 0.0), "neutral": (0.3, -0.9, 0.0),
}  # fmt: skip
"""Valence, arousal and dominance of each emotion word, as the features show them. Three seen emotions that exclude
each other fix no more than two directions, so those of IEMOCAP differ in two qualities only."""
SUBSETS = {
    "+".join(subset): subset
    for subset in (
        ("text",), ("audio",), ("video",), ("text", "audio"), ("text", "video"), ("audio", "video"),
        ("text", "audio", "video"),
    )
}  # fmt: skip
DRAWS = 20_000
"""Of the ceilings; their standard errors are below 0.004."""
_VERSION = 2


WIDTHS = {"text": 24, "audio": 12, "video": 8}


@dataclass(frozen=True)
class Channel:
    """A modality: its width; standard deviations of a sample's error and of each step's noise, per feature."""

    width: int
    error: float
    noise: float = 1.0


@dataclass(frozen=True)
class Kind:
    """One of the stand-ins: its emotions, how often each is there, and how far each modality errs.

    `exclusive`: a sample has exactly one emotion.
    """

    title: str
    layout: EmotionArrays
    emotions: tuple[str, ...]
    share: tuple[float, ...]
    exclusive: bool
    errors: tuple[float, float, float]

    @property
    def channels(self) -> dict[str, Channel]:
        """By modality."""
        return {m: Channel(w, e) for (m, w), e in zip(WIDTHS.items(), self.errors, strict=True)}

    @property
    def combinations(self) -> np.ndarray:
        """All rows of labels that occur, `(C, K)`."""
        number = len(self.emotions)
        return np.eye(number) if self.exclusive else np.array(list(product((0.0, 1.0), repeat=number)))

    @property
    def prior(self) -> np.ndarray:
        """Probability of each combination, `(C,)`."""
        share = np.array(self.share)
        if self.exclusive:
            return share
        return np.where(self.combinations == 1, share, 1 - share).prod(axis=1)


MOSEI = Kind(
    title="MOSEI-emotions-like",
    layout=emotion_arrays.MOSEI,
    emotions=MOSEI_EMOTIONS,
    share=(0.25, 0.2, 0.15, 0.5, 0.3, 0.15),
    exclusive=False,
    errors=(0.8, 0.95, 1.2),
)
IEMOCAP = Kind(
    title="IEMOCAP-emotions-like",
    layout=emotion_arrays.IEMOCAP,
    emotions=IEMOCAP_EMOTIONS,
    share=(0.35, 0.15, 0.25, 0.25),
    exclusive=True,
    errors=(1.0, 1.7, 2.0),
)
# The errors are so large that with three seeds all modalities together are told from text, the best one, alone.
KINDS = {"mosei_emotions_like": MOSEI, "iemocap_emotions_like": IEMOCAP}


def load_mosei(root: Path, samples: int, seed: int = 0, control: str = "") -> Corpus:
    """A MOSEI-like corpus of `samples` segments; it does not lie under the data folder `root`.

    Raises InputError for a `control` that is not one of its emotions.
    """
    return _load(MOSEI, samples, seed, control)


def load_iemocap(root: Path, samples: int, seed: int = 0, control: str = "") -> Corpus:
    """An IEMOCAP-like corpus of `samples` utterances with one of four emotions each; otherwise as `load_mosei`."""
    return _load(IEMOCAP, samples, seed, control)


def shown_vectors(names: tuple[str, ...], modality: str = "text") -> Float[np.ndarray, "emotions width"]:
    """What each emotion adds to a modality, times `SIZE`; float64, of length 1 in the text."""
    width = WIDTHS["text"]
    basis = np.linalg.qr(np.random.default_rng(5).normal(size=(width, width)))[0]
    numbers = [list(QUALITIES).index(name) for name in names]
    qualities = np.array([QUALITIES[name] for name in names])
    vectors = qualities @ basis[:3] + OWN * basis[3:][numbers]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors if modality == "text" else vectors @ _image(modality)


def word_vectors(names: tuple[str, ...], control: str = "") -> Float[np.ndarray, "emotions width"]:
    """Float32 unit vectors as they are stored: those that the text shows, but a random one for `control`."""
    shown, stored = shown_vectors(tuple(QUALITIES)), []
    for name in names:
        vector = shown_vectors((name,))[0]
        if name == control:
            vector = np.random.default_rng(list(name.encode())).normal(size=len(vector))
            vector -= shown.T @ np.linalg.lstsq(shown.T, vector, rcond=None)[0]
        stored.append(vector / np.linalg.norm(vector))
    return np.array(stored, dtype=np.float32)


def vector_file(control: str = "") -> Path:
    """The released pickle's counterpart beside the cache, with all words, also capitalised; written if absent."""
    vectors = dict(zip(QUALITIES, word_vectors(tuple(QUALITIES), control), strict=True))
    capitalised = {word.capitalize(): vector for word, vector in vectors.items()}
    identity = sha256_json({word: vector.tolist() for word, vector in vectors.items()})
    path = cache_root() / "stand_ins" / identity / vector_files.RELEASED
    if not path.is_file():
        vector_files.write(path, vectors | capitalised)
    return path


def best_scores(kind: Kind, modalities: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The best reachable `acc`, `weighted_acc` and `auc` of every emotion, `(K,)` each, from these modalities.

    `weighted_acc` is the mean of the shares of right answers among samples with and without the emotion.
    """
    labels, likelihoods = _draws(kind)
    posterior = _posterior(kind, sum(likelihoods[m] for m in modalities))
    share = posterior.mean(axis=0)
    return {
        "acc": np.maximum(posterior, 1 - posterior).mean(axis=0),
        "weighted_acc": np.maximum(posterior / share, (1 - posterior) / (1 - share)).mean(axis=0) / 2,
        "auc": np.array([roc_auc_score(y, p) for y, p in zip(labels.T, posterior.T, strict=True)]),
    }


def log_likelihood(
    kind: Kind, modality: str, mean: Float[np.ndarray, "samples width"], lengths: np.ndarray
) -> Float[np.ndarray, "samples combinations"]:
    """Of a sample's mean over its real steps, up to a constant per sample, under each combination of emotions."""
    channel = kind.channels[modality]
    centres = kind.combinations @ shown_vectors(kind.emotions, modality) * SIZE
    distance = (centres**2).sum(axis=1) - 2 * mean @ centres.T
    return -distance / (2 * _variance(channel, lengths))[:, None]


def _image(modality: str) -> np.ndarray:
    text, width = WIDTHS["text"], WIDTHS[modality]
    rng = np.random.default_rng(list(modality.encode()))
    return np.linalg.qr(rng.normal(size=(text, width)))[0] * np.sqrt(text / width)


def _variance(channel: Channel, lengths: np.ndarray) -> np.ndarray:
    """Of each feature of the mean over the real steps."""
    return channel.error**2 + channel.noise**2 / lengths


def _posterior(kind: Kind, likelihood: np.ndarray) -> np.ndarray:
    """Probability of every emotion, `(N, K)`."""
    joint = np.exp(likelihood - likelihood.max(axis=1, keepdims=True)) * kind.prior
    return joint @ kind.combinations / joint.sum(axis=1, keepdims=True)


def _draw(kind: Kind, samples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels `(N, K)` and lengths `(N,)`."""
    labels = kind.combinations[rng.choice(len(kind.prior), size=samples, p=kind.prior)]
    return labels, rng.integers(SHORTEST, STEPS + 1, size=samples)


@cache
def _draws(kind: Kind) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Labels and log likelihoods by modality of `DRAWS` samples."""
    rng = np.random.default_rng(0)
    labels, lengths = _draw(kind, DRAWS, rng)
    likelihoods = {}
    for modality, channel in kind.channels.items():
        mean = labels @ shown_vectors(kind.emotions, modality) * SIZE
        mean += rng.normal(size=mean.shape) * np.sqrt(_variance(channel, lengths))[:, None]
        likelihoods[modality] = log_likelihood(kind, modality, mean, lengths)
    return labels, likelihoods


@cache
def _ceilings(kind: Kind) -> Mapping[str, Mapping[str, float]]:
    """`best_scores` averaged over the emotions; where one emotion excludes the others, how often it is named right."""
    found = {}
    for name, subset in SUBSETS.items():
        found[name] = {metric: float(values.mean()) for metric, values in best_scores(kind, subset).items()}
        if kind.exclusive:
            likelihoods = _draws(kind)[1]
            found[name]["acc_exclusive"] = float(
                _posterior(kind, sum(likelihoods[m] for m in subset)).max(axis=1).mean()
            )
    return found


def _load(kind: Kind, samples: int, seed: int, control: str) -> Corpus:
    """Draw, write in the format of the release, and read back."""
    if control not in ("", *kind.emotions):
        raise InputError(f"control {control!r} is not among {', '.join(kind.emotions)}", where=kind.title)
    rng = np.random.default_rng([seed, len(kind.emotions)])
    labels, lengths = _draw(kind, samples, rng)
    real = np.arange(STEPS)[None, :] >= STEPS - lengths[:, None]
    features = {}
    for modality, channel in kind.channels.items():
        shown = labels @ shown_vectors(kind.emotions, modality) * SIZE
        shown += rng.normal(scale=channel.error, size=shown.shape)
        steps = shown[:, None] + rng.normal(scale=channel.noise, size=(samples, STEPS, channel.width))
        features[modality] = np.where(real[..., None], steps, 0.0).astype(np.float32)
    stops = np.rint(samples * np.array([0.6, 0.75])).astype(int)
    source = stand_in_source(f"{kind.layout.name}_like", _ceilings(kind))
    made = cut("multilabel", kind.emotions, features, labels.astype(np.float32), stops, source)
    identity = {"kind": kind.title, "emotions version": _VERSION, "samples": samples, "seed": seed}
    identity |= {"channels": {m: asdict(channel) for m, channel in kind.channels.items()}, "qualities": QUALITIES}
    identity |= {"share": kind.share, "steps": [SHORTEST, STEPS], "size": SIZE, "own": OWN}
    corpus = through_files(identity, lambda folder: kind.layout.write(folder, made), kind.layout.read)
    if not control:
        return corpus
    warning = f"the stored word vector of {control} is random: a control, which its samples have nothing to do with"
    return replace(corpus, source=replace(corpus.source, warnings=(*corpus.source.warnings, warning)))
