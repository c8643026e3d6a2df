"""The notebook `unseen_emotions`' library: what reaches training, which networks are trained, what is said of them."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from lib import params
from lib.data.arrays.emotion_arrays import NINE
from lib.data.arrays.emotion_rules import IEMOCAP_ALL_EMOTIONS
from lib.data.corpus import Corpus, Source, Split
from lib.errors import InputError
from lib.metrics.presence import decisions, weighted_acc
from lib.metrics.scores import auc
from lib.papers import unseen_emotions as unseen
from lib.papers import unseen_emotions_conclusions as conclusions
from lib.papers import unseen_emotions_random as among_random
from lib.papers import unseen_emotions_tables as results_of
from lib.papers import unseen_emotions_tuning as tuning
from lib.papers.unseen_emotions import CLEAN, LEAKING, Case
from lib.params.unseen_emotions import UnseenEmotions
from lib.reporting import unseen_figures
from lib.training.records import load_weights
from tests.papers.emotion_tasks import WIDTHS, small_task

GIVEN = {
    "samples": 120,
    "dataset": "mosei_emotions_like",
    "held_out": ["disgust", "happy"],
    "few_shot": ["happy"],
    "shots": [1, 5],
    "shares": [0.1],
    "fine_tuning": {"epochs": 1, "share": 0.1, "learning_rate": 0.01, "memory": 16},
    "seeds": [0, 1],
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 0.01,
    "layers": 1,
    "dropout": 0.0,
    "hidden": {"text": 8, "audio": 4, "video": 3},
    "results": "results/x",
}
MOSEI = small_task("mosei_emotions_like")
IEMOCAP = small_task("iemocap_emotions_like")
HELD_BACK = ("train", "valid")


def given(**changes) -> UnseenEmotions:
    return params.check(UnseenEmotions, GIVEN | changes, where="test")


def every_case() -> list[Case]:
    return [Case(emotion, task) for task in (MOSEI, IEMOCAP) for emotion in task.corpus.label_names]


def carriers(case: Case, split: str) -> set[str]:
    """Ids of the samples that carry the held-out emotion, from the labels as they were read."""
    part = case.complete.corpus.splits[split]
    return {name for name, row in zip(part.ids, part.labels, strict=True) if row[case.column] == 1}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A whole small run: parameters, cases, jobs, records, outputs, run table."""
    p = given(results=str(tmp_path_factory.mktemp("run")))
    cases = [Case(emotion, MOSEI) for emotion in p.held_out]
    jobs = unseen.plan(p, cases)
    records = unseen.train_all(p, jobs)
    found = results_of.outputs(p, jobs, records)
    found |= {(e, f"fine-tuned, {r}", s): out for (e, r, s), out in tuning.fine_tuned(p, jobs, records).items()}
    table = results_of.scores(p, jobs, records, found)
    return p, cases, jobs, records, found, table


@pytest.mark.parametrize("case", every_case(), ids=lambda case: f"{case.complete.dataset}, {case.emotion}")
def test_no_sample_with_the_emotion_is_in_training_or_validation(case):
    clean, complete = case.clean(), case.complete.corpus
    assert case.emotion not in clean.corpus.label_names
    np.testing.assert_array_equal(clean.vectors, np.delete(case.complete.vectors, case.column, axis=0))
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
    corpus = case.complete.corpus
    part, with_it = corpus.splits[split], carriers(case, split)
    rows = np.array([name in with_it for name in part.ids])
    features = {m: np.where(rows[:, None, None], 3 - 2 * x, x).astype(np.float32) for m, x in part.features.items()}
    splits = {**corpus.splits, split: dataclasses.replace(part, features=features)}
    task = dataclasses.replace(case.complete, corpus=dataclasses.replace(corpus, splits=splits))
    return Case(case.emotion, task)


