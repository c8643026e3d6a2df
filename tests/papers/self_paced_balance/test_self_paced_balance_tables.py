"""What the tables of SPCL say of given scores."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lib import papers
from lib.data.corpus import Source
from lib.papers.self_paced_balance import SelfPacedBalance, conclusions, over_fewer, tables
from lib.reporting.claims import claims
from lib.reporting.statistics import t_interval_of
from lib.reporting.two_sources import holm, spread
from lib.reporting.verdicts import AS_CLAIMED, NO_DIFFERENCE
from lib.run_table import run_table
from lib.study import WithoutUnits
from tests.papers.self_paced_balance.small_grid import MMGCN, given

ROOT = Path(__file__).resolve().parents[3]


def fake(
    values: dict[str, list[float]], metric: str = "weighted_f1", mend: str = "", valid: dict | None = None
) -> list[dict]:
    development = values if valid is None else valid
    return [
        {
            "variant": variant,
            "seed": seed,
            "metrics": {
                "valid": {metric: development.get(variant, scores)[seed]},
                "test": {metric: value, "acc": value},
            },
            "selected_on": "-",
            "status": "finished",
            "mend": mend,
        }
        for variant, scores in values.items()
        for seed, value in enumerate(scores)
    ]


def runs_of(p: SelfPacedBalance, table: pd.DataFrame) -> SimpleNamespace:
    """Runs of which no prediction is kept."""
    task = SimpleNamespace(corpus=SimpleNamespace(source=REAL))
    return SimpleNamespace(study=SimpleNamespace(p=p, tasks=[task]), table=table, without_units=lambda metric: {})


REAL = Source("conversations", synthetic=False, files={}, licence="", split_rule="")
TRI_AND_BI = {
    "MMGCN atv": [0.60, 0.62, 0.61],
    "MMGCN atv + SPCL": [0.66, 0.69, 0.66],
    "MMGCN at": [0.50, 0.62, 0.64],
    "MMGCN at + SPCL": [0.50, 0.62, 0.64],
}


def answering(rows: pd.DataFrame) -> pd.DataFrame:
    """Those that say whether SPCL gives a further modality its worth back."""
    (claim,) = [claim for claim in claims() if claim.id == "third_modality_gains"]
    return rows.query(claim.rows, engine="python")


def mmgcn_only(**changes) -> SelfPacedBalance:
    return given(backbones={"mmgcn": MMGCN}, seeds=[0, 1, 2], **changes)


def test_gains_of_three_modalities_over_two_by_both_formulas():
    p, table = mmgcn_only(), run_table(fake(TRI_AND_BI))
    rows = over_fewer.over_fewer(runs_of(p, table), "weighted_f1")
    points = over_fewer.in_points(rows)
    found = points.set_index("spcl")
    assert list(answering(points)["spcl"]) == list(over_fewer.answering(rows)["spcl"]) == ["with - without"]
    assert found.loc["without", "gain_points"] == pytest.approx(100 * np.mean([0.10, 0.00, -0.03]))
    assert found.loc["without", "gain_relative"] == pytest.approx(100 * np.mean([0.10 / 0.5, 0, -0.03 / 0.64]))
    assert found.loc["with - without", "gain_points"] == pytest.approx(100 * np.mean([0.06, 0.07, 0.05]))
    assert found["verdict"].to_dict() == {"without": "neutral", "with": "neutral", "with - without": "positive"}
    assert found["answer"].to_dict() == {"without": "undecided", "with": "undecided", "with - without": "better"}
    assert (found["margin"] == 1).all(), "a point"
    sentences = " ".join(conclusions.over_fewer(rows))
    assert "Without SPCL, three modalities score below two in 0 of 1 comparisons by the mean" in sentences
    assert "+6.00 points on average" in sentences


TWO_AND_ONE = {
    "MMGCN av": [0.60, 0.62, 0.61],
    "MMGCN av + SPCL": [0.66, 0.69, 0.66],
    "MMGCN a": [0.50, 0.62, 0.64],
    "MMGCN v": [0.40, 0.70, 0.60],
    "MM-DFN av": [0.60, 0.62, 0.61],
    "MM-DFN av + SPCL": [0.61, 0.62, 0.60],
}


def test_gains_of_two_modalities_over_one_and_over_the_better_by_the_development_set():
    p = given(
        backbones={"mmgcn": MMGCN, "mm_dfn": MMGCN},
        subsets=["av", "a", "v"],
        mends=[],
        mend_subsets=[],
        seeds=[0, 1, 2],
        dataset="ravdess_dialogues",
        samples=0,
    )
    development = {"MMGCN a": [0.3, 0.3, 0.3], "MMGCN v": [0.2, 0.4, 0.3]}
    table = run_table(fake(TWO_AND_ONE, valid=development))
    rows = over_fewer.over_fewer(runs_of(p, table), "weighted_f1")
    found = over_fewer.in_points(rows)
    assert set(found["backbone"]) == {"MMGCN"}, "MM-DFN has no network for one modality"
    assert set(found["modalities"]) == {"av"}
    points = found.set_index(["over", "spcl"])["gain_points"]
    assert points["a", "without"] == pytest.approx(100 * np.mean([0.10, 0.00, -0.03]))
    assert points["a", "with"] == pytest.approx(100 * np.mean([0.16, 0.07, 0.02])), "over a without SPCL"
    assert points["better of a, v", "without"] == pytest.approx(100 * np.mean([0.10, -0.08, -0.03])), "a, v, a"
    assert points["better of a, v", "with"] == pytest.approx(100 * np.mean([0.16, -0.01, 0.02]))
    assert len(points) == 6, "what SPCL adds to a gain over one modality is its effect, in another table"
    effect = tables.effect(runs_of(p, table), "weighted_f1")
    assert list(effect["modalities"]) == ["av", "av"]
    sentences = " ".join(conclusions.over_fewer(rows))
    assert "Without SPCL, two modalities score below the better one in 1 of 1 comparisons" in sentences
    assert over_fewer.name(p) == "bimodal"
    assert list(answering(found)["gain_points"]) == [points["better of a, v", "with"]]
    assert list(over_fewer.answering(rows)["spcl"]) == ["with"]
    reasons = tables.published_gains(runs_of(p, table))["verdict"]
    assert set(reasons) == {"not comparable: different corpus, not run"}


def test_the_effect_of_spcl_is_paired_over_the_seeds():
    p, table = mmgcn_only(), run_table(fake(TRI_AND_BI))
    found = tables.effect(runs_of(p, table), "weighted_f1").set_index("modalities")
    assert found.loc["atv", "gain"] == pytest.approx(0.06)
    assert found.loc["atv", "gain_std"] == pytest.approx(0.01)
    assert found.loc["atv", "verdict"] == "positive"
    assert (found.loc["at", ["gain", "without", "with_spcl"]] == [0.0, *[found.loc["at", "without"]] * 2]).all()
    sentences = conclusions.effects(found.reset_index())
    assert "2 comparisons: 1 better, 1 no difference beyond the margin" in sentences[0]
    assert "between +0.00 points (MMGCN at) and +6.00 points (MMGCN atv)" in sentences[0]
    half = 100 * t_interval_of(0.06, 0.01, 3)[1] - 6
    assert f"The intervals reach 0.00 to {half:.2f} points to both sides" in " ".join(sentences)


def test_what_spcl_does_to_balance_is_paired_over_the_seeds():
    rows = [
        {"epoch": epoch, "backbone": "MMGCN", "spcl": spcl, "seed": seed, "selected_share": 0.5 + 0.5 * epoch}
        | {"ratio_audio": 1.0, "ratio_video": 1.0 + epoch * (strongest + 0.1 * seed)}
        for spcl, strongest in ((0, 0.2), (1, 0.5))
        for seed in (0, 1, 2)
        for epoch in (0, 1)
    ]
    (sentence,) = conclusions.balance(pd.DataFrame(rows))
    assert "in the first epoch 50 % of the utterances are selected, from epoch 1 on 99 % or more" in sentence
    assert "1.60 with SPCL and 1.30 without (1 is balance; +0.30, 95 % interval +0.30 to +0.30, paired" in sentence


def test_a_mend_that_undoes_the_effect_changes_the_verdict():
    p = mmgcn_only(mends=["selected"], mend_subsets=["atv", "at"])
    mended = {
        "MMGCN atv + SPCL, selected": TRI_AND_BI["MMGCN atv"],
        "MMGCN at + SPCL, selected": TRI_AND_BI["MMGCN at + SPCL"],
    }
    table = run_table(fake(TRI_AND_BI) + fake(mended, mend="selected"))
    found = tables.claims_mended(runs_of(p, table), "weighted_f1").set_index("comparison")
    row = found.loc["SPCL on MMGCN atv"]
    assert (row["published"], row["mended"]) == (pytest.approx(0.06), 0.0)
    assert (row["published_verdict"], row["mended_verdict"], row["changes"]) == (AS_CLAIMED, NO_DIFFERENCE, "yes")
    assert (row["quirk"], row["sides"], row["gain"]) == ("1", "variant", pytest.approx(-0.06))
    third = found.loc["MMGCN atv over at"]
    assert third["published"] == pytest.approx(np.mean([0.06, 0.07, 0.05]))
    assert (third["mended"], third["gain"]) == (pytest.approx(0.0), pytest.approx(-0.06))
    assert third["margin"] == 0.01, "a point"
    scores = tables.mend_scores(runs_of(p, table), "weighted_f1")
    assert list(scores["spcl"]) == ["with", "with"]
    assert conclusions.mends(scores)[0].startswith("Mend `selected`: scores change by -6.00 to +0.00 points")


def test_over_one_modality_a_mend_of_the_loss_is_compared_with_plain_training_as_published():
    """What `masks` does to one modality was not trained, so nothing is said of the claim about the better one."""
    p = given(
        backbones={"mmgcn": MMGCN},
        subsets=["av", "a", "v"],
        mends=["masks", "selected"],
        mend_subsets=["av"],
        dataset="ravdess_dialogues",
        samples=0,
        seeds=[0, 1, 2],
    )
    assert over_fewer.claimed_of(p, "mmgcn", "masks") == []
    assert over_fewer.claimed_of(p, "mmgcn", "selected") == ["better of a, v"]
    variants = ("MMGCN av", "MMGCN av + SPCL", "MMGCN a", "MMGCN v", "MMGCN av + SPCL, selected")
    x = drawn(*variants, "MMGCN av, masks", "MMGCN av + SPCL, masks")
    found = tables.claims_mended(with_units(p, x), "weighted_f1")
    assert list(found["comparison"]) == ["SPCL on MMGCN av", "SPCL on MMGCN av", "MMGCN av over better of a, v"]
    masks, selected, better = found.to_dict("records")
    assert [row["sides"] for row in (masks, selected, better)] == ["both", "variant", "variant"]
    on, off = (x[f"MMGCN av{how}, masks"] - x[f"MMGCN av{how}"] for how in (" + SPCL", ""))
    expected = spread([on - off])
    assert masks["gain"] == pytest.approx(expected.mean)
    assert (masks["combined_low"], masks["combined_high"]) == pytest.approx(expected.combined.interval(expected.mean))
    one = spread([x["MMGCN av + SPCL, selected"] - x["MMGCN av + SPCL"]])
    for row in (selected, better):
        assert (row["combined_low"], row["combined_high"]) == pytest.approx(one.combined.interval(one.mean))


def test_the_papers_own_corpus_is_judged():
    """MMGCN's published bars are +0.01 over T+A and +3.68 over A+V points or per cent of weighted F1."""
    p = papers.load(ROOT / "params" / "self_paced_balance" / "paper.yaml", results="-")
    p = p.model_copy(update={"backbones": p.backbones.model_copy(update=dict.fromkeys(("biddin", "mm_dfn")))})
    scores = {"MMGCN atv": [0.66, 0.665, 0.67, 0.66, 0.665], "MMGCN at": [0.66, 0.664, 0.67, 0.661, 0.665]}
    scores["MMGCN av"] = [0.62, 0.63, 0.635, 0.625, 0.63]
    scores["MMGCN tv"] = scores["MMGCN at"]
    scores |= {f"DialogueGCN {subset}": [0.60, 0.61, 0.605, 0.6, 0.61] for subset in p.subsets}
    table = run_table([run | {"seed": 12 + run["seed"]} for run in fake(scores)])
    found = tables.published_gains(runs_of(p, table))
    points = found[found["quantity"] == "gain_points of weighted_f1"].set_index("variant")
    assert points.loc["MMGCN: atv over av", "verdict"] == "reproduced"
    assert points.loc["MMGCN: atv over at", "difference"] == pytest.approx(0.0 - 0.01, abs=1e-9)
    assert points.loc["DialogueGCN: atv over at", "verdict"] == "not reproduced"
    assert points.loc["BiDDIN: atv over av", "verdict"] == "not comparable: not run"
    changed = tables.deviations(p.model_copy(update={"feedforward": 64, "batch_size": 8}))
    assert changed == ["batches of 8 dialogues instead of 16 or 32", "feed-forward width 64 instead of 2048"]


