"""RAVDESS: names of clips, folds of actors, sound in both forms, action units of other clips, the real files."""

import pickle
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lib import data
from lib.data.io import safe_pickle
from lib.data.ravdess import action_units, clips
from lib.data.ravdess.clips import EMOTIONS, Clip
from lib.data.recordings.sound import read_sound
from lib.errors import InputError

RATE, LENGTHS = 16_000, (0.9, 0.65, 1.2)


def tone(clip: Clip, seconds: float) -> np.ndarray:
    """Louder and higher with each emotion, and no two actors alike; int16."""
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 150 + 60 * clip.emotion + clip.actor
    return np.int16(3000 * (1 + clip.emotion) * np.sin(2 * np.pi * pitch * time))


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE) -> None:
    """`samples` int16 `(n,)` or `(n, channels)`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as handle:
        handle.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        handle.setsampwidth(2)
        handle.setframerate(rate)
        handle.writeframes(np.ascontiguousarray(samples, "<i2").tobytes())


def small() -> list[Clip]:
    """Three clips of each actor, so that every fold has every emotion in training."""
    every = {actor: [clip for clip in clips.release() if clip.actor == actor] for actor in range(1, 25)}
    wanted = {actor: [(actor + step) % 8 for step in (0, 3, 5)] for actor in every}
    return [next(c for c in every[actor] if c.emotion == e) for actor, chosen in wanted.items() for e in chosen]


def write_ravdess(root: Path, ending: str = "flac") -> list[Clip]:
    """Clips of three lengths; the first of each actor as `.wav`, the others as `ending`."""
    folder, table, rng = root / "ravdess", {}, np.random.default_rng(0)
    written = small()
    for number, clip in enumerate(written):
        seconds = LENGTHS[number % 3]
        path = clips.sound_of(clip, folder, "wav" if number % 3 == 0 else ending)
        if path.suffix == ".wav":
            write_wav(path, tone(clip, seconds))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, tone(clip, seconds), RATE, subtype="PCM_16")
        trace = np.zeros(action_units.TRACE)
        trace[: action_units.trace_steps(seconds)] = -60
        table[clip.of_face] = np.concatenate([rng.random(len(action_units.NAMES)), trace])
    save(root, table)
    return written


def save(root: Path, table: object) -> None:
    path = action_units.path(root / "ravdess")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(table, protocol=5))


def stored(root: Path) -> dict[str, np.ndarray]:
    return pickle.loads(action_units.path(root / "ravdess").read_bytes())


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("ravdess")
    write_ravdess(root / "data")
    return root


@pytest.fixture
def written(whole, monkeypatch) -> Path:
    """A sound data folder, decoded once for all tests."""
    monkeypatch.setenv("REPRISE_CACHE", str(whole / "cache"))
    return whole / "data"


def test_the_release_has_sixty_clips_of_each_actor():
    every = list(clips.release())
    assert (len(every), len(set(every)), len({clip.actor for clip in every})) == (1440, 1440, 24)
    assert np.bincount([clip.emotion for clip in every]).tolist() == [96, *[192] * 7]
    assert every == [Clip.named(clip.id, "x") for clip in every]


@pytest.mark.parametrize(
    "name",
    [
        "03-01-01-02-01-01-01",  # neutral has one intensity
        "03-01-09-01-01-01-01",
        "03-01-08-01-01-01-25",
        "03-01-08-01-01-01-1",
        "03-02-08-01-01-01-01",
        "03-01-08-01-01-01-01 (1)",
    ],
)
def test_other_names_are_refused(name):
    with pytest.raises(InputError, match="is no clip 03-01-emotion"):
        Clip.named(name, "x")


def test_each_actor_is_tested_once_and_never_heard_in_training():
    tested = []
    for fold in range(clips.FOLDS):
        actors = clips.folds(fold)
        assert sorted(actor for split in actors.values() for actor in split) == list(range(1, 25))
        assert [len(actors[name]) for name in ("train", "valid", "test")] == [18, 3, 3]
        men = {name: sum(actor % 2 for actor in split) for name, split in actors.items()}
        assert men["train"] == 9 and men["test"] in (1, 2)
        tested += actors["test"]
    assert sorted(tested) == list(range(1, 25))


@pytest.mark.parametrize("fold", [8, -1, True, "1"])
def test_an_unknown_fold_is_named(fold, written):
    with pytest.raises(InputError, match=r"unknown fold .*; known: 0 to 7"):
        data.load("ravdess", written, fold=fold)


def test_what_was_written_is_read(written):
    corpus = data.load("ravdess", written, fold=2)
    assert (corpus.task, corpus.label_names, corpus.modalities) == ("classes", EMOTIONS, {"audio": 105, "video": 35})
    by_id = {clip.id: clip for clip in small()}
    table = stored(written)
    rows = [table[by_id[key].of_face][:35] for key in corpus.splits["train"].ids]
    mean, deviation = np.mean(rows, axis=0), np.std(rows, axis=0)
    for name, split in corpus.splits.items():
        assert {by_id[key].actor for key in split.ids} == set(clips.folds(2)[name])
        assert [by_id[key].emotion for key in split.ids] == split.labels.tolist()
        expected = [(table[by_id[key].of_face][:35] - mean) / deviation for key in split.ids]
        np.testing.assert_allclose(split.features["video"][:, 0], expected, atol=1e-5)  # float32 against float64
        assert split.lengths.tolist() == [1] * len(split)
    assert corpus.source.cluster == "speaker"
    assert corpus.source.split_rule == "fold 2 of 8 by actor: 7, 8, 9 tested, 10, 11, 12 validated"
    assert len(corpus.source.files) == 73 and any(name.endswith(".flac") for name in corpus.source.files)
    assert any("no text" in said for said in corpus.source.warnings)


def test_what_is_tested_does_not_shift_what_is_trained_on(written, tmp_path):
    write_ravdess(tmp_path)
    before = data.load("ravdess", tmp_path).splits["train"].features
    for clip in small():
        if clip.actor in (1, 2, 3):
            write_wav(clips.sound_of(clip, tmp_path / "ravdess"), tone(clip, LENGTHS[0])[::2])
    table = stored(tmp_path)
    for clip in small():
        if clip.actor in (1, 2, 3):
            table[clip.of_face] = 2 * table[clip.of_face]
            table[clip.of_face][35:] = np.arange(action_units.TRACE) < action_units.trace_steps(LENGTHS[0] / 2)
    save(tmp_path, table)
    after = data.load("ravdess", tmp_path).splits["train"].features
    for modality, array in before.items():
        np.testing.assert_array_equal(after[modality], array)


def test_a_sequence_has_the_face_at_every_step(written):
    corpus = data.load("ravdess", written, audio="sequence", step_ms=100, steps=10)
    split = corpus.splits["test"]
    assert (split.features["audio"].shape, split.features["video"].shape) == ((9, 10, 128), (9, 10, 35))
    seconds = {clip.id: LENGTHS[number % 3] for number, clip in enumerate(small())}
    frames = [1 + round(seconds[key] / 0.0125) for key in split.ids]
    assert split.lengths.tolist() == [min(10, -(-count // 8)) for count in frames] and min(split.lengths) == 7
    face = data.load("ravdess", written).splits["test"].features["video"]
    for row, length in enumerate(split.lengths):
        np.testing.assert_array_equal(split.features["video"][row, -length:], np.repeat(face[row], length, axis=0))
        assert not split.features["audio"][row, :-length].any() and not split.features["video"][row, :-length].any()


def test_padding_on_the_other_side(written):
    front, back = (
        data.load("ravdess", written, audio="sequence", side=side).splits["test"] for side in ("front", "back")
    )
    length = int(front.lengths[0])
    np.testing.assert_array_equal(front.features["audio"][0, -length:], back.features["audio"][0, :length])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"audio": "mp3"}, "unknown kind of audio 'mp3'; known: functionals, egemaps, sequence"),
        ({"audio": "sequence", "step_ms": 10}, "44 steps of 10 ms; a step is 12.5 ms or a multiple"),
        ({"audio": "sequence", "steps": 0}, "0 steps of 125 ms"),
    ],
)
def test_options_that_cannot_be_are_named(options, message, written):
    with pytest.raises(InputError, match=message):
        data.load("ravdess", written, **options)


def test_the_sound_is_decoded_once(written, monkeypatch, tmp_path):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path))
    first = data.load("ravdess", written)
    monkeypatch.setattr("lib.data.ravdess.ravdess.read_sound", lambda path: pytest.fail("decoded again"))
    other = data.load("ravdess", written, fold=5)
    assert first.digest != other.digest


def test_a_copy_is_left_out_and_said(tmp_path):
    write_ravdess(tmp_path)
    (first, second) = [clip for clip in clips.release() if clip.id.startswith("03-01-03-01-02") and clip.actor == 7]
    for clip in (first, second):
        write_wav(clips.sound_of(clip, tmp_path / "ravdess"), tone(clip, LENGTHS[0]))
    table = stored(tmp_path)
    trace = np.arange(action_units.TRACE) < action_units.trace_steps(LENGTHS[0])
    save(tmp_path, table | {clip.of_face: np.concatenate([np.ones(35), trace]) for clip in (first, second)})
    corpus = data.load("ravdess", tmp_path)
    ids = {key for split in corpus.splits.values() for key in split.ids}
    assert first.id in ids and second.id not in ids
    assert f"clip {second.id} is the same file as {first.id} and is left out" in corpus.source.warnings


def test_one_recording_under_two_labels_is_refused(tmp_path):
    first, second, *_ = write_ravdess(tmp_path)
    folder = tmp_path / "ravdess"
    content = clips.sound_of(first, folder).read_bytes()
    clips.sound_of(second, folder, "flac").unlink()
    clips.sound_of(second, folder).write_bytes(content)
    with pytest.raises(InputError, match="are one recording under two labels"):
        data.load("ravdess", tmp_path)


def shuffled(table: dict) -> dict:
    """Every row is that of the clip before it."""
    return dict(zip(table, [*table.values()][-1:] + [*table.values()][:-1], strict=True))


def put(row: np.ndarray, place: int, value: float) -> np.ndarray:
    return np.where(np.arange(len(row)) == place, value, row)


ROW = np.zeros(294)
TABLES = {
    "shuffled": (shuffled, "was measured on a clip of another length than the sound"),
    "a row less": (lambda table: dict([*table.items()][1:]), "1 clips are not in the table, such as 01-01-"),
    "a row more": (lambda table: table | {"01-01-08-02-02-02-24": ROW}, "1 clips are not among the sounds"),
    "a number as name": (lambda table: table | {5: ROW}, "not among the sounds, such as 5"),
    "names of sounds": (lambda table: {f"03{key[2:]}": row for key, row in table.items()}, "72 clips are not in"),
    "35 columns": (lambda table: {key: row[:35] for key, row in table.items()}, "is not a row of 294 numbers"),
    "whole numbers": (lambda table: {key: row.astype(int) for key, row in table.items()}, "is not a row of 294"),
    "NaN": (
        lambda table: {key: put(row, 3, np.nan) for key, row in table.items()},
        "video of 01-01-.* holds NaN or infinity",
    ),
    "a list": (lambda table: [*table.values()], "a list, expected a dictionary of clips"),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_other_clips_are_refused_in_one_line(name, written, tmp_path):
    (tmp_path / "ravdess").mkdir()
    (tmp_path / "ravdess" / clips.SOUND).symlink_to(written / "ravdess" / clips.SOUND)
    change, message = TABLES[name]
    save(tmp_path, change(stored(written)))
    with pytest.raises(InputError, match=message) as refused:
        data.load("ravdess", tmp_path)
    assert "\n" not in str(refused.value) and "au_mfcc.pkl" in str(refused.value)


def test_a_renamed_sound_is_refused(tmp_path):
    first, second, *_ = write_ravdess(tmp_path)
    path = clips.sound_of(first, tmp_path / "ravdess")
    path.rename(path.with_name(f"{second.id}.wav"))
    with pytest.raises(InputError, match="1 clips are not among the sounds"):
        data.load("ravdess", tmp_path)


def test_a_clip_of_another_actors_folder_is_refused(tmp_path):
    first, *_ = write_ravdess(tmp_path)
    path = clips.sound_of(first, tmp_path / "ravdess")
    path.rename(tmp_path / "ravdess" / clips.SOUND / "Actor_02" / path.name)
    with pytest.raises(InputError, match="a clip of actor 1 in the folder Actor_02"):
        data.load("ravdess", tmp_path)


def test_a_fold_without_its_actors_is_refused(tmp_path):
    write_ravdess(tmp_path)
    gone = {clip.of_face for clip in small() if clip.actor in (1, 2, 3)}
    for actor in (1, 2, 3):
        for path in (tmp_path / "ravdess" / clips.SOUND / f"Actor_{actor:02}").iterdir():
            path.unlink()
    save(tmp_path, {key: row for key, row in stored(tmp_path).items() if key not in gone})
    with pytest.raises(InputError, match="no clip of actors 1, 2, 3; get their folders"):
        data.load("ravdess", tmp_path)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"au_mfcc\.pkl: missing \(and 1440 more\); see \./run_all\.sh data get ravdess"
    ):
        data.load("ravdess", tmp_path)


@pytest.fixture(scope="module")
def real() -> dict:
    return {}


@pytest.fixture
def real_corpus(real_root, real):
    if not (real_root / "ravdess").is_dir():
        pytest.skip("needs RAVDESS: ./run_all.sh data get ravdess")
    if not real:
        real["corpus"] = data.load("ravdess", real_root, audio="sequence")
    return real["corpus"]


def test_the_real_clips(real_corpus):
    splits = real_corpus.splits
    assert [len(splits[name]) for name in ("train", "valid", "test")] == [1079, 180, 180]
    counts = sum(np.bincount(split.labels) for split in splits.values())
    assert counts.tolist() == [96, 192, 191, *[192] * 5]
    assert "03-01-03-01-02-02-07 is the same file as 03-01-03-01-02-01-07" in " ".join(real_corpus.source.warnings)
    assert max(int(split.lengths.max()) for split in splits.values()) == 43  # so 44 steps cut nothing


def test_the_real_originals_are_the_smaller_copies(real_root, real_corpus):
    """16-bit rounding of the copies, and nothing else."""
    originals = sorted((real_root / "ravdess/original_wav").glob("*.wav"))
    assert len(originals) == 4
    for path in originals:
        copy = clips.sound_of(Clip.named(path.stem, path), real_root / "ravdess", "flac")
        np.testing.assert_allclose(read_sound(path), read_sound(copy), atol=1 / 32768)


def test_the_real_table_shuffled_is_refused(real_root, real_corpus, tmp_path):
    paths = clips.sounds(real_root / "ravdess")
    every = clips.clips(paths)
    table = safe_pickle.load(action_units.path(real_root / "ravdess"))
    seconds = {clip.id: soundfile.info(path).duration for clip, path in zip(every, paths, strict=True)}
    action_units.read(action_units.path(real_root / "ravdess"), every, seconds)
    save(tmp_path, shuffled(table))
    with pytest.raises(InputError, match="was measured on a clip of another length"):
        action_units.read(action_units.path(tmp_path / "ravdess"), every, seconds)
