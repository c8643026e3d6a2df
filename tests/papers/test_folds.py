"""A corpus that is tested in turns: which seed gets which fold, and what its scores without single units are."""

from types import SimpleNamespace

import numpy as np
import pytest

from lib.data.corpus import Corpus, Source, Split
from lib.errors import InputError
from lib.metrics import scores
from lib.reporting.gains import gain_table
from lib.reporting.two_sources import pseudo_values, spread
from lib.study import Runs, Study, Task, in_turns
from lib.training.records import FINISHED, Record


def test_without_the_word_every_seed_asks_one_corpus():
    asked = []
    found = in_turns("ravdess", {"fold": 3}, (0, 1), lambda options: asked.append(options) or len(asked))
    assert found == {0: 1, 1: 1}
    assert asked == [{"fold": 3}]


def test_each_seed_gets_the_fold_of_its_number_and_each_fold_is_read_once():
    asked = []
    options = {"fold": "by_seed", "audio": "sequence"}
    found = in_turns("ravdess", options, (0, 9, 1, 8), lambda o: asked.append(o) or f"fold {o['fold']}")
    assert found == {0: "fold 0", 9: "fold 1", 1: "fold 1", 8: "fold 0"}
    assert asked == [{"fold": 0, "audio": "sequence"}, {"fold": 1, "audio": "sequence"}]


def test_a_corpus_without_folds_refuses_the_word():
    with pytest.raises(InputError, match="no folds"):
        in_turns("mosi", {"fold": "by_seed"}, (0,), lambda options: options)


@pytest.mark.parametrize("name", ["nonfinite", "samples"])
def test_what_every_run_sets_is_no_option(name):
    with pytest.raises(InputError, match=rf"corpus_options: option '{name}' is set by the run; leave it out"):
        in_turns("ravdess", {name: 1}, (0,), lambda options: options)


SOURCE = Source("Two folds", False, {}, "", "", cluster="video")
VIDEOS = {0: {"a": 3, "b": 5}, 1: {"c": 4, "d": 2, "e": 7, "f": 6}}
"""Utterances of the videos of each fold: 8 in one, 19 in the other."""
CHANCE = {"with": 0.7, "without": 0.5}


def fold(number: int) -> Task:
    """Accuracy of two classes on the videos of a fold, answers being those of the fold's own labels."""
    ids = tuple(f"video-{name}_{i}" for name, count in VIDEOS[number].items() for i in range(count))
    labels = np.random.default_rng(number).integers(0, 2, len(ids))
    test = Split({"text": np.zeros((len(ids), 1, 1), np.float32)}, np.ones(len(ids), np.int64), labels, ids)
    corpus = Corpus("classes", ("no", "yes"), {"text": 1}, {"train": test, "valid": test, "test": test}, SOURCE)
    return Task(
        corpus,
        lambda split, out: {"acc": float(np.mean(out.argmax(axis=1) == labels))},
        ("acc",),
        answers=lambda out: scores.classed(out["test"], labels),
    )


@pytest.fixture(scope="module")
def unequal() -> Runs:
    """Two variants, each seed tested on the fold of its number."""
    tasks, rng, done = [fold(0), fold(1)], np.random.default_rng(3), []
    for seed in range(4):
        labels = tasks[seed % 2].corpus.splits["test"].labels
        for variant, chance in CHANCE.items():
            answers = np.where(rng.random(len(labels)) < chance, labels, 1 - labels)
            about = {"key": "", "status": FINISHED, "reason": "", "selected_on": {"epoch": "-"}, "best_epoch": 0}
            about |= {"engine": "", "seconds": 0.0, "tags": {}, "history": {}, "weights": ""}
            record = Record(variant=variant, seed=seed, outputs={"test": np.eye(2)[answers]}, **about)
            done.append((tasks[seed % 2], None, record))
    return Runs(Study(SimpleNamespace(), tuple(tasks), lambda task: ()), done)


def right(runs: Runs, variant: str, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Which utterances a run got right, and of which these are all but one video's, video by video."""
    ((task, record),) = ((t, r) for t, _, r in runs.done if (r.variant, r.seed) == (variant, seed))
    test = task.corpus.splits["test"]
    videos = np.array([name.rpartition("_")[0] for name in test.ids])
    return record.outputs["test"].argmax(axis=1) == test.labels, [videos != video for video in np.unique(videos)]


def test_scores_without_a_unit_are_those_of_the_runs_own_fold(unequal):
    found = unequal.without_units("acc")
    assert set(found) == {(variant, seed) for variant in CHANCE for seed in range(4)}
    for (variant, seed), left in found.items():
        hits, others = right(unequal, variant, seed)
        assert left.names == tuple(f"video-{name}" for name in VIDEOS[seed % 2])
        assert left.scores == pytest.approx([hits[kept].mean() for kept in others])


def test_a_gain_over_folds_of_unequal_size(unequal):
    row = gain_table(unequal.table, "acc", "without", runs=unequal).iloc[0]
    folds = []
    for seeds in ((0, 2), (1, 3)):
        both = [(right(unequal, "with", seed), right(unequal, "without", seed)) for seed in seeds]
        gains = np.array([ours.mean() - theirs.mean() for (ours, _), (theirs, _) in both])
        left = [[ours[kept].mean() - theirs[kept].mean() for kept in others] for (ours, others), (theirs, _) in both]
        folds.append(pseudo_values(gains, np.array(left)))
    expected = spread(folds)
    assert [len(values[0]) for values in folds] == [2, 4]
    assert (row["n"], row["units"], row["folds"]) == (4, 6, 2)
    assert row["gain"] == pytest.approx(expected.mean)
    for stem, error in (("new_units", expected.of_units), ("combined", expected.combined)):
        assert (row[f"{stem}_low"], row[f"{stem}_high"]) == pytest.approx(error.interval(expected.mean))
    assert row["seed_variance"] == pytest.approx(expected.components.seed)
