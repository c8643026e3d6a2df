"""What reaches training when an emotion is held out, and which networks are trained."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.data.arrays.emotion_arrays import NINE
from lib.data.arrays.emotion_rules import IEMOCAP_ALL_EMOTIONS
from lib.data.corpus import Corpus, Source, Split
from lib.errors import InputError
from lib.papers.unseen_emotions import study as unseen
from lib.papers.unseen_emotions.study import CLEAN, LEAKING, Case
from lib.study import Runs
from lib.training.records import load_weights
from tests.papers.emotion_tasks import WIDTHS
from tests.papers.unseen_emotions.held_out import IEMOCAP, MOSEI, carriers, given, held_out

HELD_BACK = ("train", "valid")


def every_case() -> list[Case]:
    tasks = {"mosei_emotions_like": MOSEI, "iemocap_emotions_like": IEMOCAP}
    return [held_out(emotion, name) for name, task in tasks.items() for emotion in task.corpus.label_names]


@pytest.mark.parametrize("case", every_case(), ids=lambda case: f"{case.corpus.source.name}, {case.emotion}")
def test_no_sample_with_the_emotion_is_in_training_or_validation(case):
    clean, complete = unseen.zero_shot(unseen.plan(given(few_shot=[]), [case]))[0], case.corpus
    assert case.emotion not in clean.corpus.label_names
    np.testing.assert_array_equal(clean.vectors, np.delete(case.vectors, case.column, axis=0))
    for split in HELD_BACK:
        with_it = carriers(case, split)
        assert with_it
        kept, before = clean.corpus.splits[split], complete.splits[split]
        assert list(kept.ids) == [name for name in before.ids if name not in with_it]
        rows = [before.ids.index(name) for name in kept.ids]
        np.testing.assert_array_equal(kept.labels, np.delete(before.labels[rows], case.column, axis=1))
        np.testing.assert_array_equal(kept.lengths, before.lengths[rows])
        for modality, features in kept.features.items():
            np.testing.assert_array_equal(features, before.features[modality][rows])
    assert clean.corpus.splits["test"].ids == complete.splits["test"].ids


def changed(case: Case, split: str) -> Case:
    """The same case with other features of the samples that carry the held-out emotion, in one split."""
    corpus = case.corpus
    part, with_it = corpus.splits[split], carriers(case, split)
    rows = np.array([name in with_it for name in part.ids])
    features = {m: np.where(rows[:, None, None], 3 - 2 * x, x).astype(np.float32) for m, x in part.features.items()}
    splits = {**corpus.splits, split: dataclasses.replace(part, features=features)}
    return dataclasses.replace(case, corpus=dataclasses.replace(corpus, splits=splits))


@pytest.mark.parametrize("split", HELD_BACK)
@pytest.mark.parametrize(
    "case", [held_out("happy"), held_out("sad", "iemocap_emotions_like")], ids=lambda case: case.corpus.source.name
)
def test_what_these_samples_look_like_changes_no_bit_of_the_clean_network_and_does_change_the_leaking_one(
    tmp_path, case, split
):
    """Trained from end to end; the epoch is selected on validation, whose loss is part of the history."""
    p, found = given(seeds=[0], few_shot=[], held_out=[case.emotion], dataset=case.corpus.source.name), {}
    for name, version in (("as it is", case), ("changed", changed(case, split))):
        own = p.model_copy(update={"results": str(tmp_path / name)})
        runs = unseen.plan(own, [version]).train()
        for setting in runs.study.tasks:
            ((_, _, record),) = unseen.trained(runs, setting)
            found[name, setting.kind] = (load_weights(tmp_path / name / "members", record), record.history)
    for setting, equal in ((CLEAN, True), (LEAKING, False)):
        (weights, history), (others, history_too) = (found[name, setting] for name in ("as it is", "changed"))
        alike = all(torch.equal(weights[key], others[key]) for key in weights)
        alike &= all(np.array_equal(history[key], history_too[key]) for key in history)
        assert alike is equal


def test_the_few_shot_training_keeps_the_first_samples_and_all_others():
    case = held_out("happy")
    before = MOSEI.corpus.splits["train"]
    positive = [name for name in before.ids if name in carriers(case, "train")]
    for shots in (1, 5):
        kept = case.with_shots(shots)
        assert [name for name in kept.splits["train"].ids if name in positive] == positive[:shots]
        assert len(kept.splits["train"]) == len(before) - len(positive) + shots
        assert kept.splits["valid"] is MOSEI.corpus.splits["valid"]
        assert kept.label_names == MOSEI.corpus.label_names


def test_the_sizes_of_the_few_shot_settings():
    """The reference's are rounded up and one too many; a setting that the split cannot fill is left out."""
    case = held_out("happy")
    positives = int(MOSEI.corpus.splits["train"].labels[:, case.column].sum())
    sizes = unseen.few_shot_sizes(given(shots=[1, 5, 5000], shares=[0.1]), case)
    assert sizes == {"0.1 of them, + 1": math.ceil(0.1 * positives) + 1, "1 shot": 1, "5 shots": 5}


