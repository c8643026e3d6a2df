"""Original releases with real video and sound, through the raw layout to batches; damage, interruption, repetition."""

import pickle
import shutil
import wave

import numpy as np
import pytest
from PIL import Image

from lib.data.recordings import cutting as recordings
from lib.data.recordings import iemocap_release
from lib.data.recordings.raw_batches import open_batches
from lib.data.recordings.raw_layout import utterance_folder
from lib.data.recordings.raw_release import is_release, to_raw_layout
from lib.errors import InputError
from tests.data import releases
from tests.data.releases import FRAME_RATE, IEMOCAP_CUTS, MOSEI_CUTS, SAMPLE_RATE, shade
from tests.workflow.machines import data_verb as main

FIRST, SECOND, THIRD, UNLISTED = IEMOCAP_CUTS


@pytest.fixture
def iemocap(tmp_path):
    releases.iemocap(tmp_path / "release")
    return tmp_path / "release"


@pytest.fixture
def mosei(tmp_path):
    releases.mosei(tmp_path / "release")
    return tmp_path / "release"


def samples(path):
    with wave.open(str(path)) as handle:
        count, channels = handle.getnframes(), handle.getnchannels()
        assert (handle.getsampwidth(), handle.getframerate()) == (2, SAMPLE_RATE)
        return np.frombuffer(handle.readframes(count), "<i2").reshape(-1, channels)


def brightness(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("L")).mean(), image.size


def meta(root, kind):
    return pickle.loads((root / f"{kind.upper()}_RAW_PROCESSED" / "meta.pkl").read_bytes())


def problems(record):
    return {(problem["id"], problem["what"], problem["outcome"]) for problem in record["problems"]}


def test_iemocap_frames_sound_and_text(iemocap, tmp_path):
    assert is_release("iemocap", iemocap) and not is_release("mosei", iemocap)
    record = to_raw_layout("iemocap", iemocap, tmp_path / "root")
    assert (record["made"], record["found"], record["problems"]) == (3, 0, [])
    entries = meta(tmp_path / "root", "iemocap")
    assert set(entries) == {FIRST, SECOND, THIRD}
    assert entries[SECOND] == {
        "start_time": 1.0, "end_time": 2.0, "label": "ang", "text": "now", "sr": SAMPLE_RATE, "fps": FRAME_RATE
    }  # fmt: skip
    everything = releases.ramp(3.0, 2)
    for utterance_id in entries:
        start, end, *_ = IEMOCAP_CUTS[utterance_id]
        folder = utterance_folder("iemocap", tmp_path / "root", utterance_id)
        frames = range(int(start * FRAME_RATE), int(end * FRAME_RATE))
        assert len(list(folder.iterdir())) == 2 * len(frames) + 3
        for number, frame in enumerate(frames):
            for side, more in (("L", 0), ("R", 20)):
                mean, size = brightness(folder / f"image_{side}_{number}.jpg")
                assert size == (224, 224) and mean == pytest.approx(shade(frame) + more, abs=3)
        expected = everything[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
        np.testing.assert_array_equal(samples(folder / "audio.wav"), expected)
        np.testing.assert_array_equal(samples(folder / "audio_L.wav"), expected[:, :1])
        np.testing.assert_array_equal(samples(folder / "audio_R.wav"), expected[:, 1:])


def test_mosei_frames_sound_text_and_votes(mosei, tmp_path):
    assert is_release("mosei", mosei) and not is_release("iemocap", mosei)
    record = to_raw_layout("mosei", mosei, tmp_path / "root")
    assert problems(record) == {("-a_b1_2", "too short for an image", "kept")}
    entries = meta(tmp_path / "root", "mosei")
    assert entries == {i: {"text": text, "label": list(votes)} for i, (_, _, text, votes) in MOSEI_CUTS.items()}
    for utterance_id, (start, end, *_) in MOSEI_CUTS.items():
        folder = utterance_folder("mosei", tmp_path / "root", utterance_id)
        start = max(start, 0)
        kept = range(int(2 * start), int(2 * end))
        assert {path.name for path in folder.iterdir()} == {"audio.wav", *(f"image_{k}.jpg" for k in range(len(kept)))}
        for number, place in enumerate(kept):
            left = np.asarray(Image.open(folder / f"image_{number}.jpg").convert("L"))[:, :300].mean()
            assert left == pytest.approx(shade(15 * place), abs=3)
        expected = releases.ramp(4.0, 1)[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
        np.testing.assert_array_equal(samples(folder / "audio.wav"), expected)


def test_an_interrupted_call_continues(iemocap, tmp_path, monkeypatch):
    whole = to_raw_layout("iemocap", iemocap, tmp_path / "whole")
    written = 0
    write = recordings._write

    def failing(*arguments):
        nonlocal written
        written += 1
        if written > 60:  # within the second utterance
            raise KeyboardInterrupt
        write(*arguments)

    root = tmp_path / "root"
    monkeypatch.setattr(recordings, "_write", failing)
    with pytest.raises(KeyboardInterrupt):
        to_raw_layout("iemocap", iemocap, root)
    monkeypatch.undo()
    assert utterance_folder("iemocap", root, FIRST).is_dir()
    assert not utterance_folder("iemocap", root, SECOND).exists() and list(root.rglob("*.part"))
    record = to_raw_layout("iemocap", iemocap, root)
    assert (record["made"], record["found"]) == (2, 1) and not list(root.rglob("*.part"))
    names = [sorted(path.relative_to(r) for path in r.rglob("*")) for r in (root, tmp_path / "whole")]
    assert names[0] == names[1]
    for path in root.rglob("*.jpg"):
        assert path.read_bytes() == (tmp_path / "whole" / path.relative_to(root)).read_bytes()
    again = to_raw_layout("iemocap", iemocap, root)
    assert again == whole | {"made": 0, "found": 3}


def test_workers_give_the_same(mosei, tmp_path):
    one = to_raw_layout("mosei", mosei, tmp_path / "one")
    assert to_raw_layout("mosei", mosei, tmp_path / "two", workers=2) == one
    names = [sorted(path.relative_to(r) for path in r.rglob("*")) for r in (tmp_path / "one", tmp_path / "two")]
    assert names[0] == names[1]


def test_what_a_recording_lacks_is_told_every_time(iemocap, tmp_path):
    dialog = iemocap / "Session1" / "dialog"
    releases.video(next(dialog.rglob("*.avi")), 1.5, (720, 480), "XVID")
    releases.sound(next(dialog.rglob("*.wav")), releases.ramp(1.9, 2))
    expected = {
        (SECOND, "the video ends before the utterance", "kept"),
        (SECOND, "the sound ends before the utterance", "kept"),
        (THIRD, "the video ends before the utterance", "kept"),
        (THIRD, "the sound ends before the utterance", "kept"),
    }
    for _ in range(2):
        assert problems(to_raw_layout("iemocap", iemocap, tmp_path / "root")) == expected


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda dialog: next(dialog.rglob("*.avi")).unlink(), "missing"),
        (lambda dialog: next(dialog.rglob("*.avi")).write_bytes(b"RIFF no video"), "not a readable video but text"),
        (lambda dialog: next(dialog.rglob("*.wav")).unlink(), "its waveform is missing"),
        (
            lambda dialog: next(dialog.rglob("*.wav")).write_bytes(b"RIFF"),
            "its waveform is not a readable WAV file but text",
        ),
        (
            lambda dialog: releases.sound(next(dialog.rglob("*.wav")), releases.ramp(3.0, 1)),
            "its waveform has 1 channel",
        ),
        (
            lambda dialog: releases.video(next(dialog.rglob("*.avi")), 1.0, (320, 240), "XVID"),
            "its frames are 320 x 240 pixels, too small for two faces of 224 x 224",
        ),
    ],
)
def test_a_damaged_recording_is_told(iemocap, tmp_path, damage, what):
    damage(iemocap / "Session1" / "dialog")
    record = to_raw_layout("iemocap", iemocap, tmp_path / "root")
    assert problems(record) == {(i, f"recording: {what}", "skipped") for i in (FIRST, SECOND, THIRD)}


