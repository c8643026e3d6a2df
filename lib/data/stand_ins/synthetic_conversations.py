"""Stand-ins for the conversation pickles of SPCL, written and read in that format, with computed ceilings.

A dialogue is a sequence of utterances by a few speakers. Each speaker has an emotion that stays from one of their
utterances to the next with probability `STAY` and is drawn anew otherwise, so what was said before and after helps.
Each modality shows a cue, which is the true emotion with probability `reliability` and otherwise any, rendered as an
emotion's vector under Gaussian noise. By default text is strong, audio weak (its cue is often another emotion) and
video noisy (its cue is good, but drowned): the imbalance that the SPCL paper is about.

Given the features of a modality subset, the probability of an utterance's features under each emotion is a known
mixture, and each speaker's emotions are a hidden Markov chain. So forward-backward gives the exact posterior of every
utterance, and its most likely emotion is the best decision that any model can make.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp
from sklearn.metrics import f1_score

from lib.data.corpus import Corpus
from lib.data.dialogues import spcl_pickles
from lib.data.dialogues.conversation_batches import Dialogue
from lib.data.dialogues.stored_dialogues import MODALITIES, DialoguePickle, SplitRule, StoredDialogues
from lib.data.stand_ins import synthetic
from lib.errors import InputError

STAY = 0.6
CHANGE_OF_SPEAKER = 0.75
SUBSETS = tuple(subset for size in (1, 2, 3) for subset in combinations(MODALITIES, size))
_VERSION = 1


@dataclass(frozen=True)
class Cue:
    """How one modality shows an emotion; the three numbers set how strong, weak or noisy it is.

    `signal` is the length of an emotion's vector, `noise` the standard deviation per feature.
    """

    width: int
    reliability: float
    signal: float
    noise: float


CUES = {
    "text": Cue(32, 0.65, 3.0, 0.5),
    "audio": Cue(24, 0.4, 3.0, 0.5),
    "video": Cue(48, 0.6, 3.0, 1.6),
}
COUNTS = {
    "iemocap": np.array([504, 839, 1324, 933, 742, 1468]),
    "meld": np.array([4710, 1205, 268, 683, 1743, 271, 1109]),
}
"""Training utterances by emotion (spec self_paced_balance, 1.2); the stand-ins have their proportions."""


class Drawn(NamedTuple):
    """Dialogues, and for each the log likelihood of its utterances' features under each emotion, by modality."""

    dialogues: list[Dialogue]
    told: list[dict[str, np.ndarray]]


def load_iemocap(root: Path, samples: int, seed: int = 0, **options) -> Corpus:
    """An IEMOCAP-like `iemocap.pkl` of `samples` dialogues of 5 to 16 utterances by two speakers.

    A fifth of them are for testing. `split_seed` is the reader's seed; `cues` replaces `CUES`, `stay` replaces `STAY`.
    It does not lie under the data folder `root`.
    """
    return _load(spcl_pickles.IEMOCAP, (5, 16), samples, seed, **options)


def load_meld(root: Path, samples: int, seed: int = 0, **options) -> Corpus:
    """A MELD-like `meld.pkl` of `samples` dialogues of 1 to 16 utterances by up to eight speakers; else as above."""
    return _load(spcl_pickles.MELD, (1, 16), samples, seed, **options)


def draw(
    rng: np.random.Generator,
    number: int,
    prior: np.ndarray,
    lengths: tuple[int, int],
    speakers: int,
    vectors: Mapping[str, np.ndarray],
    cues: Mapping[str, Cue],
    stay: float,
) -> Drawn:
    """`number` dialogues, named by their place, with 2 to `speakers` parties each (one, where it is one utterance)."""
    dialogues, told = [], []
    for place in range(number):
        length = int(rng.integers(lengths[0], lengths[1] + 1))
        who = _turns(rng, length, int(rng.integers(2, speakers + 1)))
        labels = _emotions(rng, who, prior, stay)
        features, likelihoods = {}, {}
        for m, cue in cues.items():
            true = rng.random(length) < cue.reliability
            shown = np.where(true, labels, rng.integers(len(prior), size=length))
            x = vectors[m][shown] + rng.normal(scale=cue.noise, size=(length, cue.width))
            features[m] = x.astype(np.float32)
            likelihoods[m] = log_likelihood(features[m], vectors[m], cue)
        dialogues.append(Dialogue(str(place), who, labels, features))
        told.append(likelihoods)
    return Drawn(dialogues, told)


def log_likelihood(x: np.ndarray, vectors: np.ndarray, cue: Cue) -> np.ndarray:
    """log p(features | emotion) `(utterances, emotions)`, up to a constant of the utterance."""
    distance = ((x[:, None].astype(np.float64) - vectors) ** 2).sum(-1)
    of_cue = -distance / (2 * cue.noise**2)
    emotions = len(vectors)
    other = np.log((1 - cue.reliability) / emotions) + logsumexp(of_cue, axis=1, keepdims=True)
    return np.logaddexp(np.log(cue.reliability) + of_cue, other)


