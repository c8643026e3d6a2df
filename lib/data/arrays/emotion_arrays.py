"""The corpora of the emotion-embedding release: aligned words, many emotions (spec emotion_embeddings, 5.2-5.4, 9.2).

MOSEI: HDF5 files with one dataset `d1`; six intensities per segment, of which any above 0 counts as present. IEMOCAP:
`iemocap_data.pkl`, a dictionary of splits with labels `(N, 4, 2)`, absent and present; every sample has one emotion.
Its nine emotions, for unseen ones: pickles by Python 2 with eleven label columns, of which the first (other) and the
last (unknown) are left out; sequences are one step longer than those of the four emotions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lib.data.arrays.emotion_rules import (
    IEMOCAP_ALL_EMOTIONS,
    IEMOCAP_EMOTIONS,
    MOSEI_EMOTIONS,
    intensities_to_labels,
    pairs_to_labels,
    without_minus_infinity,
)
from lib.data.arrays.named_arrays import (
    ArrayFiles,
    Part,
    PickledTree,
    agree,
    read_h5,
    read_splits,
    save_h5,
    save_pickle,
    widths,
)
from lib.data.corpus import Corpus
from lib.data.io import safe_pickle
from lib.data.io.features import Nonfinite
from lib.data.io.label_rules import one_hot_pairs, scaled, zeros_and_ones
from lib.data.io.provenance import concluded, opened_source
from lib.data.io.source_files import note_stand_in
from lib.errors import InputError

INTENSITIES = (0.0, 3.0)
MODALITIES = ("text", "audio", "video")


@dataclass(frozen=True, eq=False)  # of mappings, so known by identity
class EmotionArrays:
    """One of the three. Stored labels are `(N, *stored)`, `columns` says in words what they are.

    `labels` checks them and turns them into zeros and ones, `written` goes back. `extra` steps at the end are dropped.
    """

    name: str
    store: ArrayFiles | PickledTree
    emotions: tuple[str, ...]
    stored: tuple[int, ...]
    columns: str
    labels: Callable[[np.ndarray, object], np.ndarray]
    written: Callable[[np.ndarray], np.ndarray]
    ids: str = "{}_{}"
    extra: int = 0

    def files(self, root: Path) -> list[Path]:
        return self.store.files(root)

    def read(self, root: Path, *, nonfinite: Nonfinite = "error") -> Corpus:
        """Multilabel corpus; features float32 `(N, T, d)`, unscaled, -inf in audio set to 0 as in the reference.

        The files have no ids: samples are called `<split>_<row>`, of the nine emotions `nine_<split>_<row>`. Raises
        InputError for a missing, damaged or mis-shaped file, a label that is none, and for NaN or an infinity that the
        reference would let through, unless `nonfinite="zero"` sets it to 0.
        """
        source, silent = opened_source(self.name, root, self.files(root)), 0
        opened = self.store.opened(root)

        def part(split: str) -> Part:
            nonlocal silent
            array, where = opened(split)
            features = {m: array(m, 3)[:, : -self.extra or None] for m in MODALITIES}
            labels = array("labels", 1 + len(self.stored))
            agree(features, labels, where("labels"))
            if labels.shape[1:] != self.stored:
                what = f"labels {labels.shape}, expected {self.columns}"
                raise InputError(what, where=where("labels"))
            labels = self.labels(labels, where("labels"))
            silent += int(np.isneginf(features["audio"]).sum())
            features["audio"] = without_minus_infinity(features["audio"])
            return Part(features, labels, where)

        splits, notes = read_splits(part, nonfinite, ids=self.ids)
        if silent:
            notes.insert(0, f"{silent} audio values of -inf set to 0, as in the reference")
        source = concluded(source, self._folder(root), "as released", notes)
        return Corpus("multilabel", self.emotions, widths(splits), splits, source)

    def write(self, root: Path, corpus: Corpus) -> None:
        """Write the files that `read` reads, with `extra` steps of zeros behind."""
        arrays = {}
        for split, part in corpus.splits.items():
            longer = ((0, 0), (0, self.extra), (0, 0))
            arrays[split] = {m: np.pad(x, longer) if self.extra else x for m, x in part.features.items()}
            arrays[split]["labels"] = self.written(part.labels)
        with note_stand_in(self._folder(root), corpus.source):
            self.store.write(root, arrays)

    def _folder(self, root: Path) -> Path:
        return self.files(root)[0].parent


def _all_columns(labels: np.ndarray) -> np.ndarray:
    """Eleven columns; a sample without any of the nine is `other`."""
    other = labels.sum(axis=1, keepdims=True) == 0
    return np.hstack([other, labels, np.zeros_like(other)]).astype(np.float64)


MOSEI = EmotionArrays(
    name="mosei_emotions",
    store=ArrayFiles(
        "cmu-mosei",
        {"text": "text_{}_emb.h5", "audio": "audio_{}.h5", "video": "video_{}.h5", "labels": "ey_{}.h5"},
        read_h5("d1"),
        partial(save_h5, key="d1"),
    ),
    emotions=MOSEI_EMOTIONS,
    stored=(len(MOSEI_EMOTIONS),),
    columns=f"{len(MOSEI_EMOTIONS)} intensities",
    labels=lambda stored, where: intensities_to_labels(scaled(stored, INTENSITIES, where, "intensity")),
    written=lambda labels: labels,
)
IEMOCAP = EmotionArrays(
    name="iemocap_emotions",
    store=PickledTree(
        "iemocap/iemocap_data.pkl", {"text": "text", "audio": "audio", "video": "vision", "labels": "labels"}
    ),
    emotions=IEMOCAP_EMOTIONS,
    stored=(len(IEMOCAP_EMOTIONS), 2),
    columns=f"(N, {len(IEMOCAP_EMOTIONS)}, 2)",
    labels=lambda stored, where: pairs_to_labels(one_hot_pairs(stored, where)),
    written=lambda labels: np.stack([1 - labels, labels], axis=-1),
)
NINE = EmotionArrays(
    name="iemocap_nine",
    store=ArrayFiles(
        "iemocap",
        {"text": "text_{}.p", "audio": "covarep_{}.p", "video": "facet_{}.p", "labels": "y_{}.p"},
        safe_pickle.load,
        save_pickle,
    ),
    emotions=IEMOCAP_ALL_EMOTIONS,
    stored=(2 + len(IEMOCAP_ALL_EMOTIONS),),
    columns=f"{2 + len(IEMOCAP_ALL_EMOTIONS)} columns of zeros and ones",
    labels=lambda stored, where: zeros_and_ones(stored, where)[:, 1:-1],
    written=_all_columns,
    ids="nine_{}_{}",
    extra=1,
)
