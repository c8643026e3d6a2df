"""Small original releases with real video and sound: what the frames and samples show tells where they come from."""

import csv
import io
import wave
from pathlib import Path

import cv2
import numpy as np
import soundfile

FRAME_RATE, SAMPLE_RATE = 30, 16000
IEMOCAP_CUTS = {
    "Ses01F_impro01_F000": (0.1, 1.3, "neu", "Hello there."),
    "Ses01F_impro01_M000": (1.0, 2.0, "ang", "note: stop: now"),
    "Ses01F_impro01_F001": (1.9, 2.4, "sad", " "),
    "Ses01F_impro01_F002": (2.4, 3.0, "xxx", "unlisted"),
}
MOSEI_CUTS = {
    "-a_b1_0": (-0.2, 1.6, "first words", (0, 0, 0, 1, 0, 0)),
    "-a_b1_1": (1.0, 3.0, "then others", (1, 0, 0, 0, 1, 0)),
    "-a_b1_2": (3.0, 3.3, "too short", (0, 0, 0, 0, 0, 0)),
    "second_7": (0.0, 2.2, "another film", (0, 1, 0, 0, 0, 1)),
}


def shade(frame: int) -> int:
    """The brightness of the left half of a frame; the right half has 20 more."""
    return 40 + 7 * frame % 150


