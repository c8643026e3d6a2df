"""What the papers claim, and what an interval says of it."""

import json

import pandas as pd
import pytest

from lib.errors import InputError
from lib.reporting.claims import PAPERS, answers, claims, condensed
from lib.reporting.gains import gain_table
from lib.reporting.result_folders import read_folder, write_contents
from lib.reporting.tables import csv
from lib.reporting.verdicts import spread_of, verdict
from tests.reporting.tables_of_runs import runs_of
from tests.reporting.test_gains import errors_of, kept

LABEL = "X, real data"


def folder_with(tmp_path, notebook, **tables):
    folder = tmp_path / notebook / "run"
    (folder / "tables").mkdir(parents=True)
    for name, table in tables.items():
        (folder / "tables" / f"{name}.csv").write_text(csv(table, label=LABEL), encoding="utf-8")
    about = {"data": [{"label": LABEL, "synthetic": False, "warnings": []}], "run": {}, "code": {}, "volatile": {}}
    (folder / "manifest.json").write_text(json.dumps(about))
    write_contents(folder)
    return read_folder(tmp_path, notebook, "run")


def test_every_paper_has_claims_with_a_name_of_their_own_and_their_rule():
    papers = {path.parent.name for path in PAPERS.glob("*/claims.csv")}
    assert papers >= {"colearning", "low_rank_fusion", "emotion_embeddings", "unseen_emotions", "end_to_end"}
    names = [claim.id for claim in claims()]
    assert len(set(names)) == len(names) >= len(papers)
    assert all(claim.rule and claim.source for claim in claims())
    margins = {claim.id: claim.margin for claim in claims()}
    assert {margin for each in margins.values() for margin in each} == {0.01, 0.02, 1.0}
    assert margins["low_rank_beats_tensor"] == (0.02, 0.01)  # of an error, of a score
    assert margins["third_modality_gains"] == (1.0, 1.0)  # its tables are in points


@pytest.mark.parametrize(
    ("kind", "margin", "words"),
    [
        ("higher", "0.1", "kind 'higher'; one of: better"),
        ("no worse", "", "a margin above 0 is needed"),
        ("better", "-0.1", "a margin above 0 is needed"),
        ("better", "0.1|0.2|0.3", "a margin above 0 is needed for each of the claim's tables"),
    ],
)
def test_a_claim_without_a_kind_or_its_margin_is_refused(tmp_path, kind, margin, words):
    row = pd.read_csv(PAPERS / "low_rank_fusion" / "claims.csv", dtype=str).assign(kind=kind, margin=margin)
    (tmp_path / "a_paper").mkdir()
    row.to_csv(tmp_path / "a_paper" / "claims.csv", index=False)
    with pytest.raises(InputError, match=f"low_rank_beats_tensor: {words}"):
        claims(tmp_path)


def test_each_of_several_tables_has_its_margin(tmp_path):
    gain = {"rate 0.8": [0.511, 0.512, 0.509, 0.512], "rate 0": [0.5, 0.5, 0.5, 0.5]}
    for metric, margin in (("acc2_nonneg", 0.01), ("mae", 0.02)):
        tables = {f"gain_{metric}_over_rate_0": gain_table(runs_of(gain, metric), metric, "rate 0")}
        folder = folder_with(tmp_path / metric, "mosi_positive_colearning", **tables)
        ((claim, rows),) = answers(folder).items()
        assert (claim.id, rows["margin"].tolist()) == ("dropout_adds", [margin])
    assert claim.kind_in_words == "better, margin 0.01 or 0.02"


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        ([0.55, 0.56, 0.55, 0.57], "as claimed"),
        ([0.45, 0.44, 0.45, 0.44], "opposite"),
        ([0.501, 0.499, 0.501, 0.499], "no difference beyond the margin"),
        ([0.505, 0.52, 0.495, 0.51], "undecided"),
    ],
)
def test_over_the_seeds_alone(tmp_path, ours, expected):
    runs = runs_of({"rate 0.8": ours, "rate 0": [0.5, 0.5, 0.5, 0.5]}, "acc2_nonneg")
    table = gain_table(runs, "acc2_nonneg", "rate 0")
    folder = folder_with(tmp_path, "mosi_positive_colearning", gain_acc2_nonneg_over_rate_0=table)
    ((_, rows),) = answers(folder).items()
    (row,) = rows.to_dict("records")
    assert row["direction"] == expected and row["units"] == "" and pd.isna(row["combined_low"])
    assert bool(row["would_decide"]) == (expected == "undecided")
    assert "seeds" in row["would_decide"] or expected != "undecided"


