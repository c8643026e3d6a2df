"""Stand-in corpora with known ceilings, written in the real on-disk formats and read by the real readers.

They stand where a corpus is restricted or too large, and they are labelled synthetic everywhere. Both are simple
enough that the best reachable score is computed, not estimated from a model:

IEMOCAP-like. An utterance has a class. Each modality shows a cue, which is the true class with probability `q` and
otherwise any class; the cue is rendered as a class vector plus noise at every step. The noise is so small beside the
distance of the class vectors that a cue is read without error, so the best classifier follows from Bayes' rule over
the cues alone.

MOSI-like. A segment has a sentiment in -3..3 (truncated normal). Each modality shows the sentiment with its own
Gaussian error, rendered along one direction plus Gaussian noise at every step. What a modality tells is then one
number with known variance, and the posterior is integrated on a grid.

In both, audio and video are the stronger cues, and a silent modality (zeros) is not a neutral one. A model that
trains on all modalities leans on them and fails when only text is left: negative co-learning, with a known cause.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from filelock import FileLock

from lib.data import corpora
from lib.data.arrays.mfn_h5 import MOSI
from lib.data.corpus import SPLITS, Corpus, Source, Split, Task
from lib.data.iemocap import iemocap_stacked
from lib.data.iemocap.iemocap_dictionaries import LABELS, Utterances
from lib.data.io.cache import cache_root
from lib.files import sha256_file, sha256_json, write_json, write_text

PUBLISHED_SUPPORT = {
    "fea": 5, "neu": 192, "ang": 130, "fru": 203, "exc": 105, "sur": 15, "hap": 65, "dis": 1, "sad": 145,
}  # fmt: skip
"""Test utterances per class in the published run (spec colearning, section 4.2); `dis`, absent there, gets one."""
CLASS_PRIOR = np.array([PUBLISHED_SUPPORT[name] for name in LABELS]) / sum(PUBLISHED_SUPPORT.values())
ROWS = 256
"""For so many readings at once a posterior on the grid stays in a processor's cache."""
SUBSETS = {"text": ("text",), "text+audio+video": ("text", "audio", "video")}


@dataclass(frozen=True)
class Cue:
    """How one modality shows the label.

    `reliability` is the probability `q` of a true cue for classes, and the standard deviation of the error for
    sentiment. `signal` is the length of a class vector, or of the direction that one unit of sentiment moves along;
    `noise` the standard deviation per feature and step; `offset` what is shown when there is nothing to show.
    """

    width: int
    reliability: float
    signal: float
    noise: float
    offset: float


IEMOCAP_CUES = {
    "text": Cue(300, 0.65, 1.4, 0.25, 0.0),
    "audio": Cue(80, 0.98, 6.0, 0.25, 0.3),
    "video": Cue(310, 0.98, 6.0, 0.25, 0.3),
}
MOSI_CUES = {
    "text": Cue(300, 0.8, 0.45, 0.25, 0.0),
    "audio": Cue(5, 0.05, 3.0, 0.25, 2.0),
    "video": Cue(20, 0.05, 3.0, 0.25, 2.0),
}
"""So far apart, text behind audio and video, that three seeds of a small network show negative co-learning."""
SENTIMENT_MEAN, SENTIMENT_SD = 0.1, 1.2
_VERSION = 3  # of what the generators return
_LIST = "written.json"
_SCORES, _RIGHT = "test_scores.json", "best_decisions.json"
"""What the best decision scores on the test set, by subset of the modalities; whether it is right about each sample,
where the test set is chosen when the corpus is read."""
Found = TypeVar("Found")


class Drawn(NamedTuple):
    """Features `(N, steps, d)` by modality, padded in front; labels `(N,)`; what each modality tells, `(N,)`.

    For classes that is the cue; for sentiment the least-squares reading of the features, with its variance.
    """

    features: dict[str, np.ndarray]
    labels: np.ndarray
    told: dict[str, np.ndarray]
    variance: dict[str, np.ndarray]


