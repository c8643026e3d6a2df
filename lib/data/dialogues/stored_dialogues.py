"""Dialogues as a corpus file stores them, before a development set is cut from its training list.

Two published formats hold the same things: ids, speakers, labels and one vector per utterance and modality
(`spcl_pickles`, `mmgcn_pickles`). What they share behind the reading is here: split rules and the way into a `Corpus`.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from lib.data.arrays.named_arrays import save_pickle
from lib.data.corpus import Corpus, Source
from lib.data.dialogues.conversation_batches import (
    Dialogue,
    conversation_split,
    dev_split,
    iemocap_speakers,
    meld_speakers,
)
from lib.data.io import safe_pickle
from lib.data.io.cache import cached
from lib.data.io.features import Nonfinite, zeroed_notes
from lib.data.io.ordering import RULE
from lib.data.io.provenance import concluded, opened_source
from lib.data.io.source_files import note_stand_in
from lib.errors import InputError

_VERSION = 2  # of what the cache keeps
MODALITIES = ("text", "audio", "video")
SplitRule = Literal["paper", "official"]


@dataclass(frozen=True)
class Emotions:
    """One of the two corpora: its classes in the order of their ids, its speakers, and how its split is made.

    `parties` are the speaker ids before `speaker_ids` turns them into `speakers` ones. The training list is
    `shuffled` before its first tenth becomes the development set, or not (spec self_paced_balance, 1.2). `official` are
    the numbers of the development dialogues that the corpus' authors named, if they did.
    """

    name: str
    title: str
    label_names: tuple[str, ...]
    speakers: int
    parties: tuple[object, ...]
    speaker_ids: Callable[[Sequence], np.ndarray]
    shuffled: bool
    official: range | None = None


IEMOCAP = Emotions(
    name="iemocap",
    title="IEMOCAP",
    label_names=("happy", "sad", "neutral", "angry", "excited", "frustrated"),
    speakers=2,
    parties=("M", "F"),
    speaker_ids=iemocap_speakers,
    shuffled=True,
)
MELD = Emotions(
    name="meld",
    title="MELD",
    label_names=("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"),
    speakers=8,
    parties=tuple(range(9)),
    speaker_ids=meld_speakers,
    shuffled=False,
    official=range(1039, 1153),
)


@dataclass(frozen=True)
class StoredDialogues:
    """All dialogues by id, and the ids of the training and test lists in the order of the file.

    `unordered` names the lists ("training", "test") that the file keeps without an order; `zeroed` counts by modality
    the numbers that were set to 0.
    """

    dialogues: Mapping[str, Dialogue]
    train: tuple[str, ...]
    test: tuple[str, ...]
    unordered: tuple[str, ...] = ()
    zeroed: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def checked(cls, dialogues: Iterable[Dialogue], train: Sequence[str], test: Sequence[str]) -> "StoredDialogues":
        """Raises InputError for an empty list, a dialogue that is listed twice, and vectors of another width."""
        for name, keys in (("training", train), ("test", test)):
            if not keys:
                raise InputError(f"no {name} dialogues")
        seen: set[str] = set()
        for key in (*train, *test):
            if key in seen:
                raise InputError(f"dialogue {key} stands twice in the training and test lists")
            seen.add(key)
        by_id = {dialogue.id: dialogue for dialogue in dialogues}
        expected = {m: x.shape[1] for m, x in by_id[train[0]].features.items()}
        for key, dialogue in by_id.items():
            for m, x in dialogue.features.items():
                if x.shape[1] != expected[m]:
                    what = f"{m} vectors of {x.shape[1]} numbers, those of dialogue {train[0]} have {expected[m]}"
                    raise InputError(what, where=f"dialogue {key}")
        return cls(by_id, tuple(train), tuple(test))

    def arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays for the cache: everything one dialogue after another."""
        found = [self.dialogues[key] for key in (*self.train, *self.test)]
        return {
            "ids": np.array([dialogue.id for dialogue in found]),
            "train": np.array(len(self.train)),
            "unordered": np.array(self.unordered, dtype="U8"),
            "zeroed": np.array([self.zeroed.get(m, 0) for m in MODALITIES]),
            "lengths": np.array([len(dialogue) for dialogue in found]),
            "speakers": np.concatenate([dialogue.speakers for dialogue in found]),
            "labels": np.concatenate([dialogue.labels for dialogue in found]),
            **{m: np.concatenate([dialogue.features[m] for dialogue in found]) for m in MODALITIES},
        }

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> "StoredDialogues":
        """From `arrays()`."""
        ids, cut = arrays["ids"].tolist(), int(arrays["train"])
        stops = np.cumsum(arrays["lengths"])
        parts = [slice(stop - length, stop) for stop, length in zip(stops, arrays["lengths"], strict=True)]
        dialogues = [
            Dialogue(key, arrays["speakers"][part], arrays["labels"][part], {m: arrays[m][part] for m in MODALITIES})
            for key, part in zip(ids, parts, strict=True)
        ]
        zeroed = dict(zip(MODALITIES, arrays["zeroed"].tolist(), strict=True))
        stored = cls.checked(dialogues, ids[:cut], ids[cut:])
        return replace(stored, unordered=tuple(arrays["unordered"].tolist()), zeroed=zeroed)

    def notes(self) -> tuple[str, ...]:
        """What `Source.warnings` has to say of order and of numbers that were set to 0."""
        order = [f"the file keeps its {name} dialogues without an order: {RULE}" for name in self.unordered]
        return (*order, *zeroed_notes(self.zeroed))


