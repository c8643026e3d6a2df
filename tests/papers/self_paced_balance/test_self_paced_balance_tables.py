"""What the tables of SPCL say of given scores."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib import papers
from lib.data.corpus import Source
from lib.papers.self_paced_balance import SelfPacedBalance, conclusions, tables
from lib.reporting.claims import claims
from lib.reporting.statistics import t_interval_of
from lib.run_table import run_table
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
    rows = tables.over_fewer(p, table, "weighted_f1")
    found = rows.set_index("spcl")
    assert list(answering(rows)["spcl"]) == ["with - without"]
    assert found.loc["without", "gain_points"] == pytest.approx(100 * np.mean([0.10, 0.00, -0.03]))
    assert found.loc["without", "gain_relative"] == pytest.approx(100 * np.mean([0.10 / 0.5, 0, -0.03 / 0.64]))
    assert found.loc["with - without", "gain_points"] == pytest.approx(100 * np.mean([0.06, 0.07, 0.05]))
    assert found["verdict"].to_dict() == {"without": "neutral", "with": "neutral", "with - without": "positive"}
    sentences = " ".join(conclusions.over_fewer(found.reset_index()))
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
    found = tables.over_fewer(p, table, "weighted_f1")
    assert set(found["backbone"]) == {"MMGCN"}, "MM-DFN has no network for one modality"
    assert set(found["modalities"]) == {"av"}
    points = found.set_index(["over", "spcl"])["gain_points"]
    assert points["a", "without"] == pytest.approx(100 * np.mean([0.10, 0.00, -0.03]))
    assert points["a", "with"] == pytest.approx(100 * np.mean([0.16, 0.07, 0.02])), "over a without SPCL"
    assert points["better of a, v", "without"] == pytest.approx(100 * np.mean([0.10, -0.08, -0.03])), "a, v, a"
    assert points["better of a, v", "with"] == pytest.approx(100 * np.mean([0.16, -0.01, 0.02]))
    assert len(points) == 6, "what SPCL adds to a gain over one modality is its effect, in another table"
    effect = tables.effect(p, table, "weighted_f1")
    assert list(effect["modalities"]) == ["av", "av"]
    sentences = " ".join(conclusions.over_fewer(found))
    assert "Without SPCL, two modalities score below the better one in 1 of 1 comparisons" in sentences
    assert tables.name_over_fewer(p) == "bimodal"
    assert list(answering(found)["gain_points"]) == [points["better of a, v", "with"]]
    reasons = tables.published_gains(p, REAL, table)["verdict"]
    assert set(reasons) == {"not comparable: different corpus, not run"}


def test_the_effect_of_spcl_is_paired_over_the_seeds():
    p, table = mmgcn_only(), run_table(fake(TRI_AND_BI))
    found = tables.effect(p, table, "weighted_f1").set_index("modalities")
    assert found.loc["atv", "gain"] == pytest.approx(0.06)
    assert found.loc["atv", "gain_std"] == pytest.approx(0.01)
    assert found.loc["atv", "verdict"] == "positive"
    assert (found.loc["at", ["gain", "without", "with_spcl"]] == [0.0, *[found.loc["at", "without"]] * 2]).all()
    sentences = conclusions.effects(found.reset_index())
    assert "2 comparisons: 1 positive, 1 neutral" in sentences[0]
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
    claims = tables.mend_claims(p, table, "weighted_f1").set_index("quantity")
    row = claims.loc["SPCL on atv"]
    assert (row["as_published"], row["mended"]) == (pytest.approx(6.0), 0.0)
    assert (row["verdict_published"], row["verdict_mended"]) == ("positive", "neutral")
    assert claims.loc["atv over at, with SPCL", "mended"] == pytest.approx(100 * np.mean([0.10, 0.00, -0.03]))
    scores = tables.mend_scores(p, table, "weighted_f1")
    assert list(scores["spcl"]) == ["with", "with"]
    sentence = conclusions.mends(claims.reset_index(), scores)[0]
    assert "1 of 3 verdicts on the claims change: MMGCN SPCL on atv from positive to neutral" in sentence


def test_the_papers_own_corpus_is_judged():
    """MMGCN's published bars are +0.01 over T+A and +3.68 over A+V points or per cent of weighted F1."""
    p = papers.load(ROOT / "params" / "self_paced_balance" / "paper.yaml", results="-")
    p = p.model_copy(update={"backbones": p.backbones.model_copy(update=dict.fromkeys(("biddin", "mm_dfn")))})
    scores = {"MMGCN atv": [0.66, 0.665, 0.67, 0.66, 0.665], "MMGCN at": [0.66, 0.664, 0.67, 0.661, 0.665]}
    scores["MMGCN av"] = [0.62, 0.63, 0.635, 0.625, 0.63]
    scores["MMGCN tv"] = scores["MMGCN at"]
    scores |= {f"DialogueGCN {subset}": [0.60, 0.61, 0.605, 0.6, 0.61] for subset in p.subsets}
    found = tables.published_gains(p, REAL, run_table([run | {"seed": 12 + run["seed"]} for run in fake(scores)]))
    points = found[found["quantity"] == "gain_points of weighted_f1"].set_index("variant")
    assert points.loc["MMGCN: atv over av", "verdict"] == "reproduced"
    assert points.loc["MMGCN: atv over at", "difference"] == pytest.approx(0.0 - 0.01, abs=1e-9)
    assert points.loc["DialogueGCN: atv over at", "verdict"] == "not reproduced"
    assert points.loc["BiDDIN: atv over av", "verdict"] == "not comparable: not run"
    changed = tables.deviations(p.model_copy(update={"feedforward": 64, "batch_size": 8}))
    assert changed == ["batches of 8 dialogues instead of 16 or 32", "feed-forward width 64 instead of 2048"]