def test_mosei_lacks(mosei, tmp_path):
    next(mosei.rglob("second.wav")).unlink()
    transcript = next(mosei.rglob("-a_b1.txt"))
    transcript.write_text(transcript.read_text() + "-a_b1___9\n")
    labels = mosei / "Labels" / "one.csv"
    labels.write_text("".join(line for line in labels.read_text().splitlines(True) if "b1,0" not in line))
    other = mosei / "Labels" / "two.csv"
    other.write_text("".join(line for line in other.read_text().splitlines(True) if "b1,0" not in line))
    record = to_raw_layout("mosei", mosei, tmp_path / "root")
    assert problems(record) >= {
        ("second_7", "recording: no waveform", "skipped"),
        ("-a_b1_0", "transcribed but not labelled", "skipped"),
    }
    shutil.copy(next(mosei.rglob("-a_b1.mp4")), mosei / "Videos" / "Full" / "-a_b1.mp4")
    with pytest.raises(InputError, match=r"two files of this name"):
        to_raw_layout("mosei", mosei, tmp_path / "root")


def test_lists_are_needed_before_anything_is_decoded(iemocap, tmp_path):
    shutil.rmtree(iemocap / "IEMOCAP_split")
    with pytest.raises(InputError, match="no list of the train split; take it from"):
        to_raw_layout("iemocap", iemocap, tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_times_that_are_no_numbers(iemocap, tmp_path):
    path = next((iemocap / "Session1" / "dialog" / "EmoEvaluation").glob("S*.txt"))
    path.write_text(path.read_text().replace("[1.0000 - 2.0000]", "[nan - inf]"))
    _, entries, told = iemocap_release.read(iemocap, tmp_path)
    assert set(entries) == {FIRST, THIRD, UNLISTED}
    assert {problem.id for problem in told} == {SECOND, "Ses01F_impro01_FXX9"}


@pytest.mark.parametrize("kind", ["iemocap", "mosei"])
def test_command_from_release_to_batches(kind, tmp_path, capsys, request):
    release = request.getfixturevalue(kind)
    arguments = ["preprocess", kind, "--raw", str(release), "--root", str(tmp_path), "--workers", "2"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    counts = {"iemocap": "train 1, valid 1, test 1", "mosei": "train 1, valid 1, test 1"}[kind]
    assert f"{kind}: {counts} utterances in {tmp_path / 'mme2e_prepared' / kind}" in out
    assert ("kept: 1 x empty text" in out) == (kind == "iemocap")
    assert ("skipped: 1 x no image" in out) == (kind == "mosei")
    batches = open_batches(tmp_path / "mme2e_prepared" / kind, "valid")
    inputs = batches.inputs
    assert inputs["video"].shape[1:] == (48, 48, 3) and inputs["audio"].any()
    assert main(arguments) == 0
    assert "0 cut" in capsys.readouterr().out
