"""Cuts recordings (a video and its sound) into the utterance folders of the raw layout (spec end_to_end, 3).

A recording is decoded once, frame by frame; only one frame and the sound of one utterance are in memory. An utterance's
folder appears under its name when it is whole, so whatever ends a call, the next one continues.
"""

import shutil
import wave
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from joblib import Parallel, delayed

from lib.data.io.impostors import refuse
from lib.data.recordings.raw_layout import Problem
from lib.data.recordings.video_frames import Video
from lib.errors import InputError

_FASTEST = 1_000_000  # samples per second


@dataclass(frozen=True)
class Cut:
    """An utterance's place in a recording, in seconds, and the folder that it gets."""

    id: str
    folder: Path
    start: float
    end: float

    def span(self, rate: float) -> range:
        """Its frames or samples at `rate` per second; empty for times that make no sense."""
        return range(int(rate * max(self.start, 0)), int(rate * max(self.end, 0)))

    @property
    def unfinished(self) -> Path:
        return self.folder.with_name(f".{self.folder.name}.part")


@dataclass(frozen=True)
class Recording(ABC):
    name: str
    video: Path
    wave: Path
    cuts: tuple[Cut, ...]

    waves: ClassVar[Mapping[str, tuple[int, ...]]]
    """Waveforms to write and the channels they take."""
    first_image: ClassVar[str]
    """The stem of a kind of image of which every frame has one."""

    def open_sound(self) -> wave.Wave_read:
        """What the file holds; one of another format is decoded first."""
        return wave.open(str(self.wave), "rb")

    @abstractmethod
    def stored_rate(self, rate: float) -> float:
        """Images per second that are kept of a video of `rate` frames per second."""

    @abstractmethod
    def images(self, video: Video) -> Iterator[Mapping[str, np.ndarray]]:
        """The images that are kept, in order, by the stem of their names."""


@dataclass(frozen=True)
class Outcome:
    """What became of a recording: utterances `made` now and `found` whole, frames and samples per second."""

    name: str
    made: int
    found: int
    frame_rate: float
    sample_rate: int
    problems: tuple[Problem, ...]


def cut_all(
    recordings: Sequence[Recording], *, workers: int = 1, watch: Callable[[Outcome], None] | None = None
) -> list[Outcome]:
    """Cut every recording, in any order; at most two per worker are under way."""
    outcomes = []
    jobs = (delayed(cut)(recording) for recording in recordings)
    for outcome in Parallel(n_jobs=workers, return_as="generator_unordered", pre_dispatch="2*n_jobs")(jobs):
        outcomes.append(outcome)
        if watch:
            watch(outcome)
    return outcomes


def cut(recording: Recording) -> Outcome:
    """Make the folders that are not there. What a video or sound lacks is told anew in every call, from the folders."""
    wanted = [cut for cut in recording.cuts if not cut.folder.is_dir()]
    found = len(recording.cuts) - len(wanted)
    try:
        with Video(recording.video) as video, _open_wave(recording) as sound:
            frame_rate, sample_rate = video.rate, sound.getframerate()
            for utterance in wanted:
                shutil.rmtree(utterance.unfinished, ignore_errors=True)
                utterance.unfinished.mkdir(parents=True)
                _cut_wave(recording, utterance, sound)
            _cut_video(recording, wanted, video)
    except InputError as error:
        problems = tuple(Problem(cut.id, f"recording: {error.what}", "skipped") for cut in wanted)
        return Outcome(recording.name, 0, found, 0.0, 0, problems)
    problems = [problem for cut in recording.cuts for problem in _lacks(recording, cut, frame_rate, sample_rate)]
    return Outcome(recording.name, len(wanted), found, frame_rate, sample_rate, tuple(problems))


def _open_wave(recording: Recording) -> wave.Wave_read:
    try:
        sound = recording.open_sound()  # the caller closes it
    except InputError:
        raise
    except Exception as error:  # the bytes are hostile: whatever they provoke means the same to the user
        try:
            refuse(recording.wave)
        except InputError as impostor:
            raise InputError(f"its waveform is {impostor.what}", where=recording.wave, todo=impostor.todo) from None
        raise InputError("its waveform is not a readable WAV file", where=recording.wave) from error
    fault = None
    if sound.getsampwidth() != 2:
        fault = f"its waveform has {8 * sound.getsampwidth()} bits, expected 16"
    elif not 0 < sound.getframerate() <= _FASTEST:
        fault = f"its waveform has {sound.getframerate()} samples per second"
    elif max(max(channels) for channels in recording.waves.values()) >= sound.getnchannels():
        fault = f"its waveform has {sound.getnchannels()} channel"
    if fault:
        sound.close()
        raise InputError(fault, where=recording.wave)
    return sound


def _cut_wave(recording: Recording, cut: Cut, sound: wave.Wave_read) -> None:
    span = cut.span(sound.getframerate())
    start, stop = (min(place, sound.getnframes()) for place in (span.start, span.stop))
    sound.setpos(start)
    channels = sound.getnchannels()
    try:
        data = sound.readframes(max(0, stop - start))
    except (OSError, EOFError, wave.Error) as error:
        raise InputError("its waveform cannot be read", where=recording.wave) from error
    samples = np.frombuffer(data[: len(data) // (2 * channels) * 2 * channels], "<i2").reshape(-1, channels)
    for name, chosen in recording.waves.items():
        with wave.open(str(cut.unfinished / name), "wb") as target:
            target.setnchannels(len(chosen))
            target.setsampwidth(2)
            target.setframerate(sound.getframerate())
            target.writeframes(np.ascontiguousarray(samples[:, chosen]).tobytes())


def _cut_video(recording: Recording, cuts: Sequence[Cut], video: Video) -> None:
    """Write each image to the utterances it belongs to, whose folders get their names as soon as they are whole."""
    rate = recording.stored_rate(video.rate)
    spans = {cut: cut.span(rate) for cut in cuts}
    if not cuts:
        return
    images = recording.images(video)
    for place in range(max(span.stop for span in spans.values())):
        image = next(images, None)
        if image is None:
            break
        for cut, span in list(spans.items()):
            if place in span:
                _write(cut.unfinished, place - span.start, image)
            if place + 1 >= span.stop:
                _finish(cut)
                del spans[cut]
    for cut in spans:
        _finish(cut)


def _write(folder: Path, number: int, images: Mapping[str, np.ndarray]) -> None:
    for stem, image in images.items():
        path = folder / f"{stem}{number}.jpg"
        if not cv2.imwrite(str(path), image):
            raise OSError(None, "an image cannot be written", str(path))


def _finish(cut: Cut) -> None:
    cut.unfinished.rename(cut.folder)


def _lacks(recording: Recording, cut: Cut, frame_rate: float, sample_rate: int) -> Iterator[Problem]:
    """What a folder holds less than its times say."""
    expected = len(cut.span(recording.stored_rate(frame_rate)))
    images = sum(path.name.startswith(recording.first_image) for path in cut.folder.glob("*.jpg"))
    if not expected:
        yield Problem(cut.id, "too short for an image", "kept")
    elif images < expected:
        yield Problem(cut.id, "the video ends before the utterance", "kept")
    samples = 0
    with suppress(OSError, EOFError, wave.Error), wave.open(str(cut.folder / next(iter(recording.waves)))) as sound:
        samples = sound.getnframes()
    if samples < len(cut.span(sample_rate)):
        yield Problem(cut.id, "the sound ends before the utterance", "kept")
