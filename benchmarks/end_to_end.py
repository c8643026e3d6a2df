"""A training step of the end-to-end models at the paper's widths: dense against sparse in the form that saves work."""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from benchmarks.speed import DEVICES, NOT_MEASURED, Row, there
from benchmarks.timing import alternate, threads, times_faster
from lib.models.albert import ALBERT_V2
from lib.models.mme2e import MME2E
from lib.models.mme2e_sparse import MME2ESparse
from lib.papers.end_to_end.costs import counted_flops, nominal_multiply_adds

BATCH, FACES, PIECES, TOKENS = 2, 10, 12, 100
"""Utterances of a step, and what each holds: the minibatch of the reference's figures (spec end_to_end, section 10)."""
THRESHOLDS = (0.5, 0.7)
REFERENCE_S = {1.0: 2.80, 0.7: 2.53}
"""Seconds of the reference's step; only their ratio compares."""
QUICK = {
    "albert": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
    "channels": (4, 6, 8, 10),
    "flatten_size": 16,
    "width": 8,
    "layers": 1,
    "heads": 2,
}


def models(quick: bool) -> dict[str, Callable[[], nn.Module]]:
    """By name: the dense model, and the sparse one at every threshold with features at their places."""
    sizes = QUICK if quick else {"albert": ALBERT_V2["base"]}
    found = {"dense": lambda: MME2E(**sizes)}
    for threshold in THRESHOLDS:
        for form in ("gathered", "masked"):
            options = {"threshold": threshold, "form": form, "site_order": "corrected"}
            found[f"sparse {threshold:g}, {form}"] = lambda options=options: MME2ESparse(**sizes, **options)
    return found


def minibatch(quick: bool, device: str) -> dict[str, Tensor]:
    """Random faces, spectrograms of positive numbers and tokens."""
    generator = torch.Generator().manual_seed(0)
    faces, pieces, tokens = (2, 2, 5) if quick else (FACES, PIECES, TOKENS)
    inputs = {
        "text": torch.randint(2, 30000, (BATCH, tokens), generator=generator),
        "text_mask": torch.ones(BATCH, tokens, dtype=torch.int64),
        "audio": torch.rand(BATCH * pieces, 1, 128, 32, generator=generator),
        "audio_lengths": torch.full((BATCH,), pieces),
        "video": torch.randint(0, 256, (BATCH * faces, 48, 48, 3), generator=generator, dtype=torch.uint8),
        "video_lengths": torch.full((BATCH,), faces),
    }
    return {name: x.to(device) for name, x in inputs.items()}


def step(model: nn.Module, inputs: Mapping[str, Tensor]) -> Callable[[], None]:
    """Forward, backward and an update, at every call."""
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-5, fused=True)
    targets = torch.eye(6, device=inputs["text"].device)[:BATCH]

    def one() -> None:
        optimiser.zero_grad(set_to_none=True)
        nn.functional.binary_cross_entropy_with_logits(model(**inputs), targets).backward()
        optimiser.step()

    return one


def end_to_end(quick: bool) -> Iterator[Row]:
    """Seconds of a step, their share of the dense model's, and the same of the operations of a forward pass."""
    for device in DEVICES:
        if not there(device):
            yield {"model": "dense", "device": device, "step_s": NOT_MEASURED}
            continue
        inputs, made = minibatch(quick, device), {}
        for name, make in models(quick).items():
            torch.manual_seed(0)
            made[name] = make().to(device)
        counts = {
            name: (nominal_multiply_adds(model.eval(), inputs), counted_flops(model, inputs)["all"])
            for name, model in made.items()
        }
        with threads(1):
            times = alternate({name: step(m.train(), inputs) for name, m in made.items()}, 1 if quick else 5)
        dense = times["dense"].median, *counts["dense"]
        for name, (nominal, counted) in counts.items():
            yield {
                "model": name,
                "device": device,
                "step_s": times[name].median,
                "fastest_s": times[name].fastest,
                "slowest_s": times[name].slowest,
                "time / dense": times[name].median / dense[0],
                **times_faster(times["dense"], times[name]),
                "nominal / dense": nominal / dense[1],
                "counted / dense": counted / dense[2],
                "reference time / dense": _reference(name),
            }


def _reference(name: str) -> float | str:
    """The reference's ratio where it gives one: its sparse step at 0.7."""
    known = {"dense": 1.0, "sparse 0.7, gathered": REFERENCE_S[0.7] / REFERENCE_S[1.0]}
    return known.get(name, "")
