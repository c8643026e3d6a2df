"""Modality shares: the axioms of the Shapley value, known games, and trained models of every kind of task."""

import math
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import torch

from lib.errors import InputError
from lib.reporting import modality_figures, modality_share
from lib.reporting.disturbed import subset_scores, subsets
from lib.reporting.modality_share import retrained_scores, shapley, share_rows, share_table
from lib.reporting.statistics import t_interval
from lib.training.trained import SLOT, ZEROS, load, without
from tests.reporting.tables_of_runs import STAND_IN, runs_of
from tests.reporting.trained_runs import EVERYTHING, SLOTS, kinds

PLAYERS = ("text", "audio", "video", "pose")


def random_game(seed: int, players=PLAYERS) -> dict[frozenset, float]:
    rng = np.random.default_rng(seed)
    return {subset: float(rng.normal()) for subset in subsets(players)}


@pytest.mark.parametrize("seed", range(20))
def test_efficiency_and_the_average_over_all_orders(seed):
    game = random_game(seed)
    shares = shapley(game.__getitem__, PLAYERS)
    assert math.fsum(shares.values()) == pytest.approx(game[frozenset(PLAYERS)] - game[frozenset()], abs=1e-12)
    for player in PLAYERS:
        added = []
        for order in permutations(PLAYERS):
            before = frozenset(order[: order.index(player)])
            added.append(game[before | {player}] - game[before])
        assert shares[player] == pytest.approx(np.mean(added), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_symmetry_dummy_and_additivity(seed):
    game, other = random_game(seed, PLAYERS[:2]), random_game(seed + 100)
    # audio and video are interchangeable, pose adds a constant: it brings exactly that.

    def value(subset: frozenset) -> float:
        return game[frozenset({"text"} & subset)] + 0.3 * len(subset & {"audio", "video"}) ** 2 + 2 * ("pose" in subset)

    shares = shapley(value, PLAYERS)
    assert shares["audio"] == pytest.approx(shares["video"], abs=1e-12)
    assert shares["audio"] == pytest.approx(0.6, abs=1e-12)
    assert shares["pose"] == pytest.approx(2.0, abs=1e-12)
    both = shapley(lambda subset: value(subset) + other[subset], PLAYERS)
    alone = shapley(other.__getitem__, PLAYERS)
    assert all(both[m] == pytest.approx(shares[m] + alone[m], abs=1e-12) for m in PLAYERS)


def test_known_games():
    # Unanimity: worth 1 only together. Glove: text has the left glove, audio and video a right one each.
    assert shapley(lambda s: float(len(s) == 3), EVERYTHING) == pytest.approx(dict.fromkeys(EVERYTHING, 1 / 3))
    glove = shapley(lambda s: float("text" in s and len(s) > 1), EVERYTHING)
    assert glove == pytest.approx({"text": 4 / 6, "audio": 1 / 6, "video": 1 / 6})
    assert shapley(lambda s: 0.25 * ("text" in s), ("text",)) == {"text": 0.25}


def test_each_subset_is_asked_once():
    asked = []
    shapley(lambda subset: asked.append(subset) or 0.0, PLAYERS)
    assert len(asked) == len(set(asked)) == 16


def test_a_modality_given_twice_is_refused():
    with pytest.raises(ValueError, match="given twice"):
        shapley(lambda subset: 0.0, ("text", "text"))


@pytest.mark.parametrize("kind", kinds())
def test_a_record_read_back_gives_the_bits_that_it_holds(tmp_path, kind):
    run, record = kinds()[kind].read(tmp_path)
    assert np.array_equal(run.outputs(), record.outputs["test"])
    assert run.plain() == run.score(record.outputs["test"])


@pytest.mark.parametrize("kind", kinds())
def test_shares_of_trained_models_add_up_and_ask_the_model_without_the_modality(tmp_path, kind):
    given = kinds()[kind]
    runs = [given.read(tmp_path, seed)[0] for seed in (0, 1, 2)]
    metric = "mae" if kind == "regression" else "acc"
    table = share_table(runs, metric)
    assert tuple(table.columns[:7]) == modality_share.COLUMNS
    assert list(table["modality"]) == list(EVERYTHING)
    assert (table["seeds"] == 3).all()
    assert table["absent"].iloc[0].startswith(SLOT if kind == "slots" else ZEROS)
    sign = -1 if kind == "regression" else 1
    whole = sign * (table["score_all"].iloc[0] - table["score_none"].iloc[0])
    assert table["share_mean"].sum() == pytest.approx(whole, abs=1e-9)
    games = [subset_scores(run) for run in runs]
    values = np.array([shapley(lambda s, g=game: sign * g[s], EVERYTHING)["text"] for game in games])
    first = table.iloc[0]
    assert (first["share_mean"], (first["share_low"], first["share_high"])) == (values.mean(), t_interval(values))
    assert games[0][frozenset(EVERYTHING)] == runs[0].plain()


def test_the_slot_of_an_absent_modality_is_what_the_model_does_without_it(tmp_path):
    run, _ = kinds()["slots"].read(tmp_path)
    inputs = {m: x for m, x in run.split.inputs.items() if m != "audio"}
    with torch.no_grad():
        expected = run.model(**inputs).numpy()
    assert np.array_equal(run.outputs({"audio": True}), expected)
    assert not np.array_equal(run.outputs({"audio": True}), run.outputs())
    assert not run.model.audio_subnet._forward_hooks


def test_scores_of_subsets_trained_separately():
    variants = {subset: "+".join(sorted(subset)) for subset in subsets(EVERYTHING)[1:]}
    scores = {name: [0.2 * len(name.split("+")), 0.25 * len(name.split("+"))] for name in variants.values()}
    scores["audio"] = [0.2, None]  # the second seed misses a score, so it does not count
    games = retrained_scores(runs_of(scores), variants, "acc", empty=0.1)
    assert list(games) == [0]
    table = share_rows("LMF", games.values(), "acc", modality_share.RETRAINED)
    assert table["share_mean"].to_numpy() == pytest.approx([0.5 / 3] * 3)
    assert table[["share_low", "share_high"]].isna().all(axis=None)
    assert (table["score_none"].iloc[0], table["score_all"].iloc[0]) == (0.1, pytest.approx(0.6))
    del variants[frozenset({"audio", "text"})]
    with pytest.raises(InputError, match=r"no variant was trained on audio\+text alone"):
        retrained_scores(runs_of(scores), variants, "acc", empty=0.1)


def test_runs_without_weights_and_with_lost_weights_are_refused(tmp_path):
    given = kinds()["classes"]
    run, record = given.read(tmp_path)
    diverged = replace(record, status="diverged", reason="no finite validation loss in 4 epochs")
    with pytest.raises(InputError, match="seed 0: has no weights: no finite validation loss"):
        load(tmp_path, given.member, diverged, run.split, given.score)
    (tmp_path / record.weights).unlink()
    with pytest.raises(InputError, match="the weights cannot be read"):
        load(tmp_path, given.member, record, run.split, given.score)


@dataclass(frozen=True)
class OnDisk:
    """A split that is read batch by batch, as raw utterances are."""

    kept: frozenset = frozenset(EVERYTHING)
    features = None

    def only(self, modalities) -> "OnDisk":
        return OnDisk(self.kept & frozenset(modalities))


def test_a_split_on_disk_can_lose_whole_modalities_but_not_single_utterances():
    assert without(OnDisk(), {"audio": True}).kept == {"text", "video"}
    assert without(OnDisk(), {}) == OnDisk()
    with pytest.raises(InputError, match="features in memory"):
        without(OnDisk(), {"audio": np.array([True, False])})


def test_a_game_with_an_undefined_score_does_not_count():
    whole = {frozenset(): 0.2, frozenset({"text"}): 0.5}
    table = share_rows("m", [whole, {**whole, frozenset(): math.nan}], "acc", "x")
    assert table[["share_mean", "seeds"]].to_numpy().tolist() == [[0.3, 1]]


def test_the_figure_names_models_modalities_metric_and_corpus():
    games = [{s: len(s) * (1 + 0.1 * seed) for s in subsets(EVERYTHING)} for seed in range(3)]
    table = pd.concat([share_rows(name, games, "mae", "x") for name in ("rate 0", "rate 0.8")], ignore_index=True)
    figure = modality_figures.shares(table, label=STAND_IN)
    words = " ".join(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))
    for word in (*EVERYTHING, "rate 0.8", "reduction of test MAE", "n=3", STAND_IN):
        assert word in words
    assert SLOTS["text"] not in words
