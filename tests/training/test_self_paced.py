"""Self-paced selection: its definition, its corner cases, and the record of an epoch."""

import math
import statistics

import pytest
import torch
from torch.nn import functional as F

from lib.errors import InputError
from lib.training.self_paced import (
    CAP,
    SelfPaced,
    curriculum,
    harmonic_mean,
    imbalance,
    modality_ratios,
    next_threshold,
    selected_mean,
)

MODALITIES = ("text", "audio", "video")
LENGTHS = torch.tensor([4, 1, 6])
CLASSES = 5


def batch(seed=0, lengths=LENGTHS, modalities=MODALITIES, scale=2.0):
    """Joint logits (their sum), logits by modality, labels and lengths; the joint logits are a leaf."""
    generator = torch.Generator().manual_seed(seed)
    n = int(lengths.sum())
    logits = {m: scale * torch.randn(n, CLASSES, generator=generator) for m in modalities}
    joint = torch.stack(list(logits.values())).sum(0).requires_grad_()
    return joint, logits, torch.randint(0, CLASSES, (n,), generator=generator), lengths


def by_definition(joint, logits, labels, lengths, threshold):
    """Spec self_paced_balance, section 3, one utterance at a time: the loss and who is selected."""
    losses = [-float(row.log_softmax(0)[y]) for row, y in zip(joint.detach(), labels, strict=True)]
    selected, start = [], 0
    for length in lengths.tolist():
        rows = range(start, start + length)
        scores = [sum(float(x[i].softmax(0)[labels[i]]) for i in rows) for x in logits.values()]
        spread = statistics.stdev(scores)
        selected += [2 / (1 / spread + 1 / losses[i]) <= threshold for i in rows]
        start += length
    return sum(loss for loss, kept in zip(losses, selected, strict=True) if kept) / len(losses), selected


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("modalities", [MODALITIES, MODALITIES[:2]])
def test_selection_follows_the_definition(seed, modalities):
    joint, logits, labels, lengths = batch(seed, modalities=modalities)
    strategy = SelfPaced(0.5, 1.2)
    loss = strategy.loss(joint, logits, labels, lengths)
    wanted, selected = by_definition(joint, logits, labels, lengths, 0.5)
    assert strategy.latest.selected.tolist() == selected
    assert 0 < sum(selected) < len(selected)
    assert loss.item() == pytest.approx(wanted, rel=1e-5)


def test_off_is_plain_training_bit_for_bit():
    joint, logits, labels, lengths = batch()
    loss = SelfPaced(0.8, 1.2, enabled=False).loss(joint, logits, labels, lengths)
    plain = F.cross_entropy(joint, labels)
    assert torch.equal(loss, plain)
    assert torch.equal(*(torch.autograd.grad(x, joint)[0] for x in (loss, plain)))


def test_curriculum_carries_no_gradient():
    joint, logits, labels, lengths = batch()
    logits = {m: x.requires_grad_() for m, x in logits.items()}
    loss = SelfPaced(0.8, 1.2).loss(joint, logits, labels, lengths)
    assert torch.autograd.grad(loss, list(logits.values()), allow_unused=True) == (None,) * 3


def test_the_two_normalisers_differ_by_the_selected_share():
    joint, logits, labels, lengths = batch()
    over_all, over_selected = (
        SelfPaced(0.8, 1.2, over=over).loss(joint, logits, labels, lengths) for over in ("all", "selected")
    )
    share = curriculum(F.cross_entropy(joint, labels, reduction="none").detach(), logits, labels, lengths, 0.8)
    torch.testing.assert_close(over_all, over_selected * share.selected.float().mean())


@pytest.mark.parametrize("over", ["all", "selected"])
def test_nothing_selected_gives_zero_gradients_not_missing_ones(over):
    joint, logits, labels, lengths = batch()
    strategy = SelfPaced(1e-6, 1.0, over=over)
    loss = strategy.loss(joint, logits, labels, lengths)
    loss.backward()
    record = strategy.end_epoch()
    assert loss.item() == 0.0
    assert (joint.grad == 0).all()
    assert record["selected_share"] == 0.0
    assert all(math.isnan(record[f"ratio_{m}"]) for m in MODALITIES)


@pytest.mark.parametrize("over", ["all", "selected"])
def test_at_the_cap_everything_is_selected(over):
    joint, logits, labels, lengths = batch(scale=20.0, lengths=torch.tensor([100, 10]))
    strategy = SelfPaced(CAP, 1.0, over=over)
    loss = strategy.loss(joint, logits, labels, lengths)
    torch.testing.assert_close(loss, F.cross_entropy(joint, labels))
    assert strategy.end_epoch()["selected_share"] == 1.0


@pytest.mark.parametrize(
    ("score", "loss", "difficulty", "selected"),
    [
        (0.0, 1.0, 0.0, True),  # equal modalities
        (1.0, -0.0, -0.0, True),  # a saturated loss is minus zero
        (0.0, -0.0, math.nan, False),
        (0.0, 0.0, 0.0, True),
        (math.nan, 1.0, math.nan, False),  # one modality
        (1.0, 1.0, 1.0, True),  # equality passes
        (1.0, 3.0, 1.5, False),
    ],
)
def test_floating_point_corners_of_the_difficulty(score, loss, difficulty, selected):
    found = harmonic_mean(torch.tensor(score), torch.tensor(loss))
    torch.testing.assert_close(found, torch.tensor(difficulty), equal_nan=True)
    assert bool(found <= 1.0) is selected


