"""What trained networks say of an emotion they have never seen, and the tables and figures of a whole small run."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from lib.metrics.presence import decisions, weighted_acc
from lib.metrics.scores import auc
from lib.papers.unseen_emotions import answers, conclusions, figures, seen, tables
from lib.papers.unseen_emotions import study as unseen
from lib.papers.unseen_emotions.study import CLEAN, LEAKING, METRICS
from lib.reporting.two_sources import holm
from lib.reporting.verdicts import NO_DIFFERENCE, UNDECIDED
from lib.study import Runs
from lib.training.records import load_weights
from tests.papers.unseen_emotions.held_out import MOSEI, given, held_out


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A whole small run: the networks, what they answer, the run table."""
    p = given(results=str(tmp_path_factory.mktemp("run")))
    runs = unseen.plan(p, [held_out(emotion) for emotion in p.held_out]).train()
    answered = answers.answers(runs)
    return runs, answered, answers.scores(answered)


def zero_shot_of(answered: Runs) -> pd.DataFrame:
    judged = answers.beside_chance(answered)
    return tables.zero_shot_table(judged, tables.over_chance(answered.study.p.held_out, judged))


def pooled_of(answered: Runs) -> pd.DataFrame:
    return tables.pooled_table(tables.pooled_gains(answered.study.p.held_out, answers.beside_chance(answered)))


def outputs(answered: Runs) -> dict[tuple[str, str, int], np.ndarray]:
    """Test logits by emotion, setting and seed."""
    return {(r.tags["emotion"], r.tags["setting"], r.seed): r.outputs["test"] for r in answered.records}


def test_the_scores_are_those_of_the_held_out_column_on_the_complete_test_split(run):
    """The network is built here from its stored weights, and the missing word vector is put in its place."""
    runs, answered, table = run
    setting, found = unseen.zero_shot(runs.study)[1], outputs(answered)
    case, true = setting.case, MOSEI.corpus.splits["test"].labels == 1
    assert case.emotion == "happy"
    for _, member, record in unseen.trained(runs, setting):
        weights = load_weights(runs.study.folder / "members", record)
        assert weights["emotion_vectors"].shape[0] == len(MOSEI.corpus.label_names) - 1
        model = member.model.build()
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
    runs, answered, _ = run
    case, found = runs.study.tasks[0].case, outputs(answered)
    differences = []
    for seed in (0, 1):
        own, drawn = (found[case.emotion, setting, seed] for setting in (CLEAN, answers.RANDOM))
        np.testing.assert_array_equal(own[:, case.seen], drawn[:, case.seen])
        differences.append(own[:, case.column] - drawn[:, case.column])
    assert np.abs(differences).min(axis=1).max() > 0
    assert not np.allclose(*differences)


def test_fine_tuning_starts_from_the_zero_shot_network_and_is_kept(run):
    """Tuned again it gives the same bits; other settings are other runs."""
    runs, answered, _ = run
    p, found = runs.study.p, outputs(answered)
    files = sorted((Path(p.results) / "members").glob("*-fine-tuned-*.npy"))
    assert len(files) == len(p.fine_tuning.regimes) * len(p.seeds)
    written = [path.stat().st_mtime_ns for path in files]
    kept = after_tuning(runs)
    assert [path.stat().st_mtime_ns for path in files] == written
    files[0].unlink()
    again = after_tuning(runs)
    settings = [(f"fine-tuned, {regime}", seed) for regime in ("naive", "gem", "joint") for seed in p.seeds]
    assert list(kept) == list(again) == [("happy", setting, seed) for setting, seed in settings]
    for (emotion, setting, seed), out in again.items():
        np.testing.assert_array_equal(out, found[emotion, setting, seed])
        assert not np.array_equal(out, found[emotion, CLEAN, seed])
    tuning = p.fine_tuning.model_copy(update={"learning_rate": 1e-6})
    slower = dataclasses.replace(runs.study, p=p.model_copy(update={"fine_tuning": tuning}))
    for (emotion, _, seed), out in after_tuning(Runs(slower, runs.done)).items():
        np.testing.assert_allclose(out, found[emotion, CLEAN, seed], atol=1e-2)


