"""Linear models on frozen features of the real corpora, beside what the inventory of the data says they reach.

    python -m benchmarks.real_data_sanity [mosi|meld|mosei_emotions|mosei_sentiment|ravdess ...]

Needs `./run_all.sh data get mosi_words meld mosei_text ravdess minilm glove_6b_50d`, and for the rows with eGeMAPS the
extra `opensmile`. Joins, labels, splits and features must all be right for these numbers, so one further than
`TOLERANCE` from its figure is an error of ours; a row without a figure says why. Without arguments it writes
`benchmarks/results/real_data_sanity.csv`, unless a row could not be measured. Exit code 1 if a number is too far off.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data import data_root, load
from lib.data.corpus import Corpus
from lib.data.dialogues import meld_text
from lib.data.mosei import mosei_text
from lib.data.mosi import mosi_words
from lib.data.ravdess.clips import EMOTIONS, FOLDS, SENTENCES, Clip
from lib.data.text.frozen import sentence_vectors
from lib.files import atomic_path
from lib.metrics.presence import best_thresholds
from lib.metrics.scores import classification, emotion_scores, regression

RESULTS = Path(__file__).resolve().parent / "results" / "real_data_sanity.csv"
TOLERANCE = 0.02
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Strengths of ridge regression's penalty; the validation split chooses."""
TFIDF_PENALTIES = (0.3, 1.0, 3.0, 10.0)
TFIDF_STRENGTHS = (1.0, 3.0, 10.0, 30.0)
"""Scikit-learn's C of logistic regression on tf-idf; the validation split chooses."""
STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Scikit-learn's C of logistic regression on RAVDESS."""
STRENGTH = 0.1
"""None of them tells more clips of the actors that validate, over all folds, from the face or from eGeMAPS alone."""
PERMUTATIONS = 5
EXPECTED_OF_RAVDESS = {
    "functionals": {("audio",): None, ("video",): 0.568, ("audio", "video"): None},
    "egemaps": {("audio",): 0.510, ("audio", "video"): 0.712},
}
"""The inventory's accuracies; it has none of our own functionals, and the face is the same with either."""
MOST_FREQUENT, SENTENCE, PERMUTED = "the most frequent emotion", "the sentence", "labels permuted in training"
OTHERS = ("train", "valid")
"""The splits of the 21 actors that a fold does not test."""
Folds = Mapping[str, np.ndarray]
Row = dict[str, object]


def mosi(root: Path) -> Iterator[Row]:
    """Ridge regression of sentiment on the standard folds."""
    texts, labels = mosi_words.transcripts(root), labels_of(mosi_words.read(root))
    found = ridge(encoded(texts, root), labels)
    yield from rows("mosi_words, standard", found, {"mae": 0.952, "corr": 0.697, "acc2_nonneg": 0.774})
    yield from rows("mosi_words, standard, tf-idf", ridge(tfidf(texts), labels, TFIDF_PENALTIES), {"mae": 1.164})


def meld(root: Path) -> Iterator[Row]:
    """Logistic regression of the seven emotions at scikit-learn's own strength, on tf-idf at that of validation."""
    texts = meld_text.utterances(root)
    labels = {name: y.argmax(axis=1) for name, y in labels_of(meld_text.read(root, text="glove")).items()}
    classes = len(meld_text.EMOTIONS)

    def scores(vectors: Folds, strength: float, split: str) -> dict[str, float]:
        logits = logistic(vectors["train"], labels["train"], strength=strength)(vectors[split])
        return classification(logits, labels[split], classes)

    yield from rows("meld_text", scores(encoded(texts, root), 1.0, "test"), {"weighted_f1": 0.56})
    words = tfidf(texts)
    best = max(TFIDF_STRENGTHS, key=lambda strength: scores(words, strength, "valid")["weighted_f1"])
    yield from rows("meld_text, tf-idf", scores(words, best, "test"), {"weighted_f1": 0.465})


