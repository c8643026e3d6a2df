"""CMU-MOSEI emotions as the emotion-embedding release has them: HDF5 files of aligned words (its spec, 5.2 and 5.4).

One dataset `d1` per file. Up to 20 steps; six intensities per segment, of which any above 0 counts as present.
"""

from pathlib import Path

import numpy as np

from lib.data.arrays.emotion_rules import MOSEI_EMOTIONS, intensities_to_labels, without_minus_infinity
from lib.data.arrays.mfn_h5 import write_dataset
from lib.data.arrays.sequences import lengths_of
from lib.data.corpus import SPLITS, Corpus, Source, Split
from lib.data.io.features import Nonfinite, finite_modalities
from lib.data.io.hdf5 import read_numbers
from lib.data.io.label_rules import scaled
from lib.data.io.source_files import hash_sources, heed_stand_in, note_stand_in
from lib.errors import InputError

FOLDER, KEY = "cmu-mosei", "d1"
INTENSITIES = (0.0, 3.0)
_NAMES = {"text": "text_{}_emb.h5", "audio": "audio_{}.h5", "video": "video_{}.h5"}
_LABELS = "ey_{}.h5"


def files(root: Path) -> list[Path]:
    """Twelve files below `cmu-mosei/`: three modalities and the emotions, per split."""
    return [Path(root) / FOLDER / name.format(split) for split in SPLITS for name in (*_NAMES.values(), _LABELS)]


def read(root: Path, *, nonfinite: Nonfinite = "error") -> Corpus:
    """Multilabel corpus; features float32 `(N, T, d)`, -inf in audio set to 0, as in the reference; nothing is scaled.

    The files have no ids: samples are called `<split>_<row>`. Raises InputError for a missing, damaged or mis-shaped
    file, an intensity outside 0 to 3, and for NaN or an infinity that the reference would let through, unless
    `nonfinite="zero"` sets it to 0.
    """
    root = Path(root)
    hashes = hash_sources("mosei_emotions", root, files(root))
    silent, notes, splits = 0, [], {}
    for split in SPLITS:
        features = {m: _numbers(root / FOLDER / name.format(split), axes=3) for m, name in _NAMES.items()}
        silent += int(np.isneginf(features["audio"]).sum())
        features["audio"] = without_minus_infinity(features["audio"])
        path = root / FOLDER / _LABELS.format(split)
        intensities = _numbers(path, axes=2)
        shapes = {m: x.shape[:2] for m, x in features.items()}
        if len(set(shapes.values())) > 1 or shapes["text"][0] != len(intensities):
            raise InputError(f"samples and steps differ: {shapes}, {len(intensities)} labels", where=path)
        if intensities.shape[1] != len(MOSEI_EMOTIONS):
            raise InputError(f"labels {intensities.shape}, expected {len(MOSEI_EMOTIONS)} intensities", where=path)
        intensities = scaled(intensities, INTENSITIES, path, "intensity")
        paths = {m: root / FOLDER / name.format(split) for m, name in _NAMES.items()}
        features, told = finite_modalities(features, split, paths.get, nonfinite)
        notes += told
        splits[split] = Split(
            features=features,
            lengths=np.maximum.reduce([lengths_of(x, "front") for x in features.values()]),
            labels=intensities_to_labels(intensities),
            ids=tuple(f"{split}_{row}" for row in range(len(intensities))),
        )
    source = Source(
        name="CMU-MOSEI (emotions)",
        synthetic=False,
        files=hashes,
        licence="CMU-MultimodalSDK terms; cite Zadeh et al. 2018 (CMU-MOSEI)",
        split_rule="as released",
        warnings=(
            *([f"{silent} audio values of -inf set to 0, as in the reference"] if silent else []),
            *notes,
            "FACET video features may include the extractor's own emotion estimates",
        ),
    )
    modalities = {m: x.shape[2] for m, x in splits["train"].features.items()}
    source = heed_stand_in(root / FOLDER, source, split_by_reader=False)
    return Corpus("multilabel", MOSEI_EMOTIONS, modalities, splits, source)


def write(root: Path, corpus: Corpus) -> None:
    """Write the files that `read` reads; a present emotion has intensity 1."""
    folder = Path(root) / FOLDER
    with note_stand_in(folder, corpus.source):
        for split, part in corpus.splits.items():
            for modality, name in _NAMES.items():
                write_dataset(folder / name.format(split), KEY, [part.features[modality]])
            write_dataset(folder / _LABELS.format(split), KEY, [part.labels])


def _numbers(path: Path, axes: int) -> np.ndarray:
    values = read_numbers(path, KEY)
    if values.ndim != axes:
        raise InputError(f"{values.dtype} {values.shape}, expected {axes} axes of numbers", where=path)
    return values
