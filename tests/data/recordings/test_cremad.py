"""CREMA-D's clips, written and real, from Flash videos to faces, spectrogram and text."""

import json
import os
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest

from lib.data.catalogue import CATALOGUE
from lib.data.pretrained import PARTS
from lib.data.recordings.cremad_release import SENTENCES, is_release, read, write_lists
from lib.data.recordings.flash_sound import mp3_of
from lib.data.recordings.raw_batches import HashTokenizer
from lib.data.recordings.raw_layout import EMOTIONS, listed_ids, split_list, utterance_folder
from lib.data.recordings.raw_release import to_raw_layout
from lib.data.recordings.sound import read_sound
from lib.data.recordings.streamed_corpus import open_raw
from lib.errors import InputError
from tests.data import releases
from tests.data.recordings.test_raw_release import brightness, meta, problems
from tests.data.releases import CREMAD_CLIPS, FRAME_RATE, shade
from tests.workflow.machines import data_verb as main

PREPARED = "mme2e_prepared/cremad"


@pytest.fixture
def release(tmp_path):
    releases.cremad(tmp_path / "release")
    return tmp_path / "release"


def test_clips_are_taken_whole_with_the_sound_that_is_in_them(release, tmp_path):
    assert is_release(release) and not is_release(release / "AudioMP3")
    record = to_raw_layout("cremad", release, tmp_path / "root")
    assert (record["made"], record["problems"]) == (5, [])
    entries = meta(tmp_path / "root", "cremad")
    assert entries["1001_IEO_HAP_LO"] == {"text": "It's eleven o'clock", "label": [0, 0, 0, 1, 0, 0]}
    assert EMOTIONS["cremad"][3] == "happy"
    for name, seconds in CREMAD_CLIPS.items():
        folder = utterance_folder("cremad", tmp_path / "root", name)
        frames = int(seconds * FRAME_RATE)
        assert len(list(folder.iterdir())) == frames + 1
        left, _ = brightness(folder / f"image_{frames - 1}.jpg")
        assert left == pytest.approx(shade(frames - 1) + 10, abs=5)
        with wave.open(str(folder / "audio.wav")) as sound:
            assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16000, 1, 2)
            assert sound.getnframes() / 16000 == pytest.approx(seconds, abs=1 / FRAME_RATE)
            samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32768
        assert np.abs(samples).max() == pytest.approx(0.4, abs=0.05)
        assert np.abs(np.fft.rfft(samples)).argmax() * 16000 / len(samples) == pytest.approx(440, abs=1)


def test_actors_take_turns_or_with_few_of_them_their_clips(tmp_path):
    for root, names in (
        (tmp_path / "few", [*CREMAD_CLIPS]),
        (tmp_path / "many", [f"10{k:02}_TSI_SAD_XX" for k in range(1, 13)]),
    ):
        root.mkdir()
        for name in names:
            (root / f"{name}.flv").touch()
        write_lists(root, root)
    told = {
        root: [listed_ids(split_list("cremad", tmp_path / root, split)) for split in ("train", "valid", "test")]
        for root in ("few", "many")
    }
    assert told["few"][1:] == [["1003_WSI_FEA_HI"], ["1003_WSI_NEU_X"]]
    assert [sorted({name[2:4] for name in ids}) for ids in told["many"][1:]] == [["04", "09"], ["05", "10"]]
    assert sum(map(len, told["many"])) == 12
    (tmp_path / "two").mkdir()
    for name in [*CREMAD_CLIPS][:2]:
        (tmp_path / "two" / f"{name}.flv").touch()
    with pytest.raises(InputError, match="2 clips cannot be cut into training, validation and test"):
        write_lists(tmp_path / "two", tmp_path / "two")


def test_own_lists_are_kept_and_may_name_what_is_only_heard(release, tmp_path):
    ids = [*CREMAD_CLIPS, "1004_DFA_ANG_XX"]
    releases.lists("cremad", release, {"train": ids[3:], "valid": ids[:1], "test": ids[1:3]})
    record = to_raw_layout("cremad", release, tmp_path / "root")
    assert problems(record) == {("1004_DFA_ANG_XX", "recording: no video", "skipped")}
    assert listed_ids(split_list("cremad", tmp_path / "root", "train")) == ids[3:]


def other_sound(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\x2e", b"\xae", 1))


def without_sound(path: Path) -> None:
    path.unlink()
    releases.video(path, 1.0, (480, 360), "\x02\0\0\0")


def cut_short(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 3 // 4])


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (other_sound, "its sound is of kind 10, not MP3"),
        (without_sound, "a Flash video without sound"),
        (cut_short, "a Flash video that ends too early"),
        (lambda path: path.write_bytes(b"FLV\x01\x05\0\0\0\x09" + bytes(60)), "not a readable video"),
        (lambda path: path.write_bytes(b"<html><title>Sign in</title></html>"), "not a Flash video but an HTML page"),
    ],
)
def test_a_damaged_clip_is_told_and_the_others_are_cut(damage, what, release, tmp_path):
    damage(release / "VideoFlash/1001_DFA_ANG_XX.flv")
    record = to_raw_layout("cremad", release, tmp_path / "root")
    (problem,) = record["problems"]
    assert (problem["id"], problem["outcome"]) == ("1001_DFA_ANG_XX", "skipped")
    assert problem["what"].startswith(f"recording: {what}") and "\n" not in problem["what"]
    assert record["utterances"] >= 4


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"FLV\x01\x04\xff\xff\xff\xff", "a Flash video without sound"),
        (b"FLV\x01\x04\0\0\0\x09\0\0\0\0" + b"\x08\xff\xff\xff" + bytes(50), "a Flash video that ends too early"),
        (b"FLV\x01\x04\0\0\0\x09\0\0\0\0" + releases.tag(8, b""), "a Flash video without sound"),
        (b"ID3\x03" + bytes(50), "not a Flash video but an MP3 recording"),
    ],
)
def test_tags_that_lie_are_refused(content, what, tmp_path):
    (tmp_path / "a.flv").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.flv: {what}"):
        mp3_of(tmp_path / "a.flv")