@dataclass(frozen=True)
class DialoguePickle:
    """The one file of a corpus, a pickle of tables by dialogue id.

    `path` lies below the data folder. `stored` makes of what the pickle holds the dialogues, `tree` goes back.
    """

    name: str
    kind: Emotions
    path: str
    stored: Callable[[object, Emotions, Path, Nonfinite], StoredDialogues]
    tree: Callable[[StoredDialogues, Emotions], object]
    protocol: int

    def files(self, root: Path) -> list[Path]:
        return [Path(root) / self.path]

    def read(self, root: Path, *, seed: int = 0, split: SplitRule = "paper", nonfinite: Nonfinite = "error") -> Corpus:
        """A conversation corpus of the file's own widths; `seed` and `split` as in `with_development_set`.

        NaN and infinities in features are refused, or 0 with `nonfinite="zero"`. Raises InputError for these, for a
        missing, damaged or hostile file, and for what is not as published.
        """
        (path,) = self.files(root)
        source = opened_source(self.name, root, [path])

        def build() -> dict[str, np.ndarray]:
            return self.stored(safe_pickle.load(path), self.kind, path, nonfinite).arrays()

        stored = StoredDialogues.of(cached(self.name, _VERSION, source.files, {"nonfinite": nonfinite}, build))
        source = concluded(source, path.parent, "", stored.notes(), split_by_reader=True)
        return with_development_set(self.kind, stored, source, seed=seed, split=split)

    def write(self, root: Path, stored: StoredDialogues, source: Source) -> None:
        """Write the file that `read` reads. Of `source`, only what marks a stand-in corpus is kept."""
        (path,) = self.files(root)
        with note_stand_in(path.parent, source):
            save_pickle(path, self.tree(stored, self.kind), protocol=self.protocol)


def with_development_set(
    kind: Emotions, stored: StoredDialogues, source: Source, *, seed: int = 0, split: SplitRule = "paper"
) -> Corpus:
    """The corpus with its development set; `source.split_rule` is set here.

    `split="paper"` takes the first tenth of the training list, which for IEMOCAP is shuffled with `seed` before, so
    that its development set depends on the seed (quirk 14). `split="official"` takes the dialogues that the authors
    of MELD named; in the paper's rule those are trained on (quirk 13). Raises InputError for an official split of a
    corpus or file that has none, and for fewer than ten training dialogues.
    """
    official = [key for key in stored.train if key.isdecimal() and kind.official and int(key) in kind.official]
    warnings = source.warnings
    if split == "official":
        if not official:
            raise InputError("no official development dialogues", where=source.name, todo="use split 'paper'")
        valid, chosen = official, "the official development set"
        train = [key for key in stored.train if key not in set(official)]
    elif split == "paper":
        train, valid = dev_split(stored.train, random.Random(seed) if kind.shuffled else None)
        chosen = f"a tenth of the training dialogues, shuffled with seed {seed}" if kind.shuffled else "the first tenth"
        if official:
            warnings += (f"{len(set(official) & set(train))} official development dialogues are trained on (quirk 13)",)
    else:
        raise InputError(f"unknown split {split!r}", todo="known: paper, official")
    if not valid:
        todo = "raise `samples`" if source.synthetic else "ten are the fewest that a development set can be cut from"
        raise InputError(
            f"{len(stored.train)} training dialogues, a tenth of which is none", where=source.name, todo=todo
        )
    parts = {"train": train, "valid": valid, "test": stored.test}
    splits = {name: conversation_split([stored.dialogues[key] for key in keys]) for name, keys in parts.items()}
    widths = {m: x.shape[2] for m, x in splits["train"].features.items()}
    rule = f"development: {chosen} ({len(valid)} of {len(stored.train)}); test: as stored"
    return Corpus("classes", kind.label_names, widths, splits, replace(source, split_rule=rule, warnings=warnings))
