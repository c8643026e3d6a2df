"""The test scores of the LMF, TFN and MMSA scripts, with their own rounding (spec lmf, section 7).

Names and definitions are those of `lib.metrics.scores`, which also has the unrounded and the clipped
variants. Arrays are `(N,)` or `(N, 1)` where a script has one output.
"""

import numpy as np
from sklearn.metrics import f1_score, precision_recall_fscore_support

from lib.metrics.scores import classification, regression

Scores = dict[str, float]


def lmf_mosi(predictions: np.ndarray, labels: np.ndarray) -> Scores:
    """The paper's MOSI columns: MAE, Corr, Acc-7 (not clipped), Acc-2 and F1 (zero counts as positive)."""
    scores = regression(predictions.ravel(), labels.ravel())
    kept = ("mae", "corr", "acc7_rounded", "acc2_nonneg", "f1_binary_weighted")
    return {name: scores[name] for name in kept} | {"corr": round(scores["corr"], 5)}


def lmf_pom(predictions: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Per trait, from `(N, K)`: `mae`, `corr` and `acc_rounded` (rounded values equal), each `(K,)`, to 3 digits.

    The paper reports their means over the traits.
    """
    columns = [regression(p, y, neutral=None, limits=(1.0, 7.0)) for p, y in zip(predictions.T, labels.T, strict=True)]
    names = {"mae": "mae", "corr": "corr", "acc_rounded": "acc7_rounded"}
    return {name: np.round([scores[standard] for scores in columns], 3) for name, standard in names.items()}


def lmf_iemocap(logits: np.ndarray, labels: np.ndarray) -> Scores:
    """One emotion, from `(N, 2)` logits and classes (1 is present): the paper's F1 is `weighted_f1` (quirk 24).

    Beside it stand the F1 of `present` alone, and what a model scores that never finds the emotion.
    """
    scores = classification(logits, labels, 2)
    never = classification(np.tile([1.0, 0.0], (len(labels), 1)), labels, 2)
    return {
        "weighted_f1": scores["weighted_f1"],
        "acc": scores["acc"],
        "f1_present": scores["f1_class_1"],
        "weighted_f1_never": never["weighted_f1"],
        "acc_never": never["acc"],
    }


def tfn_mosi(predictions: np.ndarray, labels: np.ndarray) -> Scores:
    """The TFN script: precision, recall and F1 of the positive class (zero included), none rounded."""
    predictions, labels = predictions.ravel(), labels.ravel()
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels >= 0, predictions >= 0, average="binary", zero_division=0.0
    )
    scores = regression(predictions, labels)
    return {
        "acc2_nonneg": scores["acc2_nonneg"],
        "precision_positive": float(precision),
        "recall_positive": float(recall),
        "f1_positive": float(f1),
        "acc7_rounded": float(np.mean(np.round(predictions) == np.round(labels))),
        "corr": scores["corr"],
    }


def mmsa_mosi(predictions: np.ndarray, labels: np.ndarray) -> Scores:
    """MMSA: both sides clipped before rounding; zero labels positive or left out; all to 4 digits."""
    predictions, labels = predictions.ravel(), labels.ravel()
    scores = regression(predictions, labels)
    polar = labels != 0
    found = {
        "acc2_nonneg": scores["acc2_nonneg"],
        "f1_binary_weighted": scores["f1_binary_weighted"],
        "acc2_nonzero": scores["acc2_nonzero"],
        "f1_nonzero_weighted": f1_score(labels[polar] > 0, predictions[polar] > 0, average="weighted"),
        "acc5_clipped": np.mean(np.round(np.clip(predictions, -2, 2)) == np.round(np.clip(labels, -2, 2))),
        "acc7_clipped": scores["acc7_clipped"],
        "mae": scores["mae"],
        "corr": scores["corr"],
    }
    return {name: round(float(value), 4) for name, value in found.items()}
