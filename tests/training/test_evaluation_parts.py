"""Held-out splits are evaluated in parts that their shapes alone decide."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from lib.data.batches import Examples
from lib.training import loop
from lib.training.fleet import Fleet, train_fleet
from lib.training.loop import evaluate, evaluation_parts
from lib.training.recipe import Recipe
from lib.training.run import Run
from lib.training.streams import SeededStreams
from tests.training.small import corpus, member

RECIPE = Recipe(loss="l1", epochs=1, batch_size=4, learning_rate=0.01)


def split(n: int, width: int = 64) -> Examples:
    generator = torch.Generator().manual_seed(0)
    inputs = {m: torch.randn(n, 5, width, generator=generator) for m in ("text", "audio")}
    return Examples(inputs, torch.zeros(n))


class Seen(nn.Module):
    """Sums of features, and how many samples came at once."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def forward(self, text, audio):
        self.sizes.append(len(text))
        return text.sum((1, 2)) + audio.sum((1, 2))


@pytest.mark.parametrize("n", [1, 40, 41, 100])
def test_parts_are_equal_complete_and_within_the_bound(monkeypatch, n):
    data = split(n)
    each = 2 * 5 * 64 * 4
    monkeypatch.setattr(loop, "PART_BYTES", 20 * each + 1)
    parts = evaluation_parts(data, RECIPE)
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(n))
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) <= 20
    assert len(parts) == -(-n // 20)
    model = Seen()
    outputs = evaluate(model, data, RECIPE)
    assert model.sizes == sizes
    # sums of 640 numbers near one, in whatever order: far below 1e-3
    torch.testing.assert_close(outputs, Seen()(**data.inputs), rtol=0, atol=1e-3)


def test_long_samples_still_share_a_part(monkeypatch):
    monkeypatch.setattr(loop, "PART_BYTES", 1)
    sizes = [part.stop - part.start for part in evaluation_parts(split(64), RECIPE)]
    assert sizes == [loop.SMALLEST_PART] * (64 // loop.SMALLEST_PART)


def test_small_splits_are_one_part():
    assert evaluation_parts(split(500), RECIPE) == [slice(0, 500)]


def test_withheld_modalities_change_no_part(monkeypatch):
    monkeypatch.setattr(loop, "PART_BYTES", 2**16)
    data = split(100)
    assert len(evaluation_parts(data, RECIPE)) > 1
    assert evaluation_parts(data.only(["text"]), RECIPE) == evaluation_parts(data, RECIPE)


def test_the_recipe_decides_where_it_says_how_many(monkeypatch):
    monkeypatch.setattr(loop, "PART_BYTES", 1)
    sizes = [part.stop - part.start for part in evaluation_parts(split(10), replace(RECIPE, evaluation_batch=4))]
    assert sizes == [4, 4, 2]


def test_a_fleet_evaluates_a_large_split_as_the_loop_does():
    """Bit for bit, at the real bound: both take the same parts, from the same weights."""
    whole = corpus(sizes=(16, 20000, 16))
    splits = {name: whole.batches(name) for name in whole.splits}
    members = [member("all", 0), replace(member("another", 1), evaluate_on=("text", "audio"))]
    streams = [SeededStreams(one.seed) for one in members]
    fleet = Fleet([Run(one, splits["train"], stream) for one, stream in zip(members, streams, strict=True)], splits)
    assert len(evaluation_parts(splits["valid"], members[0].recipe)) == 2
    fleet.train_epoch()
    found = fleet.outputs("valid")
    for run, outputs in zip(fleet.runs, found, strict=True):
        assert torch.equal(outputs, evaluate(run.model, splits["valid"].only(run.member.evaluate_on), run.recipe))
        # the last loss of the epoch is that of these outputs
        assert run.outcome.history["valid_loss"] == [run.objective.split_loss(outputs, splits["valid"].targets)]
    # stacked, as on a GPU: every sample at once, so the last bits may be others
    torch.testing.assert_close(fleet.stacked_outputs("valid"), found, rtol=1e-4, atol=1e-5)


def test_a_fleet_trains_with_a_large_held_out_split_as_the_loop_does():
    whole = corpus(sizes=(16, 20000, 16))
    splits = {name: whole.batches(name, dtype=torch.float64) for name in whole.splits}
    members = [member(str(seed), seed, precision="float64", epochs=2) for seed in (0, 1)]
    assert len(evaluation_parts(splits["valid"], members[0].recipe)) > 1
    together = train_fleet(members, splits, [SeededStreams(one.seed) for one in members])
    for one, stacked in zip(members, together, strict=True):
        alone = loop.train(one, splits, SeededStreams(one.seed))
        assert alone.best_epoch == stacked.best_epoch
        # Adam enlarges the noise of stacked training steps in fc1.bias (spec colearning, quirk 14), as in test_fleet
        torch.testing.assert_close(stacked.outputs, alone.outputs, rtol=1e-6, atol=1e-6)