def test_the_combined_interval_decides_where_there_is_one(tmp_path):
    table, runs = kept(errors_of("rate 0", "rate 0.8", seeds=6))
    gains = gain_table(table, "mae", "rate 0", runs=runs)
    for wide in (False, True):
        if wide:
            gains = gains.assign(combined_error=0.3, unit_variance=0.8)
        folder = folder_with(tmp_path / str(wide), "mosi_positive_colearning", gain_mae_over_rate_0=gains)
        ((_, rows),) = answers(folder).items()
        (row,) = rows.to_dict("records")
        found = spread_of(gains.iloc[0], gains["gain"][0], 6)
        assert row["direction"] == verdict("better", found.mean, found.combined, 0.02)
        assert (row["units"], row["combined_low"]) == ("8 videos", gains["combined_low"][0])
    assert row["direction"] == "undecided" and "videos, not seeds, are the limit" in row["would_decide"]


def test_a_row_without_an_interval_is_undecided_and_nothing_would_be_known_to_decide(tmp_path):
    table = gain_table(runs_of({"rate 0.8": [0.6], "rate 0": [0.5]}, "acc2_nonneg"), "acc2_nonneg", "rate 0")
    folder = folder_with(tmp_path, "mosi_positive_colearning", gain_acc2_nonneg_over_rate_0=table)
    ((_, rows),) = answers(folder).items()
    assert rows[["direction", "would_decide"]].to_numpy().tolist() == [["undecided", ""]]


@pytest.mark.parametrize(
    ("sparse", "expected"),
    [
        ([0.501, 0.599, 0.7], "as claimed"),  # as good, and seen to be
        ([0.49, 0.59, 0.689], "as claimed"),  # lower with its whole interval, by less than the margin
        ([0.6, 0.71, 0.8], "as claimed"),
        ([0.9, 0.2, 0.7], "undecided"),  # too noisy to see
        ([0.45, 0.55, 0.649], "opposite"),
    ],
)
def test_no_lower_is_judged_by_its_margin_and_not_as_superiority(tmp_path, sparse, expected):
    runs = runs_of({"MESM 0.7": sparse, "FE2E": [0.5, 0.6, 0.7]}, "f1_positive")
    folder = folder_with(tmp_path, "end_to_end_sparse", dense_and_sparse=gain_table(runs, "f1_positive", "FE2E"))
    ((claim, rows),) = answers(folder).items()
    assert (claim.kind, claim.margin) == ("no worse", (0.02,))
    assert rows["direction"].tolist() == [expected]


@pytest.mark.parametrize("metric", ["acc", "weighted_acc"])
def test_emotion_embeddings_are_judged_by_the_accuracy_of_their_corpus(tmp_path, metric):
    """IEMOCAP has plain accuracy alone."""
    runs = runs_of({"EEA": [0.8, 0.81, 0.8], "LF-RNN": [0.7, 0.7, 0.69]}, metric)
    others = runs_of({"EEA": [0.1, 0.1], "LF-RNN": [0.2, 0.2]}, "auc")
    folder = folder_with(
        tmp_path,
        "emotion_embeddings",
        **{f"gain_{metric}": gain_table(runs, metric, "LF-RNN"), "gain_auc": gain_table(others, "auc", "LF-RNN")},
    )
    ((_, rows),) = answers(folder).items()
    assert rows[["what", "direction"]].to_numpy().tolist() == [["EEA, LF-RNN", "as claimed"]]


def test_many_rows_become_their_mean_and_the_counts_of_their_directions():
    rows = pd.DataFrame({"value": [1.0, 2.0, 6.0], "direction": ["opposite", "as claimed", "as claimed"]})
    rows = rows.assign(low=0.0, high=0.0, row=0, what="x", would_decide="", published=2.0, verdict="differs")
    (one,) = condensed(rows, longest=2).to_dict("records")
    assert (one["value"], one["rows"], one["direction"]) == (3.0, 3, "2 as claimed, 1 opposite")
    assert pd.isna(one["published"]) and one["verdict"] == ""  # of one row, not of the mean
    assert condensed(rows, longest=3)["rows"].tolist() == [1, 1, 1]
