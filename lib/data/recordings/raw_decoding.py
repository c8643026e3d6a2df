"""Images to 48 x 48 faces and waveforms to spectrogram pieces, of one utterance (spec end_to_end, 4.1-4.3 and 5.2).

What cannot be decoded is told as `Problem`s, by these rules: an unreadable image is left out (`replaced` by the
others); an utterance without any readable image is `skipped`, as by the reference; a missing, unreadable or too
short waveform is `replaced` by one piece of zeros; a silent waveform and an empty text are `kept`.
"""

import hashlib
import re
import warnings
import wave
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from lib.data.io.impostors import refuse
from lib.data.recordings.mel import BANDS, PIECE_FRAMES, cut_pieces, mel_spectrogram
from lib.data.recordings.mme2e_rules import CROP, FrameCount, face_less_crop, sampled_frames
from lib.data.recordings.raw_layout import Kind, Problem, RawItem
from lib.errors import InputError
from lib.files import sha256_json

Box = tuple[float, float, float, float]
Detector = Callable[[np.ndarray], Box | None]
"""Finds the face (left, top, right, bottom; pixels) in an RGB image `(height, width, 3)` uint8, or None.

One that has `of_images` is given several images at a time; one that has `below` is told the data folder first.
"""

MOSEI_SIZE = 360
TOGETHER = 4
"""Images in memory at a time."""
MOST_PIXELS = 2**25
"""A frame of 8K video; a detector takes some 60 bytes for each."""
VERSION = 3
Origin = Literal["found", "given", "crop_rule"]
"""Of a face: the detector's box, an image of 48 x 48 as it was, or the crop without a face."""


@dataclass(frozen=True)
class Options:
    """`detector` is `module:function`; None uses the crop rule everywhere. Images of 48 x 48 pass as they are.

    `frame_count` "reference" derives the number of frames from that of files (quirk Q14), "images" counts images.
    `crop_columns` chooses the crop without a face (quirk Q13).
    """

    interval_ms: int = 500
    frame_count: Literal["reference", "images"] = "reference"
    crop_columns: Literal["reference", "centre"] = "reference"
    detector: str | None = None


@dataclass(frozen=True)
class Decoded:
    """`faces` `(frames, 48, 48, 3)` of 0...255, `pieces` float32 `(pieces, 1, 128, 32)`; `origins` counts the faces.

    Faces are uint8 as long as all are pixels of their images, float32 where a detected one was resized.
    """

    faces: np.ndarray
    pieces: np.ndarray
    problems: tuple[Problem, ...]
    origins: Mapping[Origin, int]


def find_detector(name: str | None, root: Path | None = None) -> Detector | None:
    """The function that `module:function` names, with its weights in the data folder `root`.

    Raises InputError if there is none.
    """
    if name is None:
        return None
    module, _, function = name.partition(":")
    try:
        detector = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"no face detector {name!r} ({error})", todo="give module:function") from error
    if not callable(detector):
        raise InputError(f"face detector {name!r} is not a function")
    return detector.below(root) if root and hasattr(detector, "below") else detector


def chosen_images(item: RawItem, options: Options) -> list[Path]:
    """The images taken from an utterance's folder, by the loader's rule; a gap in the numbering is left out."""
    files = [path for path in item.folder.iterdir() if path.is_file()]
    pattern = re.compile(rf"{item.image_stem}\d+\.jpg")
    by_files: FrameCount = "iemocap" if item.kind == "iemocap" else "mosei"
    rule = "images" if options.frame_count == "images" else by_files
    count = len(files) if rule != "images" else sum(bool(pattern.fullmatch(path.name)) for path in files)
    names = {path.name for path in files}
    wanted = (f"{item.image_stem}{i}.jpg" for i in sampled_frames(count, options.interval_ms, rule))
    return [item.folder / name for name in wanted if name in names]


def content_key(item: RawItem, options: Options, detection: Mapping[str, object]) -> str:
    """Hash of everything that `decode` reads: options, text, label, the chosen images and the waveform.

    `detection` tells one detector from another of its name: weights, versions, source.
    """
    files = {}
    for path in [*chosen_images(item, options), item.wave]:
        if path.is_file():
            with path.open("rb") as handle:
                files[path.name] = hashlib.file_digest(handle, "sha256").hexdigest()
    label = item.label.tolist()
    return sha256_json([VERSION, item.kind, asdict(options), detection, item.id, item.text, label, files])


def decode(item: RawItem, options: Options, root: Path | None = None) -> Decoded:
    """Faces, pieces and problems of one utterance; no faces if it must be skipped. `root` is the data folder."""
    problems: list[Problem] = []
    detector = find_detector(options.detector, root)
    faces, origins = [], Counter()
    images = chosen_images(item, options)
    for path, found in _located(images, item.kind, detector, options):
        if isinstance(found, InputError):
            problems.append(Problem(item.id, f"{path.name}: {found.what}", "replaced"))
        else:
            faces.append(found[0])
            origins[found[1]] += 1
    if not faces:
        what = "no readable image" if images else "no image"
        problems.append(Problem(item.id, what, "skipped"))
    if not item.text.strip():
        problems.append(Problem(item.id, "empty text", "kept"))
    try:
        waveform, rate = read_wave(item.wave)
        pieces = cut_pieces(mel_spectrogram(waveform, rate, "fixed" if item.kind == "iemocap" else "window"))
        if not waveform.any():
            problems.append(Problem(item.id, "silent waveform", "kept"))
    except InputError as error:
        problems.append(Problem(item.id, f"{item.wave.name}: {error.what}", "replaced"))
        pieces = np.zeros((1, 1, BANDS, PIECE_FRAMES), np.float32)
    stacked = np.stack(faces) if faces else np.zeros((0, CROP, CROP, 3), np.uint8)
    return Decoded(stacked, pieces.astype(np.float32), tuple(problems), dict(origins))


