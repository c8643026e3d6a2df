"""RAVDESS as recordings: pieces of the published spectrogram, sentences, options, what stands between the folds."""

import numpy as np
import pytest
import torch

from lib import data
from lib.data.ravdess import clips
from lib.data.ravdess.clips import EMOTIONS, SENTENCES
from lib.data.recordings.mel import cut_pieces, mel_spectrogram
from lib.data.recordings.raw_batches import HashTokenizer
from lib.data.recordings.sound import RATE, read_sound
from lib.errors import InputError
from tests.data.ravdess.test_ravdess import small, tone, write_ravdess, write_wav


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("ravdess")
    write_ravdess(root / "data")
    return root


@pytest.fixture
def written(whole, monkeypatch):
    """A sound data folder, decoded once for all tests."""
    monkeypatch.setenv("REPRISE_CACHE", str(whole / "cache"))
    return whole / "data"


def published(path) -> np.ndarray:
    return cut_pieces(mel_spectrogram(read_sound(path), RATE, "window"))


def test_a_batch_is_what_the_end_to_end_models_take(written):
    corpus = data.load("ravdess_raw", written, fold=2)
    assert (corpus.label_names, corpus.problems) == (EMOTIONS, ())
    by_id = {clip.id: clip for clip in small()}
    for name, split in corpus.splits.items():
        assert {by_id[key].actor for key in split.ids} == set(clips.folds(2)[name])
        assert split.labels.argmax(1).tolist() == [by_id[key].emotion for key in split.ids]
        assert (split.labels.sum(axis=1) == 1).all() and split.labels.dtype == np.float32
    batch = corpus.splits["test"].take(np.array([5, 0]))
    paths = {path.stem: path for path in clips.sounds(written / "ravdess")}
    expected = [published(paths[key]) for key in batch.ids]
    inputs = batch.inputs
    assert set(inputs) == {"text", "text_mask", "audio", "audio_lengths"}
    np.testing.assert_array_equal(inputs["audio"], np.concatenate(expected))
    assert inputs["audio_lengths"].tolist() == [len(part) for part in expected]
    assert torch.equal(batch.targets, torch.eye(8)[[by_id[key].emotion for key in batch.ids]])
    assert corpus.source.split_rule == "fold 2 of 8 by actor: 7, 8, 9 tested, 10, 11, 12 validated"
    assert not any(name.endswith(".pkl") for name in corpus.source.files)


def test_the_sentence_is_that_of_the_statement():
    first, second = (next(c for c in clips.release() if c.id.endswith(end)) for end in ("01-01-01", "02-01-01"))
    assert (first.sentence, second.sentence) == SENTENCES
    said = [(clip.sentence, clip.emotion) for clip in clips.release()]
    assert all(said.count((SENTENCES[0], e)) == said.count((SENTENCES[1], e)) for e in range(8))


def test_other_modalities_become_empty(written):
    split = data.load("ravdess_raw", written).splits["valid"]
    inputs, text, audio = split.inputs, split.only(["text"]).inputs, split.only(["audio"]).inputs
    assert torch.equal(audio["audio"], inputs["audio"]) and audio["audio"].any()
    assert audio["text_mask"].sum() == len(split) < inputs["text_mask"].sum()
    assert torch.equal(text["text"], inputs["text"]) and not text["audio"].any()
    assert torch.equal(text["audio_lengths"], inputs["audio_lengths"])


def test_longer_steps_are_means_of_the_published_frames(written):
    split = data.load("ravdess_raw", written, step_ms=50).splits["test"].take(slice(0, 1))
    (path,) = [path for path in clips.sounds(written / "ravdess") if path.stem == split.ids[0]]
    power = mel_spectrogram(read_sound(path), RATE, "window")
    means = [power[:, start : start + 4].mean(axis=1) for start in range(0, power.shape[1], 4)]
    found = np.concatenate([piece[0] for piece in split.inputs["audio"].numpy()], axis=1)
    np.testing.assert_allclose(found[:, : len(means)].T, means, rtol=1e-5, atol=1e-12)
    assert not found[:, len(means) :].any()


def test_the_logarithm_is_zero_for_silence_and_padding(written):
    power, log = (data.load("ravdess_raw", written, scale=scale) for scale in ("power", "log"))
    pieces = (corpus.splits["test"].inputs["audio"].numpy() for corpus in (power, log))
    power_pieces, log_pieces = pieces
    np.testing.assert_allclose(log_pieces, np.log1p(power_pieces.astype(np.float64) * 1e8), rtol=1e-4, atol=1e-5)
    assert log_pieces.min() == 0 and log_pieces.max() > 10
    assert power.digest != log.digest
    assert any("logarithm of power, which the published one is not" in said for said in log.source.warnings)


