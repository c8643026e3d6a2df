"""RAVDESS by frame: action units and sound in the same steps, folds of one actor, tables of other clips."""

from pathlib import Path

import numpy as np
import pytest

from lib import data
from lib.data.ravdess import clips, ravdess_frames
from lib.data.ravdess.action_units import NAMES
from lib.data.ravdess.clips import EMOTIONS, Clip
from lib.data.ravdess.ravdess_frames import FPS, in_steps
from lib.errors import InputError
from tests.data.ravdess.test_ravdess import LENGTHS, small, tone, write_wav

SECONDS = dict(zip((clip.id for clip in small()), LENGTHS * 24, strict=True))


def few() -> list[Clip]:
    return [clip for clip in small() if clip.actor in ravdess_frames.ACTORS]


def table_of(clip: Clip, root: Path) -> Path:
    return root / "ravdess/openface_au/series" / f"{clip.of_face}.csv"


def units(clip: Clip) -> np.ndarray:
    """Frames whose first unit counts them, so that a mean tells which they were."""
    frames = round(SECONDS[clip.id] * FPS)
    found = np.zeros((frames, len(NAMES)))
    found[:, 0] = np.arange(frames) / 10
    found[:, 1] = clip.emotion / 2
    found[:, 17:] = (np.arange(frames) % 2)[:, None]
    return found


def write_table(path: Path, values: np.ndarray, names: tuple[str, ...] = NAMES) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [";".join(names), *(";".join(f"{value:g}" for value in row) for row in values)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_frames(root: Path) -> None:
    for clip in few():
        write_wav(clips.sound_of(clip, root / "ravdess"), tone(clip, SECONDS[clip.id]))
        write_table(table_of(clip, root), units(clip))


@pytest.fixture
def written(tmp_path) -> Path:
    write_frames(tmp_path)
    return tmp_path


def test_what_was_written_is_read(written):
    corpus = data.load("ravdess_frames", written, fold=4, step_ms=100, steps=14)
    assert (corpus.task, corpus.label_names, corpus.modalities) == ("classes", EMOTIONS, {"audio": 128, "video": 35})
    by_id = {clip.id: clip for clip in few()}
    actors = {name: sorted({by_id[key].actor for key in split.ids}) for name, split in corpus.splits.items()}
    assert actors == {"train": [2, 3, 4], "valid": [1], "test": [5]}
    steps = {key: 1 + round(SECONDS[key] / 0.0125) for key in by_id}
    for split in corpus.splits.values():
        assert [by_id[key].emotion for key in split.ids] == split.labels.tolist()
        assert split.lengths.tolist() == [-(-steps[key] // 8) for key in split.ids]
    train = corpus.splits["train"]
    every = np.concatenate(
        [array[-length:] for array, length in zip(train.features["video"], train.lengths, strict=True)]
    )
    np.testing.assert_allclose(every[:, :2].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(every[:, :2].std(axis=0), 1, atol=1e-5)
    assert corpus.source.split_rule == "fold 4 of 5 by actor: 5 tested, 1 validated"
    assert corpus.source.cluster == "speaker" and len(corpus.source.files) == 30


def test_a_step_holds_the_frames_that_begin_in_it():
    values = np.arange(9.0)[:, None]
    tenths = in_steps(values, 4, 0.1)  # frames 0 to 2 begin before 0.1 s, 3 to 5 before 0.2 s
    np.testing.assert_allclose(tenths[:, 0], [1, 4, 7, 8])  # no frame begins in the last: that before it
    short = in_steps(values, 6, 0.0125)
    np.testing.assert_allclose(short[:, 0], [0, 0, 1, 1, 1, 2])  # they begin after 0, 33 and 67 ms


def test_the_tested_actor_does_not_shift_what_is_trained_on(written):
    before = data.load("ravdess_frames", written).splits["train"].features
    for clip in few():
        if clip.actor == 1:
            write_wav(clips.sound_of(clip, written / "ravdess"), tone(clip, SECONDS[clip.id])[::-1] // 2)
            write_table(table_of(clip, written), units(clip) / 2)
    after = data.load("ravdess_frames", written).splits["train"].features
    for modality, array in before.items():
        np.testing.assert_array_equal(after[modality], array)


def test_each_actor_is_tested_once():
    every = [ravdess_frames.folds(fold) for fold in range(clips.FRAME_FOLDS)]
    assert [actors["test"] for actors in every] == [(1,), (2,), (3,), (4,), (5,)]
    assert all(sorted(sum(actors.values(), ())) == [1, 2, 3, 4, 5] for actors in every)


@pytest.mark.parametrize("fold", [5, -1, True, "1"])
def test_an_unknown_fold_is_named(fold, written):
    with pytest.raises(InputError, match=r"unknown fold .*; known: 0 to 4"):
        data.load("ravdess_frames", written, fold=fold)


def other_clip(root: Path) -> None:
    first, second, *_ = few()
    table_of(first, root).write_bytes(table_of(second, root).read_bytes())


def changed(change):
    def apply(root: Path) -> None:
        first, *_ = few()
        write_table(table_of(first, root), change(units(first)))

    return apply


def put(row: int, column: int, value: float):
    def change(values: np.ndarray) -> np.ndarray:
        values[row, column] = value
        return values

    return changed(change)


HOSTILE = {
    "another clip's": (other_clip, r"19 frames at 29\.97 a second, but the sound 03-01-.* lasts 0\.90 s"),
    "no frames": (changed(lambda values: values[:0]), "no frames"),
    "NaN": (put(3, 5, np.nan), "video of frame 3 holds NaN or infinity"),
    "too intense": (put(3, 5, 5.5), "intensities outside 0 to 5"),
    "half present": (put(3, 20, 1.5), "presences outside 0 to 1"),
    "words": (
        lambda root: table_of(few()[0], root).write_text(";".join(NAMES) + "\n" + ";".join("x" * 35)),
        "not a number",
    ),
    "a column less": (
        lambda root: write_table(table_of(few()[0], root), np.zeros((3, 34)), NAMES[:-1]),
        "no column AU",
    ),
    "a table less": (lambda root: table_of(few()[0], root).unlink(), "1 clips are not among the action units"),
    "a sound less": (
        lambda root: clips.sound_of(few()[0], root / "ravdess").unlink(),
        "1 clips are not among the sounds",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_tables_of_other_clips_are_refused_in_one_line(name, written):
    change, message = HOSTILE[name]
    change(written)
    with pytest.raises(InputError, match=message) as refused:
        data.load("ravdess_frames", written)
    assert "\n" not in str(refused.value)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"missing \(and 599 more\); see \./run_all\.sh data get ravdess_frames"):
        data.load("ravdess_frames", tmp_path)


def test_the_real_clips(real_root):
    if not (real_root / "ravdess").is_dir():
        pytest.skip("needs RAVDESS: ./run_all.sh data get ravdess_frames")
    corpus = data.load("ravdess_frames", real_root, fold=2)
    assert [len(split) for split in corpus.splits.values()] == [180, 60, 60]
    assert sum(np.bincount(split.labels) for split in corpus.splits.values()).tolist() == [20, *[40] * 7]
    folder = real_root / "ravdess"
    tables = [path for path in ravdess_frames.files(real_root) if path.suffix == ".csv"]
    lengths = [path.read_text().count("\n") - 1 for path in tables]
    assert (len(tables), min(lengths), max(lengths)) == (300, 92, 149)
    assert {path.parent.name for path in ravdess_frames.heard(folder)} == {f"Actor_0{a}" for a in range(1, 6)}
