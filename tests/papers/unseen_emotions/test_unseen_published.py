"""The published scores of seen emotions, and ours on the same samples."""

from types import SimpleNamespace

import numpy as np
import pytest

from lib.data.arrays.emotion_rules import MOSEI_EMOTIONS
from lib.data.corpus import Source
from lib.metrics.presence import weighted_acc, weighted_f1
from lib.metrics.scores import auc
from lib.papers.unseen_emotions import seen
from lib.papers.unseen_emotions.study import CLEAN
from lib.reporting import published
from tests.papers.unseen_emotions.held_out import carriers, given, held_out

REAL = {"samples": 0, "few_shot": [], "held_out": list(MOSEI_EMOTIONS)}
COMMAND = {"batch_size": 512, "learning_rate": 0.0001, "clip_norm": 10.0, "bidirectional": True, "epochs": 100}
COMMAND |= {"patience": 8, "hidden": {"text": 300, "audio": 200, "video": 100}}


def answered(**changes) -> SimpleNamespace:
    """Random logits of all emotions for one network per emotion and seed, in the place of trained ones'."""
    p, rng, done = given(**changes), np.random.default_rng(5), []
    tasks = [SimpleNamespace(case=held_out(e), corpus=SimpleNamespace(source=SOURCE)) for e in p.held_out]
    for task in tasks:
        for seed in p.seeds:
            logits = rng.normal(size=task.case.corpus.splits["test"].labels.shape)
            about = {"variant": f"{task.case.emotion}: {CLEAN}", "seed": seed, "selected_on": {"epoch": "validation"}}
            about |= {"status": "finished", "outputs": {"test": logits}, "tags": {"setting": CLEAN}}
            done.append((task, None, SimpleNamespace(**about)))
    return SimpleNamespace(done=done, study=SimpleNamespace(p=p, tasks=tasks))


SOURCE = Source("made here", False, {}, "none", "none")


def test_every_held_out_emotion_has_three_numbers_as_in_the_file_names():
    table = published.runs(seen.PUBLISHED, "mosei").set_index(["variant", "metric"])
    assert set(table.index) == {(f"{e}: {CLEAN}", f"{m}_seen") for e in MOSEI_EMOTIONS for m in seen.METRICS}
    assert table.loc[("anger: zero-shot", "auc_seen"), "value"] == pytest.approx(0.7090)
    assert table.loc[("sad: zero-shot", "weighted_f1_seen"), "value"] == pytest.approx(0.7229)
    assert table.loc[("happy: zero-shot", "weighted_acc_seen"), ["value", "best_epoch"]].tolist() == [0.6293, 17]


def test_seen_emotions_are_scored_on_the_test_samples_without_the_held_out_one():
    """Every score is counted here from labels as they were read."""
    runs = answered()
    values = seen.seen_scores(runs).set_index(["variant", "seed", "metric"])["value"]
    for task, _, record in runs.done:
        case, out = task.case, record.outputs["test"]
        test, names = case.corpus.splits["test"], case.corpus.label_names
        rows = [i for i, name in enumerate(test.ids) if name not in carriers(case, "test")]
        assert 0 < len(rows) < len(test.ids)
        columns = [c for c, name in enumerate(names) if name != case.emotion]
        true, logits = test.labels[rows][:, columns] == 1, out[rows][:, columns]
        found = {"weighted_acc": weighted_acc(logits > 0, true), "weighted_f1": weighted_f1(logits > 0, true)}
        for metric, each in (found | {"auc": auc(logits, true)}).items():
            assert values[record.variant, record.seed, f"{metric}_seen"] == pytest.approx(each.mean())


def test_a_lost_network_has_no_score_of_the_seen_emotions():
    runs = answered()
    runs.done[0][2].outputs, runs.done[0][2].status = {}, "diverged"
    table = seen.seen_scores(runs)
    assert table.loc[table["status"] == "diverged", "value"].isna().all()
    assert table["value"].notna().sum() == (len(runs.done) - 1) * len(seen.METRICS)


def test_text_alone_on_other_folds_is_not_comparable_and_says_why():
    text = given(**REAL, dataset="mosei_text", modalities=["text"], hidden={"text": 50, "audio": 1, "video": 1})
    runs = answered(held_out=["anger", "happy"])
    runs.study.p = text
    table = seen.beside_published(runs)
    assert len(table) == len(MOSEI_EMOTIONS) * len(seen.METRICS)
    assert table["difference"].isna().all()
    both = table[table["reproduced"].notna()]
    assert set(both["variant"]) == {f"anger: {CLEAN}", f"happy: {CLEAN}"}
    assert set(both["verdict"]) == {
        f"not comparable: other folds, {published.TEXT_ONLY}, sizes and word vectors of our own"
    }


def test_a_stand_in_is_never_comparable_and_other_corpora_have_no_published_numbers():
    runs = answered()
    for task in runs.study.tasks:
        task.corpus.source = held_out("happy").corpus.source
    table = seen.beside_published(runs)
    assert table["verdict"].str.startswith("not comparable: stand-in data, different corpus").all()
    runs.study.p = given(dataset="iemocap_emotions", samples=0, held_out=["exciting"], few_shot=[])
    assert seen.beside_published(runs).empty


def test_on_the_released_features_only_other_settings_are_against_a_comparison():
    same = seen.comparable(given(**REAL, dataset="mosei_emotions", **COMMAND))
    assert same == {"same_corpus": True, "deviations": []}
    other = seen.comparable(given(**REAL, dataset="mosei_emotions", **COMMAND | {"batch_size": 64}))
    assert other["deviations"] == ["batch_size 64 instead of 512"]