def test_silence_before_and_behind_is_cut_off_when_asked(tmp_path):
    write_ravdess(tmp_path)
    first, *_ = small()
    sound = tone(first, 0.8)
    quiet = np.concatenate([np.zeros(RATE, np.int16), sound, np.zeros(RATE, np.int16)])
    write_wav(clips.sound_of(first, tmp_path / "ravdess"), quiet)
    counts = {}
    for level in (0, 40):
        split = data.load("ravdess_raw", tmp_path, quiet_db=level).splits["test"]
        counts[level] = int(split.counts[split.ids.index(first.id)])
    assert counts == {0: 8, 40: 3}  # of 0.4 s each: 2.8 s, and 0.8 s with what rings over the edges


def test_folds_and_tokenizers_are_told_apart(written):
    first, second = (data.load("ravdess_raw", written, fold=fold) for fold in (0, 1))
    short, long = (first.tokenized(HashTokenizer(50, length)) for length in (4, 9))
    assert len({corpus.digest for corpus in (first, second, short, long)}) == 4
    assert long.splits["train"].inputs["text"].shape[1] == 9


def test_the_sound_is_decoded_once(written, monkeypatch, tmp_path):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path))
    first = data.load("ravdess_raw", written)
    monkeypatch.setattr("lib.data.ravdess.ravdess_raw.read_sound", lambda path: pytest.fail("decoded again"))
    assert data.load("ravdess_raw", written).digest == first.digest
    data.load("ravdess_raw", written, fold=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": "decibels"}, "unknown scale 'decibels'; known: power, log"),
        ({"step_ms": 10}, "1 steps of 10 ms; a step is 12.5 ms or a multiple"),
        ({"step_ms": 0}, "steps of 0 ms"),
        ({"quiet_db": -1}, "quiet_db -1; 0 keeps all frames"),
        ({"fold": 8}, "unknown fold 8; known: 0 to 7"),
        ({"audio": "mp3"}, "no option 'audio'; options: fold, step_ms, scale, quiet_db"),
    ],
)
def test_options_that_cannot_be_are_named(options, message, written):
    with pytest.raises(InputError, match=message):
        data.load("ravdess_raw", written, **options)


def test_a_copy_is_left_out_and_said(tmp_path):
    write_ravdess(tmp_path)
    (first, second) = [clip for clip in clips.release() if clip.id.startswith("03-01-03-01-02") and clip.actor == 7]
    for clip in (first, second):
        write_wav(clips.sound_of(clip, tmp_path / "ravdess"), tone(clip, 0.5))
    corpus = data.load("ravdess_raw", tmp_path)
    ids = {key for split in corpus.splits.values() for key in split.ids}
    assert first.id in ids and second.id not in ids
    assert f"clip {second.id} is the same file as {first.id} and is left out" in corpus.source.warnings


def test_one_recording_under_two_labels_is_refused(tmp_path):
    first, second, *_ = write_ravdess(tmp_path)
    content = clips.sound_of(first, tmp_path / "ravdess").read_bytes()
    clips.sound_of(second, tmp_path / "ravdess", "flac").unlink()
    clips.sound_of(second, tmp_path / "ravdess").write_bytes(content)
    with pytest.raises(InputError, match="are one recording under two labels"):
        data.load("ravdess_raw", tmp_path)


def test_the_real_clips(real_root):
    if not (real_root / "ravdess").is_dir():
        pytest.skip("needs RAVDESS: ./run_all.sh data get ravdess")
    corpus = data.load("ravdess_raw", real_root, step_ms=50)
    assert [len(split) for split in corpus.splits.values()] == [1079, 180, 180]
    assert sum(split.labels.sum(axis=0) for split in corpus.splits.values()).tolist() == [96, 192, 191, *[192] * 5]
    texts = [text for split in corpus.splits.values() for text in split.texts]
    assert [texts.count(sentence) for sentence in SENTENCES] == [720, 719]
    assert "03-01-03-01-02-02-07 is the same file as 03-01-03-01-02-01-07" in " ".join(corpus.source.warnings)


def test_the_clip_that_is_stored_twice_is_known_in_any_format(tmp_path):
    write_ravdess(tmp_path)
    first, second = (clips.Clip.named(name, "test") for name in clips.STORED_TWICE)
    for clip, ending, pitch in ((first, "wav", 1.0), (second, "wav", 0.5)):  # as if encoded anew
        write_wav(clips.sound_of(clip, tmp_path / "ravdess", ending), np.int16(pitch * tone(clip, 1.0)))
    corpus = data.load("ravdess_raw", tmp_path)
    ids = [key for split in corpus.splits.values() for key in split.ids]
    assert first.id in ids and second.id not in ids
    assert any(f"{second.id} is the same recording as {first.id}" in said for said in corpus.source.warnings)


def test_a_part_of_the_release_is_said_to_be_one(tmp_path):
    write_ravdess(tmp_path)
    (said,) = [said for said in data.load("ravdess_raw", tmp_path).source.warnings if "are not there" in said]
    assert said.startswith("1368 of 1,440 clips of the release are not there, such as 03-01-01-01-01-01")


def test_half_a_sound_is_refused(tmp_path):
    write_ravdess(tmp_path, "wav")
    path = next(path for path in clips.sounds(tmp_path / "ravdess"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"\d+ of \d+ bytes"):
        data.load("ravdess_raw", tmp_path)
