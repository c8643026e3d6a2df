"""Spectrograms, loader rules and metrics of the end-to-end topic against the reference."""

import math
import re
from unittest.mock import patch

import numpy as np

from lib.data.recordings.mel import BANDS, cut_pieces, mel_filters, mel_spectrogram
from lib.data.recordings.mme2e_rules import (
    RawUtterance,
    audio_columns,
    collate_handcrafted,
    collate_raw,
    face_less_crop,
    one_hot,
    positive_weights,
    sampled_frames,
    uses_left_camera,
)
from lib.errors import InputError
from lib.metrics.presence import best_thresholds, decisions
from lib.metrics.scores import DETECTION, EMOTIONS, emotion_scores, emotion_set_scores
from tests.parity.closeness import SINGLE, STORED, check
from tests.parity.reference import Vectors, golden
from tests.parity.script_scores import largest_logit_scores, sentiment_scores, with_mean

MEL = 1e-5
"""Relative to the largest power, what a spectrogram may be off at most, whatever its filters allow."""

FFT_SIZE = {"iemocap": "fixed", "mosei": "window"}


@golden("mme2e", "mel")
def test_mel_spectrogram(vectors: Vectors):
    check_mel(vectors)


def check_mel(vectors: Vectors) -> None:
    """Spectrograms, filters, pieces.

    The reference computes the corners of its filters in float32, and where a corner stands decides every filter. So a
    power may be off by what its filters may (`corner_rounding`), and by the rounding of the largest power.
    """
    found, exact, allowed = {"fbank_16k_201x128": mel_filters(16000, 400)}, {}, {}
    allowed["fbank_16k_201x128"] = corner_rounding(16000, 400) + STORED * SINGLE
    for case in vectors.config["cases"]:
        _, corpus, rate = case.split("_")
        waveform = vectors[f"in/{case}"].astype(np.float32) / 32768
        found[case] = mel_spectrogram(waveform, int(rate), FFT_SIZE[corpus])
        with patch("lib.data.recordings.mel.mel_filters", corner_rounding):
            moved = mel_spectrogram(waveform, int(rate), FFT_SIZE[corpus])
        largest = found[case].max()
        allowed[case] = np.minimum(moved + STORED * SINGLE * largest, MEL * largest)
        pieces, last = cut_pieces(found[case]), f"{case}_lastpiece_sum"
        assert pieces.shape == (len(pieces), 1, BANDS, 32)
        found[last], allowed[last] = (cut_pieces(x)[-1].sum(dtype=np.float64) for x in (found[case], allowed[case]))
        exact[f"{case}_npieces"] = len(pieces)
        size = 400 if corpus == "iemocap" else int(int(rate) / 16000 * 400)
        exact[f"{case}_zero_filters"] = np.flatnonzero(~mel_filters(int(rate), size).any(axis=0))
    cut = [cut_pieces(np.ones((BANDS, frames), np.float32)) for frames in vectors["in/cut_T"]]
    exact["cut_n"] = [len(pieces) for pieces in cut]
    exact["cut_lastvalid"] = [int(pieces[-1, 0, 0].sum()) for pieces in cut]
    stored = vectors.under("out")
    assert set(stored) == set(found) | set(exact)
    for key, value in found.items():
        assert value.dtype == stored[key].dtype
        assert value.shape == stored[key].shape
        off = np.abs(np.float64(value) - stored[key]) / allowed[key]
        assert off.max() <= 1, f"{key} is off by {off.max():.3g} times what rounding allows"
    for key, value in exact.items():
        np.testing.assert_array_equal(value, stored[key], err_msg=key)


