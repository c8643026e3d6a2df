"""What each paper's models rely on: which runs are asked, by which score, and what the section leaves behind."""

from pathlib import Path

import pandas as pd
import pytest

from lib.papers import self_paced_balance as spcl
from lib.papers import (
    spcl_modalities,
    spcl_tables,
)
from lib.reporting import modality_section, modality_share
from lib.training.trained import ZEROS
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