def test_saturated_losses_are_minus_zero():
    joint, labels = torch.tensor([[500.0, 0.0, 0.0]]), torch.tensor([0])
    logits = {"text": torch.zeros(1, 3), "audio": torch.zeros(1, 3)}  # equal modalities: score 0
    strategy = SelfPaced(1.0, 1.0)
    strategy.loss(joint, logits, labels, torch.tensor([1]))
    assert strategy.latest.difficulty.isnan().all()
    assert not strategy.latest.selected.any()


def test_ablations_select_strictly_below_the_threshold():
    joint, logits, labels, lengths = batch()
    losses = F.cross_entropy(joint, labels, reduction="none").detach()
    for measure in ("utterance", "conversation"):
        difficulty = curriculum(losses, logits, labels, lengths, 1.0, measure).difficulty
        threshold = difficulty.median().item()
        selected = curriculum(losses, logits, labels, lengths, threshold, measure).selected
        assert torch.equal(selected, difficulty < threshold)
        assert selected.any()
    assert torch.equal(curriculum(losses, logits, labels, lengths, 1.0, "utterance").difficulty, losses)


def test_one_modality_is_refused_only_with_selection():
    only = batch(modalities=("text",))
    with pytest.raises(InputError, match="at least two"):
        SelfPaced(0.5, 1.2).loss(*only)
    plain = SelfPaced(0.5, 1.2, enabled=False)
    assert torch.equal(plain.loss(*only), F.cross_entropy(only[0], only[2]))
    assert plain.end_epoch() == {"selected_share": 1.0, "ratio_text": 1.0}


def test_spread_of_one_modality_is_nan():
    assert imbalance(torch.ones(1, 3)).isnan().all()


def test_a_single_utterance_and_an_empty_dialogue_are_defined():
    joint, logits, labels, lengths = batch()
    with_empty = torch.tensor([4, 0, 1, 6])
    losses = [SelfPaced(0.8, 1.2).loss(joint, logits, labels, x) for x in (lengths, with_empty)]
    assert torch.equal(*losses)
    single = batch(lengths=torch.tensor([1]))
    assert SelfPaced(CAP, 1.0).loss(*single).item() == pytest.approx(F.cross_entropy(*single[::2]).item())


@pytest.mark.parametrize("threshold", [0.0, -1.0, math.nan, math.inf])
def test_a_threshold_that_cannot_grow_is_refused(threshold):
    with pytest.raises(InputError, match="threshold"):
        SelfPaced(threshold, 1.2)


@pytest.mark.parametrize("growth", [0.0, 0.9, -2.0, math.nan, math.inf])
def test_a_shrinking_curriculum_is_refused(growth):
    with pytest.raises(InputError, match="growth"):
        SelfPaced(0.4, growth)


def test_threshold_grows_to_the_cap():
    assert next_threshold(0.7, 1.85) == 0.7 * 1.85
    assert next_threshold(59.0, 1.85) == CAP
    strategy, used = SelfPaced(0.7, 1.85), []
    for _ in range(10):
        used.append(strategy.end_epoch()["threshold"])
    assert used[:2] == [0.7, 0.7 * 1.85]
    assert used[7] < CAP == used[8] == used[9]


def test_plain_training_has_no_threshold():
    strategy = SelfPaced(0.4, 1.2, enabled=False)
    strategy.loss(*batch())
    assert "threshold" not in strategy.end_epoch()
    assert strategy.threshold == 0.4


def test_the_record_covers_the_whole_epoch():
    batches = [batch(seed, lengths=lengths) for seed, lengths in enumerate((LENGTHS, torch.tensor([3])))]
    strategy, probability, selected = SelfPaced(0.8, 1.2), [], []
    for one in batches:
        strategy.loss(*one)
        probability.append(strategy.latest.probability)
        selected.append(strategy.latest.selected)
    record = strategy.end_epoch()
    selected = torch.cat(selected)
    assert record["selected_share"] == pytest.approx(selected.float().mean().item())
    ratios = modality_ratios(torch.cat(probability, 1), selected)
    assert [record[f"ratio_{m}"] for m in MODALITIES] == pytest.approx(ratios.tolist())
    strategy.loss(*batches[1])
    assert strategy.end_epoch()["selected_share"] in {k / 3 for k in range(4)}  # the first epoch is forgotten


def test_a_run_goes_on_with_its_threshold():
    first, second = SelfPaced(0.7, 1.85), SelfPaced(0.7, 1.85)
    first.end_epoch()
    second.load_state_dict(first.state_dict())
    assert second.end_epoch() == first.end_epoch()


def test_selected_mean_of_nothing_is_zero():
    assert selected_mean(torch.ones(3), torch.zeros(3, dtype=torch.bool), "selected").item() == 0.0
