"""A corpus whose minibatches are made when they are asked for: prepared raw files, or features of many lengths.

What is wrong with single utterances is found when the corpus is opened and listed in `problems`, so that training
meets only what can be read.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from lib.data import corpora
from lib.data.corpus import SPLITS, Source
from lib.data.io.features import Nonfinite
from lib.data.io.impostors import refuse
from lib.data.io.npz_files import read_arrays
from lib.data.recordings.handcrafted_batches import HandcraftedBatches, feature_files, open_split
from lib.data.recordings.raw_batches import HashTokenizer, RawBatches, Tokenizer, open_batches
from lib.data.recordings.raw_layout import EMOTIONS, Kind, Problem
from lib.data.recordings.raw_preprocessing import LIST, utterance_file
from lib.data.recordings.sound_batches import SoundBatches
from lib.data.stand_ins.synthetic_raw import source as stand_in_source
from lib.errors import InputError
from lib.files import sha256_file, sha256_json
from lib.source_closure import closure

Ragged = RawBatches | HandcraftedBatches | SoundBatches

_RULES = {
    "iemocap": "the authors' random utterance split: speakers and dialogues occur in all parts (quirk Q19)",
    "mosei": "the authors' split by video",
    "cremad": "no published split: the fourth actor of each five validated, the fifth tested; of few actors, clips",
}
_RECORDED_AS = {"iemocap": "iemocap_raw", "mosei": "mosei_raw", "cremad": "cremad_sample"}
"""Corpora whose descriptions say where the recordings are from."""
RAW, PREPARED = "mme2e", "mme2e_prepared"
"""Folders of the data folder: raw layout and features as released, and what was decoded from it."""


@dataclass(frozen=True)
class StreamedCorpus:
    """`contents` identifies the files that batches are made of. Labels are rows of zeros and ones.

    `options` say how the raw files were decoded.
    """

    label_names: tuple[str, ...]
    splits: Mapping[str, Ragged]
    source: Source
    problems: tuple[Problem, ...]
    contents: str
    options: Mapping[str, object]

    @cached_property
    def digest(self) -> str:
        """Identifies everything that a batch can hold: the files, and the code that makes batches of them."""
        return sha256_json([self.contents, closure([type(self.splits["train"]).__module__])])

    def batches(self, split: str, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> Ragged:
        """A split, batches copied to `device` one by one. Raises ValueError for another `dtype` than float32."""
        if dtype != torch.float32:
            raise ValueError(f"a streamed corpus is float32, not {dtype}")
        return replace(self.splits[split], device=device)

    def labels(self, split: str) -> np.ndarray:
        """`(N, E)` float32."""
        return self.splits[split].labels

    def tokenized(self, tokenizer: Tokenizer) -> "StreamedCorpus":
        """The same utterances with their texts as another tokenizer's ids."""
        splits = {name: replace(batches, tokenizer=tokenizer) for name, batches in self.splits.items()}
        return replace(self, splits=splits, contents=sha256_json([self.contents, repr(tokenizer)]))

    def problem_counts(self) -> dict[tuple[str, str], int]:
        """How often, by outcome and what is wrong, whatever the file's name."""
        return dict(Counter((p.outcome, p.what.rpartition(": ")[2]) for p in self.problems))


def open_raw(folder: Path, tokenizer: Tokenizer) -> StreamedCorpus:
    """What `preprocess` left in `folder`, `<out>/<kind>`; every file is read once, damaged ones are left out.

    Raises InputError for a missing list, and for a split of which nothing is left.
    """
    prepared = _prepared(folder)
    problems = [Problem(**problem) for problem in prepared["problems"]]
    splits = {}
    for split in SPLITS:
        batches = open_batches(folder, split, tokenizer)
        sound = [_is_sound(utterance_file(folder, i), key) for i, key in zip(batches.ids, batches.keys, strict=True)]
        damaged = [i for i, ok in zip(batches.ids, sound, strict=True) if not ok]
        problems += [Problem(i, "prepared file missing or damaged", "skipped") for i in damaged]
        if not any(sound):
            raise InputError(f"no utterance of the {split} split can be read", where=folder)
        splits[split] = batches.take(np.flatnonzero(sound))
    contents = sha256_json([sha256_file(folder / LIST), repr(tokenizer), [b.ids for b in splits.values()]])
    names, source = tuple(prepared["label_names"]), _source(prepared)
    return StreamedCorpus(names, splits, source, tuple(problems), contents, prepared["options"])