def nine_corpus(path: Path) -> Corpus:
    """Nine emotions in the layout of the `.p` files, written and read; some samples carry none of them."""
    rng, splits = np.random.default_rng(3), {}
    for name, n in (("train", 40), ("valid", 25), ("test", 25)):
        labels = np.zeros((n, 9), dtype=np.float32)
        labels[np.arange(n), np.arange(n) % 9] = 1
        labels[0] = 0
        features = {m: rng.normal(size=(n, 6, width)).astype(np.float32) for m, width in WIDTHS.items()}
        splits[name] = Split(features, np.full(n, 6), labels, tuple(f"nine_{name}_{i}" for i in range(n)))
    source = Source("nine", True, {}, "none", "random")
    made = Corpus("multilabel", IEMOCAP_ALL_EMOTIONS, WIDTHS, splits, source)
    NINE.write(path, made)
    found = NINE.read(path)
    for name, split in made.splits.items():
        np.testing.assert_array_equal(found.splits[name].labels, split.labels)
        np.testing.assert_array_equal(found.splits[name].features["audio"], split.features["audio"])
    return found


@pytest.mark.parametrize("emotion", ["exciting", "surprising", "frustrating"])
def test_iemocap_appends_the_unseen_samples_to_the_test_split_alone_unless_leaking(tmp_path, monkeypatch, emotion):
    """Spec emotion_embeddings, 9.2: the reference appends them to training too, and so trains on the emotion it calls
    unseen."""
    nine = nine_corpus(tmp_path)
    corpora = {"iemocap_emotions": IEMOCAP.corpus, "iemocap_nine": nine}
    monkeypatch.setattr(unseen.data, "load", lambda name, root, **options: corpora[name])
    words = {word: np.full(WIDTHS["text"], i, dtype=np.float32) for i, word in enumerate(IEMOCAP_ALL_EMOTIONS)}
    monkeypatch.setattr(
        unseen, "emotion_vectors", lambda corpus, names, root, **options: np.stack([words[n] for n in names])
    )
    (case,) = unseen.load_cases(given(dataset="iemocap_emotions", samples=0, held_out=[emotion], few_shot=[]))
    clean, known = case.clean(), IEMOCAP.corpus
    column = IEMOCAP_ALL_EMOTIONS.index(emotion)
    for split in ("train", "valid", "test"):
        new = {name for name, row in zip(nine.splits[split].ids, nine.splits[split].labels, strict=True) if row[column]}
        assert new
        assert carriers(case, split) == new
        assert set(case.corpus.splits[split].ids) == new | set(known.splits[split].ids)
        assert set(clean.splits[split].ids) == set(known.splits[split].ids) | (new if split == "test" else set())
    assert clean.label_names == known.label_names
    np.testing.assert_array_equal(clean.splits["train"].labels, known.splits["train"].labels)
    np.testing.assert_array_equal(case.vectors[-1], words[emotion])
    assert case.corpus.label_names == (*known.label_names, emotion)