UNITS = tuple("abcdef")


def with_units(p: SelfPacedBalance, values: dict[str, np.ndarray], valid: dict | None = None) -> SimpleNamespace:
    """Runs whose weighted F1 is a mean `(seeds, units)` over units of one size."""
    means = {name: x.mean(axis=1).tolist() for name, x in values.items()}
    left = {
        (name, seed): WithoutUnits("dialogue", UNITS, (row.sum() - row) / (len(UNITS) - 1))
        for name, x in values.items()
        for seed, row in enumerate(x)
    }
    runs = runs_of(p, run_table(fake(means, valid=valid)))
    runs.without_units = lambda metric: left
    return runs


def drawn(*variants: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {name: 0.6 + 0.1 * rng.normal(size=(3, len(UNITS))) for name in variants}


def test_what_spcl_changes_has_the_interval_of_the_difference_of_differences():
    p, x = mmgcn_only(), drawn(*TRI_AND_BI)
    runs = with_units(p, x)
    rows = over_fewer.over_fewer(runs, "weighted_f1")
    row = over_fewer.in_points(rows).set_index("spcl").loc["with - without"]
    on, off = (x[f"MMGCN atv{how}"] - x[f"MMGCN at{how}"] for how in (" + SPCL", ""))
    expected = spread([100 * (on - off)])
    assert row["gain_points"] == pytest.approx(expected.mean)
    assert (row["combined_low"], row["combined_high"]) == pytest.approx(expected.combined.interval(expected.mean))
    assert (row["new_units_low"], row["new_units_high"]) == pytest.approx(expected.of_units.interval(expected.mean))
    variances = expected.components.seed, expected.components.unit, expected.components.rest
    assert tuple(row[["seed_variance", "unit_variance", "rest_variance"]]) == pytest.approx(variances)
    assert (row["unit"], row["units"], row["margin"]) == ("dialogue", 6, 1.0)
    assert rows["holm_p"].tolist() == pytest.approx(holm(rows["combined_p"].to_numpy()))
    effect = tables.effect(runs, "weighted_f1").set_index("modalities").loc["atv"]
    spcl = spread([x["MMGCN atv + SPCL"] - x["MMGCN atv"]])
    assert (effect["combined_low"], effect["combined_high"]) == pytest.approx(spcl.combined.interval(spcl.mean))
    assert "over seeds and dialogues" in conclusions.effects(tables.effect(runs, "weighted_f1"))[1]


def test_the_better_of_two_has_the_units_of_each_seeds_choice():
    p = mmgcn_only(subsets=["av", "a", "v"], mends=[], mend_subsets=[], dataset="ravdess_dialogues", samples=0)
    x = drawn("MMGCN av", "MMGCN av + SPCL", "MMGCN a", "MMGCN v")
    runs = with_units(p, x, valid={"MMGCN a": [0.3, 0.3, 0.3], "MMGCN v": [0.2, 0.4, 0.3]})
    rows = over_fewer.over_fewer(runs, "weighted_f1").set_index(["over", "spcl"])
    better = np.stack([x["MMGCN a"][0], x["MMGCN v"][1], x["MMGCN a"][2]])
    expected = spread([x["MMGCN av + SPCL"] - better])
    row = rows.loc["better of a, v", "with"]
    assert (row["combined_low"], row["combined_high"]) == pytest.approx(expected.combined.interval(expected.mean))
    assert row["baseline"] == "MMGCN better of a, v"
