"""Small corpora in the real formats, and their comparison."""

import numpy as np

from lib.data.arrays.mfn_h5 import MfnFormat
from lib.data.corpus import SPLITS, Corpus, Source, Split
from lib.data.mosi.mosi_tables import WIDTHS, Utterances

SIZES = {"train": 7, "valid": 3, "test": 4}
REAL = Source(name="sample", synthetic=False, files={}, licence="none", split_rule="none")
STAND_IN = Source(
    name="sample-like",
    synthetic=True,
    files={},
    licence="none",
    split_rule="drawn",
    warnings=("made up",),
    ceilings={"text": {"acc": 0.61}},
)


def sequences(widths, n, steps, rng) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Features by modality and lengths, zero-padded in front; lengths from 1 to `steps`."""
    lengths = rng.integers(1, steps + 1, size=n)
    filled = np.arange(steps) >= steps - lengths[:, None]
    features = {
        name: np.where(filled[..., None], rng.normal(size=(n, steps, width)) + 9, 0).astype(np.float32)
        for name, width in widths.items()
    }
    return features, lengths


def mfn_corpus(layout: MfnFormat, modalities: tuple[str, ...], source: Source = REAL, steps: int = 5) -> Corpus:
    """All label columns of the format, labels anywhere in their range."""
    rng = np.random.default_rng(0)
    widths = {name: layout.widths[name] for name in modalities}
    splits = {}
    for split, n in SIZES.items():
        features, lengths = sequences(widths, n, steps, rng)
        labels = rng.uniform(*layout.scale.bounds, size=(n, len(layout.columns)))
        labels = labels[:, 0] if len(layout.columns) == 1 else labels
        splits[split] = Split(features, lengths, labels, tuple(f"{split}_{row}" for row in range(n)))
    return Corpus("regression", layout.columns, widths, splits, source, layout.scale)


def utterance_table(train_videos: int = 13, test_videos: int = 3) -> tuple[Utterances, dict[str, float]]:
    """Videos of 2 to 14 utterances, the ids in lexical order as upstream, and sentiment by id."""
    rng = np.random.default_rng(1)
    counts = {f"v_{video:02d}": int(rng.integers(2, 15)) for video in range(train_videos + test_videos)}
    tested = set(rng.choice(list(counts), test_videos, replace=False))
    ids = sorted(f"{video}_{segment}" for video, count in counts.items() for segment in range(1, count + 1))
    values = {key: float(value) for key, value in zip(ids, rng.integers(-15, 16, size=len(ids)) / 5, strict=True)}
    table = Utterances(
        ids=tuple(ids),
        transcripts=tuple(f"GRÜSSE, NUMBER {row}" for row in range(len(ids))),
        in_test=np.array([key.rpartition("_")[0] in tested for key in ids]),
        classes=np.array([int(values[key] >= 0) for key in ids]),
        features={m: rng.normal(size=(len(ids), width)).astype(np.float32) for m, width in WIDTHS.items()},
    )
    return table, values


def assert_same_corpus(found: Corpus, expected: Corpus) -> None:
    """Everything but the source is equal, dtypes included."""
    assert (found.task, tuple(found.label_names)) == (expected.task, tuple(expected.label_names))
    assert list(found.modalities.items()) == list(expected.modalities.items())
    for name in SPLITS:
        one, other = found.splits[name], expected.splits[name]
        assert one.ids == other.ids
        np.testing.assert_array_equal(one.lengths, other.lengths, strict=True)
        np.testing.assert_array_equal(one.labels, other.labels, strict=True)
        for modality in expected.modalities:
            np.testing.assert_array_equal(one.features[modality], other.features[modality], strict=True)
