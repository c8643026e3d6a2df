"""Metrics against the co-learning reference vectors; every stored output has a counterpart or the test fails."""

import numpy as np

from lib.metrics.scores import classification, confusion, predicted_classes, regression
from tests.parity.closeness import SINGLE, Compute, check
from tests.parity.reference import Vectors, golden

REGRESSION = {
    "mae": "mae",
    "corr": "corr",
    "mult_acc": "acc7_rounded",
    "f_score": "f1_rounded_swapped",
    "f_score_standard": "f1_rounded",
    "acc": "acc2_nonneg",
    "acc_nonzero_strict": "acc2_nonzero",
    "f1_bin_standard": "f1_binary_weighted",
}
CLASSIFICATION = {
    "loss": "cross_entropy",
    "acc": "acc",
    "f_score": "weighted_f1_swapped",
    "f_score_standard": "weighted_f1",
    "f_macro_standard": "macro_f1",
}


def regression_scores(vectors: Vectors) -> dict[str, object]:
    found = {}
    for case in vectors.names("in"):
        predictions, labels = vectors[f"in/{case}/pred"], vectors[f"in/{case}/label"]
        ours = regression(predictions, labels)
        found |= {f"out/{case}/{theirs}": ours[name] for theirs, name in REGRESSION.items()}
        found[f"out/{case}/cm"] = confusion(labels >= 0, predictions >= 0, [False, True])
    return found


def classification_scores(vectors: Vectors) -> dict[str, object]:
    found, n_classes = {}, vectors.config["n_classes"]
    for case in vectors.names("in"):
        logits, labels = vectors[f"in/{case}/logits"], np.rint(vectors[f"in/{case}/label"])
        ours, predicted = classification(logits, labels, n_classes), predicted_classes(logits)
        counts = confusion(labels, predicted, range(n_classes))
        kept = np.unique(np.concatenate([labels, predicted])).astype(int)
        assert counts.sum() == len(labels)
        found |= {f"out/{case}/{theirs}": ours[name] for theirs, name in CLASSIFICATION.items()}
        found |= {f"out/{case}/pred": predicted, f"out/{case}/cm": counts[np.ix_(kept, kept)]}
        found[f"out/{case}/cm_labels"] = kept
    return found


def check_metrics(vectors: Vectors) -> None:
    """Every stored score; cross-entropy is taken in float32."""
    compute = {"metrics_regression": regression_scores, "metrics_classification": classification_scores}
    single = [key for key in vectors.keys("out") if key.endswith("/loss")]
    for keys, unit in ((single, SINGLE), ([key for key in vectors.keys("out") if key not in single], None)):
        if keys:
            check(vectors, chosen(compute[str(vectors["kind"])], keys), keys, unit=unit, group=str, neighbours=0)


def chosen(compute: Compute, keys: list[str]) -> Compute:
    return lambda vectors: {key: value for key, value in compute(vectors).items() if key in keys}


@golden("colearning", "metrics_regression", "metrics_classification")
def test_metrics(vectors: Vectors):
    check_metrics(vectors)
