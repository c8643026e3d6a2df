"""The face of RAVDESS' clips: means over time of OpenFace's action units, in a table that others published.

`au_mfcc.pkl` maps `01-01-...` to 294 numbers: the means of 17 intensities (0 to 5) and of 18 presences (0 or 1), then a
trace of the sound, whose length alone is used here: it shows whether the rows of the table are those of their clips.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lib.data.io import safe_pickle
from lib.data.ravdess.clips import Clip
from lib.errors import InputError

PRESENT = ("01", "02", "04", "05", "06", "07", "09", "10", "12", "14", "15", "17", "20", "23", "25", "26")
NAMES = (*(f"AU{unit}_r" for unit in (*PRESENT, "45")), *(f"AU{unit}_c" for unit in (*PRESENT, "28", "45")))
"""Intensities, then presences; the numbers are those of the Facial Action Coding System."""
TRACE = 259
"""Steps of 512 samples at 44.1 kHz, from 0.5 s on for at most 3 s, and zeros behind."""
_FROM_S, _FOR_S, _STEP_S = 0.5, 3.0, 512 / 44_100
_APART = 6
"""Steps (0.07 s) by which sound and trace may differ: the trace is of the video's sound; up to 2 were found."""


def path(folder: Path) -> Path:
    return folder / "openface_au" / "au_mfcc.pkl"


def read(table: Path, clips: Sequence[Clip], seconds: Mapping[str, float]) -> Float[np.ndarray, "clips 35"]:
    """The action units of each clip, as they are stored. `seconds` tells by clip how long its sound lasts.

    Raises InputError for a damaged or hostile file, clips that the table or the folder of sounds lacks, rows that are
    not 294 numbers, and rows whose trace is not as long as the clip's sound: the table was shuffled or relabelled.
    """
    stored = safe_pickle.load(table)
    if not isinstance(stored, dict):
        raise InputError(f"a {type(stored).__name__}, expected a dictionary of clips", where=table)
    names = {clip.of_face for clip in clips}
    for absent, where in ((names - stored.keys(), "in the table"), (stored.keys() - names, "among the sounds")):
        if absent:
            what = f"{len(absent)} clips are not {where}, such as {min(map(str, absent))[:40]}"
            raise InputError(what, where=table, todo="see ./run_all.sh data check")
    rows = []
    for clip in clips:
        row = stored[clip.of_face]
        if not isinstance(row, np.ndarray) or row.dtype.kind != "f" or row.shape != (len(NAMES) + TRACE,):
            raise InputError(f"{clip.of_face} is not a row of {len(NAMES) + TRACE} numbers", where=table)
        steps = int(np.flatnonzero(row[len(NAMES) :]).max(initial=-1)) + 1
        if abs(steps - trace_steps(seconds[clip.id])) > _APART:
            what = f"{clip.of_face} was measured on a clip of another length than the sound {clip.id}"
            raise InputError(what, where=table, todo="its rows or the sounds were mixed up: get both again")
        rows.append(row[: len(NAMES)])
    return np.stack(rows)


def trace_steps(seconds: float) -> int:
    """Steps of the trace of a clip that lasts so long."""
    return 1 + int((min(max(seconds, _FROM_S), _FROM_S + _FOR_S) - _FROM_S) / _STEP_S)
