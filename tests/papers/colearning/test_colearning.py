"""Co-learning as a study: its grid, its scale, its confusion matrices, its shares."""

import numpy as np
import pandas as pd
import pytest

from lib import params
from lib.metrics import scores
from lib.papers.colearning import MosiColearning
from lib.papers.colearning import study as colearning
from lib.reporting import modality_section, modality_share, robustness
from lib.training.trained import ZEROS

MOSI = {
    "samples": 120,
    "dataset": "mosi_like",
    "target": ["text"],
    "support": ["audio", "video"],
    "rates": [0, 0.4, 0.8],
    "seeds": [0, 1],
    "epochs": 1,
    "batch_size": 32,
    "learning_rate": 0.005,
    "hidden": [4, 4, 4],
    "memory": 4,
    "widths": [4] * 5,
    "dropouts": [0.0] * 5,
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))


def given(folder, **changes):
    return params.check(MosiColearning, MOSI | {"results": str(folder)} | changes, where="test")


def test_the_grid_is_per_seed_the_rates_and_then_the_unimodal_variant(tmp_path):
    study = colearning.study(given(tmp_path, seeds=[0, 1]))
    names = ["rate 0", "rate 0.4", "rate 0.8", "text only"]
    assert [(m.seed, m.variant) for _, m in study.members] == [(seed, name) for seed in (0, 1) for name in names]
    assert [m.train_on for _, m in study.members[:4]] == [("text", "audio", "video")] * 3 + [("text",)]
    assert all(m.evaluate_on == ("text",) for _, m in study.members)
    ((corpus, members),) = study.grids
    assert corpus is study.tasks[0].corpus
    assert members == [m for _, m in study.members]


def test_scores_without_each_unit_are_those_of_the_other_samples(tmp_path):
    study = colearning.study(given(tmp_path))
    runs, labels = study.train(), study.tasks[0].corpus.splits["test"].labels
    for metric in study.tasks[0].metrics:
        left = runs.without_units(metric)
        assert set(left) == {(record.variant, record.seed) for record in runs.records}
        record = runs.records[0]
        of_record = left[record.variant, record.seed]
        assert of_record.unit == "utterance" and len(of_record.names) == len(labels)
        last = study.tasks[0].corpus.splits["test"].ids.index(of_record.names[-1])
        others = np.delete(np.arange(len(labels)), last)
        expected = scores.regression(record.outputs["test"][others, 0], labels[others])[metric]
        assert of_record.scores[-1] == pytest.approx(expected)


def test_a_confusion_matrix_says_how_many_seeds_it_sums(tmp_path):
    study = colearning.study(given(tmp_path, seeds=[0, 1]))
    runs, task = study.train(), study.tasks[0]
    whole = dict(runs.confusion(task, ["rate 0"]))["rate 0"]
    assert whole.sum() == 2 * len(task.corpus.splits["test"])
    task_, member, record = runs.done[0]
    lost = type(record)(**vars(record) | {"status": "diverged", "reason": "no finite loss", "outputs": {}})
    ((title, half),) = type(runs)(study, [(task_, member, lost), *runs.done[1:]]).confusion(task, ["rate 0"])
    assert title == "rate 0 (1 of 2 seeds)"
    assert half.sum() == len(task.corpus.splits["test"])
    assert task.classes.names == ("-3", "-2", "-1", "0", "+1", "+2", "+3")


def test_shares_and_robustness_of_the_rates_0_and_contrast(tmp_path):
    p = params.check(MosiColearning, MOSI | {"results": str(tmp_path)}, where="test")
    study = colearning.study(p)
    done = study.train()
    runs = done.trained(["rate 0", "rate 0.8"])
    assert {run.name for run in runs} == {"rate 0", "rate 0.8"}
    assert {run.absence for run in runs} == {ZEROS}
    kept = {"audio": True, "video": True}
    for run in runs:
        record = next(r for r in done.records if (r.variant, r.seed) == (run.name, run.seed))
        assert np.array_equal(run.outputs(kept), record.outputs["test"])

    label = study.label
    shown = modality_section.write(runs, "acc2_nonneg", tmp_path, label=label, noise=(0, 1), missing=(0, 1))
    shares, curves = (pd.read_csv(tmp_path / "tables" / f"{name}.csv") for name in ("modality_share", "robustness"))
    assert tuple(shares.columns[:7]) == modality_share.COLUMNS
    assert tuple(curves.columns[:9]) == robustness.COLUMNS
    assert set(shares["corpus"]) == set(curves["corpus"]) == {label}
    assert len(shares) == 2 * 3
    assert len(curves) == 2 * 3 * 4
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert drawn == {
        f"{n}.{e}" for n in ("modality_share", "robustness_noise", "robustness_missing") for e in ("png", "svg")
    }
    texts = [item for item in shown if isinstance(item, str)]
    assert len(shown) - len(texts) == 3
    most = shares.loc[shares.loc[shares["model"] == "rate 0", "share_mean"].idxmax()]
    told = f"- rate 0: {most['modality']} brings most ({most['share_mean']:+.4f}); "
    assert sum(text.startswith(told) for text in texts) == 1