def video(path: Path, seconds: float, size: tuple[int, int], code: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), FRAME_RATE, size)
    assert writer.isOpened()
    for frame in range(int(seconds * FRAME_RATE)):
        image = np.full((size[1], size[0], 3), shade(frame), np.uint8)
        image[:, size[0] // 2 :] += 20
        writer.write(image)
    writer.release()


def ramp(seconds: float, channels: int) -> np.ndarray:
    """Samples that count upwards in the first channel and downwards in the second."""
    count = np.arange(int(seconds * SAMPLE_RATE)) % 30000
    return np.stack([count, -count][:channels], axis=1).astype("<i2")


def sound(path: Path, samples: np.ndarray, rate: int = SAMPLE_RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as handle:
        handle.setnchannels(samples.shape[1])
        handle.setsampwidth(2)
        handle.setframerate(rate)
        handle.writeframes(samples.tobytes())


def lists(kind: str, root: Path, splits: dict[str, list[str]]) -> None:
    folder = root / f"{kind.upper()}_split"
    folder.mkdir(parents=True)
    for split, ids in splits.items():
        (folder / f"{split}_split.txt").write_text("".join(f"{i}\n" for i in ids))


def iemocap(root: Path) -> None:
    """One dialogue of 3 seconds with four evaluated utterances, three of them listed."""
    dialog, name = root / "Session1" / "dialog", "Ses01F_impro01"
    evaluations = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    transcripts = ["F: no utterance", "Ses01F_impro01_FXX9 [000-001]: not evaluated"]
    for utterance_id, (start, end, label, text) in IEMOCAP_CUTS.items():
        evaluations += [f"[{start:.4f} - {end:.4f}]\t{utterance_id}\t{label}\t[2.5, 2.5, 2.5]", "C-E1:\tNeutral;\t()"]
        transcripts.append(f"{utterance_id} [{start:08.4f}-{end:08.4f}]: {text}")
    for folder, lines in (("EmoEvaluation", evaluations), ("transcriptions", transcripts)):
        (dialog / folder).mkdir(parents=True)
        (dialog / folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    (dialog / "EmoEvaluation" / f"._{name}.txt").write_bytes(b"\x00\x05\x16")
    video(dialog / "avi" / "DivX" / f"{name}.avi", 3.0, (720, 480), "MJPG")
    sound(dialog / "wav" / f"{name}.wav", ramp(3.0, 2))
    ids = list(IEMOCAP_CUTS)
    lists("iemocap", root, {"train": ids[:1], "valid": ids[1:2], "test": ids[2:3]})


def mosei(root: Path) -> None:
    """Two videos; the votes of the second utterance are spread over two tables and annotators."""
    answers = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    header = ["Input.VIDEO_ID", "Input.CLIP", *(f"Answer.{name}" for name in answers)]
    rows = {"one.csv": [], "two.csv": []}
    for utterance_id, (_, _, _, votes) in MOSEI_CUTS.items():
        name, _, clip = utterance_id.rpartition("_")
        first = votes.index(1) if 1 in votes else 0
        rows["one.csv"].append([f"videos/{name}", clip, *(3 * v if k == first else 0 for k, v in enumerate(votes))])
        rows["two.csv"].append([name, clip, *(v if k != first else 0 for k, v in enumerate(votes))])
    (root / "Labels").mkdir(parents=True)
    for name, table in rows.items():
        with (root / "Labels" / name).open("w", newline="") as handle:
            csv.writer(handle).writerows([header, *table])
    (root / "Labels" / "other.csv").write_text("a,b\n1,2\n")
    transcripts = root / "Transcript" / "Segmented" / "Combined"
    transcripts.mkdir(parents=True)
    for name in ("-a_b1", "second"):
        lines = [
            f"{name}___{i.rpartition('_')[2]}___{start}___{end}___{text}"
            for i, (start, end, text, _) in MOSEI_CUTS.items()
            if i.startswith(name)
        ]
        (transcripts / f"{name}.txt").write_text("\n".join(lines) + "\n")
        video(
            root / "Videos" / "Full" / "Combined" / f"{name}.mp4", 4.0 if name != "second" else 2.5, (640, 360), "mp4v"
        )
        sound(root / "Audio" / "Full" / "WAV_16000" / f"{name}.wav", ramp(4.0, 1 if name != "second" else 2))
    ids = list(MOSEI_CUTS)
    lists("mosei", root, {"train": [ids[0], ids[2]], "valid": ids[1:2], "test": ids[3:]})


CREMAD_CLIPS = {
    "1001_DFA_ANG_XX": 1.5,
    "1001_IEO_HAP_LO": 1.2,
    "1002_TSI_SAD_XX": 1.1,
    "1003_WSI_NEU_X": 1.0,
    "1003_WSI_FEA_HI": 1.0,
}
"""Seconds by clip."""


def mp3(seconds: float, rate: int = 44_100) -> bytes:
    """A tone that grows louder."""
    time = np.arange(int(seconds * rate)) / rate
    whole = io.BytesIO()
    soundfile.write(whole, 0.4 * time / seconds * np.sin(2 * np.pi * 440 * time), rate, format="MP3")
    return whole.getvalue()


def tag(kind: int, content: bytes) -> bytes:
    """Of a Flash video: 8 is sound, 9 a picture; the length of the tag stands behind it."""
    whole = bytes([kind]) + len(content).to_bytes(3, "big") + bytes(7) + content
    return whole + len(whole).to_bytes(4, "big")


def flash(path: Path, seconds: float, size: tuple[int, int] = (480, 360)) -> None:
    """A Flash video with sound, which OpenCV cannot write: its tags stand in front of the pictures'."""
    video(path, seconds, size, "\x02\0\0\0")
    whole, sound = path.read_bytes(), mp3(seconds)
    tags = b"".join(tag(8, b"\x2e" + sound[place : place + 400]) for place in range(0, len(sound), 400))
    path.write_bytes(whole[:13] + tags + whole[13:])


def cremad(root: Path) -> None:
    """Five clips of three actors, one of them as sound beside its video, and of a fourth actor sound alone."""
    for name, seconds in CREMAD_CLIPS.items():
        flash(root / "VideoFlash" / f"{name}.flv", seconds)
    (root / "AudioMP3").mkdir()
    for name in ("1001_DFA_ANG_XX", "1004_DFA_ANG_XX"):
        (root / "AudioMP3" / f"{name}.mp3").write_bytes(mp3(1.0))
