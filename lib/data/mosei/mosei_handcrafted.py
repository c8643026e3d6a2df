"""CMU-MOSEI's hand-crafted features in the end-to-end model's layout (spec end_to_end, 2 and 4.5).

`MOSEI_HCF_FEATURES/mosei_senti_hcf_{phase}.pkl` holds the arrays `id`, `text`, `audio` and `vision`: 50, 500 and 500
steps of 300, 74 and 35 features. Sequences are taken in their full length, padding included, as by the reference.
Labels come from the raw layout's `meta.pkl`.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lib.data.arrays.emotion_rules import without_minus_infinity
from lib.data.iemocap.iemocap_handcrafted import ZEROED, finite_sequences
from lib.data.io import safe_pickle
from lib.data.io.features import Nonfinite
from lib.data.io.impostors import refuse
from lib.errors import InputError
from lib.files import atomic_path

WIDTHS = {"text": 300, "audio": 74, "video": 35}
SILENT = "audio features of -inf set to 0"
_KEYS = {"text": "text", "audio": "audio", "video": "vision"}
Sequences = dict[str, Float[np.ndarray, "time features"]]


def files(root: Path, phase: str) -> list[Path]:
    return [Path(root) / "MOSEI_HCF_FEATURES" / f"mosei_senti_hcf_{phase}.pkl"]


def read_phase(root: Path, phase: str, nonfinite: Nonfinite = "error") -> tuple[dict[str, Sequences], dict[str, str]]:
    """Per usable utterance its sequences, and per utterance what is wrong with it.

    Audio of -inf (the logarithm of silence) is set to 0 and told as `SILENT`, as the corpus' other readers do: the
    reference would compute NaN. Other features that are not finite make an utterance unusable, or are set to 0 with
    `nonfinite="zero"`. Of an id that occurs twice the first counts, as in the reference's search. Raises InputError for
    a missing or damaged file.
    """
    (path,) = files(root, phase)
    refuse(path)
    stored = safe_pickle.load(path)
    if not isinstance(stored, dict) or not {"id", *_KEYS.values()} <= set(stored):
        raise InputError("not a table with id, text, audio and vision", where=path)
    ids = _ids(stored["id"], path)
    arrays = {modality: _array(stored[key], len(ids), modality, path) for modality, key in _KEYS.items()}
    found, problems = {}, {}
    for row, utterance_id in enumerate(ids):
        if utterance_id in found or utterance_id in problems:
            continue
        sequences = {modality: array[row] for modality, array in arrays.items()}
        if np.isneginf(sequences["audio"]).any():
            sequences["audio"] = without_minus_infinity(sequences["audio"])
            problems[utterance_id] = SILENT
        try:
            found[utterance_id], zeroed = finite_sequences(sequences, nonfinite)
            if zeroed:
                problems[utterance_id] = ZEROED
        except InputError as error:
            problems[utterance_id] = error.what
    return found, problems


def write_phase(root: Path, phase: str, sequences: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Write the file; `sequences` holds per utterance arrays whose lengths agree within each modality."""
    table = {"id": np.array(list(sequences))}
    table |= {key: np.stack([entry[modality] for entry in sequences.values()]) for modality, key in _KEYS.items()}
    with atomic_path(files(root, phase)[0]) as path:
        path.write_bytes(pickle.dumps(table, protocol=4))


def _ids(stored: object, path: Path) -> list[str]:
    try:
        given = np.ravel(stored)
    except ValueError:
        raise InputError("its ids are not names", where=path) from None
    ids = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in given]
    if not ids or not all(isinstance(value, str) for value in ids):
        raise InputError("its ids are not names", where=path)
    return [str(value) for value in ids]


def _array(stored: object, utterances: int, modality: str, path: Path) -> np.ndarray:
    try:
        array = np.asarray(stored) if isinstance(stored, np.ndarray | list) else np.array(None)
    except ValueError:
        raise InputError(f"{modality}: rows of different lengths", where=path) from None
    width = WIDTHS[modality]
    if array.dtype.kind not in "fiu" or array.ndim != 3 or array.shape[0] != utterances or array.shape[2] != width:
        raise InputError(
            f"{modality}: {array.dtype} of shape {array.shape}, expected ({utterances}, time, {width})", where=path
        )
    return array
