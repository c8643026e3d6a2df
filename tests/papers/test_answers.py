"""What a task says a run answered is what its scores are computed from."""

import numpy as np
import pytest

from lib.data import clusters
from lib.metrics.left_out import left_out
from lib.papers.colearning import study as colearning
from lib.papers.self_paced_balance import study as self_paced
from lib.study import Task
from tests.training.small import corpus
from tests.training.test_objectives import conversations

TASKS = {"co-learning": lambda: colearning.task(corpus()), "SPCL": lambda: self_paced.task(conversations())}


@pytest.mark.parametrize("name", TASKS)
def test_without_a_unit_that_does_not_count_a_score_is_the_score(name):
    """A sample of weight nothing cannot be made, so one unit is doubled: without its copy the rest is the test set."""
    task: Task = TASKS[name]()
    data = task.corpus
    _, of = clusters.units(data.source, data.splits["test"])
    outputs = np.random.default_rng(0).normal(size=(len(of), len(data.label_names)))
    answers = task.answers({"test": outputs})
    assert len(answers.labels) == len(of)
    scores = task.score("test", outputs)
    more = type(answers)(*(np.concatenate([x, x[:1]]) for x in (answers.logits, answers.labels, answers.predicted)))
    groups = np.append(np.zeros(len(of), np.int64), 1)
    for metric in task.metrics:
        assert left_out(metric, more, groups)[1] == pytest.approx(scores[metric])
