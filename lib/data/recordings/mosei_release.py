"""CMU-MOSEI's raw release, as recordings to be cut (spec end_to_end, 3.2).

Below the folder, anywhere: label tables `*.csv` (columns `Input.VIDEO_ID`, `Input.CLIP`, `Answer.<emotion>`),
`Transcript/Segmented/**/*.txt`, `Videos/Full/**/*.mp4` and `Audio/Full/WAV_16000/*.wav`. Two images per second are
kept, of the first 280 seconds.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from lib.data.io.impostors import refuse
from lib.data.io.text_files import heading, lines, records
from lib.data.recordings.cutting import Cut, Recording
from lib.data.recordings.raw_layout import Problem, utterance_folder
from lib.data.recordings.video_frames import Video
from lib.errors import InputError

STORED_RATE = 2
LONGEST = 280  # seconds
_ANSWERS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
_ID = ("Input.VIDEO_ID", "Input.CLIP")
_COLUMNS = (*_ID, *(f"Answer.{name}" for name in _ANSWERS))


@dataclass(frozen=True)
class Monologue(Recording):
    waves: ClassVar[Mapping[str, tuple[int, ...]]] = {"audio.wav": (0,)}
    first_image: ClassVar[str] = "image_"

    def stored_rate(self, rate: float) -> float:
        return STORED_RATE

    def images(self, video: Video) -> Iterator[Mapping[str, np.ndarray]]:
        step = max(1, round(video.rate / STORED_RATE))
        for place in range(0, int(video.rate * LONGEST), step):
            frame = next(iter(video), None)
            if frame is None:
                return
            yield {"image_": frame}
            skipped = min(step - 1, int(video.rate * LONGEST) - place - 1)
            if not all(video.skip() for _ in range(skipped)):
                return


def is_release(folder: Path) -> bool:
    return any(_tables(folder))


def read(folder: Path, out: Path) -> tuple[list[Monologue], dict[str, dict], list[Problem]]:
    """The videos below `folder` with the folders their utterances get below `out`, and what `meta.pkl` will hold.

    Utterances without a label, and those of a video that lacks a file, are left out and told. Raises InputError
    if nothing is left, for a label that is not a number, and for a file that is there twice.
    """
    folder = Path(folder)
    labels = _labels(folder)
    transcripts = _files(folder, "Segmented", ".txt")
    videos, waves = _files(folder, "Full", ".mp4"), _files(folder, "WAV_16000", ".wav")
    recordings, meta, problems = [], {}, []
    for name, path in transcripts.items():
        cuts = []
        for utterance_id, start, end, text in _segments(path, problems):
            if utterance_id not in labels:
                problems.append(Problem(utterance_id, "transcribed but not labelled", "skipped"))
                continue
            try:
                cut = Cut(utterance_id, utterance_folder("mosei", out, utterance_id), start, end)
            except InputError as error:
                problems.append(Problem(utterance_id, error.what, "skipped"))
                continue
            if name not in videos or name not in waves:
                what = "no video" if name not in videos else "no waveform"
                problems.append(Problem(utterance_id, f"recording: {what}", "skipped"))
                continue
            cuts.append(cut)
            meta[utterance_id] = {"text": text, "label": labels[utterance_id]}
        if cuts:
            recordings.append(Monologue(name, videos[name], waves[name], tuple(cuts)))
    if not meta:
        raise InputError("no utterance with video, waveform, transcript and label", where=folder)
    return recordings, meta, problems


def _tables(folder: Path) -> Iterator[Path]:
    """Files with the columns of a label table; the release's folders hold other tables as well.

    Raises InputError for one that is no table at all: it may stand in the place of labels.
    """
    for path in sorted(Path(folder).rglob("[!.]*.csv")):
        if path.is_file():
            refuse(path)
            if heading(path, _COLUMNS):
                yield path


def _labels(folder: Path) -> dict[str, list[int]]:
    """An emotion is present if any annotator of any table gave it a positive intensity."""
    sums: dict[str, np.ndarray] = {}
    for path in _tables(folder):
        for line, row in records(path, _COLUMNS, errors="replace"):
            utterance_id = f"{Path(row[_ID[0]]).name}_{row[_ID[1]]}"
            try:
                given = np.array([float(row[f"Answer.{name}"] or 0) for name in _ANSWERS])
                if not np.isfinite(given).all():
                    raise ValueError
            except ValueError:
                what = f"an answer about {utterance_id!r} is not a number"
                raise InputError(what, where=f"{path}, line {line}") from None
            sums[utterance_id] = sums.get(utterance_id, 0) + given
    return {utterance_id: [int(value > 0) for value in given] for utterance_id, given in sums.items()}


def _files(folder: Path, within: str, ending: str) -> dict[str, Path]:
    """Files by stem that lie somewhere in a folder called `within`."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob(f"[!.]*{ending}")):
        if within in path.relative_to(folder).parts[:-1] and found.setdefault(path.stem, path) != path:
            raise InputError(f"two files of this name: {found[path.stem]}", where=path)
    return found


def _segments(path: Path, problems: list[Problem]) -> Iterator[tuple[str, float, float, str]]:
    """Id, times and text from the lines `video___clip___start___end___text`; an empty field shifts the others.

    Lines that cannot be read so are added to `problems`.
    """
    refuse(path)
    for number, line in enumerate(lines(path, errors="replace"), start=1):
        parts = [part for part in line.split("___") if part]
        try:
            video, clip, start, end, text = parts[:5]
            times = float(start), float(end)
            if not all(math.isfinite(time) for time in times):
                raise ValueError
        except ValueError:
            if parts:
                problems.append(Problem(f"{path.stem} line {number}", "not a transcript line of five parts", "skipped"))
            continue
        yield f"{video}_{clip}", *times, text
