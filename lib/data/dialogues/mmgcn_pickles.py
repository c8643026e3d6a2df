"""`IEMOCAP_features.pkl` and `MELD_features_raw1.pkl` of MMGCN and MM-DFN (spec self_paced_balance, 1.4).

Each is a row of tables by dialogue id, its items known by their places: the same dialogues, labels and speakers as in
the SPCL files, but other features (IEMOCAP text 100, audio 1582, video 342; MELD 600, 300, 342). In MELD's a speaker is
a row of zeros with one 1, and an unused tenth item follows.
"""

from functools import partial
from pathlib import Path

import numpy as np

from lib.data.dialogues import stored_dialogues
from lib.data.dialogues.dialogue_tables import dialogues_from_tables, plain, stored_id, written_tables
from lib.data.dialogues.stored_dialogues import MODALITIES, DialoguePickle, Emotions, StoredDialogues
from lib.data.io.features import Nonfinite
from lib.errors import InputError

ITEMS = ("ids", "speakers", "labels", *MODALITIES, "sentences", "train", "test")


def _stored(
    items: object, kind: Emotions, path: Path, nonfinite: Nonfinite, *, one_hot: bool, unused: int
) -> StoredDialogues:
    count = len(ITEMS) + unused
    if not isinstance(items, list | tuple) or len(items) != count:
        found = f"{len(items)} items" if isinstance(items, list | tuple) else f"a {type(items).__name__}"
        raise InputError(f"{found}, expected a list of {count} items", where=path)
    tables = dict(zip(ITEMS, items, strict=False))
    if one_hot and isinstance(tables["speakers"], dict):
        tables["speakers"] = {
            key: _parties(rows, len(kind.parties), f"{path}, dialogue {key}")
            for key, rows in tables["speakers"].items()
        }
    return dialogues_from_tables(kind, tables, tables["train"], tables["test"], path, nonfinite=nonfinite)


def _parties(rows: object, parties: int, where: str) -> list[int]:
    """Which party each row of zeros and a one names."""
    found = []
    for row in plain(rows, "speakers"):
        values = np.asarray(row)
        if values.shape != (parties,) or sorted(values.tolist()) != [0] * (parties - 1) + [1]:
            todo = f"expected {parties} numbers, one of them 1 and the others 0"
            raise InputError("a speaker that is not one-hot", where=where, todo=todo)
        found.append(int(values.argmax()))
    return found


def _tree(stored: StoredDialogues, kind: Emotions, *, one_hot: bool, unused: int) -> tuple:
    def party(speaker: int) -> object:
        return np.eye(len(kind.parties))[speaker].tolist() if one_hot else kind.parties[speaker]

    columns = {
        "ids": lambda d: [f"{d.id}_{number}" for number in range(len(d))],
        "speakers": lambda d: [party(speaker) for speaker in d.speakers],
        "labels": lambda d: d.labels.tolist(),
        **{m: lambda d, m=m: list(d.features[m]) for m in MODALITIES},
        "sentences": lambda d: [""] * len(d),
    }
    lists = [list(map(stored_id, keys)) for keys in (stored.train, stored.test)]
    return (*written_tables(stored, columns).values(), *lists, *[None] * unused)


def _pickle(kind: Emotions, file: str, *, one_hot: bool, unused: int) -> DialoguePickle:
    path, name = f"mmgcn/{kind.name}/{file}", f"{kind.name}_conversations_mmgcn"
    parts = (partial(f, one_hot=one_hot, unused=unused) for f in (_stored, _tree))
    return DialoguePickle(name, kind, path, *parts, protocol=2)


IEMOCAP = _pickle(stored_dialogues.IEMOCAP, "IEMOCAP_features.pkl", one_hot=False, unused=0)
MELD = _pickle(stored_dialogues.MELD, "MELD_features_raw1.pkl", one_hot=True, unused=1)