def test_every_setting_has_every_seed_and_a_shared_corpus_is_trained_on_once():
    p = given()
    study = unseen.plan(p, [held_out(emotion) for emotion in p.held_out])
    kinds = {"disgust": [CLEAN, LEAKING], "happy": [CLEAN, LEAKING, "0.1 of them, + 1", "1 shot", "5 shots"]}
    assert [(s.case.emotion, s.kind) for s in study.tasks] == [(e, kind) for e in kinds for kind in kinds[e]]
    assert [setting.shots for setting in study.tasks if setting.kind == CLEAN] == [0, 0]
    trained = [(member.variant, member.seed) for _, member in study.members]
    assert len(set(trained)) == len(trained) == (7 - 1) * len(p.seeds)
    runs = Runs(study, [(setting, member, None) for setting, member in study.members])
    served = {(s.case.emotion, s.kind): [run[1] for run in unseen.trained(runs, s)] for s in study.tasks}
    assert all([member.seed for member in members] == list(p.seeds) for members in served.values())
    assert served["disgust", LEAKING] == served["happy", LEAKING]
    assert not [m for m in served["disgust", CLEAN] if m in served["happy", CLEAN]]


def test_on_iemocap_every_emotion_has_a_network_of_its_own_that_was_trained_on_it():
    """Its corpora differ: each has the samples of another emotion."""
    p = given(dataset="iemocap_emotions", samples=0, held_out=["exciting", "surprising"], few_shot=[])
    cases = [dataclasses.replace(held_out(e, "iemocap_emotions_like"), emotion=e) for e in ("happy", "sad")]
    names = [member.variant for _, member in unseen.plan(p, cases).members]
    kinds = ["happy: zero-shot", "happy: in training", "sad: zero-shot", "sad: in training"]
    assert names == [name for name in kinds for _ in p.seeds]


def test_the_protocol_table_counts_who_leaks():
    p = given()
    cases = [held_out(emotion) for emotion in p.held_out]
    counted = unseen.leaks(unseen.plan(p, cases)).set_index(["emotion", "protocol"])
    assert len(counted) == 2 * len(cases)
    for case in cases:
        for split in HELD_BACK:
            assert counted.loc[(case.emotion, "clean"), f"{split}_with_it"] == 0
            assert counted.loc[(case.emotion, "leaking"), f"{split}_with_it"] == len(carriers(case, split)) > 0
            assert counted.loc[(case.emotion, "leaking"), split] == len(MOSEI.corpus.splits[split])


def test_the_label_of_several_iemocap_corpora_names_each_and_ends_as_labels_do():
    p, source = given(few_shot=[]), MOSEI.corpus.source
    assert unseen.label(unseen.plan(p, [held_out("happy"), held_out("sad")])) == source.label
    real = [dataclasses.replace(source, name=f"IEMOCAP and {w}", synthetic=False) for w in ("x", "y")]
    cases = [
        dataclasses.replace(held_out("happy"), corpus=dataclasses.replace(MOSEI.corpus, source=each)) for each in real
    ]
    assert unseen.label(unseen.plan(p, cases)) == "IEMOCAP and x / IEMOCAP and y, real data"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"held_out": ["joy"]}, "'joy' cannot be held out of mosei_emotions_like"),
        ({"few_shot": ["fear"]}, "few_shot names 'fear', which is not held out"),
        ({"shots": [1, 1]}, "shots holds a value twice"),
        ({"dataset": "iemocap_emotions", "samples": 0, "held_out": ["happy"]}, "'happy' cannot be held out of iemocap"),
        ({"samples": 0}, "samples must be positive for a stand-in corpus"),
    ],
)
def test_impossible_parameters_are_refused_in_one_line(changes, message):
    with pytest.raises(InputError, match=message):
        given(**{"few_shot": [], **changes})
