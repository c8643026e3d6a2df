"""RAVDESS as dialogues: which clips stand together, in which order, and that the order says nothing of the emotion."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from lib import data
from lib.data.corpus import SPLITS
from lib.data.ravdess import clips
from lib.data.ravdess.ravdess_dialogues import in_order
from lib.errors import InputError
from tests.data.ravdess.test_ravdess import write_ravdess


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("ravdess")
    write_ravdess(root / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRISE_CACHE", str(root / "cache"))
        yield root / "data"


def test_each_clip_is_a_dialogue(written):
    alone, clip = data.load("ravdess_dialogues", written, fold=1), data.load("ravdess", written, fold=1)
    assert (alone.source.name, alone.source.split_rule) == ("RAVDESS, each clip a dialogue", clip.source.split_rule)
    for name in SPLITS:
        dialogues, rows = alone.splits[name], clip.splits[name]
        assert dialogues.ids == rows.ids
        assert (dialogues.lengths == 1).all() and (dialogues.speakers == 0).all()
        np.testing.assert_array_equal(dialogues.labels[:, 0], rows.labels)
        for modality, x in dialogues.features.items():
            np.testing.assert_array_equal(x, rows.features[modality])


def test_the_clips_of_an_actor_are_one_dialogue_in_their_order(written):
    clip = data.load("ravdess", written, fold=1)
    joined = data.load("ravdess_dialogues", written, fold=1, dialogues="actor")
    assert joined.source.name == "RAVDESS, joined by actor"
    assert any("SHA-256" in warning for warning in joined.source.warnings)
    for name, actors in clips.folds(1).items():
        dialogues, rows = joined.splits[name], clip.splits[name]
        assert dialogues.ids == tuple(f"actor {actor:02}" for actor in actors)
        assert dialogues.lengths.tolist() == [3] * len(actors)
        for number, actor in enumerate(actors):
            names = in_order([key for key in rows.ids if int(key[-2:]) == actor])
            places = [rows.ids.index(key) for key in names]
            np.testing.assert_array_equal(dialogues.labels[number], rows.labels[places])
            for modality, x in dialogues.features.items():
                np.testing.assert_array_equal(x[number], rows.features[modality][places, 0])


def test_the_order_of_the_release_would_tell_the_emotion_and_ours_does_not():
    """By the place in the dialogue, and by the emotion before: the commonest among all other actors."""
    release: dict[int, list[clips.Clip]] = {}
    for clip in clips.release():
        release.setdefault(clip.actor, []).append(clip)
    ordered = {actor: in_order([clip.id for clip in of]) for actor, of in release.items()}
    ours = {actor: [clips.Clip.named(name, "x") for name in names] for actor, names in ordered.items()}
    assert guessed_by_place(release) == 1.0
    assert guessed_by_place(ours) < 0.15, "chance is 8 of 60"
    assert guessed_by_neighbour(ours) < 0.15
    for dialogue in ours.values():
        assert sorted(dialogue) == sorted(release[dialogue[0].actor])


def guessed_by_place(dialogues: dict[int, list[clips.Clip]]) -> float:
    return guessed({actor: list(enumerate(c.emotion for c in of)) for actor, of in dialogues.items()})


def guessed_by_neighbour(dialogues: dict[int, list[clips.Clip]]) -> float:
    emotions = {actor: [c.emotion for c in of] for actor, of in dialogues.items()}
    return guessed({actor: list(pairwise(of)) for actor, of in emotions.items()})


def guessed(pairs: dict[int, list[tuple[int, int]]]) -> float:
    """Share of (cue, emotion) of each actor that the commonest emotion behind this cue among the others gets right."""
    right = []
    for actor, own in pairs.items():
        behind: dict[int, Counter[int]] = {}
        for other, theirs in pairs.items():
            for cue, emotion in theirs if other != actor else ():
                behind.setdefault(cue, Counter())[emotion] += 1
        right += [behind[cue].most_common(1)[0][0] == emotion for cue, emotion in own]
    return float(np.mean(right))


def test_a_missing_clip_leaves_the_order_of_the_others():
    names = [clip.id for clip in clips.release() if clip.actor == 5]
    assert in_order(names[1:]) == [name for name in in_order(names) if name != names[0]]
    assert in_order(names[::-1]) == in_order(names)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dialogues": "film"}, "RAVDESS: unknown dialogues 'film'; known: single, actor"),
        ({"audio": "sequence"}, "RAVDESS: unknown audio 'sequence'; known: functionals, egemaps"),
        ({"fold": 8}, "unknown fold 8"),
        ({"steps": 3}, "no option 'steps'; options: fold, dialogues, audio"),
    ],
)
def test_options_that_cannot_be_are_named(options, message, written):
    with pytest.raises(InputError, match=message):
        data.load("ravdess_dialogues", written, **options)


def test_the_real_actors(real_root):
    if not (real_root / "ravdess").is_dir():
        pytest.skip("needs RAVDESS: ./run_all.sh data get ravdess")
    corpus = data.load("ravdess_dialogues", real_root, fold=2, dialogues="actor")
    sizes = {name: split.lengths.tolist() for name, split in corpus.splits.items()}
    assert sizes == {"train": [60] * 18, "valid": [60] * 3, "test": [59, 60, 60]}, "actor 7 has a clip stored twice"
    counts = sum(np.bincount(split.labels[split.labels >= 0], minlength=8) for split in corpus.splits.values())
    assert counts.tolist() == [96, 192, 191, *[192] * 5]
