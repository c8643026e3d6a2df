"""Fine-tuning on a few samples of a new emotion (spec emotion_embeddings, 9.4)."""

import copy

import numpy as np
import pytest
import torch

from lib.data.batches import Examples
from lib.models.eea import EEA
from lib.training import finetune as module
from lib.training.finetune import FineTuning, few_and_as_many_others, finetune, without_conflict

WIDTHS = {"text": 6, "audio": 4}
SPEC = FineTuning("naive", epochs=3, batch_size=4, learning_rate=0.01, clip_norm=10.0, memory=16)
NEW, SEEN = 1, [0, 2]


def vectors() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(3, WIDTHS["text"])).astype(np.float32)


def samples(n: int, seed: int) -> Examples:
    """One of three emotions each, shown by its vector in the text and by noise in audio."""
    rng = np.random.default_rng(seed)
    labels = np.eye(3, dtype=np.float32)[np.arange(n) % 3]
    text = (labels @ vectors())[:, None] + rng.normal(size=(n, 5, WIDTHS["text"]))
    audio = rng.normal(size=(n, 5, WIDTHS["audio"]))
    inputs = {"text": torch.tensor(text, dtype=torch.float32), "audio": torch.tensor(audio, dtype=torch.float32)}
    return Examples(inputs, torch.from_numpy(labels))


def start(dropout: float = 0.0, layers: int = 1) -> EEA:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return EEA(WIDTHS, {"text": 6, "audio": 3}, vectors(), dropout=dropout, layers=layers)


def tuned(regime: str, *, seed: int = 0, model: EEA | None = None, **changes) -> EEA:
    model = copy.deepcopy(model or start())
    train = samples(60, seed=2)
    seen = train.take(np.flatnonzero(train.targets[:, NEW].numpy() == 0))
    seen = Examples(seen.inputs, seen.targets[:, SEEN])
    few = train.take(few_and_as_many_others(train.targets.numpy(), NEW, 4))
    spec = FineTuning(**{**vars(SPEC), "regime": regime, **changes})
    finetune(model, few, seen, SEEN, samples(30, seed=3), spec, criterion="weighted_acc", seed=seed)
    return model


def same(a: EEA, b: EEA) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_the_first_samples_with_the_emotion_and_as_many_without():
    labels = np.array([[0, 1], [1, 0], [0, 0], [1, 1], [0, 1], [1, 0], [0, 0]])
    np.testing.assert_array_equal(few_and_as_many_others(labels, 0, 2), [0, 1, 2, 3])
    np.testing.assert_array_equal(few_and_as_many_others(labels, 1, 1), [0, 1])
    np.testing.assert_array_equal(few_and_as_many_others(labels, 1, 3), [0, 1, 2, 3, 4, 5])


@pytest.mark.parametrize("margin", [0.01, 0.9])
def test_the_projection_of_gem(margin):
    """v = max(margin / (1 + 1e-7), -g0.g1 / (g0.g0 + 1e-3)), written out for two tensors."""
    rng = np.random.default_rng(0)
    memory = [torch.tensor(rng.normal(size=shape)) for shape in ((3,), (2, 2))]
    gradients = [-0.5 * g + 0.1 * torch.tensor(rng.normal(size=g.shape)) for g in memory]
    g0, g1 = (np.concatenate([g.numpy().ravel() for g in parts]) for parts in (memory, gradients))
    assert g0 @ g1 < 0
    v = max(margin / (1 + 1e-7), -(g0 @ g1) / (g0 @ g0 + 1e-3))
    turned = np.concatenate([g.numpy().ravel() for g in without_conflict(gradients, memory, margin)])
    np.testing.assert_allclose(turned, g1 + v * g0, rtol=1e-12)


def test_the_projected_step_no_longer_climbs_the_memory_loss():
    memory, gradients = [torch.tensor([1.0, 2.0])], [torch.tensor([-3.0, 0.5])]
    (turned,) = without_conflict(gradients, memory, 0.01)
    assert float(memory[0] @ gradients[0]) < -1
    assert float(memory[0] @ turned) > -1e-2


def test_agreeing_gradients_are_left_alone():
    memory, gradients = [torch.tensor([1.0, 2.0])], [torch.tensor([3.0, -1.0])]
    assert torch.equal(without_conflict(gradients, memory, 0.01)[0], gradients[0])


@pytest.mark.parametrize("regime", ["naive", "gem", "joint"])
def test_the_same_seed_gives_the_same_bits_and_leaves_the_global_generator_alone(regime):
    before = torch.get_rng_state()
    first = tuned(regime)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    np.random.default_rng().random()
    assert same(first, tuned(regime))
    assert not same(first, tuned(regime, seed=1))


def test_element_dropout_draws_from_the_run_itself():
    model = start(dropout=0.5, layers=2)
    first = tuned("naive", model=model)
    torch.rand(7)
    assert same(first, tuned("naive", model=model))
    assert not same(first, tuned("naive", model=start(layers=2)))


def test_the_regimes_differ_and_the_emotion_vectors_stay():
    found = {regime: tuned(regime) for regime in ("naive", "gem", "joint")}
    assert not same(found["naive"], found["joint"])
    assert not same(found["naive"], found["gem"])
    for model in found.values():
        assert torch.equal(model.emotion_vectors, start().emotion_vectors)


def test_gem_without_conflict_is_naive(monkeypatch):
    monkeypatch.setattr(module, "without_conflict", lambda gradients, memory, margin: list(gradients))
    assert same(tuned("naive"), tuned("gem"))


def test_joint_steps_twice_per_small_batch():
    """Adam moves every weight by about the learning rate in its first step, so two steps go further than one."""
    one = {"epochs": 1, "batch_size": 8, "learning_rate": 1e-3, "clip_norm": 1e6}
    moved = {}
    for regime in ("naive", "joint"):
        pairs = zip(tuned(regime, **one).parameters(), start().parameters(), strict=True)
        moved[regime] = max(float((a - b).detach().abs().max()) for a, b in pairs)
    assert moved["naive"] == pytest.approx(1e-3, rel=0.05)
    assert moved["joint"] > 1.5e-3


def test_an_emotion_that_the_few_samples_lack_does_not_spoil_the_loss():
    """The reference's positive weight is infinite there, and its loss NaN."""
    model = start()
    train = samples(30, seed=2)
    few = train.take(np.flatnonzero(train.targets[:, 2].numpy() == 0)[:8])
    assert few.targets[:, 2].sum() == 0
    seen = Examples(train.inputs, train.targets[:, SEEN])
    finetune(model, few, seen, SEEN, samples(30, seed=3), SPEC, criterion="weighted_acc", seed=0)
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert not same(model, start())