def mosei_emotions(root: Path) -> Iterator[Row]:
    """Logistic regression of each emotion, rare ones weighted as much as common ones, on the end-to-end paper's split.

    F1 is that at the thresholds with the best F1 in validation. The inventory's weighted accuracy is reached at 0.5;
    at the thresholds of F1, where the paper takes both, it is lower, and no figure of the inventory stands beside it.
    """
    folds = mosei_text.utterances(root, "end_to_end")
    vectors = encoded_mosei(root, folds)
    truths = {name: (fold.intensities > 0).astype(np.float32) for name, fold in folds.items()}
    models = [logistic(vectors["train"], truth, balanced=True) for truth in truths["train"].T]
    logits = {name: np.stack([model(vectors[name]) for model in models], axis=1) for name in ("valid", "test")}
    thresholds = best_thresholds(logits["valid"], truths["valid"])
    scores = emotion_scores(logits["test"], truths["test"], thresholds)
    found = {metric: float(np.mean(values)) for metric, values in scores.items()}
    found["weighted_acc at 0.5"] = float(np.mean(emotion_scores(logits["test"], truths["test"])["weighted_acc"]))
    expected = {"weighted_acc at 0.5": 0.656, "f1_positive": 0.439, "auc": 0.709}
    yield from rows("mosei_text, end_to_end", found, expected)
    about = "at the thresholds of F1; the inventory's is that at 0.5"
    yield from rows("mosei_text, end_to_end", found, {"weighted_acc": None}, about)


def mosei_sentiment(root: Path) -> Iterator[Row]:
    """Ridge regression of sentiment on the standard folds."""
    folds = mosei_text.utterances(root, "standard")
    labels = {name: fold.sentiment for name, fold in folds.items()}
    corpus = "mosei_text_sentiment, standard"
    yield from rows(corpus, ridge(encoded_mosei(root, folds), labels), {"mae": 0.647, "corr": 0.660})
    words = ridge(tfidf({name: fold.texts for name, fold in folds.items()}), labels, TFIDF_PENALTIES)
    yield from rows(f"{corpus}, tf-idf", words, {"mae": 0.671, "corr": 0.626})
    mean = regression(np.full(len(labels["test"]), labels["train"].mean()), labels["test"])
    yield from rows(f"{corpus}, training mean", mean, {"mae": 0.841})


def ravdess(root: Path) -> Iterator[Row]:
    """Logistic regression of the eight emotions from sound, face and both, and controls, on the folds of the runs here.

    The inventory trained on 21 actors: so do the rows with a figure, by joining training and validation, at one
    strength. Beside them the 18 actors of the training split, at the same strength and at that of validation.
    """
    for audio, expected in EXPECTED_OF_RAVDESS.items():
        there = audio != "egemaps" or find_spec("opensmile") is not None
        folds = [load("ravdess", root, fold=fold, audio=audio) for fold in range(FOLDS)] if there else []
        for modalities, figure in expected.items():
            name = f"ravdess, {' and '.join(modalities).replace('audio', f'audio ({audio})')}"
            yield from on_actors(name, folds, modalities, figure)
        if audio == "functionals":
            found = controls(folds)
            for control in (MOST_FREQUENT, SENTENCE):
                yield from rows(f"ravdess, control: {control}", {"acc": found[control]}, {"acc": 0.133})
            about = f"expected is chance; mean of {PERMUTATIONS} permutations (the inventory's one: 0.117)"
            chance = {"acc": 1 / len(EMOTIONS)}
            yield from rows(f"ravdess, control: {PERMUTED}", {"acc": found[PERMUTED]}, chance, about)


def on_actors(name: str, folds: Sequence[Corpus], modalities: Sequence[str], figure: float | None) -> Iterator[Row]:
    """Rows of one set of modalities, over all folds; without folds those of what could not be measured."""
    protocols = (f"{name}, 21 actors", f"{name}, 18 actors, one strength", f"{name}, 18 actors, validated")
    if not folds:
        for protocol in protocols:
            yield from rows(protocol, {"acc": np.nan}, {"acc": None}, "not measured: the extra `opensmile` is missing")
        return
    found = {strength: accuracy(folds, modalities, strength, OTHERS) for strength in STRENGTHS}
    about = f"who validates trains too; C {STRENGTH:g}, at {min(STRENGTHS):g} to {max(STRENGTHS):g} "
    about += f"{min(found.values()):.3f} to {max(found.values()):.3f}"
    if figure is None:
        about = f"the inventory has no figure of our own statistics of sound; {about}"
    elif beyond := [f"{strength:g}" for strength, acc in found.items() if abs(acc - figure) > TOLERANCE]:
        about += f", beyond the tolerance at {', '.join(beyond)}"
    yield from rows(protocols[0], {"acc": found[STRENGTH]}, {"acc": figure}, about)
    fewer, fixed = "three actors fewer to train on, because they validate", accuracy(folds, modalities, STRENGTH)
    yield from rows(protocols[1], {"acc": fixed}, {"acc": None}, f"{fewer}; C {STRENGTH:g}")
    chosen = by_validation(folds, modalities)
    yield from rows(protocols[2], {"acc": chosen}, {"acc": None}, f"{fewer}; of each fold they choose C")