def after_tuning(runs: Runs) -> dict[tuple[str, str, int], np.ndarray]:
    return {key: out for key, out in outputs(answers.answers(runs)).items() if key[1].startswith("fine-tuned")}


def test_the_word_is_ranked_among_random_vectors_of_its_length(run):
    runs, answered, _ = run
    p, found, cases = runs.study.p, outputs(answered), [s.case for s in unseen.zero_shot(runs.study)]
    table = answers.random_table(runs)
    assert list(table["emotion"]) == [*p.held_out, answers.TOGETHER]
    *single, together = table.to_dict("records")
    assert together["auc"] == pytest.approx(np.mean([row["auc"] for row in single]))
    assert together["random_mean"] == pytest.approx(np.mean([row["random_mean"] for row in single]))
    width = [row["middle_of_random_high"] - row["middle_of_random_low"] for row in (*single, together)]
    assert width[-1] < max(width[:-1])  # accidents of single vectors cancel
    true = MOSEI.corpus.splits["test"].labels == 1
    for row, case in zip(single, cases, strict=True):
        own = np.mean([auc(found[case.emotion, CLEAN, seed], true)[case.column] for seed in p.seeds])
        assert row["auc"] == pytest.approx(own, abs=1e-3)
        assert row["middle_of_random_low"] < row["random_mean"] < row["middle_of_random_high"]
        assert row["random_p"] == (row["at_least_as_high"] + 1) / 201
    vectors = answers.candidates(cases[0])
    np.testing.assert_array_equal(vectors[0], cases[0].vectors[cases[0].column])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), np.linalg.norm(vectors[0]), rtol=1e-5)
    assert len(np.unique(vectors, axis=0)) == answers.VECTORS + 1
    assert list(table["holm_p"].iloc[:-1]) == pytest.approx(list(holm(table["random_p"].iloc[:-1])))
    assert math.isnan(table["holm_p"].iloc[-1])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"answer": "better"}, "above chance"),
        ({"answer": "worse"}, "below chance"),
        ({"answer": NO_DIFFERENCE}, "at chance, within the margin"),
        ({"answer": UNDECIDED}, "not distinguishable from chance"),
        ({"answer": "better", "combined_error": math.nan}, "not distinguishable from chance"),  # seeds alone
        ({"answer": UNDECIDED, "score": math.nan, "combined_error": math.nan}, "undefined"),
    ],
)
def test_the_verdict_needs_the_combined_interval(row, said):
    assert tables.verdict({"score": 0.6, "combined_error": 0.1} | row) == said


def test_chance_tells_no_sample_from_any_other(run):
    judged = answers.beside_chance(run[1])
    chance = judged.table[judged.table["variant"].str.endswith(answers.CHANCE) & judged.table["metric"].isin(METRICS)]
    assert (chance["value"] == 0.5).all()
    assert set(zip(chance["variant"], chance["seed"], strict=True)) == {
        (f"{emotion}: {answers.CHANCE}", seed) for emotion in run[0].study.p.held_out for seed in (0, 1)
    }
    assert len(judged.records) == len(run[1].records) + 4


def without_each(auc_of, samples: int) -> np.ndarray:
    """A score without each sample in turn, `(samples,)`, and the jackknife's pseudo-values from it."""
    left = np.array([auc_of(np.delete(np.arange(samples), i)) for i in range(samples)])
    return auc_of(np.arange(samples)) + (samples - 1) * (left.mean() - left)


