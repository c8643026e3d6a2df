"""Labels, sample selection, class weights and metrics of the emotion-embedding reference."""

import numpy as np

from lib.data.arrays.emotion_rules import (
    EmotionSamples,
    append_unseen,
    few_shot,
    intensities_to_labels,
    pairs_to_labels,
    reference_shots,
    without_emotion,
    without_minus_infinity,
)
from lib.metrics.presence import decisions, weighted_acc
from lib.metrics.scores import emotion_scores, emotion_set_scores
from lib.training.class_weights import class_shares, positive_weights
from tests.parity.closeness import SINGLE, Compute, check
from tests.parity.reference import Vectors, golden
from tests.parity.script_scores import sentiment_scores, seven_levels

OFF = -1
SENTIMENT = ("mae", "acc2_above_zero", "acc5_clipped", "acc7_clipped", "weighted_f1_swapped", "corr")
EMOTION_ACCURACY = {"mosei_emo": "weighted_acc", "iemocap": "acc"}


def with_mean(scores: np.ndarray) -> np.ndarray:
    return np.append(scores, scores.mean())


def in_case(case: str, computed: dict[str, object]) -> dict[str, object]:
    return {f"{case}/out/{name}": value for name, value in computed.items()}


def emotion_case(logits: np.ndarray, truths: np.ndarray, options: dict) -> dict[str, np.ndarray]:
    threshold = options.get("threshold", 0.5)
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
    return computed


def emotion_metrics(vectors: Vectors) -> dict[str, object]:
    cases, found = vectors.config["cases"], {}
    for case in [name for name, options in cases.items() if options["kind"] != "mosei_senti"]:
        computed = emotion_case(vectors[f"{case}/logits"], np.rint(vectors[f"{case}/truths"]), cases[case])
        found |= in_case(case, computed)
    predicted, true = (np.rint(vectors[f"wacc/{name}"])[:, None] == 1 for name in ("preds", "truths"))
    return found | {"wacc/out": weighted_acc(predicted, true)[0], "round7/out": seven_levels(vectors["round7/in"])}


def sentiment_metrics(vectors: Vectors) -> dict[str, object]:
    found = {}
    for case, options in vectors.config["cases"].items():
        if options["kind"] == "mosei_senti":
            predictions, truths = vectors[f"{case}/preds"], vectors[f"{case}/truths"]
            scores = sentiment_scores(predictions, truths, exclude_zero=options["exclude_zero"])
            scores = np.array([scores[name] for name in SENTIMENT])
            found |= in_case(case, {"mae_acc2_acc5_acc7_f1_corr": scores})
    return found


def class_weights(vectors: Vectors) -> dict[str, object]:
    found = {}
    for case in vectors.config["cases"]:
        labels = vectors[f"{case}/labels"]
        if labels.ndim == 1:
            found[f"{case}/out"] = class_shares(labels, classes=len(vectors[f"{case}/out"]))
        else:
            found |= in_case(case, {"pos_weight": positive_weights(np.rint(labels)).numpy()})
    return found


def dataset_rules(vectors: Vectors) -> dict[str, object]:
    labels = intensities_to_labels(vectors["mosei/raw_labels"])
    found = in_case("mosei", {"labels": labels, "audio": without_minus_infinity(vectors["mosei/audio"])})
    for case, options in vectors.config["cases"].items():
        if "fsl" in options:
            found |= in_case(case, mosei_selection(options["zsl"], options["fsl"], labels))
        else:
            found |= in_case(case, iemocap_selection(options["zsl"], vectors))
    return found


def mosei_selection(zsl: int, fsl: int, labels: np.ndarray) -> dict[str, np.ndarray]:
    kept = np.arange(len(labels))
    if zsl != OFF:
        kept, labels = without_emotion(labels, zsl)
    if fsl != OFF:
        chosen = few_shot(labels, fsl, reference_shots(labels, fsl))
        kept, labels = kept[chosen], labels[chosen]
    return {"kept_index": kept, "labels": labels, "pos_weight": positive_weights(labels).numpy()}


def iemocap_selection(zsl: int, vectors: Vectors) -> dict[str, np.ndarray]:
    aligned, files = "iemocap/pkl", "iemocap/p"
    samples = EmotionSamples(
        {
            "text": vectors[f"{aligned}/text"],
            "audio": without_minus_infinity(vectors[f"{aligned}/audio"]),
            "video": vectors[f"{aligned}/vision"],
        },
        pairs_to_labels(np.rint(vectors[f"{aligned}/labels"])),
    )
    if zsl != OFF:
        extra = {
            "text": vectors[f"{files}/text"],
            "audio": without_minus_infinity(vectors[f"{files}/covarep"]),
            "video": vectors[f"{files}/facet"],
        }
        samples = append_unseen(samples, extra, np.rint(vectors[f"{files}/y"]), zsl)
    text = samples.features["text"]
    assert samples.features["video"].shape[0] == len(samples.labels)
    return {
        "text_sum": text.sum(axis=(1, 2)),
        "audio": samples.features["audio"],
        "labels": samples.labels,
        "shape_text": np.array(text.shape),
        "pos_weight": positive_weights(samples.labels).numpy(),
    }


def check_part(vectors: Vectors, compute: Compute, keys: list[str], unit: float | None) -> None:
    if keys:
        check(vectors, compute, keys, unit=unit, group=str, neighbours=0)


def check_metrics(vectors: Vectors) -> None:
    """Every score; the sentiment's mean absolute error is taken in float32."""
    keys = [key for key in vectors.arrays if "out" in key.split("/")]
    sentiment = [key for key in keys if key.endswith("/mae_acc2_acc5_acc7_f1_corr")]
    check_part(vectors, sentiment_metrics, sentiment, SINGLE)
    check_part(vectors, emotion_metrics, [key for key in keys if key not in sentiment], None)
    known = {*vectors.config["cases"], "config", "kind", "wacc", "round7"}
    assert {key.split("/")[0] for key in vectors.arrays} <= known


def check_rules(vectors: Vectors) -> None:
    """Weights and features are float32 in the reference."""
    compute = {"class_weights": class_weights, "dataset_rules": dataset_rules}[str(vectors["kind"])]
    check_part(vectors, compute, [key for key in vectors.arrays if "out" in key.split("/")], SINGLE)
    known = {"mosei", "iemocap", "config", "kind", *vectors.config["cases"]}
    assert {key.split("/")[0] for key in vectors.arrays} <= known


@golden("emotion_embeddings", "metrics")
def test_metrics(vectors):
    check_metrics(vectors)


@golden("emotion_embeddings", "class_weights", "dataset_rules")
def test_rules(vectors):
    check_rules(vectors)
