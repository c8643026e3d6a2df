"""CREMA-D (Cao et al., IEEE TAC 2014), as recordings to be cut: clips in which an actor says one sentence.

Read are the Flash videos `<actor>_<sentence>_<emotion>_<level>.flv` anywhere below the folder, with the sound that is
in them; the name says text and label. Every frame is kept, so that the loader's step of half a second holds. No split
was published: of the actors in order the fourth of each five is validated and the fifth tested. Of fewer than five
actors the clips take turns instead: the same people are then in all parts.
"""

import io
import math
import re
import wave
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from lib.data.corpus import SPLITS
from lib.data.recordings.cutting import Cut, Recording
from lib.data.recordings.raw_layout import Problem, split_list, utterance_folder
from lib.data.recordings.sound import RATE, read_sound
from lib.data.recordings.video_frames import Video
from lib.errors import InputError
from lib.files import write_text

SENTENCES = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
_EMOTIONS = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
"""In the order of `raw_layout.EMOTIONS`."""
_NAME = re.compile(rf"(\d{{4}})_({'|'.join(SENTENCES)})_({'|'.join(_EMOTIONS)})_(XX?|LO|MD|HI)")
_TURNS = ("train", "train", "train", "valid", "test")


@dataclass(frozen=True)
class Clip(Recording):
    waves: ClassVar[Mapping[str, tuple[int, ...]]] = {"audio.wav": (0,)}
    first_image: ClassVar[str] = "image_"

    def stored_rate(self, rate: float) -> float:
        return rate

    def images(self, video: Video) -> Iterator[Mapping[str, np.ndarray]]:
        for frame in video:
            yield {"image_": frame}

    def open_sound(self) -> wave.Wave_read:
        """At 16 kHz with 16 bits, as the release's own waveforms."""
        samples, whole = np.rint(read_sound(self.wave) * 2.0**15), io.BytesIO()
        with wave.open(whole, "wb") as sound:
            sound.setparams((1, 2, RATE, 0, "NONE", ""))
            sound.writeframes(samples.clip(-(2**15), 2**15 - 1).astype("<i2").tobytes())
        whole.seek(0)
        return wave.open(whole, "rb")


def is_release(folder: Path) -> bool:
    return any(_NAME.fullmatch(path.stem) for path in Path(folder).rglob("*.flv"))


def read(folder: Path, out: Path) -> tuple[list[Clip], dict[str, dict], list[Problem]]:
    """The clips below `folder` with the folders they get below `out`, and what `meta.pkl` will hold.

    Clips that are no video, and those of which there is only sound, are left out and told. Raises InputError if nothing
    is left, and for a clip that is there twice.
    """
    clips, meta, problems = [], {}, []
    videos = _files(folder, "flv")
    for name, path in videos.items():
        try:
            with Video(path) as video:
                seconds = math.nextafter(video.announced / video.rate, math.inf)  # lest the last frame be rounded away
        except InputError as error:
            problems.append(Problem(name, f"recording: {error.what}", "skipped"))
            continue
        _, sentence, emotion, _ = _NAME.fullmatch(name).groups()
        clips.append(Clip(name, path, path, (Cut(name, utterance_folder("cremad", out, name), 0.0, seconds),)))
        meta[name] = {"text": SENTENCES[sentence], "label": [int(emotion == other) for other in _EMOTIONS]}
    for name in sorted({*_files(folder, "mp3"), *_files(folder, "wav")} - {*videos}):
        problems.append(Problem(name, "recording: no video", "skipped"))
    if not clips:
        raise InputError("no clip of CREMA-D that is a video", where=folder)
    return clips, meta, problems


def write_lists(folder: Path, root: Path) -> None:
    """The lists of splits below `root`, unless there are some there or below `folder`.

    Raises InputError for too few clips.
    """
    if any(split_list("cremad", place, split).is_file() for place in (root, folder) for split in SPLITS):
        return
    names = list(_files(folder, "flv"))
    actors = sorted({name[:4] for name in names})
    by_actor = len(actors) >= len(_TURNS)
    turn = {name: (actors.index(name[:4]) if by_actor else place) % len(_TURNS) for place, name in enumerate(names)}
    if len(names) < len(_TURNS):
        raise InputError(f"{len(names)} clips cannot be cut into training, validation and test", where=folder)
    for split in SPLITS:
        chosen = [name for name in names if _TURNS[turn[name]] == split]
        write_text(split_list("cremad", root, split), "".join(f"{name}\n" for name in chosen))


def _files(folder: Path, ending: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(Path(folder).rglob(f"[!.]*.{ending}")):
        if _NAME.fullmatch(path.stem) and found.setdefault(path.stem, path) != path:
            raise InputError(f"two files of this name: {found[path.stem]}", where=path)
    return found
