"""The raw path of the end-to-end model: stand-in, layout, preprocessing, batches, and everything that can be wrong."""

import json
import pickle
import shutil

import numpy as np
import pytest
import torch

from lib.data.recordings.mel import cut_pieces, mel_spectrogram
from lib.data.recordings.raw_batches import HashTokenizer, open_batches
from lib.data.recordings.raw_decoding import Options, face, read_image, read_wave
from lib.data.recordings.raw_layout import processed_folder, read, split_list
from lib.data.recordings.raw_preprocessing import LIST, preprocess, utterance_file
from lib.data.stand_ins.synthetic_raw import FACE_REGION, PITCHES, ceilings, spectrogram_region, write
from lib.errors import InputError
from tests.workflow.machines import data_verb as main

SIZES = {"train": 6, "valid": 2, "test": 2}
KINDS = ("iemocap", "mosei")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def raw(tmp_path, kind):
    write(kind, tmp_path / "raw", SIZES)
    return tmp_path / "raw"


def find_top_left(image):
    return 0.0, 0.0, 46.0, 46.0


def test_sound_corpus_has_no_problem_and_fits_the_batches(raw, kind, tmp_path):
    prepared = preprocess(kind, raw, tmp_path / "out")
    assert prepared["problems"] == [] and prepared["synthetic"]
    batches = open_batches(tmp_path / "out" / kind, "train")
    assert len(batches) == SIZES["train"]
    part = batches.take(np.array([3, 1]))
    inputs = part.inputs
    item = read(kind, raw).splits["train"][3]
    expected = cut_pieces(mel_spectrogram(*read_wave(item.wave), "fixed"))
    assert part.ids[0] == item.id
    np.testing.assert_array_equal(inputs["audio"][: len(expected)], expected)
    assert inputs["audio_lengths"].sum() == len(inputs["audio"]) and inputs["video_lengths"].tolist() == [1, 1]
    assert inputs["video"].shape == (2, 48, 48, 3)
    assert torch.equal(part.targets[0], torch.from_numpy(item.label))


def test_other_modalities_become_empty(raw, kind, tmp_path):
    preprocess(kind, raw, tmp_path / "out")
    batches = open_batches(tmp_path / "out" / kind, "valid")
    inputs, audio = batches.inputs, batches.only(["audio"]).inputs
    assert torch.equal(audio["audio"], inputs["audio"]) and audio["audio"].any()
    assert inputs["video"].any() and not audio["video"].any()
    assert audio["text_mask"].sum() == len(batches) < inputs["text_mask"].sum()


def test_second_call_makes_only_what_changed(raw, kind, tmp_path):
    made = {}
    preprocess(kind, raw, tmp_path / "out", watch=lambda o: made.update({o.id: o.made}))
    assert all(made.values())
    first, second = read(kind, raw).splits["train"][:2]
    utterance_file(tmp_path / "out" / kind, first.id).write_bytes(b"PK damaged")
    shutil.copy(first.wave, second.wave)
    before = json.loads((tmp_path / "out" / kind / LIST).read_text())
    after = preprocess(kind, raw, tmp_path / "out", watch=lambda o: made.update({o.id: o.made}))
    assert {i for i, m in made.items() if m} == {first.id, second.id}
    assert before["splits"]["test"] == after["splits"]["test"]
    assert not list((tmp_path / "out").rglob("*.part"))


def test_workers_give_the_same(raw, kind, tmp_path):
    one = preprocess(kind, raw, tmp_path / "one")
    assert preprocess(kind, raw, tmp_path / "two", workers=2) == one


def test_every_defect_is_reported(raw, kind, tmp_path):
    meta_path = processed_folder(kind, raw) / "meta.pkl"
    items = read(kind, raw).splits["train"]
    (items[0].folder / f"{items[0].image_stem}0.jpg").write_bytes(b"\xff\xd8 not an image")
    for image in items[1].folder.glob("*.jpg"):
        image.unlink()
    items[2].wave.unlink()
    items[3].wave.write_bytes(items[3].wave.read_bytes()[:100])
    samples = items[4].wave.read_bytes()
    items[4].wave.write_bytes(samples[:44] + bytes(len(samples) - 44))
    meta = pickle.loads(meta_path.read_bytes())
    meta[items[4].id]["text"] = " "
    meta_path.write_bytes(pickle.dumps(meta))
    shutil.rmtree(items[5].folder)
    listed = split_list(kind, raw, "train")
    listed.write_text(listed.read_text() + "../../escape\nSes01F_unknown_F000\n")
    prepared = preprocess(kind, raw, tmp_path / "out")
    found = {(p["id"], p["what"].rpartition(": ")[2], p["outcome"]) for p in prepared["problems"]}
    assert found == {
        ("../../escape", "unsafe utterance id '../../escape'", "skipped"),
        ("Ses01F_unknown_F000", "not in meta.pkl", "skipped"),
        (items[0].id, "not a readable JPEG image but text", "replaced"),
        (items[0].id, "no readable image", "skipped"),
        (items[1].id, "no image", "skipped"),
        (items[2].id, "missing", "replaced"),
        (items[3].id, "waveform of 28 samples, too short for a spectrogram", "replaced"),
        (items[4].id, "silent waveform", "kept"),
        (items[4].id, "empty text", "kept"),
        (items[5].id, "its folder is missing", "skipped"),
    }
    batches = open_batches(tmp_path / "out" / kind, "train")
    assert batches.ids == tuple(item.id for item in items[2:5])
    inputs = batches.inputs
    assert inputs["audio_lengths"][0] == 1 and not inputs["audio"][0].any()
    assert not (tmp_path / "escape").exists()


