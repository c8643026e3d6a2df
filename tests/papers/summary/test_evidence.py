"""What kind of evidence a run is, from its manifest, its corpora and what its paper used."""

from pathlib import Path

import pandas as pd
import pytest

from lib import papers
from lib.data import corpora
from lib.papers import schemas
from lib.papers.summary.evidence import KINDS, as_markdown, evidence, kind, with_table
from lib.papers.summary.page import page
from lib.papers.summary.tables import claims_table
from lib.reporting.result_folders import ResultFolder, read_folder
from tests.docs.clone import ROOT
from tests.papers.summary.kept_results import RESULTS, kept_runs

ALL = ("text", "audio", "video")


def run(notebook: str, dataset: object, *modalities: str, state: str = "real partial", **more: object) -> ResultFolder:
    params = more | ({"datasets": dataset} if isinstance(dataset, list) else {"dataset": dataset})
    about = {"run": {"params": params, "modalities": list(modalities), "seeds": [0], "selected_on": {}}}
    about |= {"data": [], "code": {"commit": "abcdef0", "dirty": False}, "volatile": {"durations": {}}}
    return ResultFolder(notebook, "r", Path("nowhere"), state, about)


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        (run("low_rank_fusion", "mosi_lmf", *ALL), "the paper's corpus, all modalities"),
        (run("low_rank_fusion", "mosi_words", "text", "audio"), "the paper's corpus, without video"),
        (run("low_rank_fusion", "pom", "audio", "video"), "the paper's corpus, without text"),
        (run("low_rank_fusion", "ravdess", "audio", "video"), "another real corpus, without text"),
        (run("end_to_end_sparse", "mosei_raw", "text"), "the paper's corpus, without audio and video"),
        (
            run("end_to_end_sparse", "ravdess_frames_raw", *ALL, handcrafted_alone=["video"]),
            "another real corpus, without video",
        ),
        (run("emotion_embeddings", ["mosei_emotions"], "text", "audio"), "the paper's corpus, without video"),
        (run("emotion_embeddings", ["mosei_text", "meld_text"], *ALL), "another real corpus, all modalities"),
        (run("self_paced_balance", "mosi_conversations", *ALL), "another real corpus, all modalities"),
        (run("mosi_positive_colearning", "mmmo", *ALL), "another real corpus, all modalities"),
        (run("low_rank_fusion", "mosi_lmf_like", "text", state="stand-in"), "SYNTHETIC stand-in"),
        (run("low_rank_fusion", "mosi_words"), "the paper's corpus"),
        (run("low_rank_fusion", "a corpus that was renamed", "text"), ""),
        (ResultFolder("low_rank_fusion", "r", Path("nowhere"), "not run"), ""),
    ],
)  # fmt: skip
def test_kind_and_lacking_modalities_follow_from_the_manifest(folder, said):
    assert evidence(folder) == said


def test_every_paper_says_which_recordings_it_used():
    families = {description.family for description in corpora.CORPORA.values()}
    for notebook, schema in schemas().items():
        own = papers.paper_data(notebook)
        assert bool(own) == (notebook not in ("bench", "explore", "summary")), notebook
        assert set(own) <= families and all(modalities for modalities in own.values()), schema
    assert papers.paper_data("no such notebook") == {}


def test_the_corpora_with_published_numbers_are_the_papers_own():
    known = {description.family for description in corpora.CORPORA.values()}
    for notebook, schema in schemas().items():
        path = ROOT.joinpath(*schema.__module__.split("."), "published.csv")
        named = set(pd.read_csv(path)["corpus"]) & known if path.exists() else set()
        assert named <= set(papers.paper_data(notebook)), notebook
        assert named or not path.exists()


def test_every_kept_run_has_a_kind_in_tables_and_on_the_page():
    folders = [read_folder(RESULTS, *each) for each in kept_runs()]
    folders = [folder for folder in folders if folder.notebook != "summary"]
    assert {kind(folder) for folder in folders} == {"the paper's corpus", "another real corpus"}
    table = claims_table(folders)
    assert table["evidence"].ne("").all()
    text = page(folders)
    assert all(f">{each}</dt>".replace("'", "&#39;") in text for each in KINDS)
    for folder in folders:
        assert f"<small>({evidence(folder)})</small>".replace("'", "&#39;") in text


def test_the_table_of_the_readme_is_that_of_the_kept_runs():
    """`python -m lib.papers.summary.evidence` writes it."""
    folders = [read_folder(RESULTS, *each) for each in kept_runs()]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_table(readme, folders) == readme
    assert "| `quick`" not in as_markdown(folders)
