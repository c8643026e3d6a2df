"""The test scores as the published scripts print them, with their own rounding, from those of `lib.metrics`.

Arrays are `(N,)` or `(N, 1)` where a script has one output.
"""

import numpy as np
from jaxtyping import Float, Int

from lib.metrics.presence import PerEmotion, acc, weighted_f1
from lib.metrics.scores import classification, f1, regression

Scores = dict[str, float]


def lmf_mosi(predictions: np.ndarray, labels: np.ndarray) -> Scores:
    """The paper's MOSI columns: MAE, Corr, Acc-7 (unclipped), Acc-2, F1 (zero is positive); spec low_rank_fusion, 7."""
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
    """One emotion, from `(N, 2)` logits and classes (1 is present): the paper's F1 is `weighted_f1` (spec
    low_rank_fusion, quirk 24).

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
    from sklearn.metrics import precision_recall_fscore_support

    predictions, labels = predictions.ravel(), labels.ravel()
    precision, recall, f1_positive, _ = precision_recall_fscore_support(
        labels >= 0, predictions >= 0, average="binary", zero_division=0.0
    )
    scores = regression(predictions, labels)
    return {
        "acc2_nonneg": scores["acc2_nonneg"],
        "precision_positive": float(precision),
        "recall_positive": float(recall),
        "f1_positive": float(f1_positive),
        "acc7_rounded": float(np.mean(np.round(predictions) == np.round(labels))),
        "corr": scores["corr"],
    }


def mmsa_mosi(predictions: np.ndarray, labels: np.ndarray) -> Scores:
    """MMSA: both sides clipped before rounding; zero labels positive or left out; all to 4 digits."""
    predictions, labels = predictions.ravel(), labels.ravel()
    scores, polar = regression(predictions, labels), labels != 0
    scores["f1_nonzero_weighted"] = f1(labels[polar] > 0, predictions[polar] > 0, "weighted")
    scores["acc5_clipped"] = regression(predictions, labels, limits=(-2.0, 2.0))["acc5_clipped"]
    kept = ("acc2_nonneg", "f1_binary_weighted", "acc2_nonzero", "f1_nonzero_weighted", "acc5_clipped", "acc7_clipped")
    return {name: round(float(scores[name]), 4) for name in (*kept, "mae", "corr")}


def sentiment_scores(
    predictions: Float[np.ndarray, "samples"],
    truths: Float[np.ndarray, "samples"],
    *,
    exclude_zero: bool = False,
) -> Scores:
    """The emotion-embedding reference's scores of sentiment in [-3, 3] (spec emotion_embeddings, section 8).

    `acc2_above_zero` and the F1s compare "above 0", with `exclude_zero` on samples whose label is not 0 only.
    `weighted_f1_swapped` is the reference's: it passes the predictions as the truth, so their frequencies
    weight the classes; `weighted_f1` is the standard.
    """
    general = regression(predictions, truths)
    kept = truths != 0 if exclude_zero else np.full(truths.shape, True)
    predicted, true = (predictions[kept] > 0)[:, None], (truths[kept] > 0)[:, None]
    return {
        "mae": general["mae"],
        "corr": general["corr"],
        "acc5_clipped": regression(predictions, truths, limits=(-2, 2))["acc5_clipped"],
        "acc7_clipped": general["acc7_clipped"],
        "acc2_above_zero": float(acc(predicted, true)[0]),
        "weighted_f1": float(weighted_f1(predicted, true)[0]),
        "weighted_f1_swapped": float(weighted_f1(true, predicted)[0]),
    }


def seven_levels(sentiment: Float[np.ndarray, "samples"]) -> Int[np.ndarray, "samples"]:
    """Round away from zero to the levels -3 to 3."""
    return np.clip(np.sign(sentiment) * np.ceil(np.abs(sentiment)), -3, 3).astype(np.int64)


def with_mean(values: PerEmotion) -> Float[np.ndarray, "emotions+1"]:
    """The values and, last, their unweighted mean over emotions, as the end-to-end script prints them."""
    return np.append(values, values.mean())


def largest_logit_scores(logits: np.ndarray, classes: Int[np.ndarray, " samples"]) -> Scores:
    """One class per sample, the largest logit: `acc` and the macro `recall`, `precision` and `f1`; spec end_to_end,
    7."""
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    predicted = logits.argmax(axis=1)
    macro = precision_recall_fscore_support(classes, predicted, average="macro", zero_division=0.0)
    precision, recall, f1_macro, _ = macro
    acc_of_classes = accuracy_score(classes, predicted)
    return {"acc": float(acc_of_classes), "recall": float(recall), "precision": float(precision), "f1": float(f1_macro)}
