"""What the dense and the sparse model cost: operations counted in two ways, and time (spec end_to_end, section 10).

Nominal: multiply-adds as the paper's sparse library counts them, a pair of active neighbours times input times output
channels, plus half the counted operations of everything else. What the paper's 8.65e9 counts is not stated, so only
ratios compare. Counted: what torch's counter sees, two operations per multiply-add. Both count what is computed here:
of a transformer's last layer one row, which the reference computes for all. Time: forward and backward of
one minibatch on one thread, the processor's and the wall clock's, the fastest of several rounds.
"""

import math
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lib.data.recordings.streamed_corpus import StreamedCorpus
from lib.models.mme2e_sparse import MME2ESparse, Stage
from lib.papers.end_to_end.study import find, sweep_thresholds, trained_model, variant
from lib.study import Runs
from lib.training.execution import one_thread

REPEATS = 7
ROUNDING = 1e-4
"""Of a float32 probability, relative, by the order in which a network of this depth is summed."""


def counted_flops(model: nn.Module, inputs: Mapping[str, Tensor]) -> dict[str, int]:
    """Operations of one forward pass: of everything (`all`), and of the sparse blocks (`sparse`)."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(**inputs)
    by_module = {name: sum(found.values()) for name, found in counter.get_flop_counts().items()}
    sparse = sum(flops for name, flops in by_module.items() if name.endswith(("V.sparse_layers", "A.sparse_layers")))
    blocks = [n for n in by_module if ".sparse_layers." in n and n.rpartition(".")[0].endswith("sparse_layers")]
    return {"all": counter.get_total_flops(), "sparse": sparse or sum(by_module[name] for name in blocks)}


@torch.no_grad()
def nominal_multiply_adds(model: nn.Module, inputs: Mapping[str, Tensor]) -> float:
    """Of one forward pass, the sparse convolutions counted as the sparse library does."""
    counted = counted_flops(model, inputs)
    if not isinstance(model, MME2ESparse):
        return counted["all"] / 2
    stages = model.with_stages(**inputs)[1]
    cnns = {"video": model.V, "audio": model.A}
    return (counted["all"] - counted["sparse"]) / 2 + sum(
        int(cnns[modality].multiply_adds(found)) for modality, found in stages.items()
    )


def step_seconds(models: Sequence[nn.Module], inputs: Mapping[str, Tensor], targets: Tensor) -> list[dict[str, float]]:
    """A forward and backward pass in training mode of each model: `seconds` of the processor, `wall` seconds.

    The fastest of the rounds, in which the models take turns, after one that warms up. On one thread the two agree on a
    quiet machine; on a busy one the wall clock also counts waiting.
    """
    found: list[list[tuple[float, float]]] = [[] for _ in models]
    for _ in range(REPEATS + 1):
        for model, times in zip(models, found, strict=True):
            model.train().zero_grad(set_to_none=True)
            started = time.process_time(), time.perf_counter()
            nn.functional.binary_cross_entropy_with_logits(model(**inputs), targets).backward()
            times.append((time.process_time() - started[0], time.perf_counter() - started[1]))
    return [dict(zip(("seconds", "wall"), map(min, zip(*times[1:], strict=True)), strict=True)) for times in found]


@one_thread()
def cost_table(runs: Runs, corpus: StreamedCorpus) -> pd.DataFrame:
    """Costs of the trained dense model and of the sparse one at every threshold, in both its forms.

    Of each the first seed that has weights; what has none has no row. Per utterance of a test minibatch; `..._ratio` is
    the share of the dense model's, NaN without it.
    """
    p = runs.study.p
    batch = corpus.splits["test"].take(slice(0, p.models.chosen()["mme2e"].batch_size))
    inputs, targets = dict(batch.inputs), batch.targets
    dense = find(runs, variant("mme2e"))
    models = [(variant("mme2e"), 1.0, "dense", trained_model(runs, dense))] if dense else []
    for threshold in sweep_thresholds(p):
        name = variant("mme2e_sparse", threshold)
        run = find(runs, name)
        for form in ("gathered", "masked") if run else ():
            models.append((name, threshold, form, trained_model(runs, run, form=form)))
    rows = []
    for name, threshold, form, model in models:
        costs = {"nominal": nominal_multiply_adds(model, inputs), "counted": counted_flops(model, inputs)["all"]}
        about = {"variant": name, "threshold": threshold, "form": form}
        rows.append(about | {word: count / len(targets) / 1e6 for word, count in costs.items()})
    times = step_seconds([model for *_, model in models], inputs, targets)
    found = [row | seconds for row, seconds in zip(rows, times, strict=True)]
    measured = ("nominal", "counted", "seconds", "wall")
    table = pd.DataFrame(found, columns=["variant", "threshold", "form", *measured])
    for column in measured:
        table[f"{column}_ratio"] = table[column] / table[column].iloc[0] if dense else np.nan
    return table


@one_thread()
@torch.no_grad()
def batch_dependence(runs: Runs, corpus: StreamedCorpus, utterances: int = 8) -> pd.DataFrame:
    """How far the logits of the first test utterances move when each is computed alone instead of in one minibatch.

    A model that treats utterances independently moves by rounding; the published order of the places moves it by far
    more (quirk Q1). Utterances in which rounding moved a place across the threshold are passed over, for such a place
    weighs far more than rounding; `passed_over` counts them.
    """
    p = runs.study.p
    names = [variant("mme2e"), *(variant("mme2e_sparse", p.threshold, change) for change in ("", *p.changes))]
    batch, rows = corpus.splits["test"].take(slice(0, utterances)), []
    for name in names:
        run = find(runs, name)
        if run is None:
            continue
        model, changes = trained_model(runs, run), []
        together, stages = _with_stages(model, batch.inputs)
        for i in range(len(batch)):
            inputs = batch.take(slice(i, i + 1)).inputs
            alone, own = _with_stages(model, inputs)
            same = {
                m: [_frames(stage, batch.inputs[f"{m}_lengths"], i) for stage in found] for m, found in stages.items()
            }
            if not any(decided_by_rounding(same[m], own[m]) for m in own):
                changes.append((together[i] - alone[0]).abs().max().item())
        passed_over = len(batch) - len(changes)
        change = max(changes, default=math.nan)
        rows.append({"variant": name, "utterances": len(changes), "passed_over": passed_over, "largest_change": change})
    return pd.DataFrame(rows)


def _with_stages(model: nn.Module, inputs: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, list[Stage]]]:
    """Logits, and what the sparse model's stages decided; the dense one has none."""
    return model.with_stages(**inputs) if isinstance(model, MME2ESparse) else (model(**inputs), {})


def _frames(stage: Stage, lengths: Tensor, utterance: int) -> Stage:
    """The part of one utterance."""
    first = int(lengths[:utterance].sum())
    rows = slice(first, first + int(lengths[utterance]))
    return Stage(stage.probabilities[rows], stage.kept[rows])


def decided_by_rounding(one: Sequence[Stage], other: Sequence[Stage]) -> bool:
    """Whether two computations of a frame first part at places that lie at the threshold, and there alone.

    Such a place is as probable as the least probable one that is kept, within rounding, in one of the two.
    """
    for a, b in zip(one, other, strict=True):
        if (parted := a.kept != b.kept).any():
            return bool((_at_threshold(a) | _at_threshold(b))[parted].all())
    return False


def _at_threshold(stage: Stage) -> Tensor:
    least = stage.probabilities.masked_fill(~stage.kept, math.inf).amin(dim=(1, 2), keepdim=True)
    return (stage.probabilities - least).abs() <= ROUNDING * least
