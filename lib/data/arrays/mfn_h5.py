"""The HDF5 files of the Memory Fusion Network repository (spec colearning, 9.1 and 9.4).

One dataset per file. CMU-MOSI keeps the three modalities side by side in `X_<split>.h5`; the corpora under
`new_data` have one file per modality. Sequences are 20 steps long and zero-padded in front.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lib.data import corpora
from lib.data.arrays.named_arrays import Part, read_splits, widths, write_dataset
from lib.data.corpus import SPLITS, Corpus, Scale, Split
from lib.data.io.features import Nonfinite, split_columns
from lib.data.io.hdf5 import read_numbers
from lib.data.io.label_rules import scaled
from lib.data.io.provenance import concluded, opened_source
from lib.data.io.source_files import note_stand_in
from lib.errors import InputError

# The order is that of the authors of LMF (spec low_rank_fusion, 4.2); the files do not name their columns.
POM_TRAITS = (
    "Confident",
    "Passionate",
    "Pleasant",
    "Dominant",
    "Credible",
    "Vivid",
    "Expertise",
    "Entertaining",
    "Reserved",
    "Trusting",
    "Relaxed",
    "Outgoing",
    "Thorough",
    "Nervous",
    "Sentiment",
    "Persuasive",
    "Humorous",
)


@dataclass(frozen=True)
class MfnFormat:
    """One corpus of the repository: where its files lie and what must be true of them.

    `widths` are the features per modality, in the order of their columns where they share a file. `columns`
    names the label columns; `default_label` is the one `read` returns unless told otherwise.
    """

    name: str
    folder: str
    key: str
    widths: Mapping[str, int]
    columns: tuple[str, ...]
    default_label: str
    side_by_side: bool
    split_rule: str

    @property
    def scale(self) -> Scale:
        """Of the labels."""
        return corpora.get(self.name).scale

    def files(self, root: Path) -> list[Path]:
        """The files `read` opens: text is one of the modalities only if all its files are there."""
        folder = Path(root) / self.folder
        features = [folder / name for split in SPLITS for name in self._feature_files(folder, split)]
        return features + [folder / f"y_{split}.h5" for split in SPLITS]

    def read(self, root: Path, label: str | None = None, *, nonfinite: Nonfinite = "error") -> Corpus:
        """Regression corpus; features float32 `(N, T, d)`, padding in front, `lengths` counted from the first
        step that is not all zero.

        `label` names one label column (see `columns`), or `all` for labels `(N, K)`. Samples have no ids in
        these files; they are called `<split>_<row>`.

        Raises `InputError` for a missing, damaged or mis-shaped file, for a label outside its scale (see
        `label_rules.scaled`), and for NaN or infinity (file and row), which `nonfinite="zero"` sets to 0 in features.
        """
        root, label = Path(root), label or self.default_label
        if label not in (*self.columns, "all"):
            raise InputError(f"{self.name} has no label {label!r}", todo=f"known: all, {', '.join(self.columns)}")
        source, folder = opened_source(self.name, root, self.files(root)), root / self.folder
        splits, zeroed = read_splits(lambda split: self._part(folder, split, label), nonfinite)
        notes = [*_absences(self.widths, splits), *zeroed]
        return Corpus(
            task="regression",
            label_names=self.columns if label == "all" else (label,),
            modalities=widths(splits),
            splits=splits,
            source=concluded(source, folder, self.split_rule, notes),
            scale=self.scale,
        )

    def write(self, root: Path, corpus: Corpus) -> None:
        """Write the files that `read` reads; labels `(N,)`, or `(N, K)` if the corpus has `K` label columns.

        The format stores neither ids nor lengths: they come back from row numbers and the zeros in front.
        """
        folder = Path(root) / self.folder
        for split, part in corpus.splits.items():
            if part.labels.shape != self._label_shape(len(part)):
                raise InputError(f"labels {part.labels.shape}, expected {self._label_shape(len(part))}", where=split)
        with note_stand_in(folder, corpus.source):
            for split in SPLITS:
                part = corpus.splits[split]
                for name, modalities in self._file_contents(split, tuple(corpus.modalities)).items():
                    write_dataset(folder / name, self.key, [part.features[modality] for modality in modalities])
                write_dataset(folder / f"y_{split}.h5", self.key, [part.labels])

    def _modalities(self, folder: Path) -> tuple[str, ...]:
        has_text = self.side_by_side or all((folder / f"text_{split}_emb.h5").exists() for split in SPLITS)
        return tuple(name for name in self.widths if has_text or name != "text")

    def _feature_files(self, folder: Path, split: str) -> dict[str, tuple[str, ...]]:
        return self._file_contents(split, self._modalities(folder))

    def _file_contents(self, split: str, modalities: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Modalities held by each file of a split, in column order."""
        if self.side_by_side:
            return {f"X_{split}.h5": tuple(self.widths)}
        return {f"{name}_{split}{'_emb' if name == 'text' else ''}.h5": (name,) for name in modalities}

    def _label_shape(self, n: int) -> tuple[int, ...]:
        return (n,) if len(self.columns) == 1 else (n, len(self.columns))

    def _part(self, folder: Path, split: str, label: str) -> Part:
        path = folder / f"y_{split}.h5"
        labels = scaled(read_numbers(path, self.key), self.scale.bounds, path)
        n = len(labels)
        if labels.shape != self._label_shape(n):
            raise InputError(f"labels {labels.shape}, expected {self._label_shape(n)}", where=path)
        if label != "all" and labels.ndim == 2:
            labels = labels[:, self.columns.index(label)]
        features, places = {}, {}
        for name, modalities in self._feature_files(folder, split).items():
            of_file = {modality: self.widths[modality] for modality in modalities}
            array = read_numbers(folder / name, self.key)
            if array.ndim != 3 or array.shape[2] != sum(of_file.values()):
                raise InputError(f"shape {array.shape}, expected (N, T, {sum(of_file.values())})", where=folder / name)
            if len(array) != n:
                raise InputError(f"{len(array)} samples, but {path.name} has {n}", where=folder / name)
            features |= split_columns(array, of_file)
            places |= dict.fromkeys(modalities, folder / name)
        steps = {modality: array.shape[1] for modality, array in features.items()}
        if len(set(steps.values())) > 1:
            raise InputError(f"the modalities differ in time steps: {steps}", where=folder / f"*_{split}.h5")
        return Part(features, labels, places.get)


