"""Labels, sample selection, class weights and metrics of the emotion-embedding reference."""

import numpy as np

from lib.data.emotion_rules import (
    EmotionSamples,
    append_unseen,
    few_shot,
    intensities_to_labels,
    pairs_to_labels,
    reference_shots,
    without_emotion,
    without_minus_infinity,
)
from lib.reporting.emotion_metrics import (
    decisions,
    emotion_scores,
    emotion_set_scores,
    sentiment_scores,
    seven_levels,
    weighted_acc,
)
from lib.training.class_weights import class_shares, positive_weights
from tests.parity.reference import Vectors, golden

SCORE = 1e-12  # the files hold float64; sums may be taken in another order
FLOAT32 = 1e-6
OFF = -1
SENTIMENT = ("mae", "acc2_above_zero", "acc5_clipped", "acc7_clipped", "weighted_f1_swapped", "corr")
EMOTION_ACCURACY = {"mosei_emo": "weighted_acc", "iemocap": "acc"}


def close(actual, expected, name: str, tolerance: float = SCORE) -> None:
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance, err_msg=name)


def with_mean(scores: np.ndarray) -> np.ndarray:
    return np.append(scores, scores.mean())


def check(case: str, computed: dict[str, np.ndarray], vectors: Vectors, tolerance: float = SCORE) -> None:
    """Compare everything that the file holds for a case, and nothing else."""
    stored = vectors.under(f"{case}/out")
    assert set(computed) == set(stored), case
    for name, expected in stored.items():
        close(computed[name], expected, f"{case} {name}", tolerance)


@golden("emotion_embeddings", "metrics")
def test_metrics(vectors):
    cases = vectors.config["cases"]
    assert set(cases) | {"config", "kind", "wacc", "round7"} >= {key.split("/")[0] for key in vectors.arrays}
    for case, options in cases.items():
        truths = vectors[f"{case}/truths"]
        if options["kind"] == "mosei_senti":
            scores = sentiment_scores(vectors[f"{case}/preds"], truths, exclude_zero=options["exclude_zero"])
            computed = {"mae_acc2_acc5_acc7_f1_corr": np.array([scores[name] for name in SENTIMENT])}
            check(case, computed, vectors, FLOAT32)  # the mean absolute error is taken in float32
            continue
        logits, threshold = vectors[f"{case}/logits"], options.get("threshold", 0.5)
        scores = emotion_scores(logits, truths, threshold)
        computed = {
            "acc": with_mean(scores[EMOTION_ACCURACY[options["kind"]]]),
            "f1": with_mean(scores["weighted_f1"]),
            "auc": with_mean(scores["auc"]),
        }
        if options["kind"] == "mosei_emo":
            sets = emotion_set_scores(decisions(logits, threshold), truths == 1)
            names = ("strict", "subset", "intersect_in_order")
            computed["strict_subset_intersect"] = np.array([sets[name] for name in names])
        check(case, computed, vectors)
    predicted, true = vectors["wacc/preds"][:, None] == 1, vectors["wacc/truths"][:, None] == 1
    close(weighted_acc(predicted, true)[0], vectors["wacc/out"], "wacc")
    np.testing.assert_array_equal(seven_levels(vectors["round7/in"]), vectors["round7/out"])


@golden("emotion_embeddings", "class_weights")
def test_class_weights(vectors):
    cases = vectors.config["cases"]
    assert {key.split("/")[0] for key in vectors.arrays} == {*cases, "config", "kind"}
    for case in cases:
        labels = vectors[f"{case}/labels"]
        if labels.ndim == 1:
            shares = vectors[f"{case}/out"]
            close(class_shares(labels, classes=len(shares)), shares, case)
        else:
            check(case, {"pos_weight": positive_weights(labels).numpy()}, vectors, tolerance=1e-7)


@golden("emotion_embeddings", "dataset_rules")
def test_dataset_rules(vectors):
    known = {"mosei", "iemocap", "config", "kind", *vectors.config["cases"]}
    assert {key.split("/")[0] for key in vectors.arrays} <= known
    labels = intensities_to_labels(vectors["mosei/raw_labels"])
    check("mosei", {"labels": labels, "audio": without_minus_infinity(vectors["mosei/audio"])}, vectors, 0)
    for case, options in vectors.config["cases"].items():
        if "fsl" in options:
            check_mosei_selection(case, options["zsl"], options["fsl"], labels, vectors)
        else:
            check_iemocap(case, options["zsl"], vectors)


def check_mosei_selection(case: str, zsl: int, fsl: int, labels: np.ndarray, vectors: Vectors) -> None:
    kept = np.arange(len(labels))
    if zsl != OFF:
        kept, labels = without_emotion(labels, zsl)
    if fsl != OFF:
        chosen = few_shot(labels, fsl, reference_shots(labels, fsl))
        kept, labels = kept[chosen], labels[chosen]
    weights = positive_weights(labels).numpy()
    check(case, {"kept_index": kept, "labels": labels, "pos_weight": weights}, vectors, 1e-7)


def check_iemocap(case: str, zsl: int, vectors: Vectors) -> None:
    aligned, files = "iemocap/pkl", "iemocap/p"
    samples = EmotionSamples(
        {
            "text": vectors[f"{aligned}/text"],
            "audio": without_minus_infinity(vectors[f"{aligned}/audio"]),
            "video": vectors[f"{aligned}/vision"],
        },
        pairs_to_labels(vectors[f"{aligned}/labels"]),
    )
    if zsl != OFF:
        extra = {
            "text": vectors[f"{files}/text"],
            "audio": without_minus_infinity(vectors[f"{files}/covarep"]),
            "video": vectors[f"{files}/facet"],
        }
        samples = append_unseen(samples, extra, vectors[f"{files}/y"], zsl)
    text = samples.features["text"]
    computed = {
        "text_sum": text.sum(axis=(1, 2)),
        "audio": samples.features["audio"],
        "labels": samples.labels,
        "shape_text": np.array(text.shape),
        "pos_weight": positive_weights(samples.labels).numpy(),
    }
    assert samples.features["video"].shape[0] == len(samples.labels)
    check(case, computed, vectors, FLOAT32)
