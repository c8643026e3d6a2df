"""Every training that this checkout has records of, exported and asked: the recorded outputs, bit for bit.

Records are not in the repository: this asks whatever runs have been done here, on real data where it is there.
"""

import numpy as np
import pytest

from lib.data.corpus import Corpus
from lib.errors import InputError
from lib.export.corpora import by_name
from lib.export.loading import load_trained
from lib.export.writing import export
from lib.papers import load, study_of
from lib.study import Runs, Task
from lib.workflow.runs import Run, known_runs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3300)]
RECORDED = [run for run in known_runs() if any((run.folder / "members").glob("*.weights.safetensors"))]


def recorded(run: Run) -> Runs:
    """Skips without its data, and where its answers are not those of single networks that read features."""
    try:
        runs = study_of(load(run.parameters, results=run.results, data_root="", cores=1)).recorded()
    except InputError as error:
        pytest.skip(str(error))
    if any(type(task) is not Task or not isinstance(task.corpus, Corpus) for task in runs.study.tasks):
        pytest.skip("cannot be exported")
    if not runs.done:
        pytest.skip("records of other settings or code")
    return runs


@pytest.mark.parametrize("run", RECORDED, ids=str)
def test_every_variant_of_a_run_gives_the_recorded_test_outputs(run, tmp_path):
    runs = recorded(run)
    (name, *others) = runs.study.p.corpora()
    for number, record in enumerate(record for record in runs.records if record.scored):
        folder = export(runs, run.notebook, run.name, record.variant, record.seed, tmp_path / str(number))
        model = load_trained(folder)
        if "cpu" in record.engine:
            assert model.about.training.largest_difference == 0, (record.variant, record.seed)
    utterances, same = by_name(model.about, name, "test")
    assert same or others
    if same and "cpu" in record.engine:
        assert np.array_equal(model.outputs(utterances), record.outputs["test"])