@pytest.mark.parametrize("split", HELD_BACK)
@pytest.mark.parametrize("case", [Case("happy", MOSEI), Case("sad", IEMOCAP)], ids=lambda case: case.complete.dataset)
def test_what_these_samples_look_like_changes_no_bit_of_the_clean_network_and_does_change_the_leaking_one(
    tmp_path, case, split
):
    """Trained from end to end; the epoch is selected on validation, whose loss is part of the history."""
    p, found = given(seeds=[0], few_shot=[], held_out=[case.emotion], dataset=case.complete.dataset), {}
    for name, version in (("as it is", case), ("changed", changed(case, split))):
        own = p.model_copy(update={"results": str(tmp_path / name)})
        for variant, (record,) in unseen.train_all(own, unseen.plan(own, [version])).items():
            weights = load_weights(tmp_path / name / "members", record)
            found[name, variant] = (weights, record.history)
    for setting, equal in ((CLEAN, True), (LEAKING, False)):
        (weights, history), (others, history_too) = (
            found[name, f"{case.emotion}: {setting}"] for name in ("as it is", "changed")
        )
        alike = all(torch.equal(weights[key], others[key]) for key in weights)
        alike &= all(np.array_equal(history[key], history_too[key]) for key in history)
        assert alike is equal


def test_the_few_shot_training_keeps_the_first_samples_and_all_others():
    case = Case("happy", MOSEI)
    before = MOSEI.corpus.splits["train"]
    positive = [name for name in before.ids if name in carriers(case, "train")]
    for shots in (1, 5):
        kept = case.with_shots(shots).corpus
        assert [name for name in kept.splits["train"].ids if name in positive] == positive[:shots]
        assert len(kept.splits["train"]) == len(before) - len(positive) + shots
        assert kept.splits["valid"] is MOSEI.corpus.splits["valid"]
        assert kept.label_names == MOSEI.corpus.label_names


def test_the_sizes_of_the_few_shot_settings():
    """The reference's are rounded up and one too many; a setting that the split cannot fill is left out."""
    case = Case("happy", MOSEI)
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
    """Spec 9.2: the reference appends them to training too, and so trains on the emotion it calls unseen."""
    nine = nine_corpus(tmp_path)
    corpora = {"iemocap_emotions": IEMOCAP.corpus, "iemocap_nine": nine}
    monkeypatch.setattr(unseen.data, "load", lambda name, root, **options: corpora[name])
    words = {word: np.full(WIDTHS["text"], i, dtype=np.float32) for i, word in enumerate(IEMOCAP_ALL_EMOTIONS)}
    monkeypatch.setattr(
        unseen, "emotion_vectors", lambda corpus, names, root, **options: np.stack([words[n] for n in names])
    )
    (case,) = unseen.load_cases(given(dataset="iemocap_emotions", samples=0, held_out=[emotion], few_shot=[]))
    clean, known = case.clean().corpus, IEMOCAP.corpus
    column = IEMOCAP_ALL_EMOTIONS.index(emotion)
    for split in ("train", "valid", "test"):
        new = {name for name, row in zip(nine.splits[split].ids, nine.splits[split].labels, strict=True) if row[column]}
        assert new
        assert carriers(case, split) == new
        assert set(case.complete.corpus.splits[split].ids) == new | set(known.splits[split].ids)
        assert set(clean.splits[split].ids) == set(known.splits[split].ids) | (new if split == "test" else set())
    assert clean.label_names == known.label_names
    np.testing.assert_array_equal(clean.splits["train"].labels, known.splits["train"].labels)
    np.testing.assert_array_equal(case.complete.vectors[-1], words[emotion])
    assert case.complete.corpus.label_names == (*known.label_names, emotion)


def test_every_setting_has_every_seed_and_a_shared_corpus_is_trained_on_once(run):
    p, cases, jobs, records, *_ = run
    settings = {"disgust": [CLEAN, LEAKING], "happy": [CLEAN, LEAKING, "0.1 of them, + 1", "1 shot", "5 shots"]}
    assert list(records) == [f"{emotion}: {setting}" for emotion in settings for setting in settings[emotion]]
    assert all([record.seed for record in found] == list(p.seeds) for found in records.values())
    shared = [[r.key for r in records[f"{case.emotion}: {LEAKING}"]] for case in cases]
    assert shared[0] == shared[1]
    assert [job.shots for job in jobs if job.setting == CLEAN] == [0, 0]


