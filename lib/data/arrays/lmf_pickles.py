"""The three pickles that the authors of LMF released: `mosi.pkl`, `pom.pkl`, `iemocap.pkl`.

They were written by Python 2 (spec low_rank_fusion, 4.1 to 4.3). Each split holds utterance means of audio and video,
20 steps of word embeddings (POM: sentence embeddings) and labels. IEMOCAP has its four emotions above the splits:
binary tasks on the same features.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lib.data import corpora
from lib.data.arrays.mfn_h5 import POM_TRAITS
from lib.data.arrays.named_arrays import Part, read_splits, save_pickle, widths
from lib.data.arrays.sequences import Side, lengths_of
from lib.data.corpus import Corpus, Scale
from lib.data.io import safe_pickle
from lib.data.io.features import Nonfinite
from lib.data.io.label_rules import one_hot_pairs, scaled
from lib.data.io.provenance import opened_source
from lib.errors import InputError

ARRAYS = {"text": "glove", "audio": "covarep", "video": "facet"}
STAND_IN = b"stand_in"
"""A key beside the splits that only `write` sets and no published script reads: the numbers are synthetic."""

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class LmfPickle:
    """One of the files.

    `layouts` are the label columns it may have; `read` returns those of the first unless told otherwise; of
    IEMOCAP's two columns one is 1, the other 0. `side` is where the text is padded; the means of audio and video
    include the padding.
    """

    name: str
    layouts: tuple[tuple[str, ...], ...]
    side: Side
    split_rule: str
    emotions: tuple[str, ...] = ()

    @property
    def scale(self) -> Scale | None:
        """Of the labels."""
        return corpora.get(f"{self.name}_lmf").scale

    def files(self, root: Path) -> list[Path]:
        """The one file: `lmf/<name>.pkl` below the data folder."""
        return [Path(root) / "lmf" / f"{self.name}.pkl"]

    def read(self, root: Path, label: str | None = None, *, nonfinite: Nonfinite = "error") -> Corpus:
        """Text float32 `(N, L, d)`, audio and video `(N, 1, d)`; ids are `<split>_<row>`, the file has none.

        `label` names a label column, or is `all` for every column of the file; for IEMOCAP it is an emotion,
        and the class is the larger of its two columns. The default is MOSI's sentiment, the 16 published
        traits of POM (also where the file has a 17th, `Sentiment`), and the first emotion.

        NaN in audio and video becomes 0, as in the released loader; `Source.warnings` holds the counts. That
        loader leaves infinities, and NaN in text, and its run then ends in NaN (quirk 6). Here they are an
        error, or become 0 with `nonfinite="zero"`. Raises `InputError` for these, for a label outside its scale (see
        `label_rules.scaled`) and for a missing, damaged or mis-shaped file.
        """
        (path,) = self.files(root)
        source = opened_source(f"{self.name}_lmf", root, [path])
        tree, column, names = safe_pickle.load(path, encoding="bytes"), label, {}
        source = replace(source, synthetic=isinstance(tree, dict) and STAND_IN in tree)
        if self.emotions:
            emotion, column = label or self.emotions[0], "all"
            source, tree = replace(source, name=f"{source.name}, {emotion}"), _entry(tree, emotion, path)

        def part(split: str) -> Part:
            where = f"{path}, {split}"
            arrays, counts = clean_nan(_arrays(_entry(tree, split, where), where))
            labels = scaled(arrays["label"], self.scale.bounds if self.scale else (0.0, 1.0), where)
            names[split], index = self._columns(labels.shape[1], column, where)
            labels = labels[:, index]
            if self.emotions:
                labels = one_hot_pairs(labels, where).argmax(axis=1)
            elif len(index) == 1:
                labels = labels[:, 0]
            features = {"text": arrays["text"], "audio": arrays["audio"][:, None], "video": arrays["video"][:, None]}
            notes = [f"{n} NaN in {split} {m} set to 0, as in the released loader" for m, n in counts.items()]
            return Part(features, labels, lambda modality: where, tuple(notes))

        splits, notes = read_splits(part, nonfinite, lengths=lambda features: lengths_of(features["text"], self.side))
        if len(set(names.values())) > 1:
            raise InputError("the splits differ in their label columns", where=path)
        return Corpus(
            task="classes" if self.emotions else "regression",
            label_names=names["train"],
            modalities=widths(splits),
            splits=splits,
            source=replace(source, split_rule=self.split_rule, warnings=(*source.warnings, *notes)),
            scale=self.scale,
        )

    def write(self, root: Path, given: Corpus | Mapping[str, Corpus]) -> None:
        """Write the file that `read` reads, with byte keys like the released ones; for IEMOCAP a corpus per emotion.

        Raises `InputError` for audio or video of more than one step.
        """
        (path,) = self.files(root)
        if self.emotions:
            tree = {emotion.encode(): _section(given[emotion]) for emotion in self.emotions}
            synthetic = any(corpus.source.synthetic for corpus in given.values())
        else:
            tree, synthetic = _section(given), given.source.synthetic
        save_pickle(path, tree | ({STAND_IN: True} if synthetic else {}), protocol=4)

    def _columns(self, found: int, column: str | None, where: str) -> tuple[tuple[str, ...], list[int]]:
        """Names and positions of the label columns to return, of a file that has `found` of them."""
        layout = next((names for names in self.layouts if len(names) == found), None)
        if layout is None:
            expected = " or ".join(str(len(names)) for names in self.layouts)
            raise InputError(f"{found} label columns, expected {expected}", where=where)
        if column not in (None, "all", *layout):
            raise InputError(f"no label {column!r}", where=where, todo=f"known: all, {', '.join(layout)}")
        names = {None: self.layouts[0], "all": layout}.get(column, (column,))
        return names, [layout.index(name) for name in names]


def clean_nan(arrays: Arrays) -> tuple[Arrays, dict[str, int]]:
    """What the released loader does: NaN to 0 in audio and video, and how many there were; the rest stays."""
    masks = {modality: np.isnan(arrays[modality]) for modality in ("audio", "video")}
    cleaned = {modality: np.where(mask, 0, arrays[modality]) for modality, mask in masks.items()}
    return arrays | cleaned, {modality: int(mask.sum()) for modality, mask in masks.items() if mask.any()}


def _entry(node: object, key: str, where: object) -> object:
    """What stands under `key`, text or bytes."""
    if not isinstance(node, dict):
        raise InputError(f"a {type(node).__name__} where a dictionary with {key!r} belongs", where=where)
    for form in (key, key.encode()):
        if form in node:
            return node[form]
    raise InputError(f"no {key!r}, only {', '.join(map(repr, node)) or 'nothing'}", where=where)


def _arrays(node: object, where: str) -> Arrays:
    """The four arrays of a split as they are stored, `label` as float64 `(N, K)`."""
    arrays = {modality: _numbers(_entry(node, key, where), f"{where}, {key}") for modality, key in ARRAYS.items()}
    arrays["label"] = _numbers(_entry(node, "label", where), f"{where}, label")
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1 or not counts["label"]:
        raise InputError(f"numbers of samples {counts}", where=where)
    for modality, axes in (("text", 3), ("audio", 2), ("video", 2)):
        if arrays[modality].ndim != axes:
            shape = arrays[modality].shape
            raise InputError(f"{ARRAYS[modality]} has shape {shape}, expected {axes} axes", where=where)
    arrays["label"] = arrays["label"].reshape(counts["label"], -1).astype(np.float64)
    return arrays


def _numbers(value: object, where: str) -> np.ndarray:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or value.ndim == 0:
        what = f"{value.dtype} array" if isinstance(value, np.ndarray) else type(value).__name__
        raise InputError(f"a {what} where an array of numbers belongs", where=where)
    return value


def _section(corpus: Corpus) -> dict[bytes, dict[bytes, np.ndarray]]:
    """The splits of one task as the file has them."""
    section = {}
    for name, split in corpus.splits.items():
        arrays = {b"glove": split.features["text"]}
        for modality in ("audio", "video"):
            array = split.features[modality]
            if array.shape[1] != 1:
                raise InputError(f"{modality} has {array.shape[1]} steps; the format holds averages", where=name)
            arrays[ARRAYS[modality].encode()] = array[:, 0]
        classes = corpus.task == "classes"
        arrays[b"label"] = np.eye(2)[split.labels] if classes else split.labels.reshape(len(split), -1)
        section[name.encode()] = arrays
    return section


MOSI = LmfPickle(
    name="mosi",
    layouts=(("Sentiment",),),
    side="front",
    split_rule="as published: 52 train, 10 validation, 31 test videos",
)
POM = LmfPickle(
    name="pom",
    layouts=(tuple(trait for trait in POM_TRAITS if trait != "Sentiment"), POM_TRAITS),
    side="front",
    split_rule="as published: 600 train, 100 validation, 203 test videos in an order that cannot be rebuilt",
)
IEMOCAP = LmfPickle(
    name="iemocap",
    layouts=(("absent", "present"),),
    side="back",
    split_rule="as published: sessions 3 to 5 train, 2 validation, 1 test",
    emotions=("happy", "sad", "angry", "neutral"),
)
