"""Chunks train what the notebook would: the same members on the same data, before what depends on results."""

import pytest

from lib import papers
from lib.papers import (
    grids,
    schemas,
    self_paced_balance,
    unseen_emotions,
)
from lib.training import sweep as common
from lib.workflow.runs import Run

SMALL = {
    "self_paced_balance": {"samples": 20},
    "unseen_emotions": {"samples": 240},
}


def test_every_notebook_with_a_grid_is_known():
    assert set(SMALL) <= set(grids.GRIDS) <= set(schemas())


def trained_by_notebook(notebook, p, monkeypatch):
    """(corpus, members) of every sweep that the notebook's own training calls before any result is there."""
    calls = []

    def sweep(members, corpus, folder, **options):
        calls.append((corpus, list(members)))
        return []

    modules = {
        "self_paced_balance": self_paced_balance,
        "unseen_emotions": unseen_emotions,
    }
    module = modules[notebook]
    called_by = common if module is self_paced_balance else module
    monkeypatch.setattr(called_by, "sweep", sweep)
    if module is unseen_emotions:
        unseen_emotions.train_all(p, unseen_emotions.plan(p, unseen_emotions.load_cases(p)))
    elif module is self_paced_balance:
        module.train_all(p, module.load_corpora(p))
    else:
        # The records are looked up by member afterwards, and here there are none.
        tasks = module.load_tasks(p)
        for task in tasks:
            with pytest.raises(KeyError):
                module.train_all(p, [task])
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
    assert work(found) == work(trained_by_notebook(notebook, p, monkeypatch))
    names = [(m.variant, m.seed) for _, members in found for m in members]
    assert len(set(names)) == len(names)
