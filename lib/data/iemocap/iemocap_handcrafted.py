"""IEMOCAP's hand-crafted features in the end-to-end model's layout (spec end_to_end, 2 and 4.5).

`IEMOCAP_HCF_FEATURES/{phase}_{text,audio,video}_features.pt` are Python pickles despite their name. They are read
whole; labels come from the raw layout's `meta.pkl`.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lib.data.io import safe_pickle
from lib.data.io.features import Nonfinite, finite_float32
from lib.data.io.impostors import refuse
from lib.data.recordings.mme2e_rules import audio_columns, uses_left_camera
from lib.errors import InputError
from lib.files import atomic_path

WORD_WIDTH, ACTION_UNITS, AUDIO_WIDTH = 300, 35, 763
MODALITIES = ("text", "audio", "video")
ZEROED = "features of NaN or infinity set to 0"
Sequences = dict[str, Float[np.ndarray, "time features"]]


def feature_file(root: Path, phase: str, modality: str) -> Path:
    return Path(root) / "IEMOCAP_HCF_FEATURES" / f"{phase}_{modality}_features.pt"


def files(root: Path, phase: str) -> list[Path]:
    return [feature_file(root, phase, modality) for modality in MODALITIES]


def read_phase(
    root: Path, phase: str, audio_type: int = 0, nonfinite: Nonfinite = "error"
) -> tuple[dict[str, Sequences], dict[str, str]]:
    """Per utterance its sequences (text may be empty), and per unusable or mended utterance what is wrong with it.

    One with NaN or infinity is unusable; with `nonfinite="zero"` these are set to 0, which is told as `ZEROED`.

    Raises InputError for a missing or damaged file.
    """
    tables = {}
    for modality in MODALITIES:
        path = feature_file(root, phase, modality)
        refuse(path)
        tables[modality] = safe_pickle.load(path)
        if not isinstance(tables[modality], dict):
            raise InputError("not a table of utterances", where=path)
    found, problems = {}, {}
    for utterance_id in tables["text"]:
        try:
            sequences = _sequences(utterance_id, tables, audio_columns(audio_type))
            found[utterance_id], zeroed = finite_sequences(sequences, nonfinite)
            if zeroed:
                problems[utterance_id] = ZEROED
        except (InputError, KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
            problems[utterance_id] = error.what if isinstance(error, InputError) else "malformed features"
    return found, problems


def _sequences(utterance_id: str, tables: Mapping[str, Mapping], columns: np.ndarray) -> Sequences:
    side = "L" if uses_left_camera(utterance_id) else "R"
    for modality in ("audio", "video"):
        if utterance_id not in tables[modality]:
            raise InputError(f"no {modality} features")
    frames = tables["video"][utterance_id]
    names = [f"image_{side}_{i}" for i in range(len(frames) // 2)]
    units = [np.asarray(frames[name], np.float32)[-ACTION_UNITS:] for name in names if name in frames]
    if not units:
        raise InputError("no image")
    sequences = {
        "text": np.array(tables["text"][utterance_id], np.float32).reshape(-1, WORD_WIDTH),
        "audio": np.asarray(tables["audio"][utterance_id][side], np.float32).T[:, columns],
        "video": np.stack(units),
    }
    if sequences["video"].shape[1] != ACTION_UNITS:
        raise InputError(f"images of fewer than {ACTION_UNITS} features")
    return sequences


def finite_sequences(sequences: Mapping[str, np.ndarray], nonfinite: Nonfinite) -> tuple[Sequences, int]:
    """The sequences as float32, and how many numbers were set to 0. Raises InputError for what is not finite."""
    found, zeroed = {}, 0
    for modality, array in sequences.items():
        try:
            found[modality], count = finite_float32(array, modality, None, nonfinite)
        except InputError as error:
            raise InputError("features hold NaN or infinity") from error
        zeroed += count
    return found, zeroed


def write_phase(root: Path, phase: str, tables: Mapping[str, Mapping]) -> None:
    """Write the three files; `tables` holds per modality what `read_phase` finds in them."""
    for modality in MODALITIES:
        with atomic_path(feature_file(root, phase, modality)) as path:
            path.write_bytes(pickle.dumps(tables[modality], protocol=4))
