"""A training step of transformers that are read in one row: the last layer computed whole, or for that row alone."""

import copy
import sys
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from benchmarks import direct_transformers as direct
from benchmarks.resources import resident_peak, told
from benchmarks.speed import Row
from benchmarks.timing import alternate, processor_duration, threads, times_faster
from lib.models.albert import ALBERT_V2
from lib.models.handcrafted_baselines import LFTransformer
from lib.models.mme2e import MME2E
from lib.models.mult import MulT

WAYS = ("whole", "read row", "ours")
"""The direct implementation with the last layer whole, the same with the read row alone, and `lib.models`."""
TOLERANCE = 1e-4
TINY_ALBERT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}


def lf_transformer(quick: bool) -> tuple[nn.Module, dict[str, Tensor]]:
    """IEMOCAP's widths and the README's minibatch of 32; lengths of about a real utterance's."""
    batch, times = (2, (3, 4, 5)) if quick else (32, (20, 100, 100))
    sizes = {"text": 300, "audio": 144, "video": 35}
    inputs = {m: torch.randn(batch, t, d) for (m, d), t in zip(sizes.items(), times, strict=True)}
    for m in ("audio", "video"):
        inputs[f"{m}_lengths"] = torch.randint(1, inputs[m].shape[1] + 1, (batch,))
    return LFTransformer(sizes), inputs


def mult(quick: bool) -> tuple[nn.Module, dict[str, Tensor]]:
    """IEMOCAP's widths, 20 steps and a minibatch of 64."""
    sizes = {"text": 300, "audio": 74, "video": 35}
    inputs = {m: torch.randn(2 if quick else 64, 6 if quick else 20, d) for m, d in sizes.items()}
    return MulT(sizes, 4), inputs


def albert(quick: bool) -> tuple[nn.Module, dict[str, Tensor]]:
    """The end-to-end model with the text alone, ALBERT-base: two utterances of 100 tokens."""
    tokens = torch.randint(2, 30000, (2, 5 if quick else 100))
    inputs = {"text": tokens, "text_mask": torch.ones_like(tokens)}
    return MME2E(TINY_ALBERT if quick else ALBERT_V2["base"], modalities=("text",), channels=(4, 6, 8, 10)), inputs


MODELS = {"LF-Transformer": lf_transformer, "MulT": mult, "ALBERT-base, first token": albert}
DIRECT = dict(zip(MODELS, (direct.lf_transformer, direct.mult, direct.albert), strict=True))


def transformers(quick: bool) -> Iterator[Row]:
    """(h) Processor time of a step with the last layer whole over that of one with the read row, and peak memory."""
    for name in MODELS:
        with torch.random.fork_rng(), threads(1):
            torch.manual_seed(0)
            model, inputs = MODELS[name](quick)
            apart = disagreement(name, model, inputs)
            steps = {way: step(name, way, model, inputs) for way in WAYS}
            found = alternate(steps, 1 if quick else 9, clock=processor_duration)
        row = {"model": name} | {f"{way}_cpu_s": timing.median for way, timing in found.items()}
        for way in WAYS[1:]:
            ratios = times_faster(found["whole"], found[way])
            row[f"whole / {way}"] = ratios["times faster"]
            row[f"whole / {way}, range"] = f"{ratios['low']:.2f} to {ratios['high']:.2f}"
        yield row | {f"{way}_peak_MiB": peak_apart(name, way, quick) for way in WAYS} | {"logits apart": apart}


def step(name: str, way: str, model: nn.Module, inputs: dict[str, Tensor]) -> Callable[[], None]:
    """Forward, backward and an update of a copy of the model, at every call."""
    model = copy.deepcopy(model).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-5, fused=True)

    def one() -> None:
        optimiser.zero_grad(set_to_none=True)
        output = answer(name, way, model, inputs)
        nn.functional.binary_cross_entropy_with_logits(output, torch.ones_like(output)).backward()
        optimiser.step()

    return one


def answer(name: str, way: str, model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    return model(**inputs) if way == "ours" else DIRECT[name](model, inputs, full=way == "whole")


@torch.no_grad()
def disagreement(name: str, model: nn.Module, inputs: dict[str, Tensor]) -> float:
    """The largest difference of the logits of the three ways, without dropout.

    Raises AssertionError beyond `TOLERANCE`: then they do not compute the same and their times say nothing.
    """
    model.eval()
    whole, *others = (answer(name, way, model, inputs) for way in WAYS)
    found = max(float((other - whole).abs().max()) for other in others)
    if not found < TOLERANCE:
        raise AssertionError(f"{name}: the logits differ by {found:.1e}")
    return found


def peak_apart(name: str, way: str, quick: bool) -> float:
    """Peak resident MiB of a process of its own that makes three steps."""
    return float(told("-m", "benchmarks.transformers", name, way, "quick" if quick else "full"))


def peak(name: str, way: str, quick: bool) -> float:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    one = step(name, way, *MODELS[name](quick))
    for _ in range(3):
        one()
    return resident_peak() / 2**10


if __name__ == "__main__":
    print(peak(sys.argv[1], sys.argv[2], sys.argv[3] == "quick"))