def test_folder_that_leads_out_is_skipped(raw, kind, tmp_path):
    item = read(kind, raw).splits["train"][0]
    item.folder.rename(tmp_path / "elsewhere")
    item.folder.symlink_to(tmp_path / "elsewhere")
    (problem,) = read(kind, raw).problems
    assert (problem.id, problem.what) == (item.id, "its folder leads out of the corpus")


def test_a_changed_file_is_not_served(raw, kind, tmp_path):
    preprocess(kind, raw, tmp_path / "out")
    batches = open_batches(tmp_path / "out" / kind, "train")
    folder = tmp_path / "out" / kind
    shutil.copy(utterance_file(folder, batches.ids[1]), utterance_file(folder, batches.ids[0]))
    assert len(batches.take(slice(1, 3)).inputs["text"]) == 2
    with pytest.raises(InputError, match="not the file that was prepared"):
        _ = batches.inputs


def test_the_cues_are_where_they_are_said_to_be(tmp_path):
    shown = write("iemocap", tmp_path, {"train": 60, "valid": 1, "test": 1}, frames=6)
    by_cue = {}
    for item in read("iemocap", tmp_path).splits["train"]:
        waveform, rate = read_wave(item.wave)
        loudest = int(mel_spectrogram(waveform, rate, "fixed").mean(axis=1).argmax())
        region = spectrogram_region(shown[item.id]["audio"])
        assert region.start <= loudest < region.stop
        crop = face(read_image(item.folder / f"{item.image_stem}0.jpg", "iemocap"), None, Options())
        by_cue.setdefault(shown[item.id]["video"], []).append(crop.astype(float))
    assert len(by_cue) == len(PITCHES)
    difference = np.std([np.mean(crops, axis=0) for crops in by_cue.values()], axis=0).sum(axis=2)
    assert difference[FACE_REGION].sum() / difference.sum() > 0.8


def test_ceilings():
    best = ceilings()
    assert best["text"]["acc"] == pytest.approx(0.95 + 0.05 / 6)
    assert best["text+audio"]["acc"] == pytest.approx(best["text"]["acc"])  # one weaker cue never overrules text
    assert best["text+audio+video"]["acc"] > best["text"]["acc"] > best["audio+video"]["acc"]


def test_detected_face_is_cropped(tmp_path):
    image = np.zeros((100, 100, 3), np.uint8)
    image[:47, :47] = 200  # the box and its margin of one pixel
    np.testing.assert_allclose(face(image, find_top_left, Options()), 200, atol=1e-4)
    np.testing.assert_array_equal(face(image, None, Options()), image[26:74, 2:50])


def test_tokenizer_is_stable_and_bounded():
    ids, mask = HashTokenizer(50, 4)(["One two THREE four", ""])
    assert ids[0, 0] == ids[1, 0] == 1 and mask.sum(axis=1).tolist() == [4, 1] and ids.max() < 50
    assert (ids[0] == HashTokenizer(50, 4)(["one, two three"])[0][0]).all()


def test_command(raw, kind, tmp_path, capsys):
    arguments = ["preprocess", kind, "--raw", str(raw), "--out", str(tmp_path / "out"), "--root", str(tmp_path)]
    assert main(arguments) == 0  # the data folder holds no weights of a detector
    out = capsys.readouterr().out
    assert "train 6, valid 2, test 2" in out and "faces: 0 detected, 0 ready, 10 by the crop rule" in out
    assert main([*arguments, "--detector", "haar", "--crop", "centre"]) == 0
    options = json.loads((tmp_path / "out" / kind / LIST).read_text())["options"]
    assert (options["detector"], options["crop_columns"]) == ("lib.data.recordings.face_detection:haar", "centre")
    capsys.readouterr()
    assert main([*arguments[:3], str(tmp_path / "nowhere"), *arguments[4:]]) == 2
    assert "meta.pkl: missing" in capsys.readouterr().err
    assert main([*arguments, "--detector", "no.such:thing"]) == 2
