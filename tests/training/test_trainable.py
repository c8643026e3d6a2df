"""What is refused before a grid is trained."""

import re
from dataclasses import replace

import numpy as np
import pytest

from lib.data.corpus import Corpus
from lib.errors import InputError
from lib.training.recipe import ModelSpec, ModulationSpec, SelfPacedSpec
from lib.training.records import DIVERGED, FAILED, FINISHED, UNSELECTED, ending
from lib.training.run import Outcome
from lib.training.sweep import sweep
from lib.training.trainable import refuse_unbalanceable, refuse_untrainable
from tests.training.small import RECIPE, corpus, member
from tests.training.test_gradient_modulation import lf_rnn
from tests.training.test_objectives import talker

NAN = float("nan")


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


BOTH = {"modulation": ModulationSpec(0.5), "unimodal_weights": {"text": 1.0}}
PACED = {"curriculum": SelfPacedSpec(0.5, 1.2), "modulation": ModulationSpec(0.5)}


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (
            member(modulation=ModulationSpec(0.5)),
            "BiEFLSTM has no encoder per modality under linear layers alone, as gradient modulation needs; choose a",
        ),
        (
            member(unimodal_weights={"text": 1.0}),
            "BiEFLSTM gives no outputs of each modality alone, as unimodal",
        ),
        (
            lf_rnn(loss="bce", modulation=ModulationSpec(0.5)),
            "gradient modulation asks for the true class's probability, and bce has none; use a corpus of classes",
        ),
        (
            replace(lf_rnn(modulation=ModulationSpec(0.5)), train_on=("text",)),
            "gradient modulation compares modalities; train on at least two",
        ),
        (lf_rnn(modulation=ModulationSpec(-0.1)), "an alpha of -0.1; give a number from 0"),
        (lf_rnn(modulation=ModulationSpec(NAN)), "an alpha of nan; give"),
        (lf_rnn(loss="l1", unimodal_weights={"text": 1.0}), "unimodal losses are of logits, and l1 is of scores"),
        (
            replace(lf_rnn(unimodal_weights={"video": 1.0}), train_on=("text", "audio")),
            "a unimodal loss of video, which is not trained on; name",
        ),
        (lf_rnn(unimodal_weights={"text": -1.0}), "unimodal losses weighted {'text': -1.0}; give numbers from 0"),
        (lf_rnn(**BOTH), "two of curriculum, gradient modulation and unimodal losses at once; choose one"),
        (lf_rnn(**PACED), "two of curriculum, gradient modulation and unimodal losses at once; choose one"),
        (
            replace(talker(modulation=ModulationSpec(0.5)), model=ModelSpec("mmgcn:MMGCN", {})),
            "MMGCN has no encoder per modality",  # its graph mixes them
        ),
        (
            replace(talker(modulation=ModulationSpec(0.5)), model=ModelSpec("biddin:BiDDIN", {})),
            "BiDDIN has no encoder per modality",  # its recurrence is one module for all
        ),
        (
            replace(lf_rnn(modulation=ModulationSpec(0.5)), model=ModelSpec("concatenation:Concatenation", {})),
            "Concatenation has no encoder per modality under linear layers alone",  # its head has ReLU layers
        ),
    ],
)
def test_a_strategy_without_a_meaning_is_refused_in_one_line(member, said):
    with pytest.raises(InputError, match=re.escape(said)):
        refuse_unbalanceable(member)


def test_a_strategy_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(InputError, match=r"^bad: BiEFLSTM has no encoder"):
        sweep([member("good"), member("bad", modulation=ModulationSpec(0.5))], corpus(), tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


@pytest.mark.parametrize(
    "member",
    [
        member(),
        lf_rnn(modulation=ModulationSpec(0.0)),
        lf_rnn(loss="bce", unimodal_weights={"text": 1.0}),
        talker(modulation=ModulationSpec(0.5)),
        replace(talker(unimodal_weights={"text": 1.0}), model=ModelSpec("biddin:BiDDIN", {})),
        replace(talker(modulation=ModulationSpec(0.5)), model=ModelSpec("dialogue_gcn:DialogueGCN", {})),
    ],
)
def test_a_strategy_with_a_meaning_is_taken(member):
    refuse_unbalanceable(member)


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
