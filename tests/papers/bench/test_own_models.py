"""A model of a person's own beside the library's: trained, compared, left out where it does not fit, or refused."""

import numpy as np
import pytest

from lib.errors import InputError
from lib.papers.bench import comparisons, study, tables
from tests.papers.bench.bench_runs import STRATEGIES, given

MEAN = """
import torch
from torch import nn


class Mean(nn.Module):
    def __init__(self, widths, outputs, hidden=4):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(sum(widths.values()), hidden), nn.ReLU(), nn.Linear(hidden, outputs))

    def forward(self, **modalities):
        return self.layers(torch.cat([x.mean(dim=1) for x in modalities.values()], dim=1))
"""
LATE = """

class Late(nn.Module):
    def __init__(self, widths, outputs, hidden=4):
        super().__init__()
        self.encoders = nn.ModuleDict({m: nn.Linear(width, hidden) for m, width in widths.items()})
        self.heads = nn.ModuleDict({m: nn.Linear(hidden, outputs) for m in widths})

    def forward(self, **modalities):
        return self.by_modality(**modalities)[0]

    def by_modality(self, **modalities):
        own = {m: self.heads[m](self.encoders[m](x.mean(dim=1)).tanh()) for m, x in modalities.items()}
        return sum(own.values()), own

    def encoder_parameters(self):
        return {m: list(encoder.parameters()) for m, encoder in self.encoders.items()}
"""
OURS = {"model": "lf_rnn", "hidden": 4}
CORPORA = ["iemocap_like", "mosi_like", "mosei_emotions_like", "iemocap_conversations_like"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def bench(tmp_path):
    """Parameters with classes of one file beside LF-RNN."""

    def of(*classes: str, text: str = MEAN + LATE, **changes):
        (tmp_path / "mine.py").write_text(text)
        own = [{"model": f"{tmp_path}/mine.py:{name}", "options": {"hidden": 6}} for name in classes]
        few = {"of_corpus": {}, "seeds": [0], "samples": 130, "datasets": CORPORA[:3]}
        return given(tmp_path / "results", **few | {"models": [*own, OURS]} | changes)

    return of


def trainings(p, readings, model: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for _, member in study.study(p, readings).members:
        if member.tags["model"] == model:
            found.setdefault(member.tags["dataset"], set()).add(member.tags["strategy"])
    return found


def test_it_has_the_strategies_that_ours_of_the_same_kind_has(bench):
    """LF-RNN gives each modality's own outputs and has an encoder of each; a plain model has neither."""
    p = bench("Mean", "Late")
    readings = study.load(p)
    assert trainings(p, readings, "Late") == trainings(p, readings, "LF-RNN")
    assert trainings(p, readings, "Mean") == {name: {"plain", "modality dropout 0.5"} for name in CORPORA[:3]}
    missed = study.missed(p, readings)
    mine = missed[(missed["model"] == "Mean") & (missed["dataset"] == "iemocap_like")].set_index("strategy")["why"]
    assert mine["OGM-GE 0.5"].startswith("Mean has no encoder per modality under linear layers alone")
    assert mine["unimodal losses 0.5"].startswith("Mean gives no outputs of each modality alone")


def test_dialogues_are_not_for_it(bench):
    few = {"of_corpus": {"iemocap_conversations_like": {"samples": 20}}, "datasets": [CORPORA[0], CORPORA[3]]}
    missed = study.missed(p := bench("Mean", **few), study.load(p))
    (row,) = missed[(missed["model"] == "Mean") & (missed["dataset"] == CORPORA[3])].to_dict("records")
    assert row["why"] == "reads single utterances, the corpus has dialogues"


def test_tables_hold_it_beside_ours_and_every_strategy_trains_it(bench):
    p = bench("Late", datasets=["iemocap_like"], samples=60, seeds=[0, 1])
    runs = study.study(p).train()
    assert {record.status for record in runs.records} == {"finished"}
    outputs = comparisons.by_subset(study.asked(runs), 2)
    plain, *others = [record.outputs["test"] for record in runs.records if "Late" in record.variant and not record.seed]
    assert len(others) == len(STRATEGIES) - 1  # SPCL needs dialogues
    assert not any(np.array_equal(plain, other) for other in others)
    for table in (
        tables.scores(runs),
        tables.costs(runs),
        tables.without_scores(runs, outputs),
        comparisons.over_plain(p, runs),
    ):
        assert set(table["model"]) == {"Late", "LF-RNN"}
    weights = tables.costs(runs).set_index("variant")["parameters"]
    widths = study.load(p)[0].task.corpus.modalities
    classes = len(runs.study.tasks[0].corpus.label_names)
    assert weights["iemocap_like: Late, plain"] == sum(6 * (w + 1) + classes * (6 + 1) for w in widths.values())


def test_what_its_trial_refuses_ends_the_run_and_names_the_corpus(bench):
    p = bench("Mean", text=MEAN.replace("nn.Linear(hidden, outputs)", "nn.Linear(hidden, 1)"), datasets=CORPORA[1::-1])
    with pytest.raises(InputError, match=r"mine\.py:Mean on iemocap_like: forward returns float32 \(4, 1\), expected"):
        study.study(p)


def test_an_option_that_its_constructor_does_not_take_is_refused(bench):
    p = bench("Mean", text=MEAN.replace(", hidden=4", "").replace("hidden", "8"), datasets=["iemocap_like"])
    with pytest.raises(InputError, match=r"constructor fails with widths, outputs and the options given: .*hidden"):
        study.study(p)
