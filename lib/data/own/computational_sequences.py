"""CMU-MultimodalSDK's computational sequences (`.csd`): a folder of them, made into a corpus as the SDK's users do.

Each file is HDF5 with one group, named after what it holds; below it `data/<video>/features` `(frames, width)` and
`data/<video>/intervals` `(frames, 2)`, start and end in seconds. The text's intervals are the steps: audio and
video are averaged over each of them, and the labels' intervals say which steps an utterance has. `folds.csv` (video,
split) says which videos are trained on, validated and tested.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.data.arrays.sequences import pad
from lib.data.corpus import SPLITS, Task
from lib.data.io.hdf5 import group, incomplete, numbers
from lib.data.io.impostors import refuse
from lib.data.io.text_files import records
from lib.data.own.alignment import by_intervals
from lib.data.own.declaration import MODALITIES, Declaration, ScaleOf
from lib.data.own.parts import Brought, Part
from lib.errors import InputError

FOLDS = "folds.csv"
STEPS = 50
_WORDS = {
    "labels": ("label",),
    "text": ("glove", "wordvector", "bert", "text"),
    "audio": ("covarep", "opensmile", "audio", "acoustic"),
    "video": ("facet", "openface", "visual", "video"),
}
"""What a sequence holds, by a word in its name."""
_EMOTIONS = ("happy", "sad", "angry", "surprise", "disgust", "fear")
"""CMU-MOSEI's label columns after sentiment, in the order of its `All Labels`."""


