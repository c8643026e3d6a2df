"""Modality dropout beyond the reference vectors: the options, and what must never be written to."""

import numpy as np
import pytest
import torch

from lib.training.recipe import ModalityDropoutSpec
from lib.training.strategies import ModalityDropout
from lib.training.streams import SeededStreams

RATES = {"audio": 0.5, "video": 0.5, "text": 0.0}


def batch(n: int = 4) -> dict[str, torch.Tensor]:
    return {m: torch.ones(n, 3, 2) for m in RATES}


def streams() -> SeededStreams:
    found = SeededStreams(0)
    found.start_epoch(0)
    return found


def dropped_shares(draw: str, batches: int = 400) -> list[dict[str, np.ndarray]]:
    """Per minibatch and modality, which samples were dropped."""
    strategy, source = ModalityDropout(ModalityDropoutSpec(RATES, draw)), streams()
    found = []
    for _ in range(batches):
        out = strategy.on_batch(batch(), source)
        found.append({m: (x == 0).all(dim=2).all(dim=1).numpy() for m, x in out.items()})
    return found


@pytest.mark.parametrize("draw", ["minibatch", "sample", "modality"])
def test_rate_is_the_share_of_what_is_dropped(draw):
    found = dropped_shares(draw)
    for modality, rate in RATES.items():
        share = np.mean([f[modality].mean() for f in found])
        assert abs(share - rate) < 0.08, (modality, share)


def test_one_draw_per_minibatch_drops_whole_batches_and_equal_rates_together():
    for f in dropped_shares("minibatch"):
        assert f["audio"].all() or not f["audio"].any()
        assert (f["audio"] == f["video"]).all()


def test_a_draw_per_sample_splits_batches_but_keeps_modalities_together():
    found = dropped_shares("sample")
    assert any(f["audio"].any() and not f["audio"].all() for f in found)
    assert all((f["audio"] == f["video"]).all() for f in found)


def test_a_draw_per_modality_separates_modalities():
    found = dropped_shares("modality")
    assert any(f["audio"].all() and not f["video"].any() for f in found)
    assert all(f["audio"].all() or not f["audio"].any() for f in found)


@pytest.mark.parametrize("draw", ["minibatch", "sample", "modality"])
def test_inputs_are_not_written_to(draw):
    strategy, source, given = ModalityDropout(ModalityDropoutSpec(dict.fromkeys(RATES, 1.0), draw)), streams(), batch()
    out = strategy.on_batch(given, source)
    assert all((x == 0).all() for x in out.values())
    assert all((x == 1).all() for x in given.values())
