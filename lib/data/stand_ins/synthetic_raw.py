"""A stand-in for the raw corpora, written in their layout: faces, tones and sentences that show a known cue.

An utterance has one of six emotions. Each modality shows a cue, which is the true emotion with probability
`STRENGTH[modality]` and otherwise any of the six; it can be read without error, so Bayes' rule over the cues is the
best classifier. The cue is a mouth of one of six shapes, a tone of one of six pitches, or one word of a sentence.
The face lies where the crop rule without a detector looks (spec end_to_end, 5.2).
"""

import pickle
import wave
from collections.abc import Mapping
from itertools import combinations, product
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from lib.data.corpus import SPLITS, Source
from lib.data.io.source_files import note_stand_in
from lib.data.recordings.mel import mel_filters
from lib.data.recordings.mme2e_rules import CROP, one_hot, uses_left_camera
from lib.data.recordings.raw_layout import EMOTIONS, Kind, processed_folder, utterance_folder
from lib.files import atomic_path, write_text

STRENGTH = {"text": 0.95, "audio": 0.85, "video": 0.85}
"""High, so that a hundred utterances and some eighty steps are enough for small networks to find the cues."""
FACE_REGION = (slice(28, 44), slice(10, 38))
"""Rows and columns of the 48 x 48 crop that hold the mouth."""
PITCHES = tuple(300.0 * 1.5**k for k in range(6))
RATE = 16000
_SIZES: Mapping[str, int] = {"iemocap": 224, "mosei": 360}
_CUES = ("furious", "thrilled", "stuck", "glad", "fine", "lonely")
_FILLERS = ("well", "i", "think", "that", "today", "we", "really", "went", "there", "and")