CORPORA: dict[str, Callable[[Path], Iterator[Row]]] = {
    "mosi": mosi,
    "meld": meld,
    "mosei_emotions": mosei_emotions,
    "mosei_sentiment": mosei_sentiment,
    "ravdess": ravdess,
}


def encoded(texts: Mapping[str, Sequence[str]], root: Path) -> Folds:
    """Float32 `(texts, 384)` of each fold; says how fast, which is no speed where the cache has them."""
    started, everything = time.perf_counter(), [text for part in texts.values() for text in part]
    vectors = sentence_vectors(everything, root)
    seconds = time.perf_counter() - started
    print(f"{len(everything)} texts in {seconds:.1f} s ({len(everything) / seconds:.0f} per second)", flush=True)
    ends = np.cumsum([len(part) for part in texts.values()])
    return dict(zip(texts, np.split(vectors, ends[:-1]), strict=True))


def encoded_mosei(root: Path, folds: Mapping[str, mosei_text.Utterances]) -> Folds:
    """The standard folds have every utterance, so both questions share one entry of the cache."""
    texts = {name: fold.texts for name, fold in mosei_text.utterances(root, "standard").items()}
    vectors = encoded(texts, root)
    known = {text: vector for name, part in texts.items() for text, vector in zip(part, vectors[name], strict=True)}
    return {name: np.stack([known[text] for text in fold.texts]) for name, fold in folds.items()}


def labels_of(corpus: Corpus) -> Folds:
    return {name: split.labels for name, split in corpus.splits.items()}


