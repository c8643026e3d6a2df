"""Metrics against the co-learning reference vectors; every stored output has a counterpart or the test fails."""

import numpy as np

from lib.reporting.metrics import classification, confusion, predicted_classes, regression
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


def assert_equal(found: float, stored: np.ndarray, key: str, *, float32: bool = False) -> None:
    tolerance = {"rtol": 0.0, "atol": 1e-5} if float32 else {"rtol": 1e-9, "atol": 1e-15}
    np.testing.assert_allclose(found, stored, equal_nan=True, err_msg=key, **tolerance)


@golden("colearning", "metrics_regression")
def test_regression(vectors: Vectors):
    cases = vectors.names("in")
    assert cases
    for case in cases:
        predictions, labels = vectors[f"in/{case}/pred"], vectors[f"in/{case}/label"]
        ours = regression(predictions, labels)
        for key, stored in vectors.under(f"out/{case}").items():
            if key == "cm":
                np.testing.assert_array_equal(confusion(labels >= 0, predictions >= 0, [False, True]), stored)
            else:
                assert_equal(ours[REGRESSION[key]], stored, f"{case}/{key}")


@golden("colearning", "metrics_classification")
def test_classification(vectors: Vectors):
    n_classes = vectors.config["n_classes"]
    cases = vectors.names("in")
    assert cases
    for case in cases:
        logits, labels = vectors[f"in/{case}/logits"], vectors[f"in/{case}/label"]
        ours = classification(logits, labels, n_classes)
        outputs = vectors.under(f"out/{case}")
        for key, stored in outputs.items():
            if key == "pred":
                np.testing.assert_array_equal(predicted_classes(logits), stored)
            elif key == "cm":
                counts = confusion(labels, predicted_classes(logits), range(n_classes))
                kept = outputs["cm_labels"].astype(int)
                np.testing.assert_array_equal(counts[np.ix_(kept, kept)], stored)
                assert counts.sum() == stored.sum() == len(labels)
            elif key != "cm_labels":
                assert_equal(ours[CLASSIFICATION[key]], stored, f"{case}/{key}", float32=key == "loss")
