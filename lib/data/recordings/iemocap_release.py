"""IEMOCAP's full release, as recordings to be cut (spec end_to_end, 3.1).

Read are the folders EmoEvaluation, transcriptions, wav and avi of each `Session<k>/dialog`. Both speakers stand side by
side in the picture and in the two channels of the sound. Every frame is kept, from each half its middle 224 x 224.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from lib.data.io.impostors import refuse
from lib.data.io.text_files import lines
from lib.data.recordings.cutting import Cut, Recording
from lib.data.recordings.raw_layout import Problem, utterance_folder
from lib.data.recordings.video_frames import Video
from lib.errors import InputError

SIDE = 224


@dataclass(frozen=True)
class Dialogue(Recording):
    waves: ClassVar[Mapping[str, tuple[int, ...]]] = {"audio.wav": (0, 1), "audio_L.wav": (0,), "audio_R.wav": (1,)}
    first_image: ClassVar[str] = "image_L_"

    def stored_rate(self, rate: float) -> float:
        return rate

    def images(self, video: Video) -> Iterator[Mapping[str, np.ndarray]]:
        for frame in video:
            middle = frame.shape[1] // 2
            yield {"image_L_": _centre(frame[:, :middle]), "image_R_": _centre(frame[:, middle:])}


def is_release(folder: Path) -> bool:
    return any(Path(folder).glob("Session*/dialog/EmoEvaluation"))


def read(folder: Path, out: Path) -> tuple[list[Dialogue], dict[str, dict], list[Problem]]:
    """The dialogues below `folder` with the folders their utterances get below `out`, and what `meta.pkl` will hold.

    An utterance without a transcript has an empty text; one that only the transcript names is told as skipped.
    Raises InputError for a file that is missing or not text.
    """
    dialogues, meta, problems = [], {}, []
    for session in sorted(Path(folder).glob("Session*")):
        for path in sorted((session / "dialog" / "EmoEvaluation").glob("[!.]*.txt")):
            evaluated = _evaluations(path)
            texts = _transcripts(session / "dialog" / "transcriptions" / path.name)
            problems += [Problem(i, "transcribed but not evaluated", "skipped") for i in texts if i not in evaluated]
            cuts = []
            for utterance_id, entry in evaluated.items():
                try:
                    place = utterance_folder("iemocap", out, utterance_id)
                except InputError as error:
                    problems.append(Problem(utterance_id, error.what, "skipped"))
                    continue
                cuts.append(Cut(utterance_id, place, entry["start_time"], entry["end_time"]))
                meta[utterance_id] = entry | {"text": texts.get(utterance_id, "")}
            dialogues.append(
                Dialogue(path.stem, _video(session, path.stem), session / f"dialog/wav/{path.stem}.wav", tuple(cuts))
            )
    if not meta:
        raise InputError("no evaluated utterance", where=folder, todo="expected Session<k>/dialog/EmoEvaluation/*.txt")
    return dialogues, meta, problems


def _video(session: Path, name: str) -> Path:
    """The release keeps its videos in a folder named after their codec."""
    folder = session / "dialog" / "avi"
    return next(iter(sorted(folder.rglob(f"{name}.avi"))), folder / f"{name}.avi")


def _evaluations(path: Path) -> dict[str, dict]:
    """Times and label by utterance, from the lines `[start - end]<tab>id<tab>label...`."""
    entries = {}
    for line in _lines(path):
        if not line.startswith("["):
            continue
        parts = line.split("\t")
        times = parts[0].strip("[]").split(" ")
        try:
            start, end, utterance_id, label = float(times[0]), float(times[2]), parts[1], parts[2]
        except (ValueError, IndexError):
            continue  # the header `% [START_TIME - END_TIME] ...` in some copies
        if math.isfinite(start) and math.isfinite(end):
            entries[utterance_id] = {"start_time": start, "end_time": end, "label": label}
    return entries


def _transcripts(path: Path) -> dict[str, str]:
    """Text by utterance; of a text with a colon only what follows the last one, as in the reference."""
    texts = {}
    for line in _lines(path):
        parts = line.split(":")
        words = parts[0].split()
        if words and "_" in words[0]:
            texts[words[0]] = parts[-1].strip()
    return texts


def _lines(path: Path) -> list[str]:
    refuse(path)
    return lines(path, errors="replace")


def _centre(half: np.ndarray) -> np.ndarray:
    height, width = half.shape[:2]
    top, left = (height - SIDE) // 2, (width - SIDE) // 2
    if min(top, left) < 0:
        raise InputError(f"its frames are {2 * width} x {height} pixels, too small for two faces of {SIDE} x {SIDE}")
    return half[top : top + SIDE, left : left + SIDE]
