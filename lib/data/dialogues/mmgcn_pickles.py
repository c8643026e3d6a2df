"""`IEMOCAP_features.pkl` and `MELD_features_raw1.pkl` of MMGCN and MM-DFN (spec spcl, 1.4).

Each is a row of tables by dialogue id, its items known by their places. Their widths (IEMOCAP text 100, audio 1582,
video 342; MELD 600, 300, 342) are not those of the SPCL files.
"""

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.data.corpus import Corpus, Source
from lib.data.dialogues import stored_dialogues
from lib.data.dialogues.dialogue_tables import dialogues_from_tables, plain, stored_id, written_tables
from lib.data.dialogues.stored_dialogues import MODALITIES, Emotions, SplitRule, StoredDialogues, read_corpus
from lib.data.io import safe_pickle
from lib.data.io.features import Nonfinite
from lib.data.io.source_files import note_stand_in
from lib.errors import InputError
from lib.files import atomic_path

ITEMS = ("ids", "speakers", "labels", *MODALITIES, "sentences", "train", "test")


@dataclass(frozen=True)
class MmgcnPickle:
    """One of the two files. In MELD's a speaker is a row of zeros with one 1, and an unused tenth item follows."""

    kind: Emotions
    file: str
    one_hot: bool
    unused: int
    licence: str

    def files(self, root: Path) -> list[Path]:
        """The one file, below `mmgcn/<name>/`."""
        return [Path(root) / "mmgcn" / self.kind.name / self.file]

    def read(self, root: Path, *, seed: int = 0, split: SplitRule = "paper", nonfinite: Nonfinite = "error") -> Corpus:
        """As `spcl_pickles.SpclPickle.read`: the same dialogues, labels, speakers and split rules, other features."""
        (path,) = self.files(root)
        return read_corpus(
            self.kind,
            path,
            root,
            Source(f"{self.kind.title} (MMGCN features)", False, {}, self.licence, ""),
            lambda: self._stored(path, nonfinite),
            corpus_name=f"{self.kind.name}_conversations_mmgcn",
            seed=seed,
            split=split,
            nonfinite=nonfinite,
        )

    def write(self, root: Path, stored: StoredDialogues, source: Source) -> None:
        """Write the file that `read` reads. Of `source`, only what marks a stand-in corpus is kept."""
        columns = {
            "ids": lambda d: [f"{d.id}_{number}" for number in range(len(d))],
            "speakers": lambda d: self._rows(d.speakers),
            "labels": lambda d: d.labels.tolist(),
            **{m: lambda d, m=m: list(d.features[m]) for m in MODALITIES},
            "sentences": lambda d: [""] * len(d),
        }
        tables = list(written_tables(stored, columns).values())
        lists = [list(map(stored_id, keys)) for keys in (stored.train, stored.test)]
        (path,) = self.files(root)
        with note_stand_in(path.parent, source), atomic_path(path) as temporary, temporary.open("wb") as handle:
            pickle.dump((*tables, *lists, *[None] * self.unused), handle, protocol=2)

    def _rows(self, speakers: np.ndarray) -> list:
        parties = self.kind.parties
        return [np.eye(len(parties))[s].tolist() if self.one_hot else parties[s] for s in speakers.tolist()]

    def _stored(self, path: Path, nonfinite: Nonfinite) -> StoredDialogues:
        items = safe_pickle.load(path)
        count = len(ITEMS) + self.unused
        if not isinstance(items, list | tuple) or len(items) != count:
            found = f"{len(items)} items" if isinstance(items, list | tuple) else f"a {type(items).__name__}"
            raise InputError(f"{found}, expected a list of {count} items", where=path)
        tables = dict(zip(ITEMS, items, strict=False))
        if self.one_hot and isinstance(tables["speakers"], dict):
            tables["speakers"] = {key: self._parties(key, rows, path) for key, rows in tables["speakers"].items()}
        return dialogues_from_tables(self.kind, tables, tables["train"], tables["test"], path, nonfinite=nonfinite)

    def _parties(self, key: object, rows: object, path: Path) -> list[int]:
        """Which party each row of zeros and a one names."""
        parties = []
        for row in plain(rows, "speakers"):
            values = np.asarray(row)
            if values.shape != (len(self.kind.parties),) or sorted(values.tolist()) != [0] * (len(values) - 1) + [1]:
                todo = f"expected {len(self.kind.parties)} numbers, one of them 1 and the others 0"
                raise InputError("a speaker that is not one-hot", where=f"{path}, dialogue {key}", todo=todo)
            parties.append(int(values.argmax()))
        return parties


IEMOCAP = MmgcnPickle(
    stored_dialogues.IEMOCAP,
    "IEMOCAP_features.pkl",
    one_hot=False,
    unused=0,
    licence="IEMOCAP: release agreement of the University of Southern California; repository zerohd4869/MM-DFN: MIT",
)
MELD = MmgcnPickle(
    stored_dialogues.MELD,
    "MELD_features_raw1.pkl",
    one_hot=True,
    unused=1,
    licence="MELD: GPL-3.0; repository zerohd4869/MM-DFN: MIT",
)
