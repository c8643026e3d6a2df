"""`iemocap.pkl` and `meld.pkl` as the SPCL code reads them: a dictionary of tables by dialogue id (spec
self_paced_balance, 1.1)."""

from functools import partial
from pathlib import Path

from lib.data.dialogues import stored_dialogues
from lib.data.dialogues.dialogue_tables import dialogues_from_tables, stored_id, written_tables
from lib.data.dialogues.stored_dialogues import DialoguePickle, Emotions, StoredDialogues
from lib.data.io.features import Nonfinite
from lib.errors import InputError

FEATURES = {"text": "text", "audio": "audio", "video": "visual"}


def _stored(tree: object, kind: Emotions, path: Path, nonfinite: Nonfinite, *, speakers: str) -> StoredDialogues:
    """`speakers` is the only name that differs between the two files."""
    names = {"speakers": speakers, "labels": "label", **FEATURES, "train": "trainVid", "test": "testVid"}
    if not isinstance(tree, dict):
        raise InputError(f"a {type(tree).__name__} where a dictionary belongs", where=path)
    if missing := [name for name in names.values() if name not in tree]:
        raise InputError(f"no {missing[0]!r}, only {', '.join(map(repr, tree)) or 'nothing'}", where=path)
    tables = {ours: tree[theirs] for ours, theirs in names.items()}
    return dialogues_from_tables(kind, tables, tables["train"], tables["test"], path, nonfinite=nonfinite)


def _tree(stored: StoredDialogues, kind: Emotions, *, speakers: str) -> dict[str, object]:
    columns = {
        speakers: lambda d: [kind.parties[party] for party in d.speakers],
        "label": lambda d: d.labels.tolist(),
        "sentence": lambda d: [""] * len(d),
        **{name: lambda d, m=m: list(d.features[m]) for m, name in FEATURES.items()},
    }
    lists = {"trainVid": list(map(stored_id, stored.train)), "testVid": list(map(stored_id, stored.test))}
    return lists | written_tables(stored, columns)


def _pickle(kind: Emotions, speakers: str) -> DialoguePickle:
    """Below the data folder as below that of the SPCL code."""
    path, parts = f"spcl/{kind.name}/{kind.name}.pkl", (partial(f, speakers=speakers) for f in (_stored, _tree))
    return DialoguePickle(f"{kind.name}_conversations", kind, path, *parts, protocol=4)


IEMOCAP = _pickle(stored_dialogues.IEMOCAP, "speaker")
MELD = _pickle(stored_dialogues.MELD, "speakers")
