"""A corpus with several scores of an utterance: co-learning's models say one, and refuse it before they are trained."""

from dataclasses import replace

import numpy as np
import pytest

from lib.data.corpus import Scale
from lib.errors import InputError
from lib.papers.colearning import study as colearning
from tests.training.small import corpus


def scored(*names: str):
    classes = corpus()
    labels = {name: np.linspace(-1, 1, len(s) * len(names)).reshape(len(s), -1) for name, s in classes.splits.items()}
    flat = len(names) == 1
    splits = {
        name: replace(s, labels=labels[name][:, 0] if flat else labels[name]) for name, s in classes.splits.items()
    }
    return replace(classes, task="regression", label_names=names, splits=splits, scale=Scale((-1.0, 1.0), neutral=None))


def test_two_scores_are_refused_in_one_line():
    with pytest.raises(InputError) as refusal:
        colearning.task(scored("pleasure", "arousal"))
    assert str(refusal.value) == (
        "small: 2 scores of an utterance (pleasure, arousal); co-learning's models say one: import a corpus with one "
        "label, or use the bench"
    )


def test_one_score_is_taken():
    assert colearning.task(scored("pleasure")).metrics == ("mae",)
