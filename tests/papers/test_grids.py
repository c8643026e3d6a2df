"""Chunks train what the notebook would: the same members on the same data, before what depends on results."""

import pytest

from lib import papers
from lib.papers import grids, schemas, unseen_emotions
from lib.workflow.runs import Run

SMALL = {"unseen_emotions": {"samples": 240}}


def test_every_notebook_with_a_grid_is_known():
    assert set(SMALL) <= set(grids.GRIDS) <= set(schemas())


def trained_by_notebook(p, monkeypatch):
    """(corpus, members) of every sweep that the notebook's own training calls before any result is there."""
    calls = []

    def sweep(members, corpus, folder, **options):
        calls.append((corpus, list(members)))
        return []

    monkeypatch.setattr(unseen_emotions, "sweep", sweep)
    unseen_emotions.train_all(p, unseen_emotions.plan(p, unseen_emotions.load_cases(p)))
    return calls


def work(found):
    """What is trained on what, without order or repetition."""
    return {(corpus.digest, repr(m.as_json())) for corpus, members in found for m in members}


@pytest.mark.parametrize("notebook", SMALL)
def test_chunks_train_what_the_notebook_trains(notebook, monkeypatch, tmp_path):
    run = Run(notebook, "quick")
    given = papers.load(run.parameters, results=str(tmp_path), data_root="", cores=1)
    p = given.model_copy(update=SMALL[notebook])
    found = grids.grids(notebook, p)
    assert work(found) == work(trained_by_notebook(p, monkeypatch))
    names = [(m.variant, m.seed) for _, members in found for m in members]
    assert len(set(names)) == len(names)
