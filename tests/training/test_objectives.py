"""What a run minimises and what selects its epoch, through the whole loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lib.data.corpus import Corpus, Source, Split
from lib.errors import InputError
from lib.training import records
from lib.training.engine import jobs
from lib.training.fleet import train_fleet
from lib.training.loop import Checkpoint, train
from lib.training.recipe import Member, ModelSpec, Recipe, SelfPacedSpec
from lib.training.streams import SeededStreams
from lib.training.sweep import sweep
from lib.training.validation import validation_score
from tests.training.small import EFLSTM, WIDTHS, corpus, member

LATE_FUSION = ModelSpec(
    "late_fusion:LateFusion", {"input_sizes": WIDTHS, "classes": 3, "hidden": 4, "layers": 1, "feedforward": 8}
)
CONVERSATIONS = Recipe(
    loss="cross_entropy",
    epochs=4,
    batch_size=3,
    learning_rate=0.01,
    clip_norm=2.0,
    ties="earlier",
    select_by="weighted_f1",
    reshuffle=True,
    drop_last=False,
    evaluation_batch=3,
    plateau_patience=None,
)


def conversations() -> Corpus:
    rng, splits = np.random.default_rng(0), {}
    for name, n in (("train", 7), ("valid", 4), ("test", 5)):
        lengths = rng.integers(1, 6, size=n)
        real = np.arange(5) < lengths[:, None]
        labels = np.where(real, rng.integers(3, size=(n, 5)), -1)
        features = {m: rng.normal(size=(n, 5, w)).astype(np.float32) * real[..., None] for m, w in WIDTHS.items()}
        features["text"][..., 0] += labels * real
        speakers = np.where(real, rng.integers(2, size=(n, 5)), -1)
        features = {m: x.astype(np.float32) for m, x in features.items()}
        splits[name] = Split(features, lengths, labels, tuple(f"{name}{i}" for i in range(n)), speakers)
    return Corpus("classes", ("a", "b", "c"), WIDTHS, splits, Source("talk", True, {}, "none", "random"))


def multilabel(never: int | None = None) -> Corpus:
    whole = corpus()
    splits = {
        name: replace(split, labels=np.eye(3, dtype=np.float32)[split.labels]) for name, split in whole.splits.items()
    }
    for split in splits.values():
        split.labels[::4, 0] = 1.0
        if never is not None:
            split.labels[:, never] = 0.0
    return replace(whole, task="multilabel", splits=splits)


def talker(variant: str = "plain", seed: int = 0, **recipe) -> Member:
    both = ("text", "audio", "video")
    return Member(variant, seed, LATE_FUSION, replace(CONVERSATIONS, **recipe), train_on=both, evaluate_on=both)


def run(one: Member, data: Corpus, **options):
    splits = {name: data.batches(name) for name in data.splits}
    return train(one, splits, SeededStreams(one.seed), **options)


def test_a_curriculum_that_is_off_is_plain_training_bit_for_bit():
    plain = run(talker(), conversations())
    off = run(talker(curriculum=SelfPacedSpec(0.3, 1.2, enabled=False)), conversations())
    on = run(talker(curriculum=SelfPacedSpec(0.3, 1.2)), conversations())
    assert all(torch.equal(plain.best_state[k], off.best_state[k]) for k in plain.best_state)
    assert plain.history.items() <= off.history.items()
    assert plain.history["train_loss"] != on.history["train_loss"]
    assert on.history["threshold"] == pytest.approx([0.3, 0.36, 0.432, 0.5184])
    assert set(off.history) - set(plain.history) == {"selected_share", "ratio_text", "ratio_audio", "ratio_video"}


def test_dialogues_are_selected_by_weighted_f1_and_scored_in_order():
    data = conversations()
    found = run(talker(), data)
    assert found.best_epoch == int(np.argmax(found.history["valid_weighted_f1"]))
    assert found.outputs["test"].shape == (data.splits["test"].lengths.sum(), 3)
    wider = run(talker(evaluation_batch=None), data)
    assert found.history["train_loss"] == wider.history["train_loss"]


def test_an_interrupted_curriculum_goes_on_with_its_threshold(tmp_path):
    one = talker(curriculum=SelfPacedSpec(0.3, 1.2))
    undisturbed = run(one, conversations())

    def interrupt(epoch: int) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    path = tmp_path / "run.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        run(one, conversations(), checkpoint=Checkpoint(path, "k", every_s=0), after_epoch=interrupt)
    resumed = run(one, conversations(), checkpoint=Checkpoint(path, "k", every_s=0))
    assert resumed.history == undisturbed.history
    assert all(torch.equal(resumed.best_state[k], undisturbed.best_state[k]) for k in resumed.best_state)


def test_a_grid_of_dialogues_says_what_selected(tmp_path):
    members = [talker(), talker("self-paced", curriculum=SelfPacedSpec(0.3, 1.2))]
    found = sweep(members, conversations(), tmp_path, cores=1, device="cpu")
    assert [record.status for record in found] == [records.FINISHED] * 2
    assert found[0].selected_on["epoch"] == "validation weighted F1"
    assert not any(job.stacked for job in jobs([talker(seed=s) for s in range(4)], "cuda"))


def test_who_speaks_identifies_a_corpus_of_conversations():
    data = conversations()
    train = data.splits["train"]
    changed = replace(data, splits=data.splits | {"train": replace(train, speakers=np.maximum(train.speakers, 0))})
    assert data.digest != changed.digest


def emotions(seed: int = 0, **recipe) -> Member:
    return replace(member(seed=seed, drop_last=False, **recipe), model=EFLSTM)


@pytest.mark.parametrize("loss", ["bce", "soft_cross_entropy", "mse", "l1"])
@pytest.mark.parametrize("algorithm", ["adam", "adamw", "sgd", "rmsprop"])
def test_losses_and_optimisers_of_several_emotions(loss, algorithm):
    found = run(emotions(loss=loss, algorithm=algorithm, select_by="acc"), multilabel())
    assert np.isfinite(found.history["train_loss"]).all()
    assert found.history["train_loss"][0] != found.history["train_loss"][-1]


def test_positive_weights_are_those_of_the_training_samples():
    data = multilabel()
    one = emotions(loss="bce", epochs=1, select_by="weighted_acc")
    found = run(one, data)
    labels = torch.from_numpy(data.splits["train"].labels)
    weights = (1 - labels).sum(0) / labels.sum(0)
    likelihood, true = found.outputs["valid"].sigmoid(), torch.from_numpy(data.splits["valid"].labels)
    expected = -(weights * true * likelihood.log() + (1 - true) * (1 - likelihood).log()).mean()
    assert found.history["valid_loss"][0] == pytest.approx(expected.item(), rel=1e-5)


def test_a_fleet_weighs_and_selects_as_the_loop_does():
    members = [
        emotions(seed, loss="bce", select_by="weighted_acc", learning_rate=rate)
        for seed, rate in ((0, 0.01), (1, 0.02))
    ]
    splits = {name: multilabel().batches(name) for name in ("train", "valid", "test")}
    together = train_fleet(members, splits, [SeededStreams(m.seed) for m in members])
    for one, stacked in zip(members, together, strict=True):
        alone = train(one, splits, SeededStreams(one.seed))
        assert stacked.best_epoch == alone.best_epoch
        np.testing.assert_allclose(stacked.history["valid_loss"], alone.history["valid_loss"], rtol=1e-5)
        np.testing.assert_allclose(
            stacked.history["valid_weighted_acc"], alone.history["valid_weighted_acc"], rtol=1e-12
        )


def test_an_emotion_without_a_training_sample_is_refused():
    with pytest.raises(InputError, match="no training sample shows emotion 1"):
        run(emotions(loss="bce"), multilabel(never=1))


def test_validation_scores():
    logits = np.array([[2.0, -1.0], [-1.0, 3.0], [1.0, 1.0], [-1.0, -1.0]])
    truths = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    assert validation_score("acc", logits, truths) == pytest.approx(0.75)
    assert validation_score("weighted_acc", logits, truths) == pytest.approx(0.75)
    absent = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert validation_score("weighted_acc", logits, absent) == pytest.approx(0.5), (
        "the emotion that never occurs is left out"
    )
    assert validation_score("acc", logits, np.array([0, 1, 1, 1])) == 0.5
    assert validation_score("weighted_f1", logits, np.array([0, 1, 0, 0])) == pytest.approx(1.0)
    assert np.isnan(validation_score("acc", np.full((2, 2), np.nan), np.array([0, 1])))
    with pytest.raises(ValueError, match="weighted_acc of exclusive classes"):
        validation_score("weighted_acc", logits, np.array([0, 1, 1, 1]))
