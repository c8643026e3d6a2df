"""The paper's complexity claim, measured: weights and speed of LMF and TFN at its section 5.3 sizes."""

import time
from collections.abc import Mapping

import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F

from lib.training.execution import one_thread
from lib.training.recipe import ModelSpec

WIDTHS = {"audio": 74, "video": 47, "text": 300}
HIDDEN = {"audio": 32, "video": 32, "text": 128}
RANK, BATCH, STEPS = 4, 32, 20
LABEL = "random input, SYNTHETIC stand-in"
_MODELS: Mapping[str, tuple[str, Mapping[str, int]]] = {
    "LMF, rank 4": ("low_rank:LMF", {"output_size": 1, "rank": RANK}),
    "TFN, 32 units": ("tensor_fusion:TFN", {"fusion_size": 32}),
    "TFN, 160 units": ("tensor_fusion:TFN", {"fusion_size": 160}),
}


def complexity_table(repeats: int = 5) -> pd.DataFrame:
    """Weights, and samples per second of wall clock on one thread of this machine, after one step of warm-up.

    Vectors of 32, 32 and 64 enter the fusion; batches of 32 random samples; Adam. `fusion_weights` leaves out the
    three sub-networks, which are the same in all rows.
    """
    rows = []
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        shapes = {"audio": (BATCH, 74), "video": (BATCH, 47), "text": (BATCH, STEPS, 300)}
        inputs = {m: torch.randn(shape) for m, shape in shapes.items()}
        target = torch.randn(BATCH)
        for name, (spec, sizes) in _MODELS.items():
            dropouts = dict.fromkeys((*WIDTHS, "fusion"), 0.0)
            common = {"input_sizes": WIDTHS, "hidden_sizes": HIDDEN, "dropouts": dropouts}
            model = ModelSpec(spec, common | sizes).build()
            weights = {key: w.numel() for key, w in model.named_parameters()}
            fusion = sum(count for key, count in weights.items() if "subnet" not in key)
            train, test = _seconds(model, inputs, target, repeats)
            speed = {"train_samples_per_s": BATCH / train, "test_samples_per_s": BATCH / test}
            rows.append({"model": name, "weights": sum(weights.values()), "fusion_weights": fusion, **speed})
    return pd.DataFrame(rows)


def _seconds(model: nn.Module, inputs: dict, target: torch.Tensor, repeats: int) -> tuple[float, float]:
    """Fastest training step and fastest forward pass of one batch."""
    optimiser = torch.optim.Adam(model.parameters(), fused=True)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        F.l1_loss(model(**inputs)[:, 0], target, reduction="sum").backward()
        optimiser.step()

    @torch.no_grad()
    def forward() -> None:
        model(**inputs)

    times = []
    for run, mode in ((step, True), (forward, False)):
        model.train(mode)
        run()
        taken = []
        for _ in range(repeats):
            started = time.perf_counter()
            run()
            taken.append(time.perf_counter() - started)
        times.append(min(taken))
    return times[0], times[1]
