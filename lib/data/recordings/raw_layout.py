"""The end-to-end emotion model's raw layout: folders of images and waveforms, `meta.pkl`, split lists (spec end_to_end,
2).

Nothing is decoded here but text: `read` lists what may be used and says what may not, and why.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lib.data.corpus import SPLITS
from lib.data.io import safe_pickle
from lib.data.io.impostors import refuse
from lib.data.io.source_files import STAND_IN_NOTE
from lib.data.io.text_files import listed
from lib.data.recordings.mme2e_rules import one_hot, uses_left_camera
from lib.errors import InputError

Kind = Literal["iemocap", "mosei", "cremad"]
"""The end-to-end paper's two corpora, and one whose recordings can be had, laid out and decoded as CMU-MOSEI."""
EMOTIONS: Mapping[str, tuple[str, ...]] = {
    "iemocap": ("ang", "exc", "fru", "hap", "neu", "sad"),
    "mosei": ("anger", "disgust", "fear", "happy", "sad", "surprise"),
    "cremad": ("anger", "disgust", "fear", "happy", "neutral", "sad"),
}
SAFE_ID = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


@dataclass(frozen=True)
class Problem:
    """What is wrong with an utterance (`what`), and whether it was `skipped`, `replaced` in part, or `kept`."""

    id: str
    what: str
    outcome: Literal["skipped", "replaced", "kept"]


@dataclass(frozen=True)
class RawItem:
    """One utterance on disk; `label` is float32 `(6,)` of zeros and ones. Its files need not be sound."""

    id: str
    kind: Kind
    folder: Path
    text: str
    label: np.ndarray

    @property
    def image_stem(self) -> str:
        """Images are `<stem><index>.jpg`; of IEMOCAP's two sides, the speaker's."""
        return f"image_{self._side}_" if self.kind == "iemocap" else "image_"

    @property
    def wave(self) -> Path:
        return self.folder / (f"audio_{self._side}.wav" if self.kind == "iemocap" else "audio.wav")

    @property
    def _side(self) -> str:
        return "L" if uses_left_camera(self.id) else "R"


@dataclass(frozen=True)
class RawCorpus:
    """The usable utterances of each split, in the order of its list, and the problems of the others."""

    kind: Kind
    root: Path
    splits: Mapping[str, tuple[RawItem, ...]]
    problems: tuple[Problem, ...]
    synthetic: bool


def processed_folder(kind: Kind, root: Path) -> Path:
    return Path(root) / f"{kind.upper()}_RAW_PROCESSED"


def utterance_folder(kind: Kind, root: Path, utterance_id: str) -> Path:
    """Where the files of an utterance lie; IEMOCAP groups them by dialogue. Raises InputError for an unsafe id."""
    if not SAFE_ID.fullmatch(utterance_id):
        raise InputError(f"unsafe utterance id {utterance_id!r}")
    if kind != "iemocap":
        return processed_folder(kind, root) / utterance_id
    uses_left_camera(utterance_id)  # raises for an id of another form
    return processed_folder(kind, root) / "_".join(utterance_id.split("_")[:2]) / utterance_id


def split_list(kind: Kind, root: Path, split: str) -> Path:
    """The list of a split; the repository ships the folder as `IEMOCAP_split`, its code expects `IEMOCAP_SPLIT`."""
    folders = [Path(root) / f"{kind.upper()}_{word}" for word in ("SPLIT", "split")]
    folder = next((folder for folder in folders if folder.is_dir()), folders[0])
    return folder / f"{split}_split.txt"


def read(kind: Kind, root: Path) -> RawCorpus:
    """List the corpus. Problems of single utterances are collected.

    Raises InputError for an unknown kind, a missing or damaged `meta.pkl` or split list, an utterance in two splits,
    and a split of which nothing is left.
    """
    if kind not in EMOTIONS:
        raise InputError(f"unknown raw corpus {kind!r}", todo=f"known: {', '.join(EMOTIONS)}")
    root = Path(root)
    meta = _meta(processed_folder(kind, root) / "meta.pkl")
    splits, problems, seen = {}, [], set()
    for split in SPLITS:
        path = split_list(kind, root, split)
        items = []
        for utterance_id in listed_ids(path):
            if utterance_id in seen:
                raise InputError(f"utterance {utterance_id!r} is listed twice", where=path)
            seen.add(utterance_id)
            try:
                items.append(_item(kind, root, utterance_id, meta))
            except InputError as error:
                problems.append(Problem(utterance_id, error.what, "skipped"))
        if not items:
            raise InputError(f"no usable utterance in the {split} split", where=path)
        splits[split] = tuple(items)
    synthetic = (processed_folder(kind, root) / STAND_IN_NOTE).exists()
    return RawCorpus(kind, root, splits, tuple(problems), synthetic)


def _meta(path: Path) -> Mapping[str, object]:
    refuse(path, how="point --raw at the folder that holds *_RAW_PROCESSED")
    meta = safe_pickle.load(path)
    if not isinstance(meta, dict):
        raise InputError("not a table of utterances", where=path)
    return meta


def listed_ids(path: Path) -> list[str]:
    """The utterances that the list of a split names. Raises InputError for a missing file or one that is not text."""
    refuse(path, how="take it from github.com/wenliangdai/Multimodal-End2end-Sparse")
    return listed(path)


def _item(kind: Kind, root: Path, utterance_id: str, meta: Mapping[str, object]) -> RawItem:
    folder = utterance_folder(kind, root, utterance_id)
    entry = meta.get(utterance_id)
    if not isinstance(entry, dict):
        raise InputError("not in meta.pkl")
    if not isinstance(entry.get("text"), str):
        raise InputError("its text is not a string")
    if not folder.is_dir():
        raise InputError("its folder is missing")
    if not folder.resolve().is_relative_to(Path(root).resolve()):
        raise InputError("its folder leads out of the corpus")
    return RawItem(utterance_id, kind, folder, entry["text"], _label(kind, entry.get("label")))


def _label(kind: Kind, label: object) -> np.ndarray:
    names = EMOTIONS[kind]
    if kind == "iemocap":
        if label not in names:
            raise InputError("its label is none of the six emotions")
        return one_hot(np.array([names.index(label)]), len(names))[0]
    try:
        votes = np.asarray(label, np.float32)
    except (TypeError, ValueError, OverflowError):
        raise InputError("its label is not numbers") from None
    if votes.shape != (len(names),) or not np.isin(votes, (0, 1)).all():
        raise InputError("its label is not six zeros and ones")
    return votes