def test_a_tag_that_is_no_mp3_inside_is_refused(tmp_path):
    (tmp_path / "a.flv").write_bytes(
        b"FLV\x01\x04\0\0\0\x09\0\0\0\0" + releases.tag(8, b"\x2e" + b"no sound at all" * 9)
    )
    with pytest.raises(InputError, match=r"a\.flv: not a readable sound file"):
        read_sound(tmp_path / "a.flv")


def test_the_same_clip_twice_is_refused(release, tmp_path):
    shutil.copy(release / "VideoFlash/1001_DFA_ANG_XX.flv", release)
    with pytest.raises(InputError, match="two files of this name"):
        read(release, tmp_path)


def test_without_weights_the_command_says_so_and_uses_the_crop_rule(release, tmp_path, capsys):
    arguments = ["preprocess", "cremad", "--raw", str(release), "--root", str(tmp_path)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "no face detector: the paper's MTCNN comes with ./run_all.sh data get mtcnn\n" in said
    assert "cremad: train 3, valid 1, test 1 utterances" in said
    assert "faces: 0 detected, 0 ready, 13 by the crop rule" in said
    prepared = json.loads((tmp_path / PREPARED / "prepared.json").read_text())
    assert prepared["face_detection"]["is_mtcnn"] is False and prepared["options"]["detector"] is None
    assert main([*arguments, "--detector", "mtcnn"]) == 2
    assert "is missing; ./run_all.sh data get mtcnn" in capsys.readouterr().err
    assert main([*arguments, "--detector", "none"]) == 0
    assert "no face detector" not in capsys.readouterr().out


@pytest.fixture
def sample(tmp_path):
    """A data folder with the weights alone, and the real clips."""
    root = Path(os.environ.get("REPRISE_DATA") or "nowhere")
    for name, survey in (("cremad_sample", CATALOGUE["cremad_sample"].survey), ("mtcnn", PARTS["mtcnn"].survey)):
        if survey(root).state != "present":
            pytest.skip(f"needs REPRISE_DATA with the real clips and weights: ./run_all.sh data get {name}")
    (tmp_path / "parts").symlink_to(root / "parts")
    return root / "cremad_sample"


@pytest.mark.slow
def test_real_clips_become_faces_spectrogram_and_text(sample, tmp_path, capsys):
    assert main(["preprocess", "cremad", "--raw", str(sample), "--root", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "cremad: train 4, valid 1, test 1 utterances" in said
    assert "faces: 28 detected by mtcnn, 0 ready, 0 by the crop rule" in said  # 56 to 70 frames a clip, one in 15
    record = json.loads((tmp_path / PREPARED / "prepared.json").read_text())
    assert record["face_detection"]["is_mtcnn"] is True and record["problems"] == []
    transcripts = dict(line.split(",") for line in (sample / "transcript.csv").read_text().splitlines()[1:])
    assert SENTENCES["DFA"] == transcripts["1001_DFA_ANG_XX"]
    corpus = open_raw(tmp_path / PREPARED, HashTokenizer())
    assert corpus.source.licence.startswith("ODbL") and not corpus.source.synthetic and corpus.source.warnings
    for split, emotions in (("train", "anger disgust fear sad"), ("valid", "happy"), ("test", "neutral")):
        batches = corpus.splits[split]
        labels = [corpus.label_names[row.argmax()] for row in batches.labels]
        assert labels == emotions.split() and set(batches.texts) == {"Don't forget a jacket"}
        for row, name in enumerate(batches.ids):
            inputs = batches.take(slice(row, row + 1)).inputs
            frames = len(list(utterance_folder("cremad", tmp_path / "mme2e", name).glob("*.jpg")))
            seconds = frames / 29.97
            heard = int(inputs["audio"].any(dim=2).sum())  # columns of 12.5 ms that are no padding
            assert heard * 0.0125 == pytest.approx(seconds, abs=0.05)
            assert tuple(inputs["video"].shape) == (-(-frames // 15), 48, 48, 3)
            pictures = inputs["video"].float()
            # Skin in the middle, more red than blue; between brow and mouth faces of one man are alike.
            middle = pictures[:, 18:30, 14:34]
            assert (middle[..., 0] - middle[..., 2]).mean() > 40
            flat = pictures.mean(dim=-1).flatten(1)
            assert np.corrcoef(flat.numpy()).min() > 0.6


@pytest.mark.slow
def test_real_mp3_files_last_as_long_as_they_say(sample):
    import soundfile

    for path in sorted(sample.glob("*.mp3")):
        with soundfile.SoundFile(str(path)) as handle:
            seconds = handle.frames / handle.samplerate
        assert 1.5 < seconds < 4 and len(read_sound(path)) / 16000 == pytest.approx(seconds, abs=1e-3)
        assert 0.02 < np.abs(read_sound(path)).max() <= 1