def test_an_auc_is_over_the_test_units_as_the_jackknife_has_it(run):
    """Of the held-out emotion, and after fine-tuning of the others."""
    runs, answered, _ = run
    judged, found, true = answers.beside_chance(answered), outputs(answered), MOSEI.corpus.splits["test"].labels == 1
    samples, case = len(true), unseen.zero_shot(runs.study)[1].case

    def interval(of) -> tuple[float, float]:
        each = np.stack([without_each(lambda rows, seed=seed: of(rows, seed), samples) for seed in (0, 1)])
        half = stats.t.ppf(0.975, samples - 1) * each.mean(axis=0).std(ddof=1) / np.sqrt(samples)
        return each.mean() - half, each.mean() + half

    def own(rows, seed):
        return auc(found["happy", CLEAN, seed][rows], true[rows])[case.column]

    row = (
        tables.zero_shot_table(judged, tables.over_chance(runs.study.p.held_out, judged))
        .set_index("emotion")
        .loc["happy"]
    )
    assert (row["unit"], row["units"]) == ("utterance", samples)
    assert (row["new_units_low"], row["new_units_high"]) == pytest.approx(interval(own), abs=1e-5)

    def on_others(rows, seed):
        before, after = (
            auc(found["happy", kind, seed][rows], true[rows])[case.seen].mean() for kind in (CLEAN, "fine-tuned, gem")
        )
        return after - before

    gain = tables.fine_tuning_gains(answered)["auc_others"].set_index("variant").loc["happy: fine-tuned, gem"]
    assert (gain["new_units_low"], gain["new_units_high"]) == pytest.approx(interval(on_others), abs=1e-5)
    assert gain["metric"] == "auc_others"


def test_the_average_over_emotions_is_over_the_same_test_units(run):
    judged = answers.beside_chance(run[1])
    found = tables.pooled_gains(run[0].study.p.held_out, judged)
    single = tables.over_chance(run[0].study.p.held_out, judged)
    words = single[single["variant"].str.endswith(CLEAN) & single["baseline"].str.endswith(answers.CHANCE)]
    assert found.loc[0, "gain"] == pytest.approx(words["gain"].mean())
    assert set(found["units"]) == set(single["units"]) == {len(MOSEI.corpus.splits["test"])}
    widths = words["new_units_high"] - words["new_units_low"]
    assert 0 < found.loc[0, "new_units_high"] - found.loc[0, "new_units_low"] < widths.max()


@pytest.fixture(scope="module")
def in_folds(tmp_path_factory):
    """The small corpus twice, half of its test samples in each, and a seed for each half."""
    p = given(results=str(tmp_path_factory.mktemp("folds")))
    cases = []
    for emotion in p.held_out:
        whole = held_out(emotion)
        for seed in p.seeds:
            test = unseen.rows(whole.corpus.splits["test"], np.arange(seed, len(whole.corpus.splits["test"]), 2))
            source = dataclasses.replace(whole.corpus.source, split_rule=f"fold {seed}")
            splits = {**whole.corpus.splits, "test": test}
            corpus = dataclasses.replace(whole.corpus, splits=splits, source=source)
            cases.append(dataclasses.replace(whole, corpus=corpus, seeds=(seed,)))
    runs = unseen.plan(p, cases).train()
    answered = answers.answers(runs)
    return runs, answered, answers.scores(answered)