@dataclass(frozen=True)
class Sequence:
    """A file opened: the part of the corpus that it is, and by video its features and its intervals."""

    path: Path
    holds: str
    width: int

    def of(self, file, video: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Features and intervals of a video, in the order of time; None where it has none."""
        data = _data(file, self.path)
        if video not in data:
            return None
        held = group(data, video, self.path)
        features, times = (numbers(held, key, self.path) for key in ("features", "intervals"))
        if features.ndim != 2 or times.shape != (len(features), 2) or features.shape[1] != self.width:
            what = f"features {features.shape} and intervals {times.shape} of {video} do not fit"
            raise InputError(what, where=self.path, todo=f"expected (frames, {self.width}) and (frames, 2)")
        if not np.isfinite(times).all() or (times[:, 1] < times[:, 0]).any():
            raise InputError(f"intervals of {video} end before they begin", where=self.path)
        order = np.argsort(times[:, 0], kind="stable")
        return features[order].astype(np.float32), times[order].astype(np.float64)


def read(folder: Path, *, name: str, task: Task | None, licence: str, steps: int = STEPS) -> Brought:
    """The corpus in a folder of `.csd` files and `folds.csv`; of an utterance the last `steps` words.

    `task` regression takes the first label column, multilabel CMU-MOSEI's six emotions (present above 0). Raises
    InputError for a file that is damaged or holds nobody knows what, a modality twice, no text or no labels, a video
    without a fold, and a fold without utterances.
    """
    sequences = {sequence.holds: sequence for sequence in map(opened, sorted(folder.glob("*.csd")))}
    for needed in ("text", "labels"):
        if needed not in sequences:
            raise InputError(f"no sequence of {needed}", where=folder, todo=f"names hold one of {_WORDS[needed]}")
    folds = _folds(folder)
    names, of_labels, about = _asked(sequences["labels"], task)
    found: dict[str, list] = {split: [] for split in SPLITS}
    notes: Counter[str] = Counter()
    for video, utterance, values, label in _utterances(sequences, notes):
        if video not in folds:
            raise InputError(f"no split for video {video}", where=folder / FOLDS)
        found[folds[video]].append((f"{video}[{utterance}]", video, values, of_labels(label)))
    about = Declaration(
        label=name, licence=licence, unit="video", splits={s: s for s in SPLITS}, labels=names, padding="front", **about
    )
    parts = {split: _part(rows, split, folder, steps) for split, rows in found.items()}
    told = tuple(f"{count} {what}" for what, count in notes.items())
    about = about.model_copy(update={"imported_from": {"format": "folder of computational sequences"}})
    return Brought(about, parts, told)


def opened(path: Path) -> Sequence:
    """What a file is. Raises InputError for one that is no computational sequence, or of a kind that is not known."""
    refuse(path, expected=".h5")
    with _file(path) as file:
        data, names = _data(file, path), list(file)
        name = names[0].lower().replace(" ", "").replace("_", "")
        holds = next((holds for holds, words in _WORDS.items() if any(word in name for word in words)), None)
        if holds is None:
            what = f"nobody knows what {names[0]!r} holds"
            raise InputError(what, where=path, todo=f"its name must hold one of {sum(_WORDS.values(), ())}")
        first = numbers(group(data, next(iter(data)), path), "features", path)
        return Sequence(path, holds, int(np.prod(first.shape[1:])))


def _data(file, path: Path):
    """What lies by video in an open file."""
    names = list(file)
    if len(names) != 1 or not len(data := group(group(file, names[0], path), "data", path)):
        raise InputError(f"no computational sequence, only {names}", where=path)
    return data


class _file:
    """An HDF5 file open for reading; whatever the library raises within becomes InputError."""

    def __init__(self, path: Path):
        self._path = path

    def __enter__(self):
        import h5py

        try:
            self._opened = h5py.File(self._path, "r")
        except Exception as error:
            raise incomplete(self._path, error) from error
        return self._opened

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._opened.close()
        if isinstance(error, Exception) and not isinstance(error, InputError):
            raise incomplete(self._path, error) from error


def _folds(folder: Path) -> dict[str, str]:
    path = folder / FOLDS
    if not path.is_file():
        raise InputError("missing", where=path, todo="it has the columns video and split: train, valid or test")
    refuse(path)
    found = {}
    for line, row in records(path, ("video", "split")):
        if row["split"] not in SPLITS:
            raise InputError(
                f"split {row['split']!r}", where=f"{path}, line {line}", todo=f"known: {', '.join(SPLITS)}"
            )
        if found.setdefault(row["video"], row["split"]) != row["split"]:
            raise InputError(f"video {row['video']} stands in two splits", where=f"{path}, line {line}")
    return found


def _asked(labels: Sequence, task: Task | None):
    """Names of the labels, how a row of label columns becomes them, and what the declaration says."""
    if task == "multilabel" and labels.width == 1 + len(_EMOTIONS):
        return _EMOTIONS, lambda row: (row[1:] > 0).astype(np.float64), {"task": "multilabel"}
    if task in (None, "regression"):
        scale = {"task": "regression", "scale": ScaleOf(limits=(-3.0, 3.0), neutral=0.0)}
        return ("sentiment",), lambda row: float(row[0]), scale
    raise InputError(f"no labels for {task}", where=labels.path, todo=f"it has {labels.width} columns of numbers")


def _utterances(sequences: Mapping[str, Sequence], notes: Counter) -> Iterator[tuple[str, int, dict, np.ndarray]]:
    """Video, number, features `(words, width)` by modality, and label row of each utterance."""
    with ExitStack() as stack:
        files = {holds: stack.enter_context(_file(sequence.path)) for holds, sequence in sequences.items()}
        held = files["labels"]
        for video in _data(held, sequences["labels"].path):
            labels, spans = sequences["labels"].of(held, video)
            parts = {m: sequences[m].of(files[m], video) for m in MODALITIES if m in sequences}
            if parts["text"] is None:
                notes["utterances left out: their video has no text"] += len(labels)
                continue
            words, times = parts["text"]
            for utterance, (label, (start, end)) in enumerate(zip(labels, spans, strict=True)):
                middle = times.mean(axis=1)
                inside = (middle >= start) & (middle < end)
                if not inside.any():
                    notes["utterances left out: no word lies in them"] += 1
                    continue
                values = {"text": words[inside]}
                for modality, part in parts.items():
                    if modality == "text":
                        continue
                    width = sequences[modality].width
                    values[modality] = (
                        np.zeros((int(inside.sum()), width), np.float32)
                        if part is None
                        else by_intervals(*part, times[inside])
                    )
                    if part is None:
                        notes[f"utterances without {modality}: zeros"] += 1
                yield video, utterance, values, label


def _part(rows: list, split: str, folder: Path, steps: int) -> Part:
    if not rows:
        raise InputError(f"no utterances in {split}", where=folder / FOLDS)
    ids, videos, values, labels = zip(*rows, strict=True)
    features, lengths = {}, None
    for modality in values[0]:
        features[modality], lengths = pad([each[modality] for each in values], steps, "front")
    return Part(features, lengths, np.array(labels), ids, videos)
