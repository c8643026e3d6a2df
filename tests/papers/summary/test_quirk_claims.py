"""What mends do to claims: read off tables, else known from the score of the side that is mended, else a reason."""

import numpy as np
import pandas as pd
import pytest

from lib.errors import InputError
from lib.papers import colearning
from lib.papers.colearning import mends
from lib.papers.emotion_embeddings import tables as emotion_embeddings
from lib.papers.end_to_end import tables as end_to_end
from lib.papers.low_rank_fusion import tables as low_rank_fusion
from lib.papers.self_paced_balance import tables as self_paced_balance
from lib.papers.summary import quirks
from lib.papers.summary.quirk_claims import OLDER, effects, overview
from lib.papers.summary.quirks import Quirk, worth
from lib.reporting import mended_claims
from lib.reporting.claims import named
from lib.reporting.mended_claims import Comparison
from lib.reporting.result_folders import read_folder
from tests.papers.summary.kept_results import RESULTS, kept_runs
from tests.papers.summary.test_quirks import NOTEBOOK, QUIRK, folder, gains, only
from tests.reporting.test_mended_claims import side

__all__ = ["only"]  # a fixture
CLAIM = named("low_rank_beats_tensor")
VALUES = [0.03, 0.05, 0.04, 0.06]


def written(*mended: list[float], quirk: str = "1") -> pd.DataFrame:
    """The table of a run: LMF legacy over TFN is 0.0 to 0.02, and LMF over TFN as given."""
    old, tensor = side("LMF legacy", [0.60, 0.61, 0.62]), side("TFN", [0.60, 0.60, 0.60])
    return mended_claims.table(
        [
            Comparison(
                quirk, "LMF", CLAIM, 0.01, f"LMF {i} over TFN", (old, tensor), (side(f"LMF {i}", values), tensor)
            )
            for i, values in enumerate(mended)
        ],
        "weighted_f1",
    )


def found_in(*folders) -> tuple[pd.DataFrame, pd.DataFrame]:
    scores = worth(folders)
    return effects(folders, scores), scores


def test_an_effect_is_read_off_the_table_of_its_run(tmp_path, only):
    only(QUIRK)
    tables = {"gain_weighted_f1": gains(VALUES, metric="weighted_f1"), "mended_claims": written([0.70, 0.72, 0.71])}
    found, scores = found_in(folder(tmp_path, "one", **tables))
    (row,) = found.to_dict("records")
    assert (row["comparison"], row["sides"], row["over"], row["not measured"]) == (
        "LMF 0 over TFN",
        "variant",
        "3 seeds",
        "",
    )
    assert row["gain"] == pytest.approx(np.mean([0.10, 0.11, 0.09]))
    (one,) = overview(scores, found).to_dict("records")
    assert (one["gain"], one["claim_gain"]) == (pytest.approx(0.045), pytest.approx(0.10))
    assert (one["claim_low"], one["claim_high"]) == (row["low"], row["high"])
    assert (one["published_verdict"], one["mended_verdict"], one["changes"]) == ("undecided", "as claimed", "1 of 1")
    assert one["claim"] == CLAIM.claim


def test_several_comparisons_are_one_row_with_the_interval_of_their_mean(tmp_path, only):
    only(QUIRK)
    table = written([0.70, 0.72, 0.71], [0.60, 0.62, 0.61])
    tables = {"gain_weighted_f1": gains(VALUES, metric="weighted_f1"), "mended_claims": table}
    found, scores = found_in(folder(tmp_path, "one", **tables))
    assert len(found) == 3
    (one,) = overview(scores, found).to_dict("records")
    assert (one["comparison"], one["claim_gain"]) == ("mean of 2", pytest.approx(0.05))
    assert (one["claim_low"], one["claim_high"]) == tuple(found.iloc[-1][["low", "high"]])
    assert (one["published_verdict"], one["changes"]) == ("2 undecided", "1 of 2")
    assert one["mended_verdict"] == "1 as claimed, 1 undecided"


