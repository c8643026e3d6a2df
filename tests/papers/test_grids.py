"""Chunks train what the notebook would: the same members on the same data, before what depends on results."""

import pytest

from lib import papers
from lib.papers import grids
from lib.papers.end_to_end import StandIn
from lib.workflow.runs import Run

SMALL = {
    "iemocap_negative_colearning": {"samples": 120},
    "mosi_positive_colearning": {"samples": 120},
    "low_rank_fusion": {"samples": 120},
    "emotion_embeddings": {"samples": 120},
    "self_paced_balance": {"samples": 20},
    "end_to_end_sparse": {"samples": StandIn(train=24, valid=6, test=6, frames=3)},
    "unseen_emotions": {"samples": 240},
}


def test_every_notebook_with_a_grid_is_known():
    assert set(SMALL) == set(grids.GRIDS) < set(papers.schemas())


def work(found):
    """What is trained on what, without order or repetition."""
    return {(corpus.digest, repr(m.as_json())) for corpus, members in found for m in members}


@pytest.mark.parametrize("notebook", SMALL)
def test_chunks_train_what_the_notebook_trains(notebook, monkeypatch, tmp_path):
    run = Run(notebook, "quick")
    given = papers.load(run.parameters, results=str(tmp_path), data_root="", cores=1)
    p, trained = given.model_copy(update=SMALL[notebook]), []

    def sweep_grids(found, folder, **options):
        trained.extend(found)
        return []

    monkeypatch.setattr("lib.study.sweep_grids", sweep_grids)
    with pytest.raises(KeyError):  # the records are looked up afterwards, and here there are none
        papers.study_of(p).train()
    found = grids.grids(notebook, p)
    assert work(found) == work(trained)
    names = [(m.variant, m.seed) for _, members in found for m in members]
    assert len(set(names)) == len(names)
