"""What is refused before a grid is trained."""

from dataclasses import replace

import numpy as np
import pytest

from lib.data.corpus import Corpus
from lib.errors import InputError
from lib.training.records import DIVERGED, FAILED, FINISHED, UNSELECTED, ending
from lib.training.run import Outcome
from lib.training.sweep import sweep
from lib.training.trainable import refuse_untrainable
from tests.training.small import RECIPE, corpus, member


def emotions() -> Corpus:
    """The last of three emotions is in no training sample."""
    classes = corpus()
    splits = {name: replace(s, labels=np.eye(3, dtype=np.float32)[s.labels]) for name, s in classes.splits.items()}
    splits["train"].labels[:, 2] = 0
    return replace(classes, task="multilabel", label_names=("joy", "anger", "fear"), splits=splits)


def test_a_minibatch_larger_than_the_corpus_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(InputError, match="small, train split: 30 training samples do not fill one batch of 64; choose"):
        sweep([member("good"), member("large", batch_size=64)], corpus(), tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))
    refuse_untrainable([member(batch_size=64, drop_last=False)], corpus())


@pytest.mark.parametrize("size", [1, 29])
def test_a_batch_of_one_with_batch_norm_is_refused(size):
    with pytest.raises(InputError, match=f"last batch of one at batch size {size}; batch norm needs two"):
        refuse_untrainable([member(batch_size=size, drop_last=False)], corpus())


def test_an_emotion_without_a_training_sample_is_named():
    with pytest.raises(InputError, match="no training sample shows fear"):
        refuse_untrainable([member(loss="bce")], emotions())
    refuse_untrainable([member(loss="soft_cross_entropy")], emotions())


NAN = float("nan")


@pytest.mark.parametrize(
    ("history", "said"),
    [
        ({"train_loss": [1.0, NAN], "valid_loss": [NAN, NAN]}, (DIVERGED, "no finite validation loss in 2 epochs")),
        (
            {"train_loss": [1.0, NAN], "valid_loss": [1.0, NAN]},
            (DIVERGED, "the loss left the finite numbers in epoch 2"),
        ),
        (
            {"train_loss": [1.0], "valid_loss": [1.0]},
            (UNSELECTED, "no defined validation weighted accuracy in 1 epoch"),
        ),
    ],
)
def test_a_run_without_an_epoch_says_why(history, said):
    assert ending(Outcome(history=history), replace(RECIPE, select_by="weighted_acc")) == said


def test_a_failed_and_a_finished_run():
    assert ending(Outcome(failure="MemoryError: "), RECIPE) == (FAILED, "MemoryError: ")
    assert ending(Outcome(best_epoch=0), RECIPE) == (FINISHED, "")