def test_in_folds_each_seed_answers_for_its_own_test_samples(run, in_folds):
    """Trained on the same samples, the networks are those of the whole corpus, asked about their half."""
    runs, answered, table = in_folds
    whole, halves = outputs(run[1]), outputs(answered)
    assert halves.keys() == whole.keys()
    for (emotion, setting, seed), out in halves.items():
        np.testing.assert_allclose(out, whole[emotion, setting, seed][seed::2], rtol=1e-5, atol=1e-6)
    assert [s.case.emotion for s in unseen.zero_shot(runs.study)] == list(runs.study.p.held_out)
    assert len(runs.records) == len(run[0].records)
    zero_shot = zero_shot_of(answered)
    assert list(zero_shot["emotion"]) == list(runs.study.p.held_out)
    assert set(zero_shot["n"]) == {2}
    assert set(zero_shot["units"]) == {len(MOSEI.corpus.splits["test"])}  # of both halves
    share = MOSEI.corpus.splits["test"].labels[:, MOSEI.corpus.label_names.index("happy")].mean()
    assert zero_shot.set_index("emotion").loc["happy", "share_present"] == pytest.approx(share)
    places = answers.random_table(runs).set_index("emotion")
    assert places.loc["happy", "auc"] == pytest.approx(zero_shot.set_index("emotion").loc["happy", "auc"], abs=1e-3)
    assert len(unseen.leaks(runs.study)) == 2 * len(runs.study.p.held_out)
    assert list(tables.few_shot_table(runs.study, table)["n"]) == [2] * 5
    ours = seen.seen_scores(answered)
    assert ours["value"].notna().all()
    assert len(ours) == len(runs.study.p.held_out) * len(runs.study.p.seeds) * len(seen.METRICS)


def test_the_tables_and_sentences_of_a_run(run):
    runs, answered, table = run
    study, p, found = runs.study, runs.study.p, outputs(answered)
    zero_shot = zero_shot_of(answered)
    assert list(zero_shot["emotion"]) == list(p.held_out)
    sentences = conclusions.zero_shot(zero_shot)
    for row, sentence in zip(zero_shot.to_dict("records"), sentences, strict=True):
        assert f"**{row['verdict']}**" in sentence
        assert f"{row['auc']:.3f}" in sentence
    curve = tables.few_shot_table(study, table)
    assert set(curve["emotion"]) == {"happy"}
    assert list(curve["shots"]) == sorted(each.shots for each in study.tasks if each.case.emotion == "happy")
    assert curve["setting"].iloc[0] == CLEAN
    assert curve["setting"].iloc[-1] == LEAKING
    over_none = tables.few_shot_gains(answered)
    assert list(over_none["variant"]) == [f"happy: {setting}" for setting in curve["setting"].iloc[1:]]
    assert over_none["gain"].to_numpy() == pytest.approx(curve["auc"].iloc[1:].to_numpy() - curve["auc"].iloc[0])
    tuned = tables.fine_tuning_gains(answered)
    assert [row.split(", over zero-shot")[0] for row in conclusions.fine_tuning(tuned)] == [
        f"Fine-tuned, {regime}" for regime in p.fine_tuning.regimes
    ]
    around = tables.fine_tuning_table(study, table)
    assert list(around["setting"]) == [CLEAN, *map(answers.tuned, p.fine_tuning.regimes)]
    assert list(around["shots"]) == [0] + [answers.shots(p, study.tasks[2].case)] * len(p.fine_tuning.regimes)
    true, column = MOSEI.corpus.splits["test"].labels == 1, study.tasks[2].case.column
    gains = [
        auc(found["happy", "fine-tuned, gem", seed], true)[column] - auc(found["happy", CLEAN, seed], true)[column]
        for seed in p.seeds
    ]
    own = tuned["auc"].set_index("variant")
    assert own.loc["happy: fine-tuned, gem", "gain"] == pytest.approx(np.mean(gains), abs=1e-6)


def test_the_average_over_the_emotions_is_taken_within_each_seed(run):
    _, answered, table = run
    pooled = pooled_of(answered).set_index("vectors")
    for setting, words in ((CLEAN, "of the words"), (answers.RANDOM, "random")):
        rows = table[(table["setting"] == setting) & (table["metric"] == "auc")]
        by_seed = rows.groupby("seed")["value"].mean()
        assert pooled.loc[words, "auc"] == pytest.approx(by_seed.mean())
        assert pooled.loc[words, "auc_std"] == pytest.approx(by_seed.std())
        assert pooled.loc[words, "n"] == 2
    sentences = conclusions.all_together(zero_shot_of(answered), pooled.reset_index())
    assert len(sentences) == 4
    assert f"{pooled.loc['random', 'auc']:.3f}" in sentences[2]


