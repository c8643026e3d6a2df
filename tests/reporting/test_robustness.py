"""Robustness: what is disturbed, by how much, and what stays as it was."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lib.errors import InputError
from lib.reporting import disturbed, modality_figures
from lib.reporting.disturbed import MISSING, NOISE, missing_score, missing_utterances, noisy_score
from lib.reporting.robustness import COLUMNS, robustness_table
from lib.reporting.statistics import t_interval
from lib.training import loop
from lib.training.trained import feature_spread, in_memory
from tests.reporting.tables_of_runs import STAND_IN
from tests.reporting.trained_runs import EVERYTHING, kinds


@pytest.mark.parametrize("kind", kinds())
def test_level_zero_is_the_plain_score_bit_for_bit_and_rate_one_is_absence(tmp_path, kind):
    run, record = kinds()[kind].read(tmp_path)
    for modality in EVERYTHING:
        nothing = {modality: missing_utterances(run, modality, 0.0)}
        still = {modality: 0.0 * disturbed.unit_noise(run, modality)}
        assert np.array_equal(run.outputs(nothing), record.outputs["test"])
        assert np.array_equal(run.outputs(noise=still), record.outputs["test"])
        assert noisy_score(run, modality, 0.0) == missing_score(run, modality, 0.0) == run.plain()
        everyone = {modality: missing_utterances(run, modality, 1.0)}
        assert np.array_equal(run.outputs(everyone), run.outputs({modality: True}))


@pytest.mark.parametrize("kind", kinds())
def test_disturbances_change_what_they_should_and_can_be_repeated(tmp_path, kind):
    run, _ = kinds()[kind].read(tmp_path)
    noise = {"text": disturbed.unit_noise(run, "text")}
    assert not np.array_equal(run.outputs(noise=noise), run.outputs())
    assert np.array_equal(run.outputs(noise=noise), run.outputs(noise={"text": disturbed.unit_noise(run, "text")}))
    other = replace(run, seed=run.seed + 1)
    assert not torch.equal(noise["text"], disturbed.unit_noise(other, "text"))
    half = {"text": missing_utterances(run, "text", 0.5)}
    assert 0 < half["text"].sum() < half["text"].size
    assert not np.array_equal(run.outputs(half), run.outputs())
    assert half["text"].shape == run.split.utterances


@pytest.mark.parametrize("kind", ["classes", "slots"])
def test_only_the_utterances_that_lost_the_modality_answer_differently(tmp_path, kind):
    run, _ = kinds()[kind].read(tmp_path)
    gone = missing_utterances(run, "text", 0.5)
    outputs = run.outputs({"text": gone})
    assert np.allclose(outputs[~gone], run.outputs()[~gone], rtol=1e-6, atol=1e-7)
    assert np.allclose(outputs[gone], run.outputs({"text": True})[gone], rtol=1e-6, atol=1e-7)
    assert np.abs(outputs[gone] - run.outputs()[gone]).max() > 1e-4


def test_lost_encoders_in_parts_are_the_same_utterances(tmp_path, monkeypatch):
    run, _ = kinds()["slots"].read(tmp_path)
    gone = missing_utterances(run, "text", 0.5)
    at_once = run.outputs({"text": gone, "audio": True})
    monkeypatch.setattr(loop, "SMALLEST_PART", 1)
    monkeypatch.setattr(loop, "PART_BYTES", 1)
    assert len(loop.evaluation_parts(run.split, run.recipe)) == len(run.split) > 1
    # one row at once sums in another order
    assert np.allclose(run.outputs({"text": gone, "audio": True}), at_once, rtol=1e-5, atol=1e-6)


def test_missing_utterances_are_nested_and_as_many_as_asked(tmp_path):
    run, _ = kinds()["classes"].read(tmp_path)
    wide = replace(run, split=run.split.take(np.zeros(5000, np.int64)))
    rates = (0.0, 0.25, 0.5, 1.0)
    masks = [missing_utterances(wide, "audio", rate) for rate in rates]
    for fewer, more in pairwise(masks):
        assert not (fewer & ~more).any()
    assert [mask.mean() for mask in masks] == pytest.approx(rates, abs=0.02)
    assert not np.array_equal(masks[2], missing_utterances(wide, "video", 0.5))


def test_noise_is_in_units_of_the_training_spread_and_leaves_padding_alone(tmp_path):
    given = kinds()["classes"]
    run, _ = given.read(tmp_path)
    train = given.corpus.batches("train")
    raw = given.corpus.splits["train"].features["audio"]
    assert feature_spread(train)["audio"].numpy() == pytest.approx(raw.reshape(-1, 3).std(axis=0), rel=1e-5)
    x = torch.ones(4000, 2, 3)
    x[:, 0] = 0.0  # padding in front
    spread = {"audio": torch.tensor([1.0, 10.0, 0.0])}
    wide = replace(run, split=replace(run.split, inputs={"audio": x}), spread=spread)
    noise = disturbed.unit_noise(wide, "audio")
    assert not noise[:, 0].any()
    assert noise[:, 1].std(dim=0).tolist() == pytest.approx([1.0, 10.0, 0.0], rel=0.05)
    padded = x.clone()
    padded[:, 1, 2] = torch.arange(4000.0)
    expected = padded[:, 1, 2].std(correction=0).item()
    assert feature_spread(replace(run.split, inputs={"audio": padded}))["audio"][2].item() == pytest.approx(expected)


def test_conversation_padding_gets_no_noise(tmp_path):
    run, _ = kinds()["conversation"].read(tmp_path)
    padding = run.split.labels < 0
    assert padding.any()
    assert not disturbed.unit_noise(run, "video")[padding].any()
    assert run.split.features["video"].shape[:2] == padding.shape


def test_the_table_holds_every_level_with_its_interval(tmp_path):
    runs = [kinds()["regression"].read(tmp_path, seed)[0] for seed in (0, 1, 2)]
    table = robustness_table(runs, "mae", noise=(0, 1.5), missing=(0, 0.5))
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 3 * 4
    assert (table["seeds"] == 3).all()
    rows = table.set_index(["modality", "kind", "level"])
    values = np.array([noisy_score(run, "audio", 1.5) for run in runs])
    row = rows.loc[("audio", NOISE, 1.5)]
    assert (row["mean"], (row["low"], row["high"])) == (values.mean(), t_interval(values))
    plain = np.mean([run.plain() for run in runs])
    assert all(rows.loc[(m, kind, 0.0), "mean"] == plain for m in EVERYTHING for kind in (NOISE, MISSING))


def test_a_modality_of_unknown_spread_gets_no_noise(tmp_path):
    run, _ = kinds()["classes"].read(tmp_path)
    by_number = replace(run, spread={m: s for m, s in run.spread.items() if m != "text"})
    table = robustness_table([by_number], "acc", noise=(0, 1), missing=(1,))
    assert set(table.loc[table["kind"] == NOISE, "modality"]) == {"audio", "video"}
    assert set(table.loc[table["kind"] == MISSING, "modality"]) == set(EVERYTHING)


def test_an_undefined_score_does_not_count(tmp_path):
    run, _ = kinds()["classes"].read(tmp_path)
    plain = run.plain()
    undefined = replace(run, seed=1, score=lambda outputs: float("nan"))
    table = robustness_table([run, undefined], "acc", noise=(0,), missing=())
    assert (table["seeds"] == 1).all()
    assert (table["mean"] == plain).all()
    assert robustness_table([undefined], "acc", noise=(0,), missing=())["mean"].isna().all()


def test_impossible_disturbances_are_refused(tmp_path):
    run, _ = kinds()["slots"].read(tmp_path)
    with pytest.raises(ValueError, match=r"missing rate of 1\.5"):
        missing_score(run, "text", 1.5)
    with pytest.raises(ValueError, match="noise of -1"):
        noisy_score(run, "text", -1.0)
    in_parts = replace(run, recipe=replace(run.recipe, evaluation_batch=4))
    with pytest.raises(ValueError, match="evaluated in one batch"):
        missing_score(in_parts, "text", 0.5)
    with pytest.raises(InputError, match="features in memory"):
        in_memory(SimpleNamespace(features=None))


def test_the_figure_has_a_panel_per_modality_and_names_the_corpus(tmp_path):
    runs = [kinds()["regression"].read(tmp_path, seed)[0] for seed in (0, 1)]
    table = robustness_table(runs, "mae", noise=(0, 1), missing=(0, 1))
    for kind, words in ((NOISE, "training deviations"), (MISSING, "utterances without")):
        figure = modality_figures.robustness(table, kind, label=STAND_IN)
        assert [ax.get_title() for ax in figure.axes] == list(EVERYTHING)
        assert all(words in ax.get_xlabel() for ax in figure.axes)
        assert STAND_IN in " ".join(text.get_text() for text in figure.texts)
        drawn = figure.axes[0].lines[0].get_ydata()
        expected = table[(table["modality"] == "text") & (table["kind"] == kind)]["mean"]
        assert list(drawn) == list(expected)


def test_many_models_are_drawn_without_bands(tmp_path):
    run, _ = kinds()["classes"].read(tmp_path)
    runs = [replace(run, name=f"model {i}", seed=seed) for i in range(5) for seed in (0, 1)]
    table = robustness_table(runs, "acc", noise=(0, 1), missing=())
    crowded = modality_figures.robustness(table, NOISE, label=STAND_IN)
    assert not crowded.axes[0].collections
    few = modality_figures.robustness(table[table["model"] != "model 4"], NOISE, label=STAND_IN)
    assert len(few.axes[0].collections) == 4
