"""docs/own_corpus.md, followed to the letter in a copy of the repository."""

import pandas as pd
import pytest

from tests.docs.clone import ROOT, workspace_copy
from tests.docs.test_add_a_paper import follow, steps

PAGE = ROOT / "docs" / "own_corpus.md"


def test_the_page_is_short_and_names_each_file_that_it_makes():
    text = PAGE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert [path for path, _ in steps(text) if path] == [
        "reviews/make.py",
        "reviews/corpus.yaml",
        "params/iemocap_negative_colearning/reviews.yaml",
        "params/bench/reviews.yaml",
    ]


@pytest.mark.slow
def test_three_tables_become_tables_of_gains(tmp_path):
    root = workspace_copy(tmp_path / "clone")
    brought, _, printed = follow(PAGE.read_text(encoding="utf-8"), root)
    assert "test: 96 samples of 12 speakers; negative 48 (50%), positive 48 (50%)\n" in brought
    assert "!" not in brought
    results = root / "results" / "iemocap_negative_colearning" / "reviews"
    gains = pd.read_csv(results / "tables" / "gain_acc_over_audio_only.csv")
    assert set(gains["variant"]) == {"rate 0", "rate 0.8"}
    assert gains["n"].eq(3).all()
    assert gains["gain"].notna().all()
    assert "SYNTHETIC" in (results / "tables" / "gain_acc_over_audio_only.md").read_text(encoding="utf-8")
    gains = pd.read_csv(root / "results" / "bench" / "reviews" / "tables" / "gains.csv")
    compared = {("LF-RNN", "modality dropout 0.3"), ("LF-RNN", "unimodal losses 0.5"), ("LMF", "modality dropout 0.3")}
    assert set(zip(gains["model"], gains["strategy"], strict=True)) == compared
    assert gains["combined_p"].notna().all() and gains["n"].eq(3).all()
    assert all(f"| {model} | {strategy} |" in printed for model, strategy in compared)
    missed = pd.read_csv(root / "results" / "bench" / "reviews" / "tables" / "not_run.csv")
    assert missed[["model", "strategy"]].to_numpy().tolist() == [["LMF", "unimodal losses 0.5"]]