@pytest.mark.parametrize("lost", [[("happy", 1)], [("happy", 1), ("disgust", 1)]], ids=["one run", "a seed"])
def test_a_network_that_diverged_costs_its_seed_alone(run, lost):
    """With one seed left there is no interval and no verdict."""
    runs = without(run[0], [(f"{emotion}: {CLEAN}", seed) for emotion, seed in lost])
    answered = answers.answers(runs)
    table = answers.scores(answered)
    assert set(table[table["status"] == "diverged"]["variant"]) >= {f"{emotion}: {CLEAN}" for emotion, _ in lost}
    rows = zero_shot_of(answered).set_index("emotion")
    assert rows.loc["happy", "n"] == 1
    assert rows.loc["happy", "verdict"] == "not distinguishable from chance"
    assert np.isfinite(rows.loc["happy", "auc"])
    pooled = pooled_of(answered)
    assert list(pooled["n"]) == [1, 1, 1]
    assert pooled["auc"].notna().all()
    assert list(pooled["verdict"]) == ["not distinguishable from chance"] * 2 + [UNDECIDED]


def test_what_rests_on_a_lost_network_is_lost_with_it(run):
    """Its rows stay, without a score and with its reason; the same emotion's other networks keep theirs."""
    table = answers.scores(answers.answers(without(run[0], [(f"happy: {CLEAN}", 1)])))
    lost = table[table["status"] == "diverged"]
    rest = ("random vector", "fine-tuned, naive", "fine-tuned, gem", "fine-tuned, joint")
    assert set(lost["setting"]) == {CLEAN, *rest}
    assert set(zip(lost["emotion"], lost["seed"], lost["reason"], strict=True)) == {("happy", 1, "no finite loss")}
    assert lost["value"].isna().all()
    others = table[(table["emotion"] == "happy") & (table["seed"] == 1) & (table["status"] == "finished")]
    assert LEAKING in set(others["setting"])
    assert list(table["variant"].unique()) == list(run[2]["variant"].unique())


def without(runs: Runs, lost: list[tuple[str, int]]) -> Runs:
    """The same runs, of which these have diverged."""
    gone = {"status": "diverged", "reason": "no finite loss", "outputs": {}}
    return Runs(
        runs.study,
        [
            (setting, member, dataclasses.replace(r, **gone) if (r.variant, r.seed) in lost else r)
            for setting, member, r in runs.done
        ],
    )


def test_the_figures_show_every_emotion_and_chance(run):
    runs, answered, table = run
    zero_shot, label = zero_shot_of(answered), MOSEI.corpus.source.label
    dots = figures.zero_shot_dots(zero_shot, label=label, title="Never seen")
    (axes,) = dots.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(runs.study.p.held_out)
    curve = tables.few_shot_table(runs.study, table)
    (curves,) = figures.few_shot_curves(curve, label=label, title="Few").axes
    for ax, chance in ((axes, "get_xdata"), (curves, "get_ydata")):
        assert [list(getattr(line, chance)()) for line in ax.lines if line.get_label() == "chance"] == [[0.5, 0.5]]
    drawn = next(line for line in curves.lines if line.get_label() == "mean over the seeds")
    np.testing.assert_allclose(sorted(drawn.get_ydata()), sorted(curve.drop_duplicates("shots")["auc"]))


def test_a_run_without_few_shots_has_empty_tables_and_no_sentence_of_them(run):
    runs, answered, table = run
    study = dataclasses.replace(runs.study, p=runs.study.p.model_copy(update={"few_shot": ()}))
    without_few = dataclasses.replace(answered, study=study)
    tuned = tables.fine_tuning_gains(without_few)
    found = [tables.few_shot_table(study, table), tables.few_shot_gains(without_few)]
    assert all(len(each) == 0 for each in [*found, tables.fine_tuning_table(study, table), *tuned.values()])
    assert conclusions.fine_tuning(tuned) == []
