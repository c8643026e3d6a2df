"""`iemocap.pkl` and `meld.pkl` as the SPCL code reads them: a dictionary of tables by dialogue id (spec spcl, 1.1)."""

import pickle
from dataclasses import dataclass
from pathlib import Path

from lib.data.corpus import Corpus, Source
from lib.data.dialogues import stored_dialogues
from lib.data.dialogues.dialogue_tables import dialogues_from_tables, stored_id, written_tables
from lib.data.dialogues.stored_dialogues import Emotions, SplitRule, StoredDialogues, read_corpus
from lib.data.io import safe_pickle
from lib.data.io.features import Nonfinite
from lib.data.io.source_files import note_stand_in
from lib.errors import InputError
from lib.files import atomic_path

FEATURES = {"text": "text", "audio": "audio", "video": "visual"}


@dataclass(frozen=True)
class SpclPickle:
    """One of the two files; `speakers` is the only name that differs between them."""

    kind: Emotions
    speakers: str
    licence: str

    def files(self, root: Path) -> list[Path]:
        """The one file: `spcl/<name>/<name>.pkl`, as below the data folder of the SPCL code."""
        return [Path(root) / "spcl" / self.kind.name / f"{self.kind.name}.pkl"]

    def read(self, root: Path, *, seed: int = 0, split: SplitRule = "paper", nonfinite: Nonfinite = "error") -> Corpus:
        """A conversation corpus of the file's own widths; `seed` and `split` as in `with_development_set`.

        NaN and infinities in features are refused, or 0 with `nonfinite="zero"`.

        Raises InputError for a missing, damaged or hostile file, and for what is not as published.
        """
        (path,) = self.files(root)
        return read_corpus(
            self.kind,
            path,
            root,
            Source(f"{self.kind.title} (SPCL features)", False, {}, self.licence, ""),
            lambda: self._stored(path, nonfinite),
            corpus_name=f"{self.kind.name}_conversations",
            seed=seed,
            split=split,
            nonfinite=nonfinite,
        )

    def write(self, root: Path, stored: StoredDialogues, source: Source) -> None:
        """Write the file that `read` reads. Of `source`, only what marks a stand-in corpus is kept."""
        columns = {
            self.speakers: lambda d: [self.kind.parties[party] for party in d.speakers],
            "label": lambda d: d.labels.tolist(),
            "sentence": lambda d: [""] * len(d),
        }
        columns |= {name: lambda d, m=m: list(d.features[m]) for m, name in FEATURES.items()}
        tree = {"trainVid": list(map(stored_id, stored.train)), "testVid": list(map(stored_id, stored.test))}
        tree |= written_tables(stored, columns)
        (path,) = self.files(root)
        with note_stand_in(path.parent, source), atomic_path(path) as temporary, temporary.open("wb") as handle:
            pickle.dump(tree, handle, protocol=4)

    def _stored(self, path: Path, nonfinite: Nonfinite) -> StoredDialogues:
        tree = safe_pickle.load(path)
        names = {"speakers": self.speakers, "labels": "label", **FEATURES, "train": "trainVid", "test": "testVid"}
        if not isinstance(tree, dict):
            raise InputError(f"a {type(tree).__name__} where a dictionary belongs", where=path)
        if missing := [name for name in names.values() if name not in tree]:
            raise InputError(f"no {missing[0]!r}, only {', '.join(map(repr, tree)) or 'nothing'}", where=path)
        tables = {ours: tree[theirs] for ours, theirs in names.items()}
        return dialogues_from_tables(self.kind, tables, tables["train"], tables["test"], path, nonfinite=nonfinite)


IEMOCAP = SpclPickle(
    stored_dialogues.IEMOCAP, "speaker", "IEMOCAP: release agreement of the University of Southern California"
)
MELD = SpclPickle(stored_dialogues.MELD, "speakers", "MELD: GPL-3.0; none is stated for the features")