def spectrogram_region(emotion: int, spread: float = 120.0) -> slice:
    """Mel bands within `spread` Hz of the pitch that shows `emotion`."""
    bins = np.linspace(0, RATE // 2, 201)
    near = np.abs(bins - PITCHES[emotion]) <= spread
    bands = np.flatnonzero(mel_filters(RATE, 400)[near].any(axis=0))
    return slice(int(bands[0]), int(bands[-1]) + 1)


def ceilings() -> dict[str, dict[str, float]]:
    """Best expected accuracy by modality subset, over classes (`acc`) and as mean over emotions (`emotion_acc`)."""
    subsets = [subset for size in (1, 2, 3) for subset in combinations(STRENGTH, size)]
    return {"+".join(subset): _ceiling(subset) for subset in subsets}


def _ceiling(subset: tuple[str, ...]) -> dict[str, float]:
    shown = {m: STRENGTH[m] * np.eye(6) + (1 - STRENGTH[m]) / 6 for m in subset}
    acc = emotion_acc = 0.0
    for cues in product(range(6), repeat=len(subset)):
        joint = np.prod([shown[m][:, cue] for m, cue in zip(subset, cues, strict=True)], axis=0) / 6
        acc += joint.max()
        emotion_acc += np.maximum(joint, joint.sum() - joint).mean()
    return {"acc": float(acc), "emotion_acc": float(emotion_acc)}


def source(kind: Kind) -> Source:
    return Source(
        name=f"{kind.upper()}-like raw",
        synthetic=True,
        files={},
        licence="none, generated",
        split_rule="independent utterances",
        warnings=("Rendered faces, pure tones and template sentences; they say nothing about people.",),
        ceilings=ceilings(),
    )


def write(kind: Kind, root: Path, sizes: Mapping[str, int], *, frames: int = 6, seed: int = 0) -> dict[str, dict]:
    """Write a corpus below `root`; returns the cue that each modality of each utterance shows, and its `label`.

    `sizes` counts the utterances of each split, `frames` the images of each (per side for IEMOCAP).
    """
    rng = np.random.default_rng(seed)
    meta, shown = {}, {}
    with note_stand_in(processed_folder(kind, root), source(kind)):
        for split in SPLITS:
            ids = [_name(kind, len(meta) + i) for i in range(sizes[split])]
            for utterance_id in ids:
                cues = _draw(rng)
                shown[utterance_id] = cues
                meta[utterance_id] = _meta(kind, cues, rng)
                _write_files(kind, utterance_folder(kind, root, utterance_id), utterance_id, cues, frames, rng)
            write_text(Path(root) / f"{kind.upper()}_SPLIT" / f"{split}_split.txt", "".join(f"{i}\n" for i in ids))
        with atomic_path(processed_folder(kind, root) / "meta.pkl") as path:
            path.write_bytes(pickle.dumps(meta, protocol=4))
    return shown


def _name(kind: Kind, number: int) -> str:
    if kind == "mosei":
        return f"stand-in{number // 4}_{number % 4}"
    return f"Ses0{number % 5 + 1}F_impro{number // 50:02d}_{'FM'[number % 2]}{number % 50:03d}"


def _draw(rng: np.random.Generator) -> dict[str, int]:
    label = int(rng.integers(6))
    cues = {m: label if rng.random() < q else int(rng.integers(6)) for m, q in STRENGTH.items()}
    return {"label": label, **cues}


def _meta(kind: Kind, cues: Mapping[str, int], rng: np.random.Generator) -> dict[str, object]:
    words = [str(word) for word in rng.choice(_FILLERS, size=rng.integers(3, 8))]
    words.insert(int(rng.integers(len(words) + 1)), _CUES[cues["text"]])
    facts = {"text": " ".join(words)}
    if kind == "mosei":
        return facts | {"label": [int(x) for x in one_hot(np.array([cues["label"]]), 6)[0]]}
    return facts | {
        "label": EMOTIONS[kind][cues["label"]],
        "start_time": 0.0,
        "end_time": 1.0,
        "sr": RATE,
        "fps": 30.0,
    }


def _write_files(
    kind: Kind, folder: Path, utterance_id: str, cues: Mapping[str, int], frames: int, rng: np.random.Generator
) -> None:
    """The listener's side of an IEMOCAP pair shows another person's face and tone, at random."""
    folder.mkdir(parents=True, exist_ok=True)
    tone = _tone(cues["audio"], rng)
    if kind == "mosei":
        for i in range(frames):
            _save_face(folder / f"image_{i}.jpg", kind, cues["video"], rng)
        _save_wave(folder / "audio.wav", tone[:, None])
        return
    speaker, listener = "LR" if uses_left_camera(utterance_id) else "RL"
    other, other_tone = int(rng.integers(6)), _tone(int(rng.integers(6)), rng, len(tone))
    for i in range(frames):
        _save_face(folder / f"image_{speaker}_{i}.jpg", kind, cues["video"], rng)
        _save_face(folder / f"image_{listener}_{i}.jpg", kind, other, rng)
    tones = {speaker: tone, listener: other_tone}
    _save_wave(folder / "audio.wav", np.stack([tones["L"], tones["R"]], axis=1))
    for side, samples in tones.items():
        _save_wave(folder / f"audio_{side}.wav", samples[:, None])


def _tone(emotion: int, rng: np.random.Generator, samples: int | None = None) -> np.ndarray:
    time = np.arange(samples or int(rng.integers(RATE // 4, RATE // 2))) / RATE
    tone = (0.2 + 0.05 * emotion) * np.sin(2 * np.pi * (PITCHES[emotion] + rng.normal(0, 5)) * time)
    return tone + rng.normal(0, 0.01, len(time))


def _save_wave(path: Path, samples: np.ndarray) -> None:
    with wave.open(str(path), "wb") as handle:
        handle.setnchannels(samples.shape[1])
        handle.setsampwidth(2)
        handle.setframerate(RATE)
        handle.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def _save_face(path: Path, kind: Kind, emotion: int, rng: np.random.Generator) -> None:
    size = _SIZES[kind]
    image = Image.fromarray(rng.integers(90, 130, (size, size, 3), np.uint8))
    top = (size - CROP) // 2
    left = top - CROP // 2
    draw = ImageDraw.Draw(image)
    draw.ellipse((left - 2, top - 4, left + CROP + 1, top + CROP + 3), fill=(205, 165, 140))
    for x in (15, 33):
        draw.ellipse((left + x - 3, top + 13, left + x + 3, top + 19), fill=(40, 30, 30))
    _mouth(draw, left + 24, top + 36, emotion)
    image.save(path, quality=95)


def _mouth(draw: ImageDraw.ImageDraw, x: int, y: int, emotion: int) -> None:
    """Bent up, straight or bent down; thin or wide."""
    bend, wide = divmod(emotion, 2)
    dark = (120, 20, 30)
    width = 2 + 4 * wide
    if bend == 1:
        draw.rectangle((x - 10, y - width // 2, x + 10, y + width // 2), fill=dark)
    else:
        start = 20 if bend == 0 else 200
        y = y - 6 if bend == 0 else y + 6
        draw.arc((x - 12, y - 10, x + 12, y + 10), start, start + 140, fill=dark, width=width)