@pytest.mark.parametrize(("sides", "sign", "answer"), [("variant", 1, "better"), ("baseline", -1, "worse")])
def test_without_a_table_the_effect_of_one_mended_side_is_that_on_its_score(tmp_path, only, sides, sign, answer):
    only(Quirk(**QUIRK.__dict__ | {"sides": sides}))
    found, scores = found_in(folder(tmp_path, "one", gain_weighted_f1=gains(VALUES, metric="weighted_f1")))
    (row,), (score,) = found.to_dict("records"), scores.to_dict("records")
    assert (row["gain"], row["answer"]) == (pytest.approx(sign * 0.045), answer)
    assert sorted((sign * row["low"], sign * row["high"])) == [score["low"], score["high"]]
    assert row["low"] < row["high"]
    assert row["comparison"].endswith("as on the score" if sign > 0 else "as on the score, sign turned")
    (one,) = overview(scores, found).to_dict("records")
    assert (one["claim_gain"], one["changes"]) == (row["gain"], "")
    assert one["not known of the claim"] == OLDER


def test_of_a_mend_of_both_sides_nothing_is_known_without_a_table(tmp_path, only):
    only(Quirk(**QUIRK.__dict__ | {"sides": "both", "claim_reason": "TFN is not trained with it"}))
    scores = {"gain_weighted_f1": gains(VALUES, metric="weighted_f1")}
    older, newer = (
        folder(tmp_path, "older", **scores),
        folder(tmp_path, "newer", **scores, mended_claims=written(VALUES[:3], quirk="2")),
    )
    found, table = found_in(older, newer)
    assert found["not measured"].tolist() == [OLDER, "TFN is not trained with it"]
    assert found["gain"].isna().all()
    shown = overview(table, found)
    assert shown["not known of the claim"].tolist() == found["not measured"].tolist()
    assert shown["gain"].notna().all() and shown["claim_gain"].isna().all()


def test_what_no_run_measures_keeps_its_reason(only):
    only(Quirk(**QUIRK.__dict__ | {"table": "", "reason": "No mend"}))
    found, scores = found_in()
    (one,) = overview(scores, found).to_dict("records")
    assert found.empty
    assert (one["quirk"], one["not measured"], one["claim"]) == ("1", "No mend", "")


def test_the_score_is_in_the_metric_of_the_claim(tmp_path, only):
    only(QUIRK)
    tables = {f"gain_{metric}": gains(VALUES, metric=metric) for metric in ("acc", "corr", "mae")}
    found, scores = found_in(folder(tmp_path, "one", **tables))
    assert set(scores["metric"]) == {"acc", "corr", "mae"}
    assert found["metric"].tolist() == overview(scores, found)["metric"].tolist() == ["mae"]


@pytest.mark.parametrize("change", [{"claim": ""}, {"metric": ""}, {"sides": "left"}])
def test_a_measured_quirk_has_a_claim_its_metric_and_its_sides(tmp_path, change):
    (tmp_path / "paper").mkdir()
    pd.DataFrame([QUIRK.__dict__ | change]).to_csv(tmp_path / "paper" / "quirks.csv", index=False)
    with pytest.raises(InputError, match="a claim, its metric and its sides"):
        quirks.quirks.__wrapped__(tmp_path)


def test_the_papers_call_their_quirks_as_the_list_does():
    listed = {(quirk.notebook, quirk.quirk) for quirk in quirks.quirks()}
    named_by = {
        "emotion_embeddings": emotion_embeddings.QUIRKS.values(),
        "end_to_end_sparse": end_to_end.QUIRKS.values(),
        "self_paced_balance": self_paced_balance.QUIRKS.values(),
        NOTEBOOK: [low_rank_fusion.LEGACY_QUIRK],
        **{notebook: [mends.QUIRK] for notebook in colearning.NOTEBOOKS},
    }
    assert {(notebook, quirk) for notebook, names in named_by.items() for quirk in names} <= listed
    for quirk in quirks.quirks():
        assert not quirk.table or (quirk.metric.split("|")[0] and named(quirk.claim).notebook == quirk.notebook)


def test_of_kept_results_each_measured_quirk_has_an_effect_on_its_claim_or_a_reason():
    found, scores = found_in(*(read_folder(RESULTS, *run) for run in kept_runs()))
    measured = scores[scores["not measured"] == ""]
    runs = set(zip(measured["quirk"], measured["run"], strict=True))
    assert set(zip(found["quirk"], found["run"], strict=True)) == runs
    assert (found["gain"].notna() == (found["not measured"] == "")).all()
    shown = overview(scores, found)
    assert set(zip(shown["quirk"], shown["run"], strict=True)) >= runs
    known = shown["claim_gain"].notna()
    assert ((shown["changes"] != "") | (shown["not known of the claim"] != "") | (shown["not measured"] != "")).all()
    assert set(shown.loc[known, "sides"]) <= {"variant", "baseline", "both"}