def _located(
    paths: Sequence[Path], kind: Kind, detector: Detector | None, options: Options
) -> Iterator[tuple[Path, tuple[np.ndarray, Origin] | InputError]]:
    """Each image's face and where it is from, or what is wrong with it."""
    for start in range(0, len(paths), TOGETHER):
        read: dict[Path, np.ndarray | InputError] = {}
        for path in paths[start : start + TOGETHER]:
            try:
                read[path] = read_image(path, kind)
            except InputError as error:
                read[path] = error
        images = {path: image for path, image in read.items() if not isinstance(image, InputError)}
        boxes = dict(zip(images, _boxes(list(images.values()), detector), strict=True))
        for path, image in read.items():
            if path in images:
                try:
                    yield path, _cropped(image, boxes[path], options)
                except InputError as error:
                    yield path, error
            else:
                yield path, image


def _boxes(images: Sequence[np.ndarray], detector: Detector | None) -> list[Box | None]:
    """The face in each image. One that is a face already is not searched."""
    whole = [image for image in images if image.shape[:2] != (CROP, CROP)]
    if detector is None or not whole:
        return [None] * len(images)
    found = iter(detector.of_images(whole) if hasattr(detector, "of_images") else map(detector, whole))
    return [None if image.shape[:2] == (CROP, CROP) else next(found) for image in images]


def read_image(path: Path, kind: Kind) -> np.ndarray:
    """RGB uint8 `(height, width, 3)`; MOSEI's are halved if higher than 360 and cut or padded to 360 x 360."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=["JPEG"]) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise InputError(f"{image.width} x {image.height} pixels, no frame of a video", where=path)
                image = image.convert("RGB")
    except InputError:
        raise
    except Exception as error:  # the bytes are hostile: whatever they provoke means the same to the user
        refuse(path)
        raise InputError("not a readable JPEG image", where=path) from error
    if kind == "iemocap" or image.size == (CROP, CROP):
        return np.asarray(image)
    if image.height > MOSEI_SIZE:
        image = image.resize((max(1, image.width // 2), image.height // 2), Image.Resampling.BILINEAR)
    left, top = round((image.width - MOSEI_SIZE) / 2), round((image.height - MOSEI_SIZE) / 2)
    return np.asarray(image.crop((left, top, left + MOSEI_SIZE, top + MOSEI_SIZE)))


def face(image: np.ndarray, detector: Detector | None, options: Options) -> np.ndarray:
    """48 x 48: the detected box widened by 2/46 and resized by area, float32, else the crop rule, as the image is."""
    return located_face(image, detector, options)[0]


def located_face(image: np.ndarray, detector: Detector | None, options: Options) -> tuple[np.ndarray, Origin]:
    """As `face`, and where it is from."""
    return _cropped(image, _boxes([image], detector)[0], options)


def _cropped(image: np.ndarray, box: Box | None, options: Options) -> tuple[np.ndarray, Origin]:
    if image.shape[:2] == (CROP, CROP):
        return image, "given"
    if box is None:
        return face_less_crop(image, options.crop_columns), "crop_rule"
    height, width = image.shape[:2]
    margins = (box[2] - box[0]) / 46, (box[3] - box[1]) / 46
    left, top = int(max(box[0] - margins[0], 0)), int(max(box[1] - margins[1], 0))
    right, bottom = int(min(box[2] + margins[0], width)), int(min(box[3] + margins[1], height))
    if left >= right or top >= bottom:
        return face_less_crop(image, options.crop_columns), "crop_rule"
    import cv2  # a tenth of a second that ready crops need not pay

    # As the reference does it: its images are float32, and no step of it rounds.
    piece = image[top:bottom, left:right].astype(np.float32)
    return cv2.resize(piece, (CROP, CROP), interpolation=cv2.INTER_AREA), "found"


def read_wave(path: Path) -> tuple[np.ndarray, int]:
    """The first channel of a 16-bit PCM file as float32 in [-1, 1], and its rate."""
    try:
        with wave.open(str(path), "rb") as handle:
            channels, width, rate = handle.getnchannels(), handle.getsampwidth(), handle.getframerate()
            # The header may announce more than there is, and memory would be taken for it.
            stored = path.stat().st_size // max(1, channels * width)
            data = handle.readframes(min(handle.getnframes(), stored))
    except Exception as error:
        refuse(path)
        raise InputError("not a readable WAV file", where=path) from error
    if width != 2:
        raise InputError(f"samples of {8 * width} bits, expected 16", where=path)
    whole = len(data) // (2 * channels) * 2 * channels
    samples = np.frombuffer(data[:whole], "<i2").reshape(-1, channels)
    return samples[:, 0].astype(np.float32) / 32768, rate
