"""Adam with kept lists leaves the bits of `torch.optim`, whatever happens to gradients, rates and state."""

import copy
import io

import pytest
import torch
from torch import nn

from lib.training.adam import Adam, AdamW

KINDS = {Adam: torch.optim.Adam, AdamW: torch.optim.AdamW}
SETTINGS = [
    {},
    {"weight_decay": 0.1},
    {"amsgrad": True, "betas": (0.8, 0.95), "eps": 1e-6},
    {"maximize": True},
    {"fused": False},
]
SHAPES = [(3, 5), (37,), (), (2, 3, 4), (0,), (129, 3)]


def parameters(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype)) for shape in SHAPES]


def groups(found):
    return [{"params": found[:2], "lr": 0.03}, {"params": found[2:]}]


def pair(kind=Adam, dtype=torch.float32, make=groups, **options):
    """Ours and torch's over equal parameters."""
    options = {"lr": 0.01, "fused": True} | options
    return [optimiser(make(parameters(dtype)), **options) for optimiser in (kind, KINDS[kind])]


def owned(optimiser):
    return [p for group in optimiser.param_groups for p in group["params"]]


def steps(pair, count, *, seed=1, without=lambda step: ()):
    """`count` steps of both from the same gradients; none for the parameters at the places `without(step)`."""
    for optimiser in pair:
        generator = torch.Generator().manual_seed(seed)
        for step in range(count):
            optimiser.zero_grad()
            for place, p in enumerate(owned(optimiser)):
                gradient = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)
                p.grad = None if place in without(step) else gradient
            nn.utils.clip_grad_norm_(owned(optimiser), 1.0)
            optimiser.step()


def check(pair):
    """Equal bits in weights and states, and the same layout."""
    ours, theirs = pair
    assert all(map(torch.equal, owned(ours), owned(theirs)))
    mine, other = ours.state_dict(), theirs.state_dict()
    assert mine["param_groups"] == other["param_groups"]
    assert list(mine["state"]) == list(other["state"])
    for place, state in other["state"].items():
        assert list(mine["state"][place]) == list(state)
        for name, value in state.items():
            assert mine["state"][place][name].dtype == value.dtype
            assert torch.equal(mine["state"][place][name], value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bits_are_torchs(kind, settings, dtype):
    both = pair(kind, dtype, **settings)
    start = [p.detach().clone() for p in owned(both[0])]
    steps(both, 7)
    check(both)
    assert not torch.equal(start[0], owned(both[0])[0])


@pytest.mark.parametrize(
    "without",
    [
        pytest.param(lambda step: {1} if step < 3 else (), id="a late first gradient"),
        pytest.param(lambda step: {0, 3}, id="never"),
        pytest.param(lambda step: {0, 1}, id="a whole group"),
        pytest.param(lambda step: {step % 6}, id="in turn"),
        pytest.param(lambda step: range(6) if step == 2 else (), id="none at all"),
    ],
)
def test_parameters_without_gradient_are_left_alone(without):
    both = pair(weight_decay=0.1)
    steps(both, 8, without=without)
    check(both)


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_goes_on_in_either(kind):
    both = pair(kind, amsgrad=True)
    steps(both, 4, without=lambda step: {1})
    file = io.BytesIO()
    torch.save([o.state_dict() for o in both], file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    crossed = pair(kind, amsgrad=True)
    for new, old, state in zip(crossed, both, reversed(saved), strict=True):
        for p, q in zip(owned(new), owned(old), strict=True):
            p.data.copy_(q.data)
        steps([new], 1, seed=9)  # lists that the state makes invalid
        for p, q in zip(owned(new), owned(old), strict=True):
            p.data.copy_(q.data)
        new.load_state_dict(state)
    steps([*both, *crossed], 5, seed=2)
    check(both)
    check(crossed)
    check([crossed[0], both[1]])


def test_schedules_and_later_changes_are_seen():
    both = pair(weight_decay=0.1)
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=5) for o in both]
    plateaus = [torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0) for o in both]
    for step in range(8):
        steps(both, 1, seed=step)
        for schedule, plateau in zip(schedules, plateaus, strict=True):
            schedule.step()
            plateau.step(1.0)
    check(both)
    for optimiser in both:
        optimiser.param_groups[1] |= {"weight_decay": 0.3, "betas": (0.5, 0.9), "eps": 1e-3}
        optimiser.add_param_group({"params": [nn.Parameter(torch.ones(3))], "lr": 0.1})
    steps(both, 3)
    check(both)


def test_other_arithmetic_is_left_to_torch():
    """A tensor as learning rate, mixed types, and a closure, between steps with kept lists."""
    both = pair()
    steps(both, 2)
    for optimiser in both:
        optimiser.param_groups[0]["lr"] = torch.tensor(0.02)
    steps(both, 2)
    for optimiser in both:
        optimiser.param_groups[0]["lr"] = 0.02
    steps(both, 2)
    assert [o.step(lambda: 5.0) for o in both] == [5.0, 5.0]
    steps(both, 1)
    for optimiser in both:
        optimiser.add_param_group({"params": [nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3).double())]})
    steps(both, 2)
    check(both)


def test_a_copy_has_a_life_of_its_own():
    both = pair(make=lambda found: found)
    steps(both, 2)
    copied = [copy.deepcopy(o) for o in both]
    steps(copied, 3)
    check(copied)
    check(both)
    steps(both, 3)
    check(both)


def test_gradients_are_forgotten_or_zeroed():
    ours, _ = pair()
    steps([ours], 1)
    ours.zero_grad(set_to_none=False)
    assert all((p.grad == 0).all() for p in owned(ours))
    ours.zero_grad()
    assert all(p.grad is None for p in owned(ours))


def test_sparse_gradients_are_refused():
    table = nn.Embedding(4, 3, sparse=True)
    optimiser = Adam(table.parameters(), fused=True)
    table(torch.tensor([1, 2])).sum().backward()
    with pytest.raises(RuntimeError, match="sparse"):
        optimiser.step()
