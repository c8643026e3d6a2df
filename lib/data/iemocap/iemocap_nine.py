"""IEMOCAP's nine emotions for unseen emotions, as the emotion-embedding release has them: `.p` files (spec 5.3, 9.2).

Per split text, audio (COVAREP), video (FACET) and labels, pickled by Python 2. Eleven label columns, of which the first
(other) and the last (unknown) are left out; sequences are one step longer than those of the four-emotion file.
"""

import pickle
from pathlib import Path

import numpy as np

from lib.data.arrays.emotion_rules import IEMOCAP_ALL_EMOTIONS, without_minus_infinity
from lib.data.arrays.sequences import lengths_of
from lib.data.corpus import SPLITS, Corpus, Source, Split
from lib.data.io import safe_pickle
from lib.data.io.features import Nonfinite, finite_modalities
from lib.data.io.label_rules import zeros_and_ones
from lib.data.io.source_files import hash_sources, heed_stand_in, note_stand_in
from lib.errors import InputError
from lib.files import atomic_path

COLUMNS = 11
_NAMES = {"text": "text_{}.p", "audio": "covarep_{}.p", "video": "facet_{}.p"}
_LABELS = "y_{}.p"


def files(root: Path) -> list[Path]:
    """Twelve files below `iemocap/`: three modalities and the labels, per split."""
    return [Path(root) / "iemocap" / name.format(split) for split in SPLITS for name in (*_NAMES.values(), _LABELS)]


def read(root: Path, *, nonfinite: Nonfinite = "error") -> Corpus:
    """Multilabel corpus; features float32 `(N, T - 1, d)`, the last step dropped and -inf in audio set to 0.

    The files have no ids: samples are called `nine_<split>_<row>`. Raises InputError for a missing, damaged or
    mis-shaped file, labels other than 0 and 1, and for NaN or an infinity that the reference would let through,
    unless `nonfinite="zero"` sets it to 0.
    """
    root = Path(root)
    hashes = hash_sources("iemocap_nine", root, files(root))
    folder, splits, silent, notes = root / "iemocap", {}, 0, []
    for split in SPLITS:
        features = {m: _array(folder / name.format(split), axes=3)[:, :-1] for m, name in _NAMES.items()}
        silent += int(np.isneginf(features["audio"]).sum())
        features["audio"] = without_minus_infinity(features["audio"])
        path = folder / _LABELS.format(split)
        labels = _array(path, axes=2)
        shapes = {m: x.shape[:2] for m, x in features.items()}
        if len(set(shapes.values())) > 1 or shapes["text"][0] != len(labels):
            raise InputError(f"samples or steps differ: {shapes}, {len(labels)} labels", where=path)
        if labels.shape[1] != COLUMNS:
            raise InputError(f"labels {labels.shape}, expected {COLUMNS} columns of zeros and ones", where=path)
        labels = zeros_and_ones(labels, path)
        paths = {m: folder / name.format(split) for m, name in _NAMES.items()}
        features, told = finite_modalities(features, split, paths.get, nonfinite)
        notes += told
        splits[split] = Split(
            features=features,
            lengths=np.maximum.reduce([lengths_of(x, "front") for x in features.values()]),
            labels=labels[:, 1:-1],
            ids=tuple(f"nine_{split}_{row}" for row in range(len(labels))),
        )
    source = Source(
        name="IEMOCAP (nine emotions)",
        synthetic=False,
        files=hashes,
        licence="release agreement of the University of Southern California; cite Busso et al. 2008",
        split_rule="as released",
        warnings=(
            *([f"{silent} audio values of -inf set to 0, as in the reference"] if silent else []),
            *notes,
            "FACET video features may include the extractor's own emotion estimates",
        ),
    )
    modalities = {m: x.shape[2] for m, x in splits["train"].features.items()}
    source = heed_stand_in(folder, source, split_by_reader=False)
    return Corpus("multilabel", IEMOCAP_ALL_EMOTIONS, modalities, splits, source)


def write(root: Path, corpus: Corpus) -> None:
    """Write the files that `read` reads, with one step of zeros behind; a sample without any of the nine is `other`."""
    folder = Path(root) / "iemocap"
    with note_stand_in(folder, corpus.source):
        for split, part in corpus.splits.items():
            for modality, name in _NAMES.items():
                _save(folder / name.format(split), np.pad(part.features[modality], ((0, 0), (0, 1), (0, 0))))
            other = part.labels.sum(axis=1, keepdims=True) == 0
            labels = np.hstack([other, part.labels, np.zeros_like(other)])
            _save(folder / _LABELS.format(split), labels.astype(np.float64))


def _array(path: Path, axes: int) -> np.ndarray:
    value = safe_pickle.load(path)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or value.ndim != axes:
        what = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        raise InputError(f"{what}, expected an array of numbers with {axes} axes", where=path)
    return value


def _save(path: Path, array: np.ndarray) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        pickle.dump(array, handle, protocol=2)