def _absences(expected: Mapping[str, int], splits: Mapping[str, Split]) -> list[str]:
    """What is not in the data although the format has a place for it."""
    modalities = splits["train"].features
    found = [f"no {name}: not all of its files are there" for name in expected if name not in modalities]
    for name in modalities:
        empty = {split: int((part.features[name] == 0).all(axis=(1, 2)).sum()) for split, part in splits.items()}
        if any(count > 0.1 * len(splits[split]) for split, count in empty.items()):
            counts = ", ".join(f"{count} of {len(splits[split])} {split}" for split, count in empty.items())
            found.append(f"{name} is all zero in {counts} samples")
    return found


MOSI = MfnFormat(
    name="mosi",
    folder="mfn/data",
    key="data",
    widths={"text": 300, "audio": 5, "video": 20},
    columns=("sentiment",),
    default_label="sentiment",
    side_by_side=True,
    split_rule="as published: videos sorted by id, 52 train, 10 validation, 31 test",
)
MMMO = MfnFormat(
    name="mmmo",
    folder="mfn/new_data/mmmo",
    key="d1",
    widths={"text": 300, "audio": 74, "video": 36},
    columns=("sentiment",),
    default_label="sentiment",
    side_by_side=False,
    split_rule="as published: 220 train, 40 validation, 80 test videos",
)
POM = MfnFormat(
    name="pom",
    folder="mfn/new_data/pom",
    key="d1",
    widths={"text": 300, "audio": 43, "video": 41},
    columns=POM_TRAITS,
    default_label="Sentiment",
    side_by_side=False,
    split_rule="as published: 600 train, 100 validation, 203 test videos",
)
