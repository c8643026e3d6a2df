"""Published tables by dialogue id, checked and turned into dialogues; what is not as published is one clear line."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lib.data.dialogues.conversation_batches import Dialogue
from lib.data.dialogues.stored_dialogues import MODALITIES, Emotions, StoredDialogues
from lib.data.io.features import Nonfinite, finite_float32
from lib.data.io.label_rules import class_numbers
from lib.data.io.ordering import natural_order
from lib.errors import InputError

TABLES = ("speakers", "labels", *MODALITIES)
_UNORDERED = (set, frozenset, dict)


def dialogues_from_tables(
    kind: Emotions,
    tables: Mapping[str, object],
    train: object,
    test: object,
    path: Path,
    *,
    nonfinite: Nonfinite = "error",
) -> StoredDialogues:
    """All dialogues of the two lists. `tables` has a dictionary by dialogue id for each of `TABLES`.

    A list that is a set or a dictionary has no order of its own, and that of a set changes from process to process:
    its ids are put into `natural_order`, and `StoredDialogues.unordered` names it. NaN and infinities in features
    become 0 with `nonfinite="zero"`; `StoredDialogues.zeroed` counts them.

    Raises InputError, naming file and dialogue, for a list or dictionary that is none, a dialogue that is missing,
    empty, listed twice or of uneven lengths, a label or speaker that the corpus does not declare.
    """
    try:
        lists = {name: _ids(given, name) for name, given in (("training", train), ("test", test))}
        unordered = tuple(n for n, given in (("training", train), ("test", test)) if isinstance(given, _UNORDERED))
        zeroed: Counter[str] = Counter()
        keys = (*lists["training"], *lists["test"])
        dialogues = [_dialogue(kind, tables, key, nonfinite, zeroed) for key in keys]
        stored = StoredDialogues.checked(dialogues, *(list(map(str, keys)) for keys in lists.values()))
        return replace(stored, unordered=unordered, zeroed=dict(zeroed))
    except InputError as error:
        where = path if error.where is None else f"{path}, {error.where}"
        raise InputError(error.what, where=where, todo=error.todo) from None


def plain(values: object, what: str) -> list:
    """The items of a list, NumPy's own numbers as Python's. Raises InputError for what has no items, or no order."""
    if isinstance(values, _UNORDERED):
        raise InputError(f"{what} are a {type(values).__name__}, which has no order, where a list belongs")
    try:
        return [value.item() if isinstance(value, np.generic) else value for value in values]
    except TypeError:
        raise InputError(f"{what} are not a list") from None


def stored_id(key: str) -> int | str:
    """A dialogue id as the files have it: a number in MELD, a name in IEMOCAP."""
    return int(key) if key.isdecimal() else key


def _ids(given: object, name: str) -> list[int | str]:
    ids = plain(list(given) if isinstance(given, _UNORDERED) else given, f"the {name} dialogues")
    if strange := [key for key in ids if not isinstance(key, int | str)]:
        raise InputError(f"a {name} dialogue with an id of type {type(strange[0]).__name__}")
    return natural_order(ids) if isinstance(given, _UNORDERED) else ids


def _dialogue(
    kind: Emotions, tables: Mapping[str, object], key: int | str, nonfinite: Nonfinite, zeroed: Counter[str]
) -> Dialogue:
    """One dialogue, checked."""
    where = f"dialogue {key}"
    for name in TABLES:
        if not isinstance(tables[name], dict):
            raise InputError(f"a {type(tables[name]).__name__} where the {name} by dialogue belong")
        if key not in tables[name]:
            raise InputError(f"no {name}", where=where)
    try:
        labels = _labels(kind, tables["labels"][key])
        speakers = _speakers(kind, plain(tables["speakers"][key], "speakers"))
        if len(speakers) != len(labels):
            raise InputError(f"{len(labels)} labels but {len(speakers)} speakers")
        features = {}
        for modality in MODALITIES:
            vectors = _vectors(modality, tables[modality][key], len(labels))
            row = "utterance {}".format
            features[modality], count = finite_float32(vectors, f"{modality} vector", None, nonfinite, row=row)
            zeroed[modality] += count
    except InputError as error:
        raise InputError(error.what, where=where, todo=error.todo) from None
    return Dialogue(str(key), speakers, labels, features)


def _labels(kind: Emotions, given: object) -> np.ndarray:
    labels = _numbers(given, "labels")
    if labels.size == 0:
        raise InputError("no utterances", todo="leave the dialogue out")
    return class_numbers(labels, len(kind.label_names), None, "utterance")


def _speakers(kind: Emotions, parties: Sequence[object]) -> np.ndarray:
    if strange := [party for party in parties if isinstance(party, bool | float) or party not in kind.parties]:
        known = ", ".join(map(str, kind.parties))
        raise InputError(f"speaker {str(strange[0])[:40]!r}", todo=f"the corpus declares {known}")
    return kind.speaker_ids(parties)


def _vectors(modality: str, given: object, utterances: int) -> np.ndarray:
    vectors = _numbers(given, modality)
    if vectors.ndim != 2 or len(vectors) != utterances:
        expected = f"expected a vector for each of {utterances} utterances"
        raise InputError(f"{modality} features of shape {vectors.shape}, {expected}")
    return vectors


def _numbers(value: object, what: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:
        raise InputError(f"{what} are of different lengths") from None
    if array.dtype.kind not in "iuf":
        raise InputError(f"{what} are not numbers")
    return array


Table = Callable[[Dialogue], list]


def written_tables(stored: StoredDialogues, columns: Mapping[str, Table]) -> dict[str, dict[int | str, list]]:
    """Dictionaries by dialogue id, one for each column, training dialogues first."""
    dialogues = {stored_id(key): stored.dialogues[key] for key in (*stored.train, *stored.test)}
    return {name: {key: column(d) for key, d in dialogues.items()} for name, column in columns.items()}
