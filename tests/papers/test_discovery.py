"""Papers are found by folder, and chunks train what the notebook trains."""

import pytest

from lib import papers
from lib.files import WORKSPACE
from lib.papers import schema_for, schemas, study_of
from lib.workflow.runs import Run

SMALL = {
    "bench": {"samples": 120},
    "iemocap_negative_colearning": {"samples": 120},
    "mosi_positive_colearning": {"samples": 120},
    "low_rank_fusion": {"samples": 120},
    "emotion_embeddings": {"samples": 120},
    "self_paced_balance": {"samples": 20},
    "end_to_end_sparse": {"samples": {"train": 24, "valid": 6, "test": 6, "frames": 3}},
    "unseen_emotions": {"samples": 240},
}


def test_every_notebook_has_parameters_in_the_folder_of_a_paper():
    assert set(schemas()) == {path.stem for path in (WORKSPACE / "notebooks").glob("*.ipynb")}
    for schema in schemas().values():
        assert (WORKSPACE / "lib" / "papers" / schema.__module__.split(".")[2] / "__init__.py").is_file()


def test_every_notebook_with_a_grid_is_asked_below():
    assert set(SMALL) == {notebook for notebook, schema in schemas().items() if schema.grid}


@pytest.mark.parametrize("notebook", SMALL)
def test_chunks_train_what_the_notebook_trains_before_any_result_is_there(notebook, monkeypatch, tmp_path):
    run, trained = Run(notebook, "quick"), []

    class Trained(Exception):
        pass

    def sweep_grids(grids, folder, *, cores):
        trained.extend(grids)
        raise Trained

    monkeypatch.setattr("lib.study.sweep_grids", sweep_grids)
    given = papers.load(run.parameters, results=str(tmp_path), data_root="", cores=1)
    p = schema_for(notebook).model_validate(given.model_dump(mode="json") | SMALL[notebook])
    study = study_of(p)
    with pytest.raises(Trained):
        study.train()

    def work(grids):
        return {(corpus.digest, repr(m.as_json())) for corpus, members in grids for m in members}

    assert work(study.grids) == work(trained)
    names = [(m.variant, m.seed) for _, members in study.grids for m in members]
    assert len(set(names)) == len(names) > 0