def iemocap_like(samples: int, seed: int, steps: int) -> Drawn:
    """Utterances of `steps // 2` to `steps` real steps in the nine classes, at the published class balance."""
    rng = np.random.default_rng([seed, 1])
    labels = rng.choice(len(LABELS), size=samples, p=CLASS_PRIOR)
    lengths = rng.integers(max(1, steps // 2), steps + 1, size=samples)
    features, told = {}, {}
    for modality, cue in IEMOCAP_CUES.items():
        vectors = rng.normal(size=(len(LABELS), cue.width))
        vectors *= cue.signal / np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors += rng.normal(scale=cue.offset, size=cue.width)
        true = rng.random(samples) < cue.reliability
        told[modality] = np.where(true, labels, rng.integers(len(LABELS), size=samples))
        x = rng.normal(scale=cue.noise, size=(samples, steps, cue.width)) + vectors[told[modality]][:, None, :]
        features[modality] = _padded_in_front(x, lengths)
    return Drawn(features, labels, told, {})


def mosi_like(samples: int, seed: int, steps: int) -> Drawn:
    """Segments of `steps // 2` to `steps` real steps with a sentiment in -3..3."""
    rng = np.random.default_rng([seed, 2])
    labels = sentiment_prior().rvs(samples, random_state=rng)
    lengths = rng.integers(max(1, steps // 2), steps + 1, size=samples)
    features, told, variance = {}, {}, {}
    for modality, cue in MOSI_CUES.items():
        direction = rng.normal(size=cue.width)
        direction *= cue.signal / np.linalg.norm(direction)
        shown = labels + rng.normal(scale=cue.reliability, size=samples)
        x = rng.normal(scale=cue.noise, size=(samples, steps, cue.width))
        x += (shown + cue.offset)[:, None, None] * direction
        features[modality] = _padded_in_front(x, lengths)
        total = features[modality].sum(axis=1, dtype=np.float64) @ direction
        told[modality] = total / (lengths * cue.signal**2) - cue.offset
        variance[modality] = _variance(cue, lengths)
    return Drawn(features, labels, told, variance)


def class_posterior(cues: Mapping[str, np.ndarray]) -> np.ndarray:
    """P(class and cues) `(N, classes)`; its rows are proportional to the posterior."""
    joint = np.tile(CLASS_PRIOR, (len(next(iter(cues.values()))), 1))
    for modality, shown in cues.items():
        q = IEMOCAP_CUES[modality].reliability
        joint *= np.where(np.arange(len(LABELS)) == shown[:, None], q, 0.0) + (1 - q) / len(LABELS)
    return joint


def class_ceiling(modalities: tuple[str, ...]) -> dict[str, float]:
    """The best expected accuracy, summed over all combinations of cues."""
    combinations = np.array(list(product(range(len(LABELS)), repeat=len(modalities))))
    joint = class_posterior(dict(zip(modalities, combinations.T, strict=True)))
    return {"acc": float(joint.max(axis=1).sum())}


def sentiment_posterior(told: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Grid of sentiments `(G,)` and posterior `(N, G)` given one reading `(N,)` of known variance `(N,)`."""
    grid, prior = _sentiments()
    log = prior - (told[:, None] - grid) ** 2 / (2 * variance[:, None])
    posterior = np.exp(log - log.max(axis=1, keepdims=True))
    return grid, posterior / posterior.sum(axis=1, keepdims=True)


@cache
def _sentiments() -> tuple[np.ndarray, np.ndarray]:
    """The grid and the logarithm of the prior on it, both `(G,)`."""
    grid = np.linspace(-3, 3, 601)
    return grid, sentiment_prior().logpdf(grid)


def best_sentiment(told: Mapping[str, np.ndarray], variance: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The prediction with the lowest expected MAE (posterior median) and the likelier sign (True: not negative)."""
    precision = sum(1 / variance[m] for m in told)
    reading = sum(told[m] / variance[m] for m in told) / precision
    found = [_median_and_sign(reading[i : i + ROWS], 1 / precision[i : i + ROWS]) for i in range(0, len(reading), ROWS)]
    medians, signs = zip(*found, strict=True)
    return np.concatenate(medians), np.concatenate(signs)


def _median_and_sign(reading: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    grid, posterior = sentiment_posterior(reading, variance)
    median = grid[(posterior.cumsum(axis=1) < 0.5).sum(axis=1).clip(max=len(grid) - 1)]
    return median, posterior[:, grid >= 0].sum(axis=1) >= 0.5


def sentiment_ceiling(modalities: tuple[str, ...], steps: int, draws: int = 20_000) -> dict[str, float]:
    """The lowest expected MAE and best expected two-class accuracy (zero is not negative), by simulation.

    With 20 000 draws the standard errors are about 0.003.
    """
    rng = np.random.default_rng(0)
    labels = sentiment_prior().rvs(draws, random_state=rng)
    lengths = rng.integers(max(1, steps // 2), steps + 1, size=draws)
    variance = {m: _variance(MOSI_CUES[m], lengths) for m in modalities}
    told = {m: labels + rng.normal(scale=np.sqrt(variance[m])) for m in modalities}
    return sentiment_scores(labels, told, variance)


def load_iemocap_like(
    root: Path, samples: int, seed: int = 0, steps: int = 4, split: str = "paper", split_seed: int = 0
) -> Corpus:
    """An IEMOCAP-like corpus of `samples` utterances, by way of the four files of the authors' stacking script.

    `split` and `split_seed` are those of the IEMOCAP reader; the corpus does not lie under the data folder `root`.
    """
    ids = tuple(f"Ses{1 + 5 * i // samples:02d}F_impro01_F{i:05d}" for i in range(samples))
    identity = {"kind": "iemocap", "cues": _plain(IEMOCAP_CUES), "samples": samples, "seed": seed, "steps": steps}

    def write(folder: Path) -> None:
        drawn = iemocap_like(samples, seed, steps)
        source = stand_in_source("iemocap_like", {name: class_ceiling(subset) for name, subset in SUBSETS.items()})
        iemocap_stacked.write_dictionaries(folder, Utterances(ids, drawn.labels, drawn.features), source)
        best = {
            name: class_posterior({m: drawn.told[m] for m in subset}).argmax(axis=1) == drawn.labels
            for name, subset in SUBSETS.items()
        }
        write_json(folder / _RIGHT, {name: right.tolist() for name, right in best.items()})

    corpus, right = through_files(
        identity,
        write,
        lambda folder: (iemocap_stacked.read(folder, split=split, seed=split_seed), _json(folder / _RIGHT)),
    )
    rows = [ids.index(key) for key in corpus.splits["test"].ids]
    return _with_test_scores(
        corpus, {name: {"acc": float(np.mean(np.array(found)[rows]))} for name, found in right.items()}
    )


def load_mosi_like(root: Path, samples: int, seed: int = 0, steps: int = 20) -> Corpus:
    """A MOSI-like corpus of `samples` segments in the published proportions, by way of the MFN HDF5 files."""
    identity = {"kind": "mosi", "cues": _plain(MOSI_CUES), "samples": samples, "seed": seed, "steps": steps}
    identity["sentiment"] = [SENTIMENT_MEAN, SENTIMENT_SD]

    def write(folder: Path) -> None:
        # Ceilings and samples take as long each, in NumPy, which lets them be drawn side by side.
        with ThreadPoolExecutor(len(SUBSETS)) as pool:
            best = {name: pool.submit(sentiment_ceiling, subset, steps) for name, subset in SUBSETS.items()}
            drawn = mosi_like(samples, seed, steps)
            source = stand_in_source("mosi_like", {name: found.result() for name, found in best.items()})
        stops = np.cumsum([round(samples * part / 2199) for part in (1284, 229)])
        MOSI.write(folder, cut("regression", ("sentiment",), drawn.features, drawn.labels, stops, source))
        test = slice(stops[-1], None)
        scores = {
            name: sentiment_scores(
                drawn.labels[test],
                {m: drawn.told[m][test] for m in subset},
                {m: drawn.variance[m][test] for m in subset},
            )
            for name, subset in SUBSETS.items()
        }
        write_text(folder / _SCORES, json.dumps(scores))  # in their order

    return _with_test_scores(
        *through_files(identity, write, lambda folder: (MOSI.read(folder), _json(folder / _SCORES)))
    )


def sentiment_prior():
    from scipy.stats import truncnorm  # slow to load: not for who reads what is written

    low, high = (-3 - SENTIMENT_MEAN) / SENTIMENT_SD, (3 - SENTIMENT_MEAN) / SENTIMENT_SD
    return truncnorm(low, high, loc=SENTIMENT_MEAN, scale=SENTIMENT_SD)


def _variance(cue: Cue, lengths: np.ndarray) -> np.ndarray:
    """Of a modality's reading: its own error, and the noise averaged over the real steps."""
    return cue.reliability**2 + (cue.noise / cue.signal) ** 2 / lengths


def sentiment_scores(labels: np.ndarray, told: Mapping, variance: Mapping) -> dict[str, float]:
    median, positive = best_sentiment(told, variance)
    return {"mae": float(np.abs(median - labels).mean()), "acc2_nonneg": float(np.mean(positive == (labels >= 0)))}


def _padded_in_front(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    real = np.arange(x.shape[1])[None, :] >= x.shape[1] - lengths[:, None]
    return np.where(real[..., None], x, 0.0).astype(np.float32)


def cut(
    task: Task,
    label_names: tuple[str, ...],
    features: Mapping[str, np.ndarray],
    labels: np.ndarray,
    stops,
    source: Source,
) -> Corpus:
    """Samples `(N, ...)` to be written, cut at two `stops` into training, validation and test; readers find lengths."""
    splits = {
        split: Split(
            features={m: x[rows] for m, x in features.items()},
            lengths=np.zeros(len(rows), dtype=np.int64),
            labels=labels[rows],
            ids=tuple(map(str, rows)),
        )
        for split, rows in zip(SPLITS, np.split(np.arange(len(labels)), stops), strict=True)
    }
    return Corpus(task, label_names, {m: x.shape[2] for m, x in features.items()}, splits, source)


def stand_in_source(corpus: str, ceilings: Mapping[str, Mapping[str, float]]) -> Source:
    """Of the synthetic corpus of this name, as it is described in `corpora`."""
    about, rule = corpora.get(corpus), "as for the corpus it stands for"
    return Source(about.label, True, {}, about.licence, rule, about.warnings, ceilings, about.cluster)


def _plain(cues: Mapping[str, Cue]) -> dict[str, dict]:
    return {modality: asdict(cue) for modality, cue in cues.items()}


def through_files(
    identity: Mapping[str, object], write: Callable[[Path], None], read: Callable[[Path], Found]
) -> Found:
    """Write the corpus beside the cache unless it is there, and read it; a damaged one is written anew.

    Several processes may come at once: the first writes, the others wait.
    """
    folder = cache_root() / "stand_ins" / sha256_json({"version": _VERSION, **identity})
    if not _as_written(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not _as_written(folder):
                shutil.rmtree(folder, ignore_errors=True)
                write(folder)
                write_json(folder / _LIST, _hashes(folder))
    return read(folder)


def _as_written(folder: Path) -> bool:
    """Whether each file is what was written: one other bit would be another corpus under the same name."""
    try:
        return _json(folder / _LIST) == _hashes(folder)
    except (OSError, ValueError):
        return False


def _hashes(folder: Path) -> dict[str, str]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != _LIST]
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in paths}


def _json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def _with_test_scores(corpus: Corpus, scores: Mapping[str, Mapping[str, float]]) -> Corpus:
    """Add to the expected ceilings what the best decision scores on this very test set."""
    ceilings = {
        name: {**best, **{f"{metric}, this test set": value for metric, value in scores[name].items()}}
        for name, best in corpus.source.ceilings.items()
    }
    return replace(corpus, source=replace(corpus.source, ceilings=ceilings))