def open_handcrafted(
    folder: Path, features: Path, audio_type: int = 0, nonfinite: Nonfinite = "error"
) -> StreamedCorpus:
    """The hand-crafted features below `features`, of the utterances and labels that are prepared in `folder`.

    Utterances without usable features are left out and listed. Raises InputError for missing files and for a split of
    which nothing is left.
    """
    prepared, problems, splits, hashes = _prepared(folder), [], {}, {}
    kind: Kind = prepared["kind"]
    for split in SPLITS:
        labels = [(entry["id"], entry["label"]) for entry in prepared["splits"][split]]
        splits[split], told = open_split(kind, features, split, labels, audio_type, nonfinite)
        problems += told
        hashes |= {path.name: sha256_file(path) for path in feature_files(kind, features, split)}
    identity = [sha256_file(folder / LIST), hashes, audio_type, [b.ids for b in splits.values()]]
    contents = sha256_json(identity + [nonfinite] * (nonfinite != "error"))
    source = replace(_source(prepared), files=hashes)
    names = tuple(prepared["label_names"])
    return StreamedCorpus(names, splits, source, tuple(problems), contents, prepared["options"])


def _prepared(folder: Path) -> dict:
    path = Path(folder) / LIST
    refuse(path, how="run ./run_all.sh data preprocess")
    try:
        prepared = json.loads(path.read_text(encoding="utf-8"))
        [Problem(**problem) for problem in prepared["problems"]]
        kind, names, options = prepared["kind"], prepared["label_names"], prepared["options"]
        if tuple(names) != EMOTIONS.get(kind) or not isinstance(options, dict):
            raise ValueError("it is of none of the corpora")
        if not isinstance(prepared["synthetic"], bool):
            raise ValueError("it does not say whether it is synthetic")
        return prepared
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError("missing or damaged", where=path, todo="run ./run_all.sh data preprocess") from error


def _source(prepared: dict) -> Source:
    kind: Kind = prepared["kind"]
    if prepared["synthetic"]:
        return stand_in_source(kind)
    about = corpora.CORPORA[_RECORDED_AS[kind]]
    return Source(about.label, False, {}, about.licence, _RULES[kind], about.warnings, cluster=about.cluster)


def _is_sound(path: Path, key: str) -> bool:
    """Whether every byte of a prepared file is as it was written, and for the utterance as it was."""
    try:
        stored, faces, pieces = read_arrays(path, ("key", "faces", "pieces"))  # this checks their checksums
        return str(stored) == key and len(faces) > 0 and len(pieces) > 0
    except (InputError, TypeError):
        return False


@dataclass(frozen=True)
class RawReader:
    """Where a corpus that `./run_all.sh data preprocess` has decoded lies in the data folder."""

    kind: Kind

    def folder(self, root: Path) -> Path:
        """Of the prepared utterances."""
        return Path(root) / PREPARED / self.kind

    def features(self, root: Path) -> Path:
        """The folder that holds the folders of hand-crafted features."""
        return Path(root) / RAW

    def files(self, root: Path) -> list[Path]:
        """The list of prepared utterances, which holds the hashes of all of them, and what is there of features."""
        features = [path for split in SPLITS for path in feature_files(self.kind, self.features(root), split)]
        return [self.folder(root) / LIST, *(path for path in features if path.exists())]

    def read(self, root: Path, tokenizer: Tokenizer | None = None) -> StreamedCorpus:
        return open_raw(self.folder(root), tokenizer or HashTokenizer())


IEMOCAP, MOSEI = RawReader("iemocap"), RawReader("mosei")
