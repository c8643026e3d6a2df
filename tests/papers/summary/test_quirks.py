"""What mends of the references' quirks are worth: read off tables, and never a number without one."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lib.errors import InputError
from lib.papers.summary import quirks
from lib.papers.summary.quirks import COLUMNS, Quirk, condensed, welch, worth
from lib.reporting.result_folders import ResultFolder, read_folder
from lib.reporting.two_sources import Error
from lib.reporting.verdicts import NO_DIFFERENCE, UNDECIDED
from tests.papers.summary.kept_results import RESULTS, kept_runs

NOTEBOOK = "low_rank_fusion"
QUIRK = Quirk(
    notebook=NOTEBOOK,
    quirk="1",
    what="what",
    mend="mend",
    table="gain_*",
    rows="variant == 'LMF'",
    published="baseline",
    run="",
    over="",
    claim="low_rank_beats_tensor",
    metric="mae|weighted_f1",
    sides="variant",
    beside="",
    claim_reason="",
    reason="",
)


def folder(tmp_path, name, **tables) -> ResultFolder:
    path = tmp_path / name
    (path / "tables").mkdir(parents=True)
    for stem, table in tables.items():
        table.to_csv(path / "tables" / f"{stem}.csv", index=False)
    manifest = {"data": [{"label": "RAVDESS, real data"}], "run": {"params": {"dataset": "ravdess"}}}
    return ResultFolder(NOTEBOOK, name, path, "real partial", manifest)


def gains(values, **further) -> pd.DataFrame:
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    row = {"variant": "LMF", "baseline": "LMF legacy", "metric": "acc", "n": len(values), "gain": np.mean(values)}
    row["gain_std"] = np.std(values, ddof=1)
    return pd.DataFrame([row | {"t_interval_low": low, "t_interval_high": high} | further, row | {"variant": "TFN"}])


@pytest.fixture
def only(monkeypatch):
    def set_to(*found: Quirk) -> None:
        monkeypatch.setattr(quirks, "quirks", lambda: found)

    return set_to


def test_a_gain_is_read_off_the_table_of_its_run(tmp_path, only):
    only(QUIRK)
    values = [0.03, 0.05, 0.04, 0.06]
    (row,) = worth([folder(tmp_path, "one", gain_acc=gains(values))]).to_dict("records")
    assert (row["run"], row["metric"], row["row"], row["seeds"]) == (f"{NOTEBOOK}/one", "acc", "LMF, LMF legacy", 4)
    assert row["gain"] == pytest.approx(0.045)
    assert (row["low"], row["high"]) == pytest.approx(stats.t.interval(0.95, 3, 0.045, stats.sem(values)))
    assert (row["answer"], row["not measured"]) == ("better", "")


def test_a_contrast_whose_variant_is_the_published_one_is_turned_over(tmp_path, only):
    only(Quirk(**{**QUIRK.__dict__, "published": "variant"}))
    (row,) = worth([folder(tmp_path, "one", gain_acc=gains([0.03, 0.05, 0.04, 0.06]))]).to_dict("records")
    assert row["gain"] == pytest.approx(-0.045)
    assert row["low"] < row["gain"] < row["high"] < 0
    assert row["answer"] == "worse"


def test_the_combined_interval_decides_where_there_is_one(tmp_path, only):
    only(QUIRK)
    both = {"unit": "speaker", "units": 24, "combined_error": 0.05, "combined_freedom": 7.0, "folds": 1}
    both |= {"seed_variance": 0.001, "unit_variance": 0.01, "rest_variance": 0.01}
    (row,) = worth([folder(tmp_path, "one", gain_acc=gains([0.03, 0.05, 0.04, 0.06], **both))]).to_dict("records")
    assert row["low"] > 0 > row["combined_low"]
    assert (row["units"], row["answer"]) == ("24 speakers", "undecided")


def test_two_runs_are_set_against_each_other_variant_by_variant(tmp_path, only):
    only(Quirk(**{**QUIRK.__dict__, "table": "scores_*", "published": "", "run": "mended", "over": "plain"}))
    mended = pd.DataFrame({"variant": ["LMF", "TFN"], "metric": "mae", "n": 5, "score": 0.9, "score_std": 0.02})
    plain = mended.assign(score=1.0, score_std=0.03)
    found = [folder(tmp_path, "mended", scores_mae=mended), folder(tmp_path, "plain", scores_mae=plain)]
    (row,) = worth(found).to_dict("records")
    test = stats.ttest_ind_from_stats(1.0, 0.03, 5, 0.9, 0.02, 5, equal_var=False)
    assert row["gain"] == pytest.approx(0.1)
    assert welch((0.02, 5), (0.03, 5)).p(0.1) == pytest.approx(test.pvalue)
    assert row["low"] > 0
    (alone,) = worth(found[:1]).to_dict("records")
    assert alone["not measured"] == "no run with this mend is kept"


def test_equal_spreads_count_twice():
    assert welch((0.02, 5), (0.02, 5)).variance == pytest.approx(2 * 0.02**2 / 5)


def test_runs_of_one_seed_or_without_any_spread_do_not_stop_the_summary(tmp_path, only):
    assert np.isnan(welch((np.nan, 1), (0.1, 5)).variance)
    assert welch((0.0, 5), (0.0, 4)) == Error(0.0, 3)
    only(Quirk(**{**QUIRK.__dict__, "table": "scores_*", "published": "", "run": "mended", "over": "plain"}))
    for n, std in ((1, np.nan), (5, 0.0)):
        mended = pd.DataFrame({"variant": ["LMF"], "metric": "mae", "n": n, "score": 0.9, "score_std": std})
        found = [folder(tmp_path / f"{n}", name, scores_mae=mended) for name in ("mended", "plain")]
        (row,) = worth(found).to_dict("records")
        assert (row["gain"], row["answer"]) == (0.0, UNDECIDED if n == 1 else NO_DIFFERENCE)


def test_a_table_that_the_other_run_lacks_is_no_comparison(tmp_path, only):
    only(Quirk(**{**QUIRK.__dict__, "table": "scores_*", "published": "", "run": "mended", "over": "plain"}))
    scores = pd.DataFrame({"variant": ["LMF"], "metric": "mae", "n": 5, "score": 0.9, "score_std": 0.1})
    found = [folder(tmp_path, "mended", scores_mae=scores), folder(tmp_path, "plain", scores_acc=scores)]
    (row,) = worth(found).to_dict("records")
    assert row["not measured"] == "no run with this mend is kept"


def test_many_rows_become_their_mean_and_counts():
    row = dict.fromkeys(COLUMNS, "") | {"metric": "acc", "answer": "better", "gain": 0.01, "low": 0.0, "high": 0.02}
    rows = [row | {"answer": "better" if gain else "worse", "gain": gain} for gain in range(5)]
    table = pd.DataFrame([*rows, row | {"metric": "mae"}, row | {"quirk": "2", "not measured": "why"}])
    (one,) = condensed(table).to_dict("records")
    assert (one["row"], one["gain"], one["answer"]) == ("mean of 5 rows", 2.0, "4 better, 1 worse")
    assert np.isnan(one["low"])
    assert len(condensed(table.head(4))) == 4


def test_a_row_has_a_table_or_a_reason(tmp_path):
    paper = tmp_path / "paper"
    paper.mkdir()
    names = list(Quirk.__dataclass_fields__)
    pd.DataFrame([dict.fromkeys(names, "") | {"quirk": "7"}]).to_csv(paper / "quirks.csv", index=False)
    with pytest.raises(InputError, match="the reason why there is none"):
        quirks.quirks.__wrapped__(tmp_path)


def test_every_quirk_is_measured_or_has_a_reason_and_some_are_measured_on_kept_results():
    table = worth([read_folder(RESULTS, *run) for run in kept_runs()])
    assert set(table["quirk"]) == {quirk.quirk for quirk in quirks.quirks()}
    measured = table["not measured"] == ""
    assert (table["gain"].notna() == measured).all()
    notebooks = set(table.loc[measured, "run"].str.partition("/")[0])
    assert notebooks <= {quirk.notebook for quirk in quirks.quirks() if quirk.table}
    assert len(notebooks) >= 5
    assert set(table.loc[measured, "answer"]) <= {"better", "worse", "no difference beyond the margin", "undecided"}
