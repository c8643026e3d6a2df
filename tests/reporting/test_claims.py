"""What the papers claim, and what an interval says of it."""

import json

import pandas as pd
import pytest

from lib.errors import InputError
from lib.reporting.claims import PAPERS, answers, claims, condensed, direction
from lib.reporting.gains import gain_table
from lib.reporting.result_folders import read_folder, write_contents
from lib.reporting.tables import csv
from tests.reporting.tables_of_runs import runs_of

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
    assert {claim.id for claim in claims() if claim.margin} == {"sparse_no_worse"}


@pytest.mark.parametrize(
    ("kind", "margin", "words"),
    [
        ("higher", "", "kind 'higher'; one of: better"),
        ("no worse", "", "no worse with"),
        ("better", "0.1", "better with"),
    ],
)
def test_a_claim_without_a_kind_or_its_margin_is_refused(tmp_path, kind, margin, words):
    row = pd.read_csv(PAPERS / "low_rank_fusion" / "claims.csv", dtype=str).assign(kind=kind, margin=margin)
    (tmp_path / "a_paper").mkdir()
    row.to_csv(tmp_path / "a_paper" / "claims.csv", index=False)
    with pytest.raises(InputError, match=f"low_rank_beats_tensor: {words}"):
        claims(tmp_path)


@pytest.mark.parametrize(
    ("kind", "low", "high", "expected"),
    [
        ("better", 0.1, 0.2, "as claimed"),
        ("worse", 0.1, 0.2, "opposite"),
        ("better", -0.2, -0.1, "opposite"),
        ("worse", -0.2, -0.1, "as claimed"),
        ("better", -0.1, 0.1, "not told apart"),
        ("better", 0.0, 0.1, "not told apart"),
        ("no worse", -0.01, 0.2, "as claimed"),
        ("no worse", 0.1, 0.2, "as claimed"),
        ("no worse", -0.03, 0.2, "not told apart"),
        ("no worse", -0.2, -0.03, "opposite"),
        ("no worse", -0.2, -0.01, "not told apart"),
        ("equal", -0.01, 0.01, "as claimed"),
        ("equal", -0.01, 0.03, "not told apart"),
        ("equal", 0.03, 0.1, "opposite"),
        ("equal", -0.1, -0.03, "opposite"),
        *((kind, float("nan"), float("nan"), "not told apart") for kind in ("better", "worse", "no worse", "equal")),
    ],
)
def test_the_direction_rule(kind, low, high, expected):
    assert direction(kind, low, high, margin=0.02) == expected


@pytest.mark.parametrize(
    ("sparse", "expected"),
    [
        ([0.501, 0.599, 0.7], "as claimed"),  # as good, and seen to be
        ([0.49, 0.59, 0.689], "as claimed"),  # lower with its whole interval, by less than the margin
        ([0.6, 0.71, 0.8], "as claimed"),
        ([0.9, 0.2, 0.7], "not told apart"),  # too noisy to see
        ([0.45, 0.55, 0.649], "opposite"),
    ],
)
def test_no_lower_is_judged_by_its_margin_and_not_as_superiority(tmp_path, sparse, expected):
    runs = runs_of({"MESM 0.7": sparse, "FE2E": [0.5, 0.6, 0.7]}, "f1_positive")
    folder = folder_with(tmp_path, "end_to_end_sparse", dense_and_sparse=gain_table(runs, "f1_positive", "FE2E"))
    ((claim, rows),) = answers(folder).items()
    assert (claim.kind, claim.margin) == ("no worse", 0.02)
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
    rows = rows.assign(low=0.0, high=0.0, row=0, what="x")
    (one,) = condensed(rows, longest=2).to_dict("records")
    assert (one["value"], one["rows"], one["direction"]) == (3.0, 3, "2 as claimed, 1 opposite")
    assert condensed(rows, longest=3)["rows"].tolist() == [1, 1, 1]
