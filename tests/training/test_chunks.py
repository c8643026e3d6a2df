"""Cutting grids: every member in one chunk, chains whole, fleets together, the same records as from one sweep."""

from dataclasses import replace

import pytest

from lib.training.chunks import chunk
from lib.training.sweep import sweep, train_missing
from tests.training.small import MFN, corpus, member
from tests.training.test_sweep import grid, same


def names(shares):
    return [(m.variant, m.seed) for _, members in shares for m in members]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 11, 40])
def test_the_chunks_are_disjoint_and_complete(count):
    first, second = corpus(), corpus(seed=1)
    members = [member(f"rate {rate:g}", seed, rate) for rate in (0.0, 0.5) for seed in range(4)]
    others = [member("other", seed) for seed in range(3)]
    grids = [(first, members), (second, others)]
    shares = [chunk(grids, index, count) for index in range(1, count + 1)]
    assert sorted(name for share in shares for name in names(share)) == sorted(names(grids))
    for share in shares:
        for share_corpus, own in share:
            assert own and all(m in (members if share_corpus is first else others) for m in own)
    sizes = [len(names(share)) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_a_chain_is_never_cut():
    chained = [
        replace(member(f"rate {rate:g}", seed, rate), chain=f"seed {seed}") for rate in (0, 0.5) for seed in (0, 1)
    ]
    shares = [chunk([(corpus(), chained)], index, 4) for index in (1, 2, 3, 4)]
    assert [names(share) for share in shares if share] == [
        [("rate 0", 0), ("rate 0.5", 0)],
        [("rate 0", 1), ("rate 0.5", 1)],
    ]


def test_members_of_one_fleet_stay_together():
    small = [member("small", seed) for seed in range(4)]
    steps = [replace(member("mfn", seed), model=MFN) for seed in range(4)]
    mixed = [m for pair in zip(small, steps, strict=True) for m in pair]
    shares = [chunk([(corpus(), mixed)], index, 2) for index in (1, 2)]
    assert [{m.variant for _, members in share for m in members} for share in shares] == [{"small"}, {"mfn"}]


def test_chunks_leave_what_one_sweep_leaves(tmp_path):
    data = corpus()
    whole = sweep(grid(epochs=2), data, tmp_path / "whole")
    for index in (3, 1, 2):
        for own, members in chunk([(data, grid(epochs=2))], index, 3):
            train_missing(members, own, tmp_path / "chunked")
    trained = []
    gathered = sweep(
        grid(epochs=2), data, tmp_path / "chunked", progress=lambda done, total: trained.append(total - done)
    )
    assert trained == [0]
    for a, b in zip(whole, gathered, strict=True):
        same(a, b)
