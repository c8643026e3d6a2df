"""What each paper's models rely on: which runs are asked, by which score, and what the section leaves behind."""

from pathlib import Path

import pandas as pd
import pytest

from lib.papers import emotion_embeddings as eea
from lib.papers import (
    emotion_embeddings_modalities,
    spcl_modalities,
    spcl_tables,
)
from lib.papers import emotion_embeddings_tables as eea_tables
from lib.papers import self_paced_balance as spcl
from lib.reporting import modality_section, modality_share
from lib.training.trained import ZEROS
from tests.papers import test_emotion_embeddings as eea_small
from tests.papers import test_self_paced_balance as spcl_small


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))


def check(runs, table, metric, models, how):
    """The runs are those of the models, and with everything present they score what the run table says."""
    assert {run.name for run in runs} == set(models)
    scores = table[(table["metric"] == metric) & (table["split"] == "test")].set_index(["variant", "seed"])["value"]
    for run in runs:
        assert run.absence == how
        if run.recipe.loss != "l1":  # the co-learning tests withhold modalities, so their scores are others
            assert run.plain() == scores[run.name, run.seed]


def test_self_paced_balance_asks_every_backbone_on_its_seeds_corpus(tmp_path):
    p = spcl_small.given(results=str(tmp_path), mends=[], mend_subsets=[])
    corpora = spcl.load_corpora(p)
    records = spcl.train_all(p, corpora)
    runs = spcl_modalities.asked(p, corpora, records)
    models = ["BiDDIN atv", "BiDDIN atv + SPCL", "MMGCN atv", "MMGCN atv + SPCL"]
    check(runs, spcl_tables.scores(p, corpora, records), "weighted_f1", models, ZEROS)
    assert sorted({run.seed for run in runs}) == [0, 1]


def test_emotion_embeddings_ask_the_trained_networks_and_the_ones_trained_again(tmp_path):
    p = eea_small.given(results=str(tmp_path), models=["eea", "ef_rnn", "lf_rnn"], contrasts=[])
    task = eea_small.IEMOCAP
    records = eea.train_all(p, [task])
    table = eea_tables.scores(p, [task], records)
    runs = emotion_embeddings_modalities.asked(p, task, records, table)
    best = eea_tables.best_baseline(p, task, table)
    check(runs, table, "acc", [task.variant("EEA"), task.variant(best)], ZEROS)
    again = emotion_embeddings_modalities.retrained(p, task, table, floor=0.75)
    scores = table[(table["metric"] == "acc") & (table["split"] == "test")].groupby("variant")["value"].mean()
    assert again["share_mean"].sum() == pytest.approx(scores["IEMOCAP: EEA"] - 0.75)
    assert set(again["score_none"]) == {0.75}
    options = {"label": task.corpus.source.label, "noise": (0, 1), "missing": (1,), "suffix": "_iemocap"}
    shown = modality_section.write(runs, "acc", tmp_path, retrained=again, **options)
    shares = pd.read_csv(tmp_path / "tables" / "modality_share_iemocap.csv")
    assert list(shares["model"].unique()) == [*dict.fromkeys(run.name for run in runs), "IEMOCAP: EEA, trained again"]
    told = next(text for text in shown if isinstance(text, str) and text.startswith("Absent from"))
    assert "Absent from IEMOCAP: EEA, trained again: not in training either" in told
    without = p.model_copy(update={"ablation": False})
    assert emotion_embeddings_modalities.retrained(without, task, table, 0.75).empty
    assert modality_section.write(runs, "acc", tmp_path / "b", retrained=pd.DataFrame(), **options)


def test_sentences_say_where_the_interval_lies():
    columns = modality_share.COLUMNS
    rows = [
        ("m", "text", 0.2, 0.1, 0.3, 5, "acc"),
        ("m", "audio", -0.2, -0.3, -0.1, 5, "acc"),
        ("m", "video", 0.0, -0.1, 0.1, 5, "acc"),
        ("one", "text", 0.2, float("nan"), float("nan"), 1, "acc"),
    ]
    several, one = modality_section.sentences(pd.DataFrame(rows, columns=columns))
    assert several == "m: text brings most (+0.2000); the interval lies above 0 for text, below 0 for audio."
    assert one == "one: text brings most (+0.2000); one seed, so no interval."


def test_nothing_finished_nothing_written(tmp_path):
    assert modality_section.write([], "acc", tmp_path, label="x, real data") == []
    assert not list(Path(tmp_path).iterdir())