def tfidf(texts: Mapping[str, Sequence[str]]) -> Folds:
    """Words and pairs of words that occur twice in training; sparse `(texts, words)` of each fold."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2).fit(texts["train"])
    return {name: words.transform(part) for name, part in texts.items()}


def ridge(vectors: Folds, labels: Folds, penalties: Sequence[float] = PENALTIES) -> dict[str, float]:
    """Scores of the test split."""
    from sklearn.linear_model import Ridge

    def fitted(penalty: float) -> Callable[[str], dict[str, float]]:
        model = Ridge(alpha=penalty).fit(vectors["train"].astype(np.float64), labels["train"])
        return lambda split: regression(model.predict(vectors[split].astype(np.float64)), labels[split])

    return min((fitted(penalty) for penalty in penalties), key=lambda scores: scores("valid")["mae"])("test")


def accuracy(
    folds: Sequence[Corpus], modalities: Sequence[str], strength: float, trained_on: Sequence[str] = ("train",)
) -> float:
    """Accuracy over all tested clips; each is tested once."""
    right = [told(corpus, modalities, strength, trained_on)("test") for corpus in folds]
    return float(np.concatenate(right).mean())


def by_validation(folds: Sequence[Corpus], modalities: Sequence[str]) -> float:
    """Accuracy over all tested clips, each fold with the strength that its validation actors prefer."""
    right: list[np.ndarray] = []
    for corpus in folds:
        models = [told(corpus, modalities, strength) for strength in STRENGTHS]
        right.append(max(models, key=lambda model: model("valid").mean())("test"))
    return float(np.concatenate(right).mean())


def told(
    corpus: Corpus, modalities: Sequence[str], strength: float, trained_on: Sequence[str] = ("train",)
) -> Callable[[str], np.ndarray]:
    """Which clips of a split a model gets right that is trained on these splits, features standardised over them."""
    from sklearn.preprocessing import StandardScaler

    vectors, labels = joined(corpus, modalities), labels_of(corpus)
    train = np.concatenate([vectors[name] for name in trained_on])
    scale = StandardScaler().fit(train).transform
    model = logistic(scale(train), np.concatenate([labels[name] for name in trained_on]), strength=strength)
    return lambda split: model(scale(vectors[split])).argmax(axis=1) == labels[split]


def controls(folds: Sequence[Corpus]) -> dict[str, float]:
    """Accuracies, over all tested clips, of what knows no emotion, trained on the 21 other actors."""
    right: dict[str, list[np.ndarray]] = {MOST_FREQUENT: [], SENTENCE: [], PERMUTED: []}
    rng = np.random.default_rng(0)
    for corpus in folds:
        labels, vectors, said = labels_of(corpus), joined(corpus, tuple(corpus.modalities)), sentences(corpus)
        train, test = np.concatenate([labels[name] for name in OTHERS]), labels["test"]
        right[MOST_FREQUENT].append(test == np.bincount(train).argmax())
        told_by = logistic(np.concatenate([said[name] for name in OTHERS]), train)
        right[SENTENCE].append(told_by(said["test"]).argmax(axis=1) == test)
        known = np.concatenate([vectors[name] for name in OTHERS])
        for _ in range(PERMUTATIONS):
            model = logistic(known, rng.permutation(train), strength=STRENGTH)
            right[PERMUTED].append(model(vectors["test"]).argmax(axis=1) == test)
    return {name: float(np.concatenate(each).mean()) for name, each in right.items()}


def sentences(corpus: Corpus) -> Folds:
    """Which sentence is said, `(clips, 1)` of each split."""
    first = SENTENCES[0]
    return {
        name: np.array([[Clip.named(key, "the corpus").sentence == first] for key in split.ids], float)
        for name, split in corpus.splits.items()
    }


def joined(corpus: Corpus, modalities: Sequence[str]) -> Folds:
    """The modalities of each split side by side, of clips that are one vector each."""
    splits = corpus.splits.items()
    return {name: np.concatenate([split.features[m][:, 0] for m in modalities], axis=1) for name, split in splits}


def logistic(
    vectors: np.ndarray, labels: np.ndarray, *, balanced: bool = False, strength: float = 1.0
) -> Callable[[np.ndarray], np.ndarray]:
    """Logits of a logistic regression: `(samples, classes)`, or `(samples,)` of two classes; `strength` is its C."""
    from sklearn.linear_model import LogisticRegression

    weights = "balanced" if balanced else None
    solver = "newton-cholesky" if labels.max() == 1 else "lbfgs"  # many times faster on two classes, slower on many
    model = LogisticRegression(C=strength, solver=solver, class_weight=weights, max_iter=1000)
    model.fit(vectors.astype(np.float64), labels)
    return lambda given: model.decision_function(given.astype(np.float64))


def rows(
    corpus: str, found: Mapping[str, float], expected: Mapping[str, float | None], about: str = ""
) -> Iterator[Row]:
    """`expected` holds the inventory's figure, None where there is none, of which `about` says why."""
    for metric, figure in expected.items():
        yield {
            "corpus": corpus,
            "metric": metric,
            "found": found[metric],
            "expected": figure,
            "tolerance": None if figure is None else TOLERANCE,
            "within": None if figure is None else abs(found[metric] - figure) <= TOLERANCE,
            "about": about,
        }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_data_sanity", description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="*", metavar="CORPUS", help=f"of {', '.join(CORPORA)}; none: all, and the csv")
    asked = parser.parse_args(arguments).corpora
    if strange := set(asked) - set(CORPORA):
        parser.error(f"unknown: {', '.join(sorted(strange))}; known: {', '.join(CORPORA)}")
    table = pd.DataFrame([row for name in asked or CORPORA for row in CORPORA[name](data_root())])
    print(table.to_string(index=False, float_format="%.3f"))
    if not asked and table["found"].isna().any():
        lacking = ", ".join(table["corpus"][table["found"].isna()])
        print(f"{RESULTS.name} stays as it is, not measured: {lacking}", file=sys.stderr)
    elif not asked:
        with atomic_path(RESULTS) as path:
            table.to_csv(path, index=False, float_format="%.4f")
    return int(table["within"].eq(False).any())


if __name__ == "__main__":
    sys.exit(main())
