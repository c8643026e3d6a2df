"""IEMOCAP's four emotions as the emotion-embedding release has them: `iemocap_data.pkl` (its spec, 5.3 and 5.4).

A dictionary of splits, each with text, audio, vision and labels `(N, 4, 2)`. Every sample has one emotion.
"""

import pickle
from pathlib import Path

import numpy as np

from lib.data.arrays.emotion_rules import IEMOCAP_EMOTIONS, pairs_to_labels, without_minus_infinity
from lib.data.arrays.sequences import lengths_of
from lib.data.corpus import SPLITS, Corpus, Source, Split
from lib.data.io import safe_pickle
from lib.data.io.features import Nonfinite, finite_modalities
from lib.data.io.label_rules import one_hot_pairs
from lib.data.io.source_files import hash_sources, heed_stand_in, note_stand_in
from lib.errors import InputError
from lib.files import atomic_path

_KEYS = {"text": "text", "audio": "audio", "video": "vision"}


def files(root: Path) -> list[Path]:
    """The one file: `iemocap/iemocap_data.pkl` below the data folder."""
    return [Path(root) / "iemocap" / "iemocap_data.pkl"]


def read(root: Path, *, nonfinite: Nonfinite = "error") -> Corpus:
    """Multilabel corpus, one 1 per row; features float32 `(N, T, d)`, -inf in audio set to 0, as in the reference.

    Samples have no ids in the file: they are called `<split>_<row>`. Raises InputError for a missing, damaged or
    mis-shaped file, and for NaN or an infinity that the reference would let through,
    unless `nonfinite="zero"` sets it to 0.
    """
    root, (path,) = Path(root), files(root)
    hashes = hash_sources("iemocap_emotions", root, [path])
    tree, splits, silent, notes = safe_pickle.load(path), {}, 0, []
    for split in SPLITS:
        where = f"{path}, {split}"
        arrays = {name: _array(tree, split, key, where) for name, key in (*_KEYS.items(), ("labels", "labels"))}
        labels = arrays.pop("labels")
        if labels.shape[1:] != (len(IEMOCAP_EMOTIONS), 2):
            raise InputError(f"labels {labels.shape}, expected (N, {len(IEMOCAP_EMOTIONS)}, 2)", where=where)
        shapes = {m: x.shape for m, x in arrays.items()}
        if any(x.ndim != 3 or x.shape[:2] != (len(labels), arrays["text"].shape[1]) for x in arrays.values()):
            raise InputError(f"samples or steps differ: {shapes}, {len(labels)} labels", where=where)
        silent += int(np.isneginf(arrays["audio"]).sum())
        arrays["audio"] = without_minus_infinity(arrays["audio"])
        arrays, told = finite_modalities(arrays, split, lambda _, where=where: where, nonfinite)
        notes += told
        splits[split] = Split(
            features=arrays,
            lengths=np.maximum.reduce([lengths_of(x, "front") for x in arrays.values()]),
            labels=pairs_to_labels(one_hot_pairs(labels, where)),
            ids=tuple(f"{split}_{row}" for row in range(len(labels))),
        )
    source = Source(
        name="IEMOCAP (four emotions)",
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
    source = heed_stand_in(path.parent, source, split_by_reader=False)
    return Corpus("multilabel", IEMOCAP_EMOTIONS, modalities, splits, source)


def write(root: Path, corpus: Corpus) -> None:
    """Write the file that `read` reads."""
    (path,) = files(root)
    tree = {}
    for split, part in corpus.splits.items():
        tree[split] = {key: part.features[modality] for modality, key in _KEYS.items()}
        tree[split]["labels"] = np.stack([1 - part.labels, part.labels], axis=-1)
    with note_stand_in(path.parent, corpus.source), atomic_path(path) as temporary, temporary.open("wb") as handle:
        pickle.dump(tree, handle, protocol=4)


def _array(tree: object, split: str, key: str, where: str) -> np.ndarray:
    part = tree.get(split) if isinstance(tree, dict) else None
    value = part.get(key) if isinstance(part, dict) else None
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or value.ndim == 0:
        raise InputError(f"no array of numbers {key!r}", where=where)
    return value