def posterior(log_likelihoods: np.ndarray, speakers: np.ndarray, prior: np.ndarray, stay: float) -> np.ndarray:
    """P(emotion | all features of the dialogue) `(utterances, emotions)`: each speaker's chain by itself."""
    told = np.exp(log_likelihoods - log_likelihoods.max(axis=1, keepdims=True))
    step = stay * np.eye(len(prior)) + (1 - stay) * prior
    found = np.empty_like(told)
    for speaker in np.unique(speakers):
        rows = np.flatnonzero(speakers == speaker)
        before, after = [prior], [np.ones(len(prior))]
        for row, earlier in zip(rows[:-1], rows[::-1][:-1], strict=True):
            before.append(_unit(before[-1] * told[row]) @ step)
            after.append(_unit(step @ (after[-1] * told[earlier])))
        found[rows] = np.array(before) * told[rows] * np.array(after[::-1])
    return found / found.sum(axis=1, keepdims=True)


def _unit(values: np.ndarray) -> np.ndarray:
    return values / values.sum()


def ceilings(drawn: Drawn, prior: np.ndarray, stay: float) -> dict[str, dict[str, float]]:
    """By modality subset: accuracy of the best decision, which none can beat in expectation, and its weighted F1.

    `acc without context` is the best that an utterance's own features allow.
    """
    labels = np.concatenate([dialogue.labels for dialogue in drawn.dialogues])
    found = {}
    for subset in SUBSETS:
        told = [sum(likelihoods[m] for m in subset) for likelihoods in drawn.told]
        pairs = zip(told, drawn.dialogues, strict=True)
        best = np.concatenate([posterior(x, d.speakers, prior, stay).argmax(1) for x, d in pairs])
        alone = (np.concatenate(told) + np.log(prior)).argmax(1)
        found["+".join(subset)] = {
            "acc": float(np.mean(best == labels)),
            "weighted_f1": float(f1_score(labels, best, average="weighted", zero_division=0.0)),
            "acc without context": float(np.mean(alone == labels)),
        }
    return found


def _load(
    layout: DialoguePickle,
    lengths: tuple[int, int],
    samples: int,
    seed: int,
    *,
    split_seed: int = 0,
    split: SplitRule = "paper",
    cues: Mapping[str, Cue] = CUES,
    stay: float = STAY,
    expected_from: int = 400,
) -> Corpus:
    kind, counts = layout.kind, COUNTS[layout.kind.name]
    prior = counts / counts.sum()
    rng = np.random.default_rng([seed, 6])
    vectors = {m: _emotion_vectors(rng, len(prior), cue) for m, cue in cues.items()}
    about = (prior, lengths, kind.speakers, vectors, cues, stay)
    drawn = draw(rng, samples, *about)
    tested = samples // 5
    if not tested:
        what = f"{samples} dialogues, a fifth of which, the test set, is none"
        raise InputError(what, where=kind.title, todo="raise `samples`")
    names = [dialogue.id for dialogue in drawn.dialogues]
    stored = StoredDialogues.checked(drawn.dialogues, names[tested:], names[:tested])
    expected = ceilings(draw(np.random.default_rng([seed, 7]), expected_from, *about), prior, stay)
    found = ceilings(Drawn(drawn.dialogues[:tested], drawn.told[:tested]), prior, stay)
    both = {s: best | {f"{k}, this test set": v for k, v in found[s].items()} for s, best in expected.items()}
    source = synthetic.stand_in_source(f"{layout.name}_like", both)
    identity = {
        "kind": f"{kind.name} conversations",
        "conversations version": _VERSION,
        "cues": {m: asdict(cue) for m, cue in cues.items()},
        "stay": stay,
        "lengths": list(lengths),
        "samples": samples,
        "seed": seed,
    }
    return synthetic.through_files(
        identity,
        lambda folder: layout.write(folder, stored, source),
        lambda folder: layout.read(folder, seed=split_seed, split=split),
    )


def _emotion_vectors(rng: np.random.Generator, emotions: int, cue: Cue) -> np.ndarray:
    """Orthogonal rows `(emotions, width)` of length `signal`."""
    return cue.signal * np.linalg.qr(rng.normal(size=(cue.width, emotions)))[0].T


def _turns(rng: np.random.Generator, length: int, parties: int) -> np.ndarray:
    """Who speaks each utterance."""
    changes = rng.random(length) < CHANGE_OF_SPEAKER
    steps = np.where(changes, rng.integers(1, parties, size=length), 0)
    return (np.cumsum(steps) % parties).astype(np.int64)


def _emotions(rng: np.random.Generator, who: np.ndarray, prior: np.ndarray, stay: float) -> np.ndarray:
    """The label of each utterance; a speaker's first is drawn from the prior."""
    labels, last = rng.choice(len(prior), size=len(who), p=prior), {}
    for row, (speaker, stays) in enumerate(zip(who.tolist(), rng.random(len(who)) < stay, strict=True)):
        if stays and speaker in last:
            labels[row] = last[speaker]
        last[speaker] = labels[row]
    return labels