def corner_rounding(rate: int, fft_size: int) -> np.ndarray:
    """How far a filter may move, bin by bin, when each of its corners is rounded to float32 on its way.

    A corner is 700 (10^(m/2595) - 1) of a mel value m, all in float32, and each operation rounds by half a unit: half a
    unit of m multiplies 10^(m/2595) by 1 + unit/2 m ln(10)/2595, the power and the product add theirs. On a flank of
    width w a corner's error moves the filter by itself over w; both corners of a flank may, and the difference in the
    numerator is rounded once more.
    """
    mels = np.linspace(0, 2595 * math.log10(1 + (rate // 2) / 700), BANDS + 2)
    powers = 700 * 10 ** (mels / 2595)
    error = SINGLE / 2 * powers * (mels * math.log(10) / 2595 + 2)
    corners, bins = powers - 700, np.linspace(0, rate // 2, fft_size // 2 + 1)[:, None]
    both = (error[:-1] + error[1:] + SINGLE / 2 * corners[1:]) / np.diff(corners)
    margin = error.max()
    rising = (corners[:-2] - margin <= bins) & (bins <= corners[1:-1] + margin)
    falling = (corners[1:-1] - margin <= bins) & (bins <= corners[2:] + margin)
    return np.maximum(rising * both[:-1], falling * both[1:])


@golden("mme2e", "data_rules")
def test_loader_rules(vectors: Vectors):
    check_loader_rules(vectors)


def check_loader_rules(vectors: Vectors) -> None:
    check_rules(vectors, loader_rules, SINGLE)  # batches are float32


def check_rules(vectors: Vectors, compute, unit: float | None) -> None:
    """All outputs of a file; without a unit they are float64 on both sides, equal but for the noise in the file."""

    def by_key(near: Vectors) -> dict[str, object]:
        return {f"out/{name}": value for name, value in compute(near).items()}

    check(vectors, by_key, vectors.keys("out"), unit=unit, group=str, neighbours=0)


def loader_rules(vectors: Vectors) -> dict[str, object]:
    stored = vectors.under("out")
    computed = {"use_left": [uses_left_camera(id) for id in vectors["in/use_left_ids"].tolist()]}
    table = "sampling_interval_nframes_iemocapN_iemocapLast_moseiN_moseiLast"
    computed[table] = [sampling_row(*row[:2]) for row in stored[table].tolist()]
    for key in stored:
        if crop := re.fullmatch(r"center_crop_(\d+)x(\d+)_shape", key):
            computed |= crop_of_index_image(*map(int, crop.groups()))
        if columns := re.fullmatch(r"audio_feature_type_(\d+)_len", key):
            chosen = audio_columns(int(columns[1]))
            computed[key] = len(chosen)
            computed[key.replace("_len", "_index_runs")] = inclusive_runs(chosen)
    labels = vectors["in/labels"]
    computed["pos_weight"] = positive_weights(one_hot(labels, int(labels.max()) + 1))
    return computed | raw_collate(stored) | handcrafted_collate(vectors)


def sampling_row(interval: int, frames: int) -> list[int]:
    """What the two loaders choose from a folder as the preprocessing writes it."""
    row = [interval, frames]
    for files, rule in ((2 * frames + 3, "iemocap"), (frames + 1, "mosei")):
        try:
            chosen = sampled_frames(files, interval, rule)
        except InputError:
            row += [1, -1]
        else:
            row += [len(chosen), chosen[-1] if chosen else -9]
    return row


def crop_of_index_image(height: int, width: int) -> dict:
    crop = face_less_crop(np.arange(height * width).reshape(height, width))
    name = f"center_crop_{height}x{width}"
    return {f"{name}_shape": (1, *crop.shape), f"{name}_first_last": (crop[0, 0], crop[-1, -1])}


def inclusive_runs(columns: np.ndarray) -> list[tuple[int, int]]:
    parts = np.split(columns, np.flatnonzero(np.diff(columns) != 1) + 1)
    return [(part[0], part[-1]) for part in parts]


def raw_collate(stored: dict[str, np.ndarray]) -> dict:
    """The file holds no inputs: three utterances of its shapes, the second without an image."""
    (_, height, width, _), (_, _, bands, frames) = stored["collate_imgs_shape"], stored["collate_specs_shape"]
    labels = one_hot(np.array([0, 1, 2]), 6)
    batch = collate_raw(
        [
            RawUtterance(f"u{i}", np.ones((n, height, width, 3)), np.ones((m, 1, bands, frames)), "", label)
            for i, (n, m, label) in enumerate(zip((2, 0, 1), (1, 3, 2), labels, strict=True))
        ]
    )
    return {
        "collate_ids": np.array(batch.ids),
        "collate_img_lens": batch.face_lengths,
        "collate_spec_lens": batch.piece_lengths,
        "collate_labels": batch.labels,
        "collate_imgs_shape": batch.faces.shape,
        "collate_specs_shape": batch.pieces.shape,
    }


def handcrafted_collate(vectors: Vectors) -> dict:
    """The second utterance has no words; of the first one's words the file holds the absolute sum only."""
    total = float(vectors["out/hcf_text_abs_sum_per_utt"][0])
    _, words, width = vectors["out/hcf_text_shape"]
    columns = [0, 2, 4]
    split = vectors["out/hcf_lens"][0, :1]
    collated = collate_handcrafted(
        {
            "text": [np.full((words, width), total / (words * width)), np.zeros((0, width))],
            "audio": [vectors[f"in/hcf_audio_{u}"].T[:, columns] for u in ("a", "b")],
            "video": np.split(vectors["in/hcf_video"], split),
        }
    )
    rows = {}
    for modality, (batch, lengths) in collated.items():
        real = np.arange(batch.shape[1]) < lengths[:, None]
        assert not batch[~real].any()
        rows[modality] = batch[real]
    text, _ = collated["text"]
    return {
        "hcf_audio": rows["audio"],
        "hcf_video": rows["video"],
        "hcf_lens": [collated["video"][1], collated["audio"][1]],
        "hcf_text_shape": text.shape,
        "hcf_text_abs_sum_per_utt": np.abs(text).sum(axis=(1, 2), dtype=np.float64),
    }


@golden("mme2e", "metrics")
def test_metrics(vectors: Vectors):
    check_metrics(vectors)


def check_metrics(vectors: Vectors) -> None:
    check_rules(vectors, scores, None)


def scores(vectors: Vectors) -> dict[str, object]:
    logits, truths = vectors["in/logits"], vectors["in/labels"]
    thresholds = {"auto": best_thresholds(logits, truths), "given": vectors["in/given_thresholds"]}
    computed = {"auto_thresholds": thresholds["auto"]}
    names = {"acc": "acc", "recall": "recall", "precision": "precision", "f1": "f1_positive", "auc": "auc"}
    for prefix, chosen in thresholds.items():
        detected = emotion_scores(logits, truths, chosen, EMOTIONS + DETECTION)
        computed |= {f"{prefix}_{short}": with_mean(detected[name]) for short, name in names.items()}
    computed["weighted_acc_at_0.5"] = emotion_scores(logits, truths)["weighted_acc"]
    multilabel = emotion_scores(logits, truths, 0.4)
    computed["mosei_emo_wacc_0.4"] = with_mean(multilabel["weighted_acc"])
    computed["mosei_emo_weighted_f1_0.4"] = with_mean(multilabel["weighted_f1"])
    computed["mosei_emo_auc"] = with_mean(multilabel["auc"])
    sets = emotion_set_scores(decisions(logits, 0.4), truths == 1)
    computed["mosei_emo_strict_subset_intersect"] = pick(sets, "strict", "subset", "intersect_in_order")
    single = largest_logit_scores(vectors["in/ce_logits"], vectors["in/ce_labels"])
    computed["ce_acc_recall_precision_f1"] = pick(single, "acc", "recall", "precision", "f1")
    for key, exclude_zero in (("senti_mae_acc2_acc5_acc7_f1_corr", False), ("senti_excl_zero", True)):
        sentiment = sentiment_scores(vectors["in/senti_pred"], vectors["in/senti_true"], exclude_zero=exclude_zero)
        names = ("mae", "acc2_above_zero", "acc5_clipped", "acc7_clipped", "weighted_f1_swapped", "corr")
        computed[key] = pick(sentiment, *names)
    return computed


def pick(scores: dict[str, float], *names: str) -> list[float]:
    return [scores[name] for name in names]