def test_the_scores_are_those_of_the_held_out_column_on_the_complete_test_split(run):
    """The network is built here from its stored weights, and the missing word vector is put in its place."""
    p, cases, _, records, found, table = run
    case, true = cases[1], MOSEI.corpus.splits["test"].labels == 1
    for record in records[f"happy: {CLEAN}"]:
        weights = load_weights(Path(p.results) / "members", record)
        assert weights["emotion_vectors"].shape[0] == len(MOSEI.corpus.label_names) - 1
        model = unseen.members(p, unseen.plan(p, [case])[0])[0].model.build()
        model.load_state_dict(weights)
        model.set_emotions(torch.from_numpy(MOSEI.vectors))
        with torch.no_grad():
            inputs = {m: torch.from_numpy(x) for m, x in MOSEI.corpus.splits["test"].features.items()}
            out = model.eval()(**inputs).numpy()
        np.testing.assert_allclose(found["happy", CLEAN, record.seed], out, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(out[:, case.seen], record.outputs["test"], rtol=1e-5, atol=1e-6)
        rows = table[(table["variant"] == f"happy: {CLEAN}") & (table["seed"] == record.seed)]
        values = rows.set_index("metric")["value"]
        assert values["auc"] == pytest.approx(auc(out, true)[case.column], abs=1e-6)
        assert values["weighted_acc"] == pytest.approx(weighted_acc(decisions(out), true)[case.column])
        assert values["auc_others"] == pytest.approx(auc(out, true)[case.seen].mean(), abs=1e-6)


def test_the_random_vector_is_another_per_seed_and_changes_the_held_out_column_alone(run):
    _, cases, _, _, found, _ = run
    case = cases[0]
    differences = []
    for seed in (0, 1):
        own, drawn = (found[case.emotion, setting, seed] for setting in (CLEAN, results_of.RANDOM))
        np.testing.assert_array_equal(own[:, case.seen], drawn[:, case.seen])
        differences.append(own[:, case.column] - drawn[:, case.column])
    assert np.abs(differences).min(axis=1).max() > 0
    assert not np.allclose(*differences)


def test_fine_tuning_starts_from_the_zero_shot_network_and_is_kept(run):
    """Tuned again it gives the same bits; other settings are other runs."""
    p, _, jobs, records, found, _ = run
    files = sorted((Path(p.results) / "members").glob("*-fine-tuned-*.npy"))
    assert len(files) == len(p.fine_tuning.regimes) * len(p.seeds)
    written = [path.stat().st_mtime_ns for path in files]
    kept = tuning.fine_tuned(p, jobs, records)
    assert [path.stat().st_mtime_ns for path in files] == written
    files[0].unlink()
    again = tuning.fine_tuned(p, jobs, records)
    regimes = [(regime, seed) for regime in ("naive", "gem", "joint") for seed in p.seeds]
    assert list(kept) == list(again) == [("happy", regime, seed) for regime, seed in regimes]
    for (emotion, regime, seed), out in again.items():
        np.testing.assert_array_equal(out, found[emotion, f"fine-tuned, {regime}", seed])
        assert not np.array_equal(out, found[emotion, CLEAN, seed])
    slower = p.model_copy(update={"fine_tuning": p.fine_tuning.model_copy(update={"learning_rate": 1e-6})})
    for (emotion, _, seed), out in tuning.fine_tuned(slower, jobs, records).items():
        np.testing.assert_allclose(out, found[emotion, CLEAN, seed], atol=1e-2)


def test_the_protocol_table_counts_who_leaks(run):
    _, cases, *_ = run
    counted = results_of.leak_table(cases).set_index(["emotion", "protocol"])
    for case in cases:
        for split in HELD_BACK:
            assert counted.loc[(case.emotion, "clean"), f"{split}_with_it"] == 0
            assert counted.loc[(case.emotion, "leaking"), f"{split}_with_it"] == len(carriers(case, split)) > 0


@pytest.mark.parametrize(
    ("intervals", "said"),
    [
        (((0.52, 0.6), (0.51, 0.7)), "above chance"),
        (((0.52, 0.6), (0.49, 0.7)), "not distinguishable from chance"),
        (((0.5, 0.6),), "not distinguishable from chance"),
        (((0.4, 0.49), (0.3, 0.48)), "below chance"),
        (((0.52, 0.6), (0.3, 0.48)), "not distinguishable from chance"),
        (((math.nan, math.nan), (0.6, 0.7)), "not distinguishable from chance"),
    ],
)
def test_the_verdict_needs_every_interval(intervals, said):
    assert results_of.verdict(*intervals) == said


def test_the_interval_over_test_samples_covers_chance_for_noise_and_excludes_it_for_a_cue():
    case, rng = Case("happy", MOSEI), np.random.default_rng(0)
    labels = MOSEI.corpus.splits["test"].labels
    noise = [rng.normal(size=labels.shape) for _ in range(3)]
    low, high = results_of.sample_interval(case, noise)
    assert low < 0.5 < high
    low, _ = results_of.sample_interval(case, [out + 5 * labels for out in noise])
    assert low > 0.9


def test_the_tables_and_sentences_of_a_run(run):
    p, cases, jobs, _, found, table = run
    zero_shot = results_of.zero_shot_table(p, cases, table, found)
    assert list(zero_shot["emotion"]) == list(p.held_out)
    sentences = conclusions.zero_shot(zero_shot)
    for row, sentence in zip(zero_shot.to_dict("records"), sentences, strict=True):
        assert f"**{row['verdict']}**" in sentence
        assert f"{row['auc']:.3f}" in sentence
    curve = results_of.few_shot_table(jobs, table, "happy")
    assert list(curve["shots"]) == sorted(job.shots for job in jobs if job.case.emotion == "happy")
    assert curve["setting"].iloc[0] == CLEAN
    assert curve["setting"].iloc[-1] == LEAKING
    tuned = results_of.fine_tuning_table("happy", table, p.fine_tuning.regimes)
    assert [row.split(":")[0] for row in conclusions.fine_tuning("happy", tuned)] == [
        f"happy, fine-tuned, {regime}" for regime in p.fine_tuning.regimes
    ]
    true, column = MOSEI.corpus.splits["test"].labels == 1, cases[1].column
    gains = [
        auc(found["happy", "fine-tuned, gem", seed], true)[column] - auc(found["happy", CLEAN, seed], true)[column]
        for seed in p.seeds
    ]
    assert tuned.set_index("setting").loc["fine-tuned, gem", "auc_gain"] == pytest.approx(np.mean(gains), abs=1e-6)


@pytest.mark.parametrize(
    ("lows", "said"),
    [
        ([0.5, 0.5, 0.5, 0.5], "Even then the interval of the AUC does not lie above zero-shot's."),
        ([0.5, 0.5, 0.5, 0.9], "Up to 10 samples the interval of the AUC does not lie above zero-shot's for good."),
        ([0.5, 0.9, 0.5, 0.9], "Up to 10 samples the interval of the AUC does not lie above zero-shot's for good."),
        ([0.5, 0.9, 0.9, 0.9], "From 1 sample on (0.800) its interval lies above zero-shot's."),
        ([0.5, 0.5, 0.9, 0.9], "From 10 samples on (0.800) its interval lies above zero-shot's."),
    ],
)
def test_the_sentence_of_a_curve_holds_for_every_later_point(lows, said):
    curve = pd.DataFrame({"shots": [0, 1, 10, 99], "auc": [0.6, 0.8, 0.8, 0.95]})
    curve = curve.assign(setting="s", auc_seeds_low=lows, auc_seeds_high=[0.7, 1.0, 1.0, 1.0])
    sentence = conclusions.few_shot("joy", curve)
    assert sentence == f"joy, never seen: AUC 0.600; with all 99 samples: 0.950. {said}"


def test_a_gain_is_told_apart_only_if_its_interval_excludes_zero():
    ends = {"fine-tuned, naive": (0.01, 0.03), "fine-tuned, gem": (-0.01, 0.03), "fine-tuned, joint": (np.nan, np.nan)}
    rows = [{"setting": CLEAN}]
    for setting, (low, high) in ends.items():
        others = {"auc_others_gain": -0.02, "auc_others_gain_low": -0.03, "auc_others_gain_high": -0.01}
        rows.append({"setting": setting, "auc_gain": 0.02, "auc_gain_low": low, "auc_gain_high": high, **others})
    naive, gem, joint = conclusions.fine_tuning("joy", pd.DataFrame(rows))
    assert naive == (
        "joy, fine-tuned, naive: AUC +0.020 (95 % +0.010 to +0.030), better; "
        "of the other emotions -0.020 (95 % -0.030 to -0.010), worse."
    )
    assert "AUC +0.020 (95 % -0.010 to +0.030), not told apart" in gem
    assert "AUC +0.020 (one seed)" in joint


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


def test_the_average_over_the_emotions_is_taken_within_each_seed(run):
    _, cases, _, _, _, table = run
    pooled = results_of.pooled_table(cases, table).set_index("vectors")
    for setting, words in ((CLEAN, "of the words"), (results_of.RANDOM, "random")):
        rows = table[(table["setting"] == setting) & (table["metric"] == "auc")]
        by_seed = rows.groupby("seed")["value"].mean()
        assert pooled.loc[words, "auc"] == pytest.approx(by_seed.mean())
        assert pooled.loc[words, "auc_std"] == pytest.approx(by_seed.std())
        assert pooled.loc[words, "n"] == 2
    sentences = conclusions.all_together(zero_shot_table(run), pooled.reset_index())
    assert len(sentences) == 4
    assert f"{pooled.loc['random', 'auc']:.3f}" in sentences[2]


def zero_shot_table(run):
    p, cases, _, _, found, table = run
    return results_of.zero_shot_table(p, cases, table, found)


@pytest.mark.parametrize("lost", [[("happy", 1)], [("happy", 1), ("disgust", 1)]], ids=["one run", "a seed"])
def test_a_network_that_diverged_costs_its_seed_alone(run, lost):
    """With one seed left there is no interval and no verdict."""
    p, cases, jobs, records, found, _ = run
    found = {key: out for key, out in found.items() if (key[0], key[2]) not in lost}
    table = results_of.scores(p, jobs, records, found)
    rows = results_of.zero_shot_table(p, cases, table, found).set_index("emotion")
    assert rows.loc["happy", "n"] == 1
    assert rows.loc["happy", "verdict"] == "not distinguishable from chance"
    assert np.isfinite(rows.loc["happy", "auc"])
    pooled = results_of.pooled_table(cases, table)
    assert list(pooled["n"]) == [1, 1, 1]
    assert pooled["auc"].notna().all()
    assert set(pooled["verdict"]) == {"undefined"}


def test_the_figures_show_every_emotion_and_chance(run):
    p, _, jobs, _, _, table = run
    label = MOSEI.corpus.source.label
    dots = unseen_figures.zero_shot_dots(zero_shot_table(run), label=label, title="Never seen")
    (axes,) = dots.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(p.held_out)
    curve = results_of.few_shot_table(jobs, table, "happy")
    (curves,) = unseen_figures.few_shot_curves({"happy": curve}, label=label, title="Few").axes
    for ax, chance in ((axes, "get_xdata"), (curves, "get_ydata")):
        assert [list(getattr(line, chance)()) for line in ax.lines if line.get_label() == "chance"] == [[0.5, 0.5]]
    drawn = next(line for line in curves.lines if line.get_label() == "happy")
    np.testing.assert_allclose(sorted(drawn.get_ydata()), sorted(curve.drop_duplicates("shots")["auc"]))


def test_the_word_is_ranked_among_random_vectors_of_its_length(run):
    p, cases, jobs, records, found, _ = run
    table = among_random.random_table(p, jobs, records)
    assert list(table["emotion"]) == list(p.held_out)
    true = MOSEI.corpus.splits["test"].labels == 1
    for row, case in zip(table.to_dict("records"), cases, strict=True):
        own = np.mean([auc(found[case.emotion, CLEAN, seed], true)[case.column] for seed in p.seeds])
        assert row["auc"] == pytest.approx(own, abs=1e-3)
        assert row["middle_of_random_low"] < row["random_mean"] < row["middle_of_random_high"]
        assert row["random_p"] == (row["at_least_as_high"] + 1) / 201
    vectors = among_random.candidates(jobs[0])
    np.testing.assert_array_equal(vectors[0], cases[0].complete.vectors[cases[0].column])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), np.linalg.norm(vectors[0]), rtol=1e-5)
    assert len(np.unique(vectors, axis=0)) == among_random.VECTORS + 1


def test_a_word_matters_only_where_few_random_vectors_stand_as_high():
    row = {"emotion": "joy", "auc": 0.7, "random_mean": 0.5, "middle_of_random_low": 0.3, "middle_of_random_high": 0.7}
    rows = [{**row, "random_vectors": 200, "at_least_as_high": k, "random_p": (k + 1) / 201} for k in (0, 9, 10)]
    best, last, too_many = among_random.sentences(pd.DataFrame(rows))
    assert best.endswith("the word matters.")
    assert last.endswith("the word matters.")
    assert too_many.endswith("the word is not told apart from any other vector.")
